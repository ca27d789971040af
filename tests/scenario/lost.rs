//! Connections that are lost, and what comes back.

use std::time::Duration;

use jumpgate::domain::entry::{EndReason, What};
use jumpgate::domain::pass::SiteAddress;
use jumpgate::domain::{SessionId, ShellId};
use jumpgate::link::message::Status;

use super::session::counts;
use super::support::{Appliance, Console, Customer, Line};
use super::{Joined, nightly, programs};

/// A shell that counts until it is told to stop, whatever happens to the lines.
struct Counting {
    at: (SessionId, ShellId),
    from: usize,
    stop: std::path::PathBuf,
}

impl Counting {
    async fn start(joined: &mut Joined) -> Self {
        let at = joined.shell().await;
        let stop = joined.appliance.beside("stop");
        let file = stop.display();
        // What is typed meanwhile must not show between the numbers.
        let command = format!(
            "stty -echo; i=0; while [ ! -e {file} ]; do seq $((i + 1)) $((i += 2000)); \
             sleep 0.02; done; stty echo; echo do''ne\n"
        );
        let from = joined.console.shown(at.0, at.1);
        joined.console.types(at.0, at.1, command);
        Self { at, from, stop }
    }

    /// Waits for more output.
    async fn goes_on(&self, console: &Console) {
        let (session, shell) = self.at;
        let shown = console.shown(session, shell);
        console
            .sees("more output", |seen| {
                (seen.shells[&self.at].shown.len() > shown + 20_000).then_some(())
            })
            .await;
    }

