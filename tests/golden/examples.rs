//! One of each message. The matches without `_` stop the build when a message is added: then it
//! needs an example here, and a file.

use jumpgate::domain::entry::{Author, EndReason, What};
use jumpgate::domain::facts::Kind;
use jumpgate::domain::limits::{CHAT_BYTES_MAX, NAME_BYTES_MAX, SESSIONS_PER_REPRESENTATIVE_MAX};
use jumpgate::domain::turned::{PuzzleAnswer, TurnedReason};
use jumpgate::domain::{
    Entry, Facts, Label, LongText, PromptId, SessionId, ShellId, Stamp, Text, Token, Tool,
};
use jumpgate::link::VERSION;
use jumpgate::link::connection::encode;
use jumpgate::link::message::{
    Failure, FromConsole, FromCustomer, Hello, HelloTag, Overview, Purpose, SessionShellPosition,
    ShellPosition, Status, ToConsole, ToCustomer, Turned, Welcome,
};
use serde::Serialize;

use crate::jump_client;

pub type Examples<T> = Vec<(String, T)>;

const SHELL: ShellId = ShellId(2);
const PROMPT: PromptId = PromptId(5);
const AT: Stamp = Stamp(1_767_225_600_000);
const TOOL: Tool = Tool::Shell;

fn session() -> SessionId {
    SessionId::from_random([0x42; 8])
}

pub fn token() -> Token {
    Token::from_random([0xab; 16])
}

pub fn label(text: &str) -> Label {
    Label::try_from(text).unwrap()
}

fn text() -> LongText {
    LongText::new("Grüße, \"Ann\"\n").unwrap()
}

fn facts() -> Facts {
    Facts {
        customer: label("Zoë"),
        computer: label("till-3"),
        platform: label("Debian GNU/Linux 12"),
        private_address: Text::try_from("10.0.0.7").unwrap(),
    }
}

/// Named by their `type`, and numbered where one type has several.
pub fn named<T: Serialize>(messages: Vec<T>) -> Examples<T> {
    let mut examples: Examples<T> = Vec::new();
    for message in messages {
        let json: serde_json::Value = serde_json::from_slice(&encode(&message)).unwrap();
        let mut name = json["type"].as_str().unwrap().to_owned();
        let inner = if json["entry"].is_object() {
            &json["entry"]
        } else {
            &json
        };
        let detail = inner["what"].as_str().or(inner["reason"].as_str());
        if let Some(detail) = detail {
            name = format!("{name}.{detail}");
        }
        examples.push((name, message));
    }
    examples
}

pub fn hellos() -> Examples<Hello> {
    let puzzle = Some(PuzzleAnswer {
        challenge: token(),
        answer: 65_536,
    });
    let start = Purpose::Start {
        key: Some(Text::try_from("8964548").unwrap()),
        facts: facts(),
        puzzle,
    };
    let from_browser = Purpose::Start {
        key: None,
        facts: Facts::default(),
        puzzle: None,
    };
    let received = 131_072;
    let position = ShellPosition {
        shell: SHELL,
        received,
    };
    let resume = Purpose::Resume {
        session: session(),
        token: token(),
        entries: 17,
        shells: [position].into_iter().collect(),
    };
    let position = SessionShellPosition {
        session: session(),
        shell: SHELL,
        received,
    };
    let console = Purpose::Console {
        ticket: None,
        shells: [position].into_iter().collect(),
    };
    let console_by_link = Purpose::Console {
        ticket: Some(token()),
        shells: heapless::Vec::new(),
    };
    let purposes = [
        ("start", start),
        ("start_from_browser", from_browser),
        ("resume", resume),
        ("console", console),
        ("console_by_link", console_by_link),
    ];
    let purposes = purposes.into_iter().chain(jump_client::purposes());
    let hello = |(name, purpose): (&str, Purpose)| {
        match purpose {
            Purpose::Start { .. }
            | Purpose::Resume { .. }
            | Purpose::Console { .. }
            | Purpose::JumpClient { .. } => {}
        }
        let hello = Hello {
            tag: HelloTag::Hello,
            versions: (VERSION, VERSION),
            program: label("Customer client 1.0"),
            purpose,
        };
        (name.to_owned(), hello)
    };
    purposes.map(hello).collect()
}

