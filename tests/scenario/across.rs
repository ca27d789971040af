//! A restart of the whole appliance for an update: announced, and slept through by nobody's session.

use std::time::{Duration, Instant};

use jumpgate::control::{Reply, Request};
use jumpgate::domain::entry::{EndReason, What};
use jumpgate::domain::{Entry, SessionId, ShellId, Stamp};
use jumpgate::link::message::{FromConsole, Status};
use jumpgate::store::{entries, transcripts};
use nix::sys::signal::Signal;
use tokio::time::timeout;

use super::support::{Appliance, Console, Customer, Line};
use super::{Joined, programs};

/// From the front door's opening to everybody being back (GX-02).
const BACK_WITHIN: Duration = Duration::from_secs(2);
/// How long the machine says nothing.
const DOWN_FOR: Duration = Duration::from_secs(3);

/// Says something for as long as the appliance is away, and then a word that waited.
const TICKS: u32 = 24;

/// An appliance of generation 1, and a customer whose way there can fall silent.
async fn joined_by(line: &mut Option<Line>) -> Joined {
    let mut appliance = Appliance::prepare(programs());
    appliance.generation(1, false);
    appliance.up().await;
    let representative = appliance.representative("ada").await;
    let console = Console::connect(&appliance, &representative).await;
    let key = appliance.key(&representative, None).await;
    let way = line.insert(Line::to(appliance.https()).await);
    let address = way.at().to_string().parse().unwrap();
    let mut customer = Customer::start_by(&appliance, &address, &key.digits, &[]);
    customer.hears("Waiting for ada").await;
    let session = console.accepts_next().await;
    customer.hears("ada is connected.").await;
    Joined {
        console,
        customer,
        session,
        representative,
        appliance,
    }
}

fn in_seconds(seconds: i64) -> Stamp {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
    Stamp(i64::try_from(now).unwrap() + seconds * 1_000)
}

