#![allow(clippy::unwrap_used)] // Only tests use this file; clippy cannot see that.
use std::sync::{Arc, Mutex};

use super::*;
use crate::agent::stand_in::{Peer, StandIn};
use crate::domain::Entry;
use crate::domain::entry::{Author, What};
use crate::domain::{PromptId, Stamp, Tool};
use crate::endpoint::terminal::Terminal;
use crate::link::message::{FromCustomer, Purpose, ToCustomer};

const SHELL: ShellId = ShellId(1);

/// What a customer sees, and a keyboard.
#[derive(Clone)]
struct Screen {
    shown: Arc<Mutex<Vec<u8>>>,
    keyboard: mpsc::Sender<Vec<u8>>,
}

impl io::Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.shown.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Screen {
    fn new() -> (Self, Seat) {
        let (keyboard, typed) = mpsc::channel(16);
        let screen = Self {
            shown: Arc::default(),
            keyboard,
        };
        let terminal = Terminal::plain(Box::new(screen.clone()));
        (screen, Seat::new(terminal, typed).unwrap())
    }

    fn text(&self) -> String {
        String::from_utf8(self.shown.lock().unwrap().clone()).unwrap()
    }

    async fn until(&self, text: &str) {
        let look = async {
            while !self.text().contains(text) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let in_time = timeout(Duration::from_secs(20), look).await.is_ok();
        assert!(in_time, "{text:?} never shown in:\n{}", self.text());
    }

    async fn type_line(&self, line: &str) {
        let bytes = format!("{line}\n").into_bytes();
        self.keyboard.send(bytes).await.unwrap();
    }
}

fn start(site: &StandIn, key: Option<&str>) -> (Screen, JoinHandle<bool>) {
    let (screen, mut seat) = Screen::new();
    let plan = Plan {
        address: site.address.clone(),
        link_key: site.link_key,
        key: key.map(|key| KeyText::try_from(key).unwrap()),
        downloaded: false,
    };
    let dialer = Dialer::new(plan.address.clone(), plan.link_key, |_| None).unwrap();
    let run = tokio::spawn(async move { run(plan, dialer, false, &mut seat).await });
    (screen, run)
}

fn ask(prompt: u32) -> ToCustomer {
    ToCustomer::Ask {
        prompt: PromptId(prompt),
        tool: Tool::Shell,
        representative: "Rita".try_into().unwrap(),
        seconds: 60,
    }
}

fn entry(number: u32, by: Author, what: What) -> ToCustomer {
    let at = Stamp(0);
    ToCustomer::Entry(Entry {
        number,
        at,
        by,
        what,
    })
}

async fn open_shell(peer: &mut Peer, channel: u16) {
    peer.link.open(channel, 0, 0);
    peer.say(&ToCustomer::ShellOpen {
        shell: SHELL,
        channel,
        columns: 80,
        rows: 24,
    })
    .await;
}

async fn present(peer: &mut Peer) {
    let name = "Rita\u{202e}".try_into().unwrap();
    let accepted = true;
    peer.say(&ToCustomer::Representative { name, accepted })
        .await;
}

#[tokio::test]
async fn a_whole_session_with_chat_consent_a_shell_a_lost_link_and_the_end() {
    let site = StandIn::new().await;
    let (screen, run) = start(&site, Some("1234567"));
    let mut peer = site.accept().await.unwrap();
    let Purpose::Start { key, facts, .. } = peer.hello().await.purpose else {
        panic!("not a start");
    };
    assert_eq!(key.unwrap().as_str(), "1234567");
    assert_eq!(facts.private_address.as_str(), "127.0.0.1");
    assert!(!facts.customer.is_empty() && !facts.platform.is_empty());
    peer.welcome(&[]).await;
    screen.until("Waiting for Rita...").await;
    present(&mut peer).await;
    screen.until("Rita is connected.").await;

    screen.type_line("hello there").await;
    let FromCustomer::Chat { text } = peer.hear().await else {
        panic!("not chat");
    };
    assert_eq!(text.as_str(), "hello there");
    let customer = Author::Customer("c".try_into().unwrap());
    peer.say(&entry(1, customer, What::Chat { text })).await;
    screen.until("You: hello there").await;
    let text = LongText::new("one\n\u{1b}[2Jtwo").unwrap();
    let rita = Author::Representative("Rita".try_into().unwrap());
    peer.say(&entry(2, rita.clone(), What::Chat { text })).await;
    screen.until("Rita: one\n      [2Jtwo").await;

    // A shell without consent is refused here, whatever the appliance says.
    open_shell(&mut peer, 1).await;
    assert!(matches!(
        peer.hear().await,
        FromCustomer::ShellFailed { .. }
    ));
    peer.say(&ask(1)).await;
    screen
        .until("Rita asks to open a command shell on this computer as ")
        .await;
    screen.type_line("y").await;
    let prompt = PromptId(1);
    let allow = true;
    assert_eq!(peer.hear().await, FromCustomer::Answer { prompt, allow });
    open_shell(&mut peer, 2).await;
    assert_eq!(
        peer.hear().await,
        FromCustomer::ShellStarted { shell: SHELL }
    );
    peer.link.send(2, b"echo $((40 + 2))-first\n");
    peer.flush().await;
    peer.data_until("42-first").await;

    // The link breaks; the shell goes on where it was.
    let shown = peer.data.len() as u64;
    drop(peer);
    screen.until("The connection is interrupted.").await;
    screen.type_line("typed meanwhile").await;
    let mut peer = site.accept().await.unwrap();
    let Purpose::Resume {
        entries, shells, ..
    } = peer.hello().await.purpose
    else {
        panic!("not a resume");
    };
    assert_eq!(entries, 2);
    let received = shells[0].received;
    peer.welcome(&[Tool::Shell]).await;
    peer.link.open(1, received, shown);
    peer.say(&ToCustomer::ShellResume {
        shell: SHELL,
        channel: 1,
        send_from: shown,
        receive_from: received,
    })
    .await;
    screen.until("The connection is back.").await;
    let FromCustomer::Chat { text } = peer.hear().await else {
        panic!("not chat");
    };
    assert_eq!(text.as_str(), "typed meanwhile");
    peer.link.send(1, b"echo $((40 + 2))-second\n");
    peer.flush().await;
    peer.data_until("42-second").await;

    screen.type_line("/stop").await;
    assert_eq!(peer.hear().await, FromCustomer::StopSharing);
    screen
        .until("Sharing stopped: Rita can only chat with you now.")
        .await;
    open_shell(&mut peer, 2).await;
    assert!(matches!(
        peer.hear().await,
        FromCustomer::ShellFailed { .. }
    ));

    let reason = crate::domain::entry::EndReason::Representative;
    peer.say(&ToCustomer::Ended { reason }).await;
    assert!(run.await.unwrap());
    let text = screen.text();
    let last = "Rita has ended the session. The session is over. \
                Rita can no longer reach this computer.\n";
    assert!(text.ends_with(last), "{text}");
    assert!(text.starts_with(&format!("You are connecting to {}.\n", site.address)));
}

#[tokio::test]
async fn a_shell_that_floods_is_stopped_by_ctrl_c_and_by_leaving() {
    let site = StandIn::new().await;
    let (screen, run) = start(&site, Some("1234567"));
    let mut peer = site.accept().await.unwrap();
    peer.hello().await;
    peer.welcome(&[]).await;
    present(&mut peer).await;
    peer.say(&ask(1)).await;
    screen.until("Allow?").await;
    screen.type_line("yes").await;
    peer.hear().await;
    open_shell(&mut peer, 1).await;
    peer.hear().await;
    peer.link.send(1, b"yes\n");
    peer.flush().await;
    // No credit is given: the flood stops after a window.
    let window = usize::try_from(crate::domain::limits::WINDOW_BYTES).unwrap();
    peer.data_bytes(window).await;
    peer.link.send(1, b"\x03echo $((50 + 5))-after\n");
    peer.consume_until(1, "55-after").await;
    screen.type_line("/leave").await;
    assert_eq!(peer.hear().await, FromCustomer::Leave);
    let reason = crate::domain::entry::EndReason::Customer;
    peer.say(&ToCustomer::Ended { reason }).await;
    assert!(run.await.unwrap());
}

#[tokio::test]
async fn a_wrong_key_is_asked_for_again_and_a_puzzle_solved() {
    let site = StandIn::new().await;
    let (screen, run) = start(&site, None);
    screen.until("Type the session key you were given:").await;
    screen.type_line("not/a/key").await;
    screen.until("That is not a session key.").await;
    screen.type_line("111 1111").await;
    let mut peer = site.accept().await.unwrap();
    peer.hello().await;
    let challenge = crate::domain::Token::from_random([7; 16]);
    let turned = |reason| ToCustomer::Turned(crate::link::message::Turned { reason });
    let (asked, bits) = (challenge.clone(), 8);
    let reason = TurnedReason::Puzzle {
        challenge: asked,
        bits,
    };
    peer.say(&turned(reason)).await;
    let mut peer = site.accept().await.unwrap();
    let Purpose::Start { puzzle, .. } = peer.hello().await.purpose else {
        panic!("not a start");
    };
    assert!(puzzle.is_some_and(|p| p.challenge == challenge && p.solves(bits)));
    peer.say(&turned(TurnedReason::Key)).await;
    screen.until("This session key does not work").await;
    screen.type_line("2222222").await;
    let mut peer = site.accept().await.unwrap();
    let Purpose::Start { key, .. } = peer.hello().await.purpose else {
        panic!("not a start");
    };
    assert_eq!(key.unwrap().as_str(), "2222222");
    let retry_after_seconds = 600;
    let reason = TurnedReason::SlowDown {
        retry_after_seconds,
    };
    peer.say(&turned(reason)).await;
    assert!(!run.await.unwrap());
    assert!(screen.text().ends_with("Try again in 10 minutes.\n"));
}

#[tokio::test]
async fn another_machine_in_the_sites_place_hears_nothing_and_is_named() {
    let (site, mut other) = (StandIn::new().await, StandIn::new().await);
    other.link_key = site.link_key;
    let (screen, run) = start(&other, Some("1234567"));
    assert!(other.accept().await.is_err());
    assert!(!run.await.unwrap());
    assert!(
        screen
            .text()
            .contains("Another machine answers in the site's place")
    );
}