pub fn from_customer() -> Examples<FromCustomer> {
    match FromCustomer::Leave {
        FromCustomer::Chat { .. }
        | FromCustomer::Answer { .. }
        | FromCustomer::ShellStarted { .. }
        | FromCustomer::ShellFailed { .. }
        | FromCustomer::ShellEnded { .. }
        | FromCustomer::StopSharing
        | FromCustomer::Leave => {}
    }
    vec![
        ("chat".to_owned(), FromCustomer::Chat { text: text() }),
        (
            "answer".to_owned(),
            FromCustomer::Answer {
                prompt: PROMPT,
                allow: true,
            },
        ),
        (
            "shell_started".to_owned(),
            FromCustomer::ShellStarted { shell: SHELL },
        ),
        (
            "shell_failed".to_owned(),
            FromCustomer::ShellFailed {
                shell: SHELL,
                reason: label("no such file"),
            },
        ),
        (
            "shell_ended".to_owned(),
            FromCustomer::ShellEnded { shell: SHELL },
        ),
        ("stop_sharing".to_owned(), FromCustomer::StopSharing),
        ("leave".to_owned(), FromCustomer::Leave),
    ]
}

pub fn welcome() -> Welcome {
    Welcome {
        version: VERSION,
        at: AT,
        keep_alive_seconds: 60,
    }
}

fn turned() -> Vec<Turned> {
    match TurnedReason::Key {
        TurnedReason::Version { .. }
        | TurnedReason::Key
        | TurnedReason::SlowDown { .. }
        | TurnedReason::Puzzle { .. }
        | TurnedReason::Session
        | TurnedReason::Ticket
        | TurnedReason::Full => {}
    }
    let reasons = [
        TurnedReason::Version {
            versions: (VERSION, VERSION),
        },
        TurnedReason::Key,
        TurnedReason::SlowDown {
            retry_after_seconds: 600,
        },
        TurnedReason::Puzzle {
            challenge: token(),
            bits: 16,
        },
        TurnedReason::Session,
        TurnedReason::Ticket,
        TurnedReason::Full,
    ];
    reasons
        .into_iter()
        .map(|reason| Turned { reason })
        .collect()
}

fn entries() -> Vec<Entry> {
    let (tool, shell) = (TOOL, SHELL);
    let everything = vec![
        What::Arrived,
        What::Accepted,
        What::Chat { text: text() },
        What::Asked { tool },
        What::Allowed { tool },
        What::Refused { tool },
        What::Unanswered { tool },
        What::Withdrawn { tool },
        What::ShellOpened { shell },
        What::ShellClosed { shell, open: 1 },
        What::ShellFailed {
            reason: label("no such file"),
        },
        What::SharingStopped,
        What::CustomerLost,
        What::CustomerBack,
        What::RepresentativeLost,
        What::RepresentativeBack,
        What::Held,
        What::Requeued,
        What::ApplianceRestarted,
        What::Ended {
            reason: EndReason::Customer,
        },
    ];
    let authors = [
        Author::Customer(label("Zoë")),
        Author::Representative(label("Ann")),
        Author::Appliance,
    ];
    let numbered = (1..).zip(everything).zip(authors.into_iter().cycle());
    let entry = |((number, what), by)| Entry {
        number,
        at: AT,
        by,
        what,
    };
    numbered.map(entry).collect()
}

