//! An update that is taken back: a version on trial, and the one before it after that.

use std::path::PathBuf;

use jumpgate::audit;
use jumpgate::control::{Reply, Request};
use jumpgate::domain::entry::EndReason;
use jumpgate::domain::{AccountName, SessionId, ShellId};
use jumpgate::link::message::{FromConsole, Status};
use jumpgate::store::{Database, StoreError, entries, sessions, transcripts};
use nix::sys::signal::Signal;

use super::support::{Appliance, Console, Customer, Raw, Representative, eventually};
use super::{Joined, programs};

const PASSWORD: &str = "correct+horse+battery";
const GOOD: bool = false;
const TRIAL: bool = true;

/// Somebody's browser, signed in.
struct Browser {
    cookie: String,
}

impl Browser {
    async fn sign_in(appliance: &Appliance, of: &Representative) -> Self {
        let form = format!("name={}&password={PASSWORD}", of.name);
        let answer = ask(appliance, "POST", "/login", "", &form).await;
        assert!(answer.starts_with("HTTP/1.1 303 "), "{answer}");
        let cookies = answer.lines().filter_map(|line| {
            let (name, value) = line.split_once(": ")?;
            let is_cookie = name.eq_ignore_ascii_case("set-cookie");
            is_cookie.then(|| value.split(';').next())?
        });
        let cookie = cookies.collect::<Vec<_>>().join("; ");
        Self { cookie }
    }

    async fn gets(&self, appliance: &Appliance, path: &str) -> String {
        ask(appliance, "GET", path, &self.cookie, "").await
    }

    async fn posts(&self, appliance: &Appliance, path: &str, form: &str) -> String {
        ask(appliance, "POST", path, &self.cookie, form).await
    }
}

/// One request on a connection of its own: the whole answer.
async fn ask(appliance: &Appliance, method: &str, path: &str, cookie: &str, form: &str) -> String {
    let mut browser = Raw::tls(appliance, &[b"http/1.1"]).await;
    let host = format!("localhost:{}", appliance.https());
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nCookie: {cookie}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    browser.send(request.as_bytes()).await;
    let (answer, _) = browser.until_closed().await;
    String::from_utf8(answer).unwrap()
}

/// Everything of the sessions that Reports shows, and the audit chain.
#[derive(Debug, PartialEq)]
struct Records {
    sessions: Vec<sessions::SessionSummary>,
    logs: Vec<Vec<jumpgate::domain::Entry>>,
    shells: Vec<Vec<transcripts::TranscriptRow>>,
    chain: Vec<audit::Record>,
}

/// What the store has, after its chain was found good.
fn records(store: &Database) -> Records {
    store.read(audit::verify).unwrap();
    let read = store.read(|c| {
        let all = sessions::Filter {
            limit: 100,
            ..sessions::Filter::default()
        };
        let sessions = sessions::page(c, &all)?;
        let ids = || sessions.iter().map(|session| session.id);
        let mut chain = audit::page(c, None, 500)?;
        chain.reverse();
        Ok::<_, StoreError>(Records {
            logs: ids()
                .map(|id| entries::of(c, id))
                .collect::<Result<_, _>>()?,
            shells: ids()
                .map(|id| transcripts::of(c, id))
                .collect::<Result<_, _>>()?,
            chain,
            sessions: sessions.clone(),
        })
    });
    read.unwrap()
}

fn file_of(appliance: &Appliance, generation: u32) -> PathBuf {
    let folder = appliance.paths().store_folder();
    folder.join(format!("appliance-{generation}.db"))
}

fn stop(appliance: &mut Appliance) {
    let (status, _) = appliance.stop(Signal::SIGINT);
    assert!(status.success(), "{status}");
}

/// Another customer is joined with the representative.
async fn another(
    appliance: &Appliance,
    console: &Console,
    of: &Representative,
) -> (Customer, SessionId) {
    let key = appliance.key(of, None).await;
    let mut customer = Customer::start(appliance, &key.digits);
    customer.hears("Waiting for ada").await;
    let session = console.accepts_next().await;
    customer.hears("ada is connected.").await;
    (customer, session)
}

