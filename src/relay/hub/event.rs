//! What reaches the hub, and what it has done.

use std::fmt;

use super::fleet::{Deployment, FleetFigures};
use super::shell::Reached;
use crate::control::Reply;
use crate::control::request::TicketHolder;
use crate::domain::entry::EndReason;
use crate::domain::facts::Kind;
use crate::domain::token::Fingerprint;
use crate::domain::turned::{KeyText, PuzzleAnswer};
use crate::domain::{
    AccountId, AdmissionRate, Entry, Facts, JumpClientId, Label, PeerAddress, SessionId, ShellId,
    Stamp, Text, Token, Tool,
};
use crate::link::channel::Channel;
use crate::link::message::{FromConsole, FromCustomer, FromJumpClient, Hello};
use crate::relay::places::Placed;
use crate::session::key::Digits;

/// One connection that speaks the link protocol, for as long as the relay runs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId {
    /// The ring thread that holds its socket.
    pub shard: u16,
    /// Its place there.
    pub slot: u32,
    /// How often the place was used before.
    pub generation: u32,
}

impl Placed for PeerId {
    fn place(self) -> usize {
        self.slot as usize
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.shard, self.slot, self.generation)
    }
}

/// Which vocabulary a peer speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A customer client, or a customer's browser.
    Customer,
    /// A representative's console.
    Console,
    /// An installed machine.
    JumpClient,
}

/// By which way a peer came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// A WebSocket, whose ticket said as whom.
    Socket(Role),
    /// The link protocol's ALPN.
    Link,
    /// That of machines, which have proved this device key.
    Device(Fingerprint),
}

/// A customer's hello that was found good, at a ring thread that is not the console's.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// As it came.
    pub hello: Hello,
    /// Of the session key that was typed, which is counted as a try once only.
    pub ak: Option<Token>,
}

/// Something happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// A WebSocket shows a ticket. Answered by [`Effect::Admit`].
    Upgrade {
        /// Which.
        peer: PeerId,
        /// As shown.
        ticket: Token,
    },
    /// A customer who said hello at another ring thread, and was moved by [`Effect::Move`].
    Moved {
        /// Which it was at the other.
        was: PeerId,
        /// Which it is now.
        peer: PeerId,
        /// Where it connects from.
        address: PeerAddress,
        /// What was found out before.
        arrival: Box<Arrival>,
    },
    /// A peer's first message.
    Hello {
        /// Which.
        peer: PeerId,
        /// Where it connects from.
        address: PeerAddress,
        /// How it came in.
        door: Door,
        /// What it wants.
        hello: Box<Hello>,
    },
    /// A customer's program says something.
    FromCustomer {
        /// Which.
        peer: PeerId,
        /// What.
        message: FromCustomer,
    },
    /// A console says something.
    FromConsole {
        /// Which.
        peer: PeerId,
        /// What.
        message: FromConsole,
    },
    /// A Jump Client says something.
    FromJumpClient {
        /// Which.
        peer: PeerId,
        /// What.
        message: FromJumpClient,
    },
    /// A peer's connection is gone.
    Left {
        /// Which.
        peer: PeerId,
        /// Where its open channels stood.
        channels: Vec<(u16, Channel)>,
    },
    /// The answer to [`Effect::CloseChannel`].
    ChannelClosed {
        /// Whose.
        peer: PeerId,
        /// Which.
        channel: u16,
        /// Where it stood.
        stood: Channel,
    },
    /// Every batch up to this number is on record.
    Recorded {
        /// Its number.
        through: u64,
    },
    /// Another of our programs asks for something.
    Order {
        /// To answer with.
        id: u64,
        /// What.
        order: Order,
    },
    /// A shell's transcript cannot be written (or is as long as it may get): without a record there
    /// is no shell.
    TranscriptFailed {
        /// Whose.
        tap: Tap,
    },
    /// A Jump Client that was let in by the relay before this one, and whose connection goes on.
    Inherited {
        /// Which it is now.
        peer: PeerId,
        /// The key it has proved.
        device: Fingerprint,
    },
    /// The relay stops, and nothing more comes from this peer: where its open channels stood.
    Parted {
        /// Which.
        peer: PeerId,
        /// Where its open channels stood.
        channels: Vec<(u16, Channel)>,
    },
    /// Nothing but time. Sent a few times a second.
    TimePassed,
}