    /// Ends it and looks at everything it wrote; returns where that ends.
    async fn stops(&self, console: &Console) -> usize {
        std::fs::write(&self.stop, "").unwrap();
        let end = console.reads(self.at, self.from, "done\r\n").await;
        let shown = console.seen().shells[&self.at].shown[self.from..end].to_vec();
        let last = counts(&shown);
        assert_eq!(last % 2_000, 0, "the end of the output is missing");
        end
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_console_that_comes_back_finds_its_sessions_and_every_byte_once() {
    let mut joined = Joined::new().await;
    let counting = Counting::start(&mut joined).await;
    let at = counting.at;
    for outage in 1..=3 {
        counting.goes_on(&joined.console).await;
        joined.console.cut().await;
        joined
            .customer
            .hears("The connection of ada is interrupted")
            .await;
        let typed = format!("while you were away {outage}");
        joined.customer.types(&typed);
        joined
            .console
            .come_back(&joined.appliance, &joined.representative)
            .await;
        assert_eq!(
            joined.console.seen().desk.as_deref(),
            Some([joined.session].as_slice())
        );
        joined.console.sees_chat(joined.session, &typed).await;
        joined.customer.hears("ada is connected.").await;
    }
    counting.stops(&joined.console).await;
    joined.console.runs(at, "echo $((6 * 7))", "42").await;
    joined.chats("at last").await;
    joined.appliance.nothing_panicked();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_console_takes_over_and_the_first_is_told() {
    let mut joined = Joined::new().await;
    let at = joined.shell().await;
    let second = Console::connect(&joined.appliance, &joined.representative).await;
    joined
        .console
        .sees("that it was replaced", |seen| {
            (seen.replaced && seen.over).then_some(())
        })
        .await;
    second.sees_status(at.0, Status::InProgress).await;
    second.sees_shell(at.0, 1).await;
    second.runs(at, "echo $((6 * 7))", "42").await;
    joined.console = second;
    joined.chats("from here").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_whose_line_is_cut_comes_back_to_the_same_shell() {
    let (mut joined, line) = by_line().await;
    let counting = Counting::start(&mut joined).await;
    let at = counting.at;
    for outage in 1..=3 {
        counting.goes_on(&joined.console).await;
        line.cut_for_now();
        joined
            .customer
            .hears("The connection is interrupted.")
            .await;
        joined
            .console
            .sees_status(at.0, Status::CustomerAbsent)
            .await;
        let typed = format!("from the tunnel {outage}");
        joined.customer.types(&typed);
        let command = format!("echo typed $((1000 + {outage}))\n");
        joined.console.types(at.0, at.1, command);
        line.mend();
        joined.customer.hears("The connection is back.").await;
        joined.console.sees_status(at.0, Status::InProgress).await;
        joined.console.sees_chat(at.0, &typed).await;
    }
    let mut end = counting.stops(&joined.console).await;
    for outage in 1..=3 {
        let words = format!("typed 100{outage}\r\n");
        end = joined.console.reads(at, end, &words).await;
    }
    let text = joined.console.seen().shells[&at].text();
    assert_eq!(text.matches("typed 100").count(), 3, "input came twice");
    let log = joined.console.seen().entries[&at.0].clone();
    for outage in 1..=3 {
        let typed = format!("from the tunnel {outage}");
        let said = |what: &What| matches!(what, What::Chat { text } if text.as_str() == typed);
        let times = log.values().filter(|entry| said(&entry.what)).count();
        assert_eq!(times, 1, "'{typed}' was said once");
    }
    joined.appliance.nothing_panicked();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_while_the_line_is_cut_holds_when_it_is_back() {
    let (mut joined, line) = by_line().await;
    let at = joined.shell().await;
    line.cut_for_now();
    joined
        .customer
        .hears("The connection is interrupted.")
        .await;
    joined.customer.types("/stop");
    joined.customer.hears("Sharing stopped").await;
    line.mend();
    joined
        .console
        .sees("the shell's end", |seen| {
            seen.shells[&at].closed.then_some(())
        })
        .await;
    joined.chats("only words now").await;
}

/// An appliance, and a customer whose way there can be cut.
async fn by_line() -> (Joined, Line) {
    let appliance = Appliance::start(programs()).await;
    let ada = appliance.representative("ada").await;
    let console = Console::connect(&appliance, &ada).await;
    let line = Line::to(appliance.https()).await;
    let address: SiteAddress = line.at().to_string().parse().unwrap();
    let key = appliance.key(&ada, None).await;
    let customer = Customer::start_by(&appliance, &address, &key.digits, &[]);
    let session = console.accepts_next().await;
    let mut joined = Joined {
        console,
        customer,
        session,
        representative: ada,
        appliance,
    };
    joined.customer.hears("ada is connected.").await;
    (joined, line)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_gets_out_through_a_proxy_that_asks_who_they_are() {
    let appliance = Appliance::start(programs()).await;
    let ada = appliance.representative("ada").await;
    let console = Console::connect(&appliance, &ada).await;
    let proxy = Line::proxy("pat:se cret").await;
    let key = appliance.key(&ada, None).await;
    let url = format!("http://{}", proxy.at());
    let environment = [("https_proxy", url.as_str())];
    let address = appliance.address();
    let mut customer = Customer::start_by(&appliance, &address, &key.digits, &environment);
    customer.hears("goes through the proxy").await;
    customer
        .hears("(the office) asks for your user name:")
        .await;
    customer.types("pat");
    customer.hears("Password").await;
    customer.types("wrong");
    customer.hears("That was not accepted.").await;
    customer.types("pat");
    customer.hears("Password").await;
    customer.types("se cret");
    customer.hears("Waiting for ada").await;
    let session = console.accepts_next().await;
    let wanted = format!("CONNECT {address} HTTP/1.1");
    assert_eq!(proxy.requests(), [wanted.as_str(); 3]);
    assert!(
        !customer.shown().contains("se cret"),
        "the password is shown"
    );

    let mut joined = Joined {
        console,
        customer,
        session,
        representative: ada,
        appliance,
    };
    joined.customer.hears("is connected.").await;
    joined.chats("through the office").await;
    // What was typed once is good for coming back.
    proxy.cut();
    joined.customer.hears("The connection is back.").await;
    joined.chats("and again").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_whose_credentials_are_known_asks_nobody() {
    let appliance = Appliance::start(programs()).await;
    let ada = appliance.representative("ada").await;
    let proxy = Line::proxy("pat:se cret").await;
    let key = appliance.key(&ada, None).await;
    let url = format!("http://pat:se%20cret@{}", proxy.at());
    let environment = [("https_proxy", url.as_str())];
    let address = appliance.address();
    let mut customer = Customer::start_by(&appliance, &address, &key.digits, &environment);
    customer.hears("Waiting for ada").await;
    let shown = customer.shown();
    assert!(!shown.contains("user name"), "{shown}");
    assert!(!shown.contains("cret"), "{shown}");
}

/// Waits for a minute, so only in the nightly run.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_console_that_stays_away_gives_its_session_back_to_the_queue() {
    if !nightly() {
        return;
    }
    let mut joined = Joined::new().await;
    let at = joined.shell().await;
    joined.console.cut().await;
    joined.customer.hears("is interrupted").await;
    tokio::time::sleep(Duration::from_secs(58)).await;
    joined.customer.hears("command shell 1 is closed").await;
    joined.customer.hears("went back to the queue").await;
    let later = Console::connect(&joined.appliance, &joined.representative).await;
    later.sees_status(at.0, Status::Waiting).await;
    assert_eq!(later.accepts_next().await, at.0);
    joined.console = later;
    joined.chats("again").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_who_is_gone_for_good_leaves_a_session_that_can_be_ended() {
    let mut joined = Joined::new().await;
    let at = joined.shell().await;
    joined.customer.signal(nix::sys::signal::Signal::SIGKILL);
    joined.customer.ends().await;
    joined
        .console
        .sees_status(at.0, Status::CustomerAbsent)
        .await;
    let session = at.0;
    joined
        .console
        .say(jumpgate::link::message::FromConsole::End { session });
    let gone = joined
        .console
        .sees("its end", |seen| seen.gone.get(&session).copied());
    assert_eq!(gone.await, EndReason::Representative);
}