async fn end(joined: &mut Joined) {
    let session = joined.session;
    joined.console.say(FromConsole::End { session });
    joined.customer.hears("The session is over.").await;
    assert!(joined.customer.ends().await.success());
    let gone = joined
        .console
        .sees("the end", |seen| seen.gone.get(&session).copied());
    assert_eq!(gone.await, EndReason::Representative);
}

async fn creates(appliance: &Appliance, name: &str) -> Reply {
    let request = Request::CreateRepresentative {
        name: AccountName::new(name).unwrap(),
        display_name: None,
        password: jumpgate::domain::Secret::new("correct horse battery".into()),
    };
    appliance.ask(request).await
}

fn recording(appliance: &Appliance, session: SessionId, shell: ShellId) -> PathBuf {
    let name = format!("{session}-shell-{shell}.cast");
    appliance.paths().recordings().join(name)
}

/// The shell is in Reports: its page has a player, and the player gets the whole file.
async fn plays(appliance: &Appliance, browser: &Browser, session: SessionId, shell: ShellId) {
    let page = format!("/login/reports/{session}/shell/{shell}");
    assert!(browser.gets(appliance, &page).await.contains("player"));
    let cast = browser.gets(appliance, &format!("{page}.cast")).await;
    let (head, body) = cast.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let file = std::fs::read(recording(appliance, session, shell)).unwrap();
    assert!(
        body.as_bytes() == file,
        "{} of {} bytes",
        body.len(),
        file.len()
    );
    assert!(body.contains("the answer is 42"), "{body}");
}

