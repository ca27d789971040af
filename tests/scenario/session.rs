//! The main job, from the session key to the report.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::{Duration, Instant};

use jumpgate::audit;
use jumpgate::domain::entry::{Author, EndReason, What};
use jumpgate::domain::facts::Kind;
use jumpgate::domain::token::Fingerprint;
use jumpgate::domain::{SessionId, ShellId, Tool};
use jumpgate::link::message::{FromConsole, Status};
use jumpgate::recording::{Decoder, Happened, Item};
use jumpgate::store::{entries, sessions, transcripts};
use nix::sys::signal::Signal;

use super::support::{Appliance, Console, Customer};
use super::{Joined, programs};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_key_joins_a_customer_and_a_representative() {
    let mut appliance = Appliance::start(programs()).await;
    let made = appliance.ctl(
        &["representative", "create", "ada", "--password-stdin"],
        "correct horse battery\n",
    );
    assert_eq!(made["name"], "ada", "{made}");
    let key = appliance.ctl(&["session-key", "create", "--representative", "ada"], "");
    let (digits, url) = (key["key"].as_str().unwrap(), key["url"].as_str().unwrap());
    assert_eq!(digits.len(), 7, "{key}");
    let site = format!("https://localhost:{}/?ak=", appliance.https());
    assert!(url.starts_with(&site), "{url}");

    // The customer may be there before the representative.
    let mut customer = Customer::start(&appliance, digits);
    customer.hears("Waiting for ada... ").await;
    let ada = appliance.account("ada");
    let console = Console::connect(&appliance, &ada).await;
    let session = console.sees_waiting().await;
    let overview = console.seen().sessions[&session].clone();
    assert_eq!(overview.kind, Kind::Client);
    assert_eq!(overview.public_address, "127.0.0.1");
    assert!(!overview.facts.computer.is_empty(), "{overview:?}");
    assert!(overview.facts.platform.contains("Linux"), "{overview:?}");
    console.say(FromConsole::Accept { session });
    console.sees_status(session, Status::InProgress).await;
    customer.hears("ada is connected.").await;

    let mut joined = Joined {
        console,
        customer,
        session,
        representative: ada,
        appliance,
    };
    joined.chats("grüße, 世界").await;
    several_shells(&mut joined).await;
    stop_sharing(&mut joined).await;
    joined.chats("after that").await;

    joined.console.say(FromConsole::End { session });
    let last = "ada has ended the session. The session is over. \
                ada can no longer reach this computer.";
    joined.customer.hears(last).await;
    assert!(joined.customer.ends().await.success());
    let gone = joined
        .console
        .sees("the session's end", |seen| seen.gone.get(&session).copied());
    assert_eq!(gone.await, EndReason::Representative);

    let Joined {
        appliance: done, ..
    } = joined;
    appliance = done;
    let (status, _) = appliance.stop(Signal::SIGINT);
    assert!(status.success());
    everything_is_on_record(&appliance, session);
    appliance.nothing_panicked();
}

async fn several_shells(joined: &mut Joined) {
    let first = joined.shell().await;
    let console = &joined.console;
    console.runs(first, "echo $((6 * 7))", "42").await;
    console.runs(first, "stty size", "24 80").await;
    console.runs(first, r"printf '\347\213\227\n'", "狗").await;
    let terminal = "tty=$(tty); test -c $tty && echo its ${tty%/pts/*}";
    console.runs(first, terminal, "its /dev").await;
    let (session, shell) = first;
    console.say(FromConsole::ResizeShell {
        session,
        shell,
        columns: 132,
        rows: 50,
    });
    // Sizes and bytes come by different ways: look until it is so.
    let mut from = console.shown(session, shell);
    loop {
        console.types(session, shell, "stty size\n");
        from = console.reads(first, from, "ready> ").await;
        if console.seen().shells[&first].text().contains("50 132") {
            break;
        }
    }
    // Allowed once is allowed for every further one.
    for number in [2, 3] {
        console.open_shell(session);
        let another = (session, console.sees_shell(session, number).await);
        let words = format!("{}", number * 1_111);
        let command = format!("echo $(({number} * 1111))");
        console.runs(another, &command, &words).await;
    }
    console
        .runs(first, "echo still $((1 + 1))", "still 2")
        .await;
    console.types(session, ShellId(2), "exit\n");
    console
        .sees("the second shell's end", |seen| {
            let closed = seen.shells[&(session, ShellId(2))].closed;
            closed.then_some(())
        })
        .await;
    console
        .sees_entry(session, "2 remain", |what| {
            let shell = ShellId(2);
            *what == What::ShellClosed { shell, open: 2 }
        })
        .await;
}