pub fn to_customer() -> Examples<ToCustomer> {
    match (ToCustomer::ShellPause { shell: SHELL }) {
        ToCustomer::Welcome(_)
        | ToCustomer::Turned(_)
        | ToCustomer::Session { .. }
        | ToCustomer::Representative { .. }
        | ToCustomer::Entry(_)
        | ToCustomer::Recorded { .. }
        | ToCustomer::Ask { .. }
        | ToCustomer::AskOver { .. }
        | ToCustomer::ShellOpen { .. }
        | ToCustomer::ShellResume { .. }
        | ToCustomer::ShellPause { .. }
        | ToCustomer::ShellResize { .. }
        | ToCustomer::ShellClose { .. }
        | ToCustomer::Restart { .. }
        | ToCustomer::Ended { .. } => {}
    }
    let (shell, channel, columns, rows) = (SHELL, 3, 80, 24);
    let mut all = vec![
        ToCustomer::Welcome(welcome()),
        ToCustomer::Session {
            session: session(),
            token: token(),
            customer: label("Zoë"),
            representative: label("Ann"),
            accepted: true,
            allowed: [TOOL].into_iter().collect(),
        },
        ToCustomer::Representative {
            name: label("Ann"),
            accepted: false,
        },
        ToCustomer::Recorded { number: 17 },
        ToCustomer::Ask {
            prompt: PROMPT,
            tool: TOOL,
            representative: label("Ann"),
            seconds: 60,
        },
        ToCustomer::AskOver { prompt: PROMPT },
        ToCustomer::ShellOpen {
            shell,
            channel,
            columns,
            rows,
        },
        ToCustomer::ShellResume {
            shell,
            channel,
            send_from: 131_072,
            receive_from: 7,
        },
        ToCustomer::ShellPause { shell },
        ToCustomer::ShellResize {
            shell,
            columns,
            rows,
        },
        ToCustomer::ShellClose { shell },
        ToCustomer::Restart { seconds: Some(15) },
    ];
    all.extend(turned().into_iter().map(ToCustomer::Turned));
    all.extend(entries().into_iter().map(ToCustomer::Entry));
    all.extend(reasons().map(|reason| ToCustomer::Ended { reason }));
    named(all)
}

fn reasons() -> impl Iterator<Item = EndReason> {
    match EndReason::Limit {
        EndReason::Representative
        | EndReason::Customer
        | EndReason::CustomerLost
        | EndReason::Limit => {}
    }
    [
        EndReason::Representative,
        EndReason::Customer,
        EndReason::CustomerLost,
        EndReason::Limit,
    ]
    .into_iter()
}

pub fn from_console() -> Examples<FromConsole> {
    let (session, shell, columns, rows) = (session(), SHELL, 80, 24);
    match (FromConsole::End { session }) {
        FromConsole::CreateKey { .. }
        | FromConsole::Accept { .. }
        | FromConsole::Chat { .. }
        | FromConsole::OpenShell { .. }
        | FromConsole::Withdraw { .. }
        | FromConsole::ResizeShell { .. }
        | FromConsole::CloseShell { .. }
        | FromConsole::Hold { .. }
        | FromConsole::End { .. } => {}
    }
    named(vec![
        FromConsole::CreateKey {
            request: 1,
            seconds: 600,
        },
        FromConsole::Accept { session },
        FromConsole::Chat {
            session,
            text: text(),
        },
        FromConsole::OpenShell {
            session,
            columns,
            rows,
        },
        FromConsole::Withdraw {
            session,
            prompt: PROMPT,
        },
        FromConsole::ResizeShell {
            session,
            shell,
            columns,
            rows,
        },
        FromConsole::CloseShell { session, shell },
        FromConsole::Hold { session },
        FromConsole::End { session },
    ])
}

fn overview(status: Status) -> ToConsole {
    ToConsole::Session(Box::new(Overview {
        session: session(),
        kind: Kind::Client,
        status,
        facts: facts(),
        public_address: Text::try_from("2001:db8::7").unwrap(),
        since: AT,
        allowed: [TOOL].into_iter().collect(),
        shells: [SHELL].into_iter().collect(),
    }))
}