/// What other programs ask of the hub; see [`crate::control::Request`].
#[derive(Clone, Debug)]
pub enum Order {
    /// Is this a good key?
    LookUpKey {
        /// As typed.
        key: KeyText,
        /// By whom.
        address: PeerAddress,
        /// If one was asked for.
        puzzle: Option<PuzzleAnswer>,
    },
    /// A ticket for one WebSocket.
    IssueTicket(TicketHolder),
    /// Close consoles.
    SignOut {
        /// Whose.
        account: AccountId,
        /// Only of this sign-in.
        sign_in: Option<Fingerprint>,
    },
    /// A session key for a representative.
    CreateKey {
        /// Whose.
        account: AccountId,
        /// As customers see it.
        name: Label,
        /// Its life.
        seconds: Option<u32>,
    },
    /// The appliance restarts then, or does not after all: everybody who is connected hears it.
    Announce {
        /// When.
        restart: Option<Stamp>,
    },
    /// A session of the appliance with itself. Answered by [`Reply::LoopBack`].
    LoopBack,
    /// Machines may be installed by this, which is on record.
    Deploy(Deployment),
    /// So many Jump Clients are let in each second, which is on record.
    SetAdmissionRate(AdmissionRate),
    /// Counts.
    Figures,
}

/// The hub's part of the status page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Representatives' consoles connected.
    pub consoles: u64,
    /// Customer clients connected.
    pub customer_clients: u64,
    /// Click-to-chat browsers connected.
    pub chats: u64,
    /// Sessions in a queue.
    pub waiting: u64,
    /// Sessions accepted.
    pub running: u64,
    /// Keys neither used nor expired.
    pub keys_unused: u64,
    /// Digits of a key made now.
    pub key_digits: u8,
    /// Wrong keys lately.
    pub wrong_keys_lately: u32,
    /// Jump Clients.
    pub fleet: FleetFigures,
}

/// The answer to an [`Order`].
#[derive(Clone, Debug)]
pub enum Answer {
    /// As the other program will hear it.
    Reply(Reply),
    /// A new key; whoever asked makes the URL of it.
    Key {
        /// To read out.
        digits: Digits,
        /// For the URL.
        ak: Token,
        /// Until when.
        expires: Stamp,
    },
    /// To [`Order::Figures`].
    Figures(Figures),
}

/// Something to do, in this order.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Finish or refuse a WebSocket's upgrade.
    Admit {
        /// Which.
        peer: PeerId,
        /// As whom; refused if absent.
        role: Option<Role>,
    },
    /// Send a message.
    Say {
        /// To whom.
        peer: PeerId,
        /// Its JSON.
        json: Vec<u8>,
    },
    /// Hand a peer over to the ring thread of the console that it will talk with: what two peers
    /// of one thread say crosses no queue. Nobody talks to it until it is there, see
    /// [`Event::Moved`].
    Move {
        /// Whom.
        peer: PeerId,
        /// To which ring thread.
        to: u16,
        /// What to say there.
        arrival: Box<Arrival>,
    },
    /// Open one side of a route, and tell the peer.
    OpenChannel {
        /// Whose side.
        peer: PeerId,
        /// Its number there.
        channel: u16,
        /// Where its data goes, and where credit comes from.
        to: (PeerId, u16),
        /// Bytes it has surely consumed.
        acknowledged: u64,
        /// Bytes it was sent before.
        send_from: u64,
        /// Bytes it sent before.
        receive_from: u64,
        /// What it sends is recorded here.
        tap: Option<Tap>,
        /// The message that tells it of the channel, before the first byte on it.
        announcement: Vec<u8>,
    },
    /// Close one side of a route; answered by [`Event::ChannelClosed`].
    CloseChannel {
        /// Whose side.
        peer: PeerId,
        /// Its number there.
        channel: u16,
    },
    /// Close the connection once everything said has been sent.
    HangUp {
        /// Whose.
        peer: PeerId,
    },
    /// Put on record, in one transaction, and answer [`Event::Recorded`].
    Record {
        /// Its number: 1, 2, 3…
        number: u64,
        /// What, in order.
        records: Vec<Record>,
    },
    /// Begin, resize or finish a shell's transcript.
    Transcript(TranscriptOrder),
    /// Answer another program.
    Answer {
        /// As asked.
        id: u64,
        /// What.
        answer: Answer,
    },
}