async fn announce(appliance: &Appliance, restart: Option<Stamp>) {
    let reply = appliance.ask(Request::Announce { restart }).await;
    assert!(matches!(reply, Reply::Done), "{reply:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_chat_and_shells_go_on_within_two_seconds_of_an_update() {
    let mut line = None;
    let mut joined = joined_by(&mut line).await;
    let line = line.unwrap();
    let at = joined.shell().await;
    // Only this very shell knows.
    joined.console.runs(at, "X=41; echo $((X * 2))", "82").await;
    announce(&joined.appliance, Some(in_seconds(15))).await;
    joined
        .customer
        .hears("The appliance restarts in 15 seconds for an update. Your session goes on by itself")
        .await;
    let told = joined.console.sees("the announcement", |seen| seen.restart);
    assert_eq!(told.await, 15);
    joined.chats("before the update").await;
    let ticking = format!("for i in $(seq {TICKS}); do echo tick-$i-; sleep 0.5; done");
    joined.console.runs(at, &ticking, "tick-2-").await;
    let number = joined
        .console
        .sees_chat(at.0, "back: before the update")
        .await;
    joined.console.sees_recorded(at.0, number).await;
    let before = joined.console.seen().entries[&at.0].clone();

    let (status, _) = joined.appliance.stop(Signal::SIGTERM);
    assert!(status.success(), "{status}");
    line.silence();
    joined.customer.hears("the appliance restarts").await;
    joined.console.cut().await;
    joined.customer.types("typed while it was away");
    // Silence is what is waited for: nothing else happens meanwhile.
    tokio::time::sleep(DOWN_FOR).await;
    joined.appliance.generation(2, true);
    joined.appliance.up().await;
    let open = Instant::now();
    line.mend();

    let back = async {
        let (there, of) = (&joined.appliance, &joined.representative);
        joined.console.come_back(there, of).await;
        joined.customer.hears("The connection is back.").await;
        joined.console.sees_status(at.0, Status::InProgress).await;
        joined.console.sees_shell(at.0, 1).await;
    };
    timeout(BACK_WITHIN, back).await.expect("back in time");
    eprintln!("everybody was back after {:?}", open.elapsed());

    goes_on(&mut joined, at, &before).await;
    is_on_record(&mut joined, at, &before).await;
}

/// As if nothing had happened.
async fn goes_on(joined: &mut Joined, at: (SessionId, ShellId), before: &Log) {
    joined
        .console
        .sees_chat(at.0, "typed while it was away")
        .await;
    joined.chats("after the update").await;
    let last = format!("tick-{TICKS}-");
    joined.console.reads(at, 0, &last).await;
    joined.console.reads(at, 0, "ready> ").await;
    joined
        .console
        .runs(at, "echo $((X + 1))-still", "42-still")
        .await;
    let shown = joined.console.seen().shells[&at].text();
    for tick in 1..=TICKS {
        let line = format!("tick-{tick}-\r\n");
        assert_eq!(shown.matches(&line).count(), 1, "{line:?} of {shown}");
    }
    // Asked once; the same shell.
    assert_eq!(joined.customer.shown().matches("Allow?").count(), 1);
    let log = joined.console.seen().entries[&at.0].clone();
    for (number, entry) in before {
        assert_eq!(log.get(number), Some(entry));
    }
    let count = |is: fn(&What) -> bool| log.values().filter(|entry| is(&entry.what)).count();
    assert_eq!(count(|what| *what == What::ApplianceRestarted), 1);
    assert_eq!(count(|what| *what == What::CustomerBack), 1);
    assert_eq!(count(|what| matches!(what, What::ShellClosed { .. })), 0);
    assert_eq!(count(|what| *what == What::Requeued), 0);
    let typed =
        |what: &What| matches!(what, What::Chat { text } if text.as_str().starts_with("typed"));
    assert_eq!(count(typed), 1);
}

type Log = std::collections::BTreeMap<u32, Entry>;

/// The new store has the session whole, and the shell's recording as one piece.
async fn is_on_record(joined: &mut Joined, at: (SessionId, ShellId), before: &Log) {
    let session = at.0;
    joined.console.say(FromConsole::End { session });
    joined.customer.hears("The session is over.").await;
    let gone = joined
        .console
        .sees("the end", |seen| seen.gone.get(&session).copied());
    assert_eq!(gone.await, EndReason::Representative);
    let shown = joined.console.seen().shells[&at].text();
    let (status, _) = joined.appliance.stop(Signal::SIGTERM);
    assert!(status.success(), "{status}");
    joined.appliance.nothing_panicked();

    let store = joined.appliance.store();
    store.read(jumpgate::audit::verify).unwrap();
    let log = store.read(|c| entries::of(c, session)).unwrap();
    assert!(before.values().all(|entry| log.contains(entry)));
    let shells = store.read(|c| transcripts::of(c, session)).unwrap();
    let [shell] = &*shells else {
        panic!("{shells:?}");
    };
    let file = joined.appliance.paths().recordings().join(&shell.file);
    let cast = std::fs::read(file).unwrap();
    assert_eq!(shell.bytes, Some(cast.len() as u64));
    let sha256 = jumpgate::domain::token::Fingerprint::of(&cast);
    assert_eq!(shell.sha256, Some(sha256));
    let mut played = String::new();
    let mut last = 0.0;
    for line in std::str::from_utf8(&cast).unwrap().lines().skip(1) {
        let (at, code, text): (f64, String, String) = serde_json::from_str(line).unwrap();
        assert!(at >= last, "{line}");
        last = at;
        if code == "o" {
            played.push_str(&text);
        }
    }
    assert!(played.starts_with(&shown), "{played:?} is not {shown:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_after_an_announcement_hears_it_too_and_it_can_be_taken_back() {
    let mut joined = Joined::new().await;
    announce(&joined.appliance, Some(in_seconds(60))).await;
    joined.customer.hears("for an update").await;
    let (there, of) = (&joined.appliance, &joined.representative);
    let second = there.representative("bea").await;
    let late = Console::connect(there, &second).await;
    assert!(late.sees("the announcement", |seen| seen.restart).await > 30);
    let key = there.key(of, None).await;
    let mut waiting = Customer::start(there, &key.digits);
    waiting.hears("for an update").await;
    announce(there, None).await;
    for customer in [&mut joined.customer, &mut waiting] {
        customer.hears("does not restart after all").await;
    }
    let taken_back =
        |seen: &mut super::support::console::Seen| seen.restart.is_none().then_some(());
    late.sees("that it does not", taken_back).await;
    // Nothing was interrupted.
    joined.chats("all the while").await;
    assert!(!joined.customer.shown().contains("interrupted"));
}