pub fn to_console() -> Examples<ToConsole> {
    let (session, shell, prompt) = (session(), SHELL, PROMPT);
    match ToConsole::Replaced {
        ToConsole::Welcome(_)
        | ToConsole::Turned(_)
        | ToConsole::Desk { .. }
        | ToConsole::Session(_)
        | ToConsole::Gone { .. }
        | ToConsole::Key { .. }
        | ToConsole::Log { .. }
        | ToConsole::Entry { .. }
        | ToConsole::Recorded { .. }
        | ToConsole::Asking { .. }
        | ToConsole::AskOver { .. }
        | ToConsole::Shell { .. }
        | ToConsole::ShellPause { .. }
        | ToConsole::ShellClosed { .. }
        | ToConsole::Failed { .. }
        | ToConsole::Restart { .. }
        | ToConsole::Replaced
        | ToConsole::SignedOut => {}
    }
    let mut all = vec![
        ToConsole::Welcome(welcome()),
        ToConsole::Desk {
            name: label("Ann"),
            key_seconds_max: 86_400,
            sessions: [session].into_iter().collect(),
        },
        overview(Status::InProgress),
        ToConsole::Key {
            request: 1,
            key: Text::try_from("8964548").unwrap(),
            ak: token(),
            expires: AT,
        },
        ToConsole::Log {
            session,
            entries: entries(),
        },
        ToConsole::Recorded {
            session,
            number: 17,
        },
        ToConsole::Asking {
            session,
            prompt,
            tool: TOOL,
            seconds: 60,
        },
        ToConsole::AskOver { session, prompt },
        ToConsole::Shell {
            session,
            shell,
            channel: 3,
            send_from: 7,
            receive_from: 131_072,
        },
        ToConsole::ShellPause { session, shell },
        ToConsole::ShellClosed { session, shell },
        ToConsole::Restart { seconds: Some(15) },
        ToConsole::Replaced,
        ToConsole::SignedOut,
    ];
    all.extend(turned().into_iter().map(ToConsole::Turned));
    all.extend(reasons().map(|reason| ToConsole::Gone { session, reason }));
    let entries = entries().into_iter();
    all.extend(entries.map(|entry| ToConsole::Entry { session, entry }));
    all.extend(failures().map(|reason| ToConsole::Failed {
        request: 1,
        session: Some(session),
        reason,
    }));
    let mut examples = named(all);
    let without_session = ToConsole::Failed {
        request: 2,
        session: None,
        reason: Failure::Limit,
    };
    examples.push(("failed.without_session".to_owned(), without_session));
    for (name, status) in [
        ("waiting", Status::Waiting),
        ("customer_absent", Status::CustomerAbsent),
    ] {
        examples.push((format!("session.{name}"), overview(status)));
    }
    examples
}

fn failures() -> impl Iterator<Item = Failure> {
    match Failure::Range {
        Failure::NoSession
        | Failure::NotOwner
        | Failure::Taken
        | Failure::CustomerAbsent
        | Failure::ChatOnly
        | Failure::Asking
        | Failure::Limit
        | Failure::Range => {}
    }
    [
        Failure::NoSession,
        Failure::NotOwner,
        Failure::Taken,
        Failure::CustomerAbsent,
        Failure::ChatOnly,
        Failure::Asking,
        Failure::Limit,
        Failure::Range,
    ]
    .into_iter()
}

/// The longest there can be of those that grow, with characters that JSON writes as two.
pub fn longest() -> Vec<(&'static str, Vec<u8>)> {
    let name = label(&"\"".repeat(NAME_BYTES_MAX));
    let text = LongText::new(&"\"".repeat(CHAT_BYTES_MAX)).unwrap();
    let facts = Facts {
        customer: name.clone(),
        computer: name.clone(),
        platform: name.clone(),
        private_address: Text::try_from("f".repeat(45).as_str()).unwrap(),
    };
    let entry = Entry {
        number: u32::MAX,
        at: Stamp(i64::MAX),
        by: Author::Customer(name.clone()),
        what: What::Chat { text: text.clone() },
    };
    let position = SessionShellPosition {
        session: session(),
        shell: ShellId(u32::MAX),
        received: u64::MAX,
    };
    let hello = Hello {
        tag: HelloTag::Hello,
        versions: (u16::MAX, u16::MAX),
        program: name.clone(),
        purpose: Purpose::Console {
            ticket: Some(token()),
            shells: [position; 64].into_iter().collect(),
        },
    };
    let overview = Overview {
        session: session(),
        kind: Kind::Client,
        status: Status::CustomerAbsent,
        facts,
        public_address: Text::try_from("f".repeat(45).as_str()).unwrap(),
        since: Stamp(i64::MAX),
        allowed: [TOOL; 8].into_iter().collect(),
        shells: [ShellId(u32::MAX); 16].into_iter().collect(),
    };
    let desk = ToConsole::Desk {
        name,
        key_seconds_max: u32::MAX,
        sessions: [session(); SESSIONS_PER_REPRESENTATIVE_MAX]
            .into_iter()
            .collect(),
    };
    let session = session();
    vec![
        ("hello", encode(&hello)),
        ("desk", encode(&desk)),
        ("session", encode(&ToConsole::Session(Box::new(overview)))),
        ("entry", encode(&ToConsole::Entry { session, entry })),
        ("chat", encode(&FromConsole::Chat { session, text })),
    ]
}