impl Effect {
    /// For which peer it is, if it is for one.
    pub fn peer(&self) -> Option<PeerId> {
        match self {
            Self::Admit { peer, .. }
            | Self::Move { peer, .. }
            | Self::Say { peer, .. }
            | Self::OpenChannel { peer, .. }
            | Self::CloseChannel { peer, .. }
            | Self::HangUp { peer } => Some(*peer),
            Self::Record { .. } | Self::Transcript(_) | Self::Answer { .. } => None,
        }
    }
}

/// Which shell's output a tapped channel carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tap {
    /// Whose.
    pub session: SessionId,
    /// Which.
    pub shell: ShellId,
}

/// What happens to a transcript besides output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TranscriptOrder {
    /// A shell is about to open.
    Begin {
        /// Which.
        tap: Tap,
        /// When.
        at: Stamp,
        /// Columns.
        columns: u16,
        /// Rows.
        rows: u16,
    },
    /// Its terminal changed size.
    Resize {
        /// Which.
        tap: Tap,
        /// Columns.
        columns: u16,
        /// Rows.
        rows: u16,
    },
    /// It is over; everything before has been tapped.
    Finish {
        /// Which.
        tap: Tap,
    },
    /// The relay stops, and the shell goes on; everything before has been tapped.
    Suspend {
        /// Which.
        tap: Tap,
    },
}

/// A fact for the store. Each carries its audit record with it.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A session key was made.
    KeyCreated(KeyRecord),
    /// A session began, and used its key up.
    Started {
        /// The session.
        session: Box<SessionRecord>,
        /// The key's URL token.
        ak: Token,
    },
    /// A line of a session's log.
    Entry {
        /// Whose.
        session: SessionId,
        /// The line.
        entry: Entry,
    },
    /// What is needed to go on after a restart.
    Changed {
        /// Whose.
        session: SessionId,
        /// A representative has taken it.
        accepted: bool,
        /// Tools the customer allows.
        allowed: Vec<Tool>,
        /// The next shell's number.
        next_shell: u32,
        /// When.
        at: Stamp,
    },
    /// A session is over.
    Ended {
        /// Which.
        session: SessionId,
        /// Why.
        reason: EndReason,
        /// When.
        at: Stamp,
    },
    /// The relay stops, and a shell goes on.
    ShellSuspended(ShellRecord),
    /// A machine became a Jump Client.
    Enrolled {
        /// Which.
        client: Box<JumpClientRecord>,
        /// By the deployment with this token.
        deployment: Fingerprint,
    },
}

/// A Jump Client, as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct JumpClientRecord {
    /// Which.
    pub client: JumpClientId,
    /// Of its device key.
    pub device: Fingerprint,
    /// Its machine's name.
    pub computer: Label,
    /// Its operating system.
    pub platform: Label,
    /// When.
    pub enrolled: Stamp,
}

/// A shell while no relay runs: enough to join its two sides again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShellRecord {
    /// Whose.
    pub session: SessionId,
    /// Which.
    pub shell: ShellId,
    /// Columns and rows.
    pub size: (u16, u16),
    /// How far the customer's computer got with the input.
    pub customer: Reached,
    /// How far the console got with the output.
    pub console: Reached,
}

/// A session key, as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyRecord {
    /// To read out.
    pub digits: Digits,
    /// For the URL.
    pub ak: Token,
    /// Whose queue it leads to.
    pub account: AccountId,
    /// The representative as customers see them.
    pub name: Label,
    /// When it was made.
    pub created: Stamp,
    /// Starts sessions up to then.
    pub expires: Stamp,
}

/// A session, as it is kept: enough to go on after a restart.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionRecord {
    /// Which.
    pub session: SessionId,
    /// Whose queue.
    pub owner: AccountId,
    /// The representative as customers see them.
    pub owner_name: Label,
    /// How the customer takes part.
    pub kind: Kind,
    /// What the customer's program said of itself.
    pub facts: Facts,
    /// The customer's address.
    pub public_address: Text<45>,
    /// Of the token the customer comes back with.
    pub resume: Fingerprint,
    /// When the customer arrived.
    pub started: Stamp,
    /// A representative has taken it.
    pub accepted: bool,
    /// Tools the customer allows.
    pub allowed: Vec<Tool>,
    /// The next shell's number.
    pub next_shell: u32,
}