async fn stop_sharing(joined: &mut Joined) {
    let (console, session) = (&joined.console, joined.session);
    joined.customer.types("/stop");
    joined.customer.hears("Sharing stopped").await;
    console
        .sees("every shell's end", |seen| {
            let mut shells = seen.shells.values();
            shells.all(|screen| screen.closed).then_some(())
        })
        .await;
    console
        .sees_entry(session, "sharing stopped", |what| {
            *what == What::SharingStopped
        })
        .await;
    console
        .sees("that nothing is allowed", |seen| {
            let overview = seen.sessions.get(&session)?;
            (overview.allowed.is_empty() && overview.shells.is_empty()).then_some(())
        })
        .await;
    // What was granted is gone: the next shell needs another yes.
    console.open_shell(session);
    joined.customer.hears("Allow? [y/N]").await;
    joined.customer.types("n");
    joined.customer.hears("Refused.").await;
    console
        .sees_entry(session, "refused", |what| {
            *what == What::Refused { tool: Tool::Shell }
        })
        .await;
}

/// What a report is made of.
fn everything_is_on_record(appliance: &Appliance, session: SessionId) {
    let store = appliance.store();
    let (summary, log, shells) = store
        .read(|c| {
            let summary = sessions::one(c, session)?.unwrap();
            let shells = transcripts::of(c, session)?;
            Ok::<_, jumpgate::store::StoreError>((summary, entries::of(c, session)?, shells))
        })
        .unwrap();
    assert_eq!(summary.end_reason, Some(EndReason::Representative));
    assert_eq!((summary.shells, shells.len()), (3, 3));
    assert_eq!(summary.entries as usize, log.len());
    let numbers: Vec<u32> = log.iter().map(|entry| entry.number).collect();
    assert_eq!(numbers, (1..=summary.entries).collect::<Vec<_>>());
    assert!(matches!(log[0].what, What::Arrived), "{log:?}");
    let said: Vec<_> = log
        .iter()
        .filter_map(|entry| match (&entry.by, &entry.what) {
            (Author::Customer(_), What::Chat { text }) => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(said, ["back: grüße, 世界", "back: after that"]);
    let last = log.last().unwrap();
    let reason = EndReason::Representative;
    assert_eq!(last.what, What::Ended { reason });

    for row in &shells {
        let file = std::fs::read(appliance.paths().recordings().join(&row.file)).unwrap();
        assert_eq!(row.bytes, Some(file.len() as u64));
        assert_eq!(row.sha256, Some(Fingerprint::of(&file)));
        let (output, sizes) = transcript(&file);
        assert!(
            output.contains("ready> ") || row.shell != ShellId(1),
            "{output}"
        );
        if row.shell == ShellId(1) {
            assert!(
                output.contains("24 80") && output.contains("狗"),
                "{output}"
            );
            assert!(sizes.contains(&(132, 50)), "{sizes:?}");
        }
    }
    let rows = store.read(audit::verify).unwrap();
    assert!(rows > 20, "{rows} audit rows");
}

/// Output and sizes of an asciicast.
fn transcript(file: &[u8]) -> (String, BTreeSet<(u16, u16)>) {
    let (mut output, mut sizes) = (String::new(), BTreeSet::new());
    let mut decoder = Decoder::new();
    decoder.push(file);
    while let Some(item) = decoder.next_item().unwrap() {
        match item {
            Item::Header(header) => {
                sizes.insert((header.columns, header.rows));
            }
            Item::Event { what, .. } => match what {
                Happened::Output(text) => output.push_str(&text),
                Happened::Resized { columns, rows } => {
                    sizes.insert((columns, rows));
                }
            },
        }
    }
    (output, sizes)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ctrl_c_stops_a_hundred_megabytes_of_output() {
    let mut joined = Joined::new().await;
    let at = joined.shell().await;
    let (session, shell) = at;
    let path = joined.appliance.beside("large.txt");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
    let line = [b'x'; 79];
    for _ in 0..100 * 1024 * 1024 / 80 {
        file.write_all(&line).unwrap();
        file.write_all(b"\n").unwrap();
    }
    drop(file);
    let console = &joined.console;
    let from = console.shown(session, shell);
    console.types(session, shell, format!("cat {}\n", path.display()));
    console
        .sees("a megabyte", |seen| {
            (seen.shells[&at].shown.len() > from + 1024 * 1024).then_some(())
        })
        .await;
    let asked = Instant::now();
    console.types(session, shell, "\x03");
    console.reads(at, from, "ready> ").await;
    // Figures are the bench's; here it is enough that nobody waits for the whole file.
    assert!(asked.elapsed() < Duration::from_secs(5));
    assert!(console.shown(session, shell) < 90 * 1024 * 1024);
    console.runs(at, "echo $((6 * 7))", "42").await;
    joined.chats("all the while").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_terminal_gets_every_byte_and_holds_up_nobody_else() {
    use super::support::Pace;
    let appliance = Appliance::start(programs()).await;
    let ada = appliance.representative("ada").await;
    let console = Console::connect_at(&appliance, &ada, Pace::BytesPerSecond(400_000)).await;
    let key = appliance.key(&ada, None).await;
    let customer = Customer::start(&appliance, &key.digits);
    let session = console.accepts_next().await;
    let mut joined = Joined {
        console,
        customer,
        session,
        representative: ada,
        appliance,
    };
    joined.customer.hears("is connected").await;
    let at = joined.shell().await;
    let from = joined.console.shown(session, at.1);
    joined.console.types(session, at.1, "seq 1 200000; echo\n");
    // Chat overtakes the output: a channel of its own is what is full.
    joined.chats("meanwhile").await;
    let shown = joined.console.shown(session, at.1) - from;
    assert!(shown < 1_000_000, "{shown} bytes were shown already");
    let end = joined.console.reads(at, from, "\n200000\r\n").await;
    let shown = joined.console.seen().shells[&at].shown[from..end].to_vec();
    assert_eq!(counts(&shown), 200_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_sessions_run_at_once_and_each_is_its_own() {
    let mut first = Joined::new().await;
    let key = first.appliance.key(&first.representative, None).await;
    let mut customer = Customer::start(&first.appliance, &key.ak.reveal());
    let session = first.console.accepts_next().await;
    customer.hears("ada is connected.").await;
    first.chats("one").await;
    first.console.chat(session, "to the second");
    customer.hears("to the second").await;
    customer.types("/leave");
    customer.hears("The session is over.").await;
    assert!(customer.ends().await.success());
    first
        .console
        .sees("the second's end", |seen| {
            (seen.gone.get(&session) == Some(&EndReason::Customer)).then_some(())
        })
        .await;
    first.chats("still here").await;
    assert!(!first.customer.shown().contains("to the second"));
}

/// The output holds the numbers from 1 on, each once and in order; returns the last.
pub fn counts(output: &[u8]) -> u32 {
    let text = String::from_utf8_lossy(output);
    let lines = text.split(['\r', '\n']);
    let mut last = 0;
    for number in lines.filter_map(|line| line.parse::<u32>().ok()) {
        assert_eq!(number, last + 1, "a line is missing or there twice");
        last = number;
    }
    last
}