/// An hour in the life of two versions.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn going_back_from_a_trial_loses_nothing_and_leaves_the_old_store_untouched() {
    let mut appliance = Appliance::prepare(programs());
    appliance.generation(1, GOOD);
    appliance.up().await;
    let mut joined = Joined::on(appliance).await;
    joined.chats("before the update").await;
    let (first, shell) = joined.shell().await;
    let answer = "echo the answer is $((6 * 7))";
    joined.console.runs((first, shell), answer, "is 42").await;
    end(&mut joined).await;
    let unused = joined.appliance.key(&joined.representative, None).await;
    stop(&mut joined.appliance);
    let old = file_of(&joined.appliance, 1);
    let before = std::fs::read(&old).unwrap();

    // The new version, on trial.
    joined.appliance.generation(2, TRIAL);
    joined.appliance.up().await;
    let state = joined.appliance.status().await.store;
    assert_eq!((state.generation, state.on_trial), (Some(2), true));
    let browser = Browser::sign_in(&joined.appliance, &joined.representative).await;
    let page = browser.gets(&joined.appliance, "/login/account").await;
    assert!(page.contains("A new version is proving itself"), "{page}");
    let posted = browser.posts(&joined.appliance, "/login/account", "").await;
    assert!(posted.starts_with("HTTP/1.1 409 "), "{posted}");
    let refused = creates(&joined.appliance, "bea").await;
    assert!(matches!(refused, Reply::Refused { .. }), "{refused:?}");

    joined.console.cut().await;
    joined.console = Console::connect(&joined.appliance, &joined.representative).await;
    let key = unused;
    joined.customer = Customer::start(&joined.appliance, &key.digits);
    joined.session = joined.console.accepts_next().await;
    joined.customer.hears("ada is connected.").await;
    joined.chats("during the trial").await;
    let (second, shell) = joined.shell().await;
    joined.console.runs((second, shell), answer, "is 42").await;
    // What a terminal shows is on its way to the recording; a kill may be faster.
    let recording = recording(&joined.appliance, second, shell);
    eventually("the answer is recorded", || {
        let cast = std::fs::read_to_string(&recording).unwrap_or_default();
        cast.contains("the answer is 42").then_some(())
    })
    .await;
    // In the middle of everything.
    joined.appliance.kill("relay").await;
    joined.console.cut().await;
    let (there, representative) = (&joined.appliance, &joined.representative);
    joined.console.come_back(there, representative).await;
    joined.customer.hears("The connection is back.").await;
    joined.console.sees_status(second, Status::InProgress).await;
    joined.chats("after the crash").await;
    let (mut staying, third) =
        another(&joined.appliance, &joined.console, &joined.representative).await;
    joined.console.chat(third, "please wait");
    staying.hears("please wait").await;
    let number = joined.console.sees_chat(third, "please wait").await;
    joined.console.sees_recorded(third, number).await;
    end(&mut joined).await;
    stop(&mut joined.appliance);
    assert!(
        std::fs::read(&old).unwrap() == before,
        "the old store was touched"
    );
    let trial = records(&Database::open(&file_of(&joined.appliance, 2)).unwrap());
    assert_eq!(trial.sessions.len(), 3);

    // It did not prove itself: the version before again.
    joined.appliance.generation(1, GOOD);
    joined.appliance.up().await;
    staying.hears("The connection is back.").await;
    joined.console.cut().await;
    joined.console = Console::connect(&joined.appliance, &joined.representative).await;
    joined.console.sees_status(third, Status::InProgress).await;
    let state = joined.appliance.status().await.store;
    assert_eq!((state.generation, state.on_trial), (Some(1), false));
    let browser = Browser::sign_in(&joined.appliance, &joined.representative).await;
    for session in [first, second] {
        plays(&joined.appliance, &browser, session, ShellId(1)).await;
    }
    assert!(matches!(
        creates(&joined.appliance, "bea").await,
        Reply::Account(_)
    ));
    stop(&mut joined.appliance);
    let back = records(&joined.appliance.store());
    let ended = |records: &Records| {
        let pairs = records
            .sessions
            .iter()
            .zip(&records.logs)
            .zip(&records.shells);
        let ended = pairs.filter(|((session, _), _)| session.ended.is_some());
        ended.map(|all| format!("{all:?}")).collect::<Vec<_>>()
    };
    assert_eq!(ended(&trial).len(), 2);
    assert_eq!(ended(&back), ended(&trial));
    assert_eq!(back.chain[..trial.chain.len()], trial.chain);
    let log = |records: &Records| {
        let place = records.sessions.iter().position(|it| it.id == third);
        records.logs[place.unwrap()].clone()
    };
    assert!(log(&back).starts_with(&log(&trial)));
    joined.appliance.nothing_panicked();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_proof_changes_are_possible_and_a_copy_is_kept() {
    let mut appliance = Appliance::prepare(programs());
    appliance.generation(1, GOOD);
    appliance.up().await;
    let ada = appliance.representative("ada").await;
    let label = "2".try_into().unwrap();
    let Reply::BackedUp { bytes } = appliance.ask(Request::BackUp { label }).await else {
        panic!("no backup");
    };
    let backup = appliance.paths().backups().join("before-2.db");
    assert_eq!(backup.metadata().unwrap().len(), bytes);
    let label = "../store/appliance".try_into().unwrap();
    let refused = appliance.ask(Request::BackUp { label }).await;
    assert!(matches!(refused, Reply::Refused { .. }), "{refused:?}");
    stop(&mut appliance);

    appliance.generation(2, TRIAL);
    appliance.up().await;
    let browser = Browser::sign_in(&appliance, &ada).await;
    assert!(matches!(
        creates(&appliance, "bea").await,
        Reply::Refused { .. }
    ));
    for _ in 0..2 {
        assert!(matches!(appliance.ask(Request::Proven).await, Reply::Done));
    }
    assert!(!appliance.status().await.store.on_trial);
    assert!(matches!(
        creates(&appliance, "bea").await,
        Reply::Account(_)
    ));
    let page = browser.gets(&appliance, "/login/account").await;
    assert!(!page.contains("proving itself"), "{page}");
    // Still under the words that say it is on trial: what was proved stays proved.
    appliance.kill("relay").await;
    assert!(!appliance.status().await.store.on_trial);
    stop(&mut appliance);

    // An administrator who goes back after that finds the new account as well.
    appliance.generation(1, GOOD);
    appliance.up().await;
    assert_eq!(appliance.account("bea").name.as_str(), "bea");
    Browser::sign_in(&appliance, &appliance.account("bea")).await;
    stop(&mut appliance);
    records(&appliance.store());
}
