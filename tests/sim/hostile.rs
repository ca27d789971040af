//! Peers that mean no good: they know every session's number, speak well-formed frames, and say
//! what is not theirs to say.

use jumpgate::control::request::TicketHolder;
use jumpgate::domain::token::Fingerprint;
use jumpgate::domain::turned::KeyText;
use jumpgate::domain::{
    Facts, LongText, Moment, PeerAddress, PromptId, SessionId, ShellId, Token, text::label,
};
use jumpgate::link::frame::{FrameKind, push_frame};
use jumpgate::link::message::{
    FromConsole, FromCustomer, Hello, HelloTag, Purpose, SessionShellPosition, ShellPosition,
};
use jumpgate::link::{Connection, VERSION};
use jumpgate::relay::hub::PeerId;

use crate::console::display_name;
use crate::random::Random;
use crate::truth::HOSTILE_ACCOUNT;

/// What a hostile peer pretends to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Mask {
    /// Has no key: tries some, and other people's sessions.
    Stranger,
    /// A customer with a key of its own.
    Customer { key: String },
    /// A representative, signed in.
    Console,
}

/// See the head of this file.
pub struct Hostile {
    pub mask: Mask,
    pub address: PeerAddress,
    pub peer: Option<PeerId>,
    pub waits_for_ticket: bool,
    said_hello: bool,
}

impl Hostile {
    pub fn new(mask: Mask, address: PeerAddress) -> Self {
        Self {
            mask,
            address,
            peer: None,
            waits_for_ticket: false,
            said_hello: false,
        }
    }

    pub fn link_up(&mut self, peer: PeerId) {
        self.peer = Some(peer);
        self.said_hello = false;
    }

    pub fn holder() -> TicketHolder {
        TicketHolder::Console {
            account: HOSTILE_ACCOUNT,
            name: display_name(HOSTILE_ACCOUNT),
            sign_in: Fingerprint([66; 32]),
        }
    }

    /// The next thing it sends.
    pub fn next(&mut self, random: &mut Random, sessions: &[SessionId]) -> Vec<u8> {
        if !std::mem::replace(&mut self.said_hello, true) {
            return said(&self.hello(random, sessions));
        }
        let session = random.pick(sessions).copied();
        let session = session.unwrap_or(SessionId::from_random([1; 8]));
        if random.percent(3) {
            return frame(random);
        }
        match self.mask {
            Mask::Console => said(&console_message(random, session)),
            Mask::Stranger | Mask::Customer { .. } => said(&customer_message(random)),
        }
    }

    fn hello(&self, random: &mut Random, sessions: &[SessionId]) -> Hello {
        let session = random.pick(sessions).copied();
        let purpose = match (&self.mask, session) {
            (Mask::Console, session) => {
                let mut shells = heapless::Vec::new();
                if let Some(session) = session {
                    let position = SessionShellPosition {
                        session,
                        shell: ShellId(1),
                        received: random.next(),
                    };
                    let _ = shells.push(position);
                }
                Purpose::Console {
                    ticket: None,
                    shells,
                }
            }
            (Mask::Stranger, Some(session)) if random.percent(50) => {
                let mut shells = heapless::Vec::new();
                let position = ShellPosition {
                    shell: ShellId(1),
                    received: random.next(),
                };
                let _ = shells.push(position);
                Purpose::Resume {
                    session,
                    token: Token::from_random([3; 16]),
                    entries: 0,
                    shells,
                }
            }
            (Mask::Stranger, _) => start(&format!("{:07}", random.below(10_000_000))),
            (Mask::Customer { key }, _) => start(key),
        };
        Hello {
            tag: HelloTag::Hello,
            versions: (VERSION, VERSION),
            program: label("hostile"),
            purpose,
        }
    }
}

fn start(key: &str) -> Purpose {
    Purpose::Start {
        key: Some(KeyText::try_from(key).unwrap()),
        facts: Facts::default(),
        puzzle: None,
    }
}

fn said(message: &impl serde::Serialize) -> Vec<u8> {
    let mut link = Connection::new(Moment::default());
    link.say(message);
    link.take_output()
}

fn frame(random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    let channel = u16::try_from(1 + random.below(5)).unwrap();
    if random.percent(50) {
        push_frame(&mut bytes, FrameKind::Data, channel, b"hostile");
    } else {
        let up_to = 131_072 + random.next() % 1_000;
        push_frame(&mut bytes, FrameKind::Credit, channel, &up_to.to_be_bytes());
    }
    bytes
}

fn console_message(random: &mut Random, session: SessionId) -> FromConsole {
    let shell = ShellId(1 + u32::try_from(random.below(3)).unwrap());
    let prompt = PromptId(1 + u32::try_from(random.below(3)).unwrap());
    let text = LongText::new("not mine").unwrap();
    let (columns, rows) = (80, 24);
    match random.below(9) {
        0 => FromConsole::Accept { session },
        1 => FromConsole::Chat { session, text },
        2 => FromConsole::OpenShell {
            session,
            columns,
            rows,
        },
        3 => FromConsole::Withdraw { session, prompt },
        4 => FromConsole::ResizeShell {
            session,
            shell,
            columns,
            rows,
        },
        5 => FromConsole::CloseShell { session, shell },
        6 => FromConsole::Hold { session },
        7 => FromConsole::End { session },
        _ => FromConsole::CreateKey {
            request: 1,
            seconds: u32::try_from(random.below(200_000)).unwrap(),
        },
    }
}

fn customer_message(random: &mut Random) -> FromCustomer {
    let shell = ShellId(1 + u32::try_from(random.below(3)).unwrap());
    match random.below(8) {
        0 => FromCustomer::Answer {
            prompt: PromptId(1 + u32::try_from(random.below(3)).unwrap()),
            allow: true,
        },
        1 => FromCustomer::ShellStarted { shell },
        2 => FromCustomer::ShellFailed {
            shell,
            reason: label("hostile"),
        },
        3 => FromCustomer::ShellEnded { shell },
        4 => FromCustomer::StopSharing,
        5 if random.percent(10) => FromCustomer::Leave,
        _ => FromCustomer::Chat {
            text: LongText::new("hostile").unwrap(),
        },
    }
}
