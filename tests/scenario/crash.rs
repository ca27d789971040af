//! Programs that end, politely or not, in the middle of everything.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jumpgate::control::{Reply, Request};
use jumpgate::domain::entry::What;
use jumpgate::domain::limits::STOP_WITHIN;
use jumpgate::domain::{Entry, PeerAddress, Text};
use jumpgate::link::message::{FromConsole, Status};
use jumpgate::store::entries;
use nix::sys::signal::Signal;

use super::support::{Appliance, Raw, Representative, eventually};
use super::{Joined, nightly};

/// When the relay is killed; printed by a test that fails.
struct Chance(u64);

impl Chance {
    /// `SCENARIO_SEED=…` replays a failure, as far as real programs can be replayed.
    fn new() -> Self {
        let given = std::env::var("SCENARIO_SEED").ok();
        let clock = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
        let seed: u64 = given.map_or(clock.subsec_nanos().into(), |seed| seed.parse().unwrap());
        eprintln!("SCENARIO_SEED={seed}");
        Self(seed | 1)
    }

    /// Up to so many milliseconds (xorshift64).
    fn wait(&mut self, millis: u64) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        Duration::from_millis(self.0 % millis)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_relay_loses_nothing_that_was_acknowledged() {
    let mut chance = Chance::new();
    // A relay that keeps crashing is started again ever later, so rather several appliances.
    for _ in 0..if nightly() { 15 } else { 1 } {
        killed_in_the_middle(&mut chance, 4).await;
    }
}

async fn killed_in_the_middle(chance: &mut Chance, rounds: u32) {
    let mut joined = Joined::new().await;
    let session = joined.session;
    let mut typed = Vec::new();
    for round in 1..=rounds {
        let begun = tokio::time::Instant::now();
        let until = begun + Duration::from_millis(30) + chance.wait(250);
        let mut number = 0;
        while tokio::time::Instant::now() < until {
            number += 1;
            let request = round * 1_000 + number;
            joined
                .console
                .chat(session, &format!("note {round}.{number}"));
            if number % 8 == 1 {
                joined.console.say(FromConsole::CreateKey {
                    request,
                    seconds: 600,
                });
            }
            if number % 10 == 1 && number < 100 {
                let line = format!("line {round}.{number}");
                joined.customer.types(&line);
                typed.push(line);
            }
            tokio::time::sleep(Duration::from_millis(4)).await;
        }
        joined.appliance.kill("relay").await;
        joined
            .customer
            .hears("The connection is interrupted.")
            .await;
        joined.console.cut().await;
        let recorded = recorded(&joined);
        joined
            .console
            .come_back(&joined.appliance, &joined.representative)
            .await;
        joined.customer.hears("The connection is back.").await;
        joined
            .console
            .sees_status(session, Status::InProgress)
            .await;
        // What was acknowledged before is in the log that is shown now, unchanged.
        let now = joined.console.seen().entries[&session].clone();
        for (number, entry) in recorded {
            assert_eq!(now.get(&number), Some(&entry));
        }
        let number = joined
            .console
            .sees_chat(session, typed.last().unwrap())
            .await;
        joined.console.sees_recorded(session, number).await;
    }
    let keys: BTreeSet<String> = joined
        .console
        .seen()
        .keys
        .iter()
        .map(|key| key.1.clone())
        .collect();
    assert!(!keys.is_empty());
    for key in &keys {
        find(&joined.appliance, &joined.representative, key).await;
    }
    joined.chats("after all that").await;

    let recorded = recorded(&joined);
    let log = stored(&mut joined.appliance, session);
    for (number, entry) in &recorded {
        assert_eq!(log.get(number), Some(entry), "entry {number} of the store");
    }
    // The customer's program sends again what was under way, so nothing typed is lost or doubled.
    let said: Vec<&str> = log
        .values()
        .filter_map(|entry| match &entry.what {
            What::Chat { text } if text.as_str().starts_with("line ") => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(said, typed);
    joined.appliance.nothing_panicked();
}

/// Entries that the console was told are on record.
fn recorded(joined: &Joined) -> BTreeMap<u32, Entry> {
    let seen = joined.console.seen();
    let through = seen.recorded.get(&joined.session).copied().unwrap_or(0);
    let log = seen.entries[&joined.session].range(..=through);
    log.map(|(number, entry)| (*number, entry.clone()))
        .collect()
}

/// The log as the store has it; stops the appliance for that.
fn stored(appliance: &mut Appliance, session: jumpgate::domain::SessionId) -> BTreeMap<u32, Entry> {
    let (status, _) = appliance.stop(Signal::SIGINT);
    assert!(status.success(), "{status}");
    let store = appliance.store();
    store.read(jumpgate::audit::verify).unwrap();
    let log = store.read(|c| entries::of(c, session)).unwrap();
    log.into_iter().map(|entry| (entry.number, entry)).collect()
}

/// A key works.
async fn find(appliance: &Appliance, of: &Representative, key: &str) {
    let request = Request::LookUpKey {
        key: Text::try_from(key).unwrap(),
        address: PeerAddress::new(([127, 0, 0, 1], 1).into()),
        puzzle: None,
    };
    match appliance.ask(request).await {
        Reply::KeyFound { representative, .. } => assert_eq!(representative, of.label),
        other => panic!("{key}: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_allowed_outlives_a_killed_relay_but_shells_do_not() {
    let mut joined = Joined::new().await;
    let at = joined.shell().await;
    joined.appliance.kill("relay").await;
    joined.console.cut().await;
    joined
        .console
        .come_back(&joined.appliance, &joined.representative)
        .await;
    joined.customer.hears("The connection is back.").await;
    joined.console.sees_status(at.0, Status::InProgress).await;
    joined
        .console
        .sees_entry(at.0, "the restart", |what| {
            *what == What::ApplianceRestarted
        })
        .await;
    // No question this time.
    joined.console.open_shell(at.0);
    let shell = joined.console.sees_shell(at.0, 2).await;
    joined
        .console
        .runs((at.0, shell), "echo $((6 * 7))", "42")
        .await;
    assert_eq!(joined.customer.shown().matches("Allow?").count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_web_side_drops_no_session_and_is_back_soon() {
    let mut joined = Joined::new().await;
    let at = joined.shell().await;
    for _ in 0..3 {
        joined.appliance.kill("web").await;
        joined.chats("all the while").await;
        joined.console.runs(at, "echo $((6 * 7))", "42").await;
        // A visitor meanwhile waits in the kernel's queue and gets the page.
        assert!(
            page(&joined.appliance, "/")
                .await
                .starts_with("HTTP/1.1 200 ")
        );
    }
    assert!(!joined.console.seen().over, "the console's link went on");
    assert!(!joined.customer.shown().contains("interrupted"));
    let log = joined.console.seen().entries[&at.0].clone();
    let lost = |entry: &Entry| matches!(entry.what, What::CustomerLost | What::RepresentativeLost);
    assert!(!log.values().any(lost));
}

/// The head of a page.
async fn page(appliance: &Appliance, path: &str) -> String {
    let mut browser = Raw::tls(appliance, &[b"http/1.1"]).await;
    let host = format!("localhost:{}", appliance.https());
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    browser.send(request.as_bytes()).await;
    browser.head().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ctrl_c_stops_everything_within_two_seconds_and_the_next_start_keeps_everything() {
    let mut joined = Joined::new().await;
    let at = joined.shell().await;
    let unused = joined.appliance.key(&joined.representative, None).await;
    let before = joined.appliance.ready();
    let programs = ["relay", "web"].map(|name| joined.appliance.program(name).unwrap());
    // In the middle of output, chat and a page.
    joined.console.types(at.0, at.1, "seq 1 100000000\n");
    let mut browser = Raw::tls(&joined.appliance, &[b"http/1.1"]).await;
    browser.send(b"GET / HTTP/1.1\r\nHo").await;
    joined.console.chat(at.0, "just before");
    let number = joined.console.sees_chat(at.0, "just before").await;
    joined.console.sees_recorded(at.0, number).await;

    let (status, took) = joined.appliance.stop(Signal::SIGINT);
    assert!(status.success(), "{status}");
    assert!(took < STOP_WITHIN, "{took:?}");
    for program in programs {
        eventually("nothing is left running", || {
            nix::sys::signal::kill(program, None).err()
        })
        .await;
    }
    assert!(!joined.appliance.paths().ready().exists());
    joined
        .customer
        .hears("The connection is interrupted.")
        .await;

    joined.appliance.up().await;
    assert_eq!(joined.appliance.ready()["url"], before["url"]);
    assert_eq!(
        joined.appliance.ready()["fingerprint"],
        before["fingerprint"]
    );
    joined.customer.hears("The connection is back.").await;
    joined.console.cut().await;
    joined
        .console
        .come_back(&joined.appliance, &joined.representative)
        .await;
    joined.console.sees_status(at.0, Status::InProgress).await;
    joined.console.sees_chat(at.0, "just before").await;
    joined.chats("goes on").await;
    find(&joined.appliance, &joined.representative, &unused.digits).await;
    joined.appliance.nothing_panicked();
}
