//! Control messages: the JSON on channel 0.
//!
//! A peer's first message is a [`Hello`]; the relay answers [`Welcome`] or [`Turned`]. Then a
//! customer's program, a console and a Jump Client each have their own vocabulary: what they say
//! ([`FromCustomer`], [`FromConsole`], [`FromJumpClient`]) and what they hear ([`ToCustomer`],
//! [`ToConsole`], [`ToJumpClient`]).
//!
//! Every message is a JSON object whose `type` names it. Unknown types and fields are errors
//! ([`super::LinkError::BadMessage`]): a peer that speaks a newer protocol has to say so in its
//! hello. `tests/golden/messages/` holds one of each.

use serde::{Deserialize, Serialize};

use crate::domain::entry::EndReason;
use crate::domain::facts::Kind;
use crate::domain::limits::SESSIONS_PER_REPRESENTATIVE_MAX;
use crate::domain::turned::{JumpClientTurned, PuzzleAnswer, TurnedReason};
use crate::domain::{
    Entry, Facts, JumpClientId, Label, LongText, PromptId, SessionId, ShellId, Stamp, Text,
};
use crate::domain::{Token, Tool};

/// A peer's first message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hello {
    /// Always [`HelloTag::Hello`]: lets a reader tell it from all others.
    #[serde(rename = "type")]
    pub tag: HelloTag,
    /// Lowest and highest protocol version its sender speaks.
    pub versions: (u16, u16),
    /// Program and version, for the log.
    pub program: Label,
    /// What it wants.
    pub purpose: Purpose,
}

/// See [`Hello::tag`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HelloTag {
    /// The only one.
    #[default]
    Hello,
}

/// Why a peer connects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "purpose", rename_all = "snake_case", deny_unknown_fields)]
pub enum Purpose {
    /// Start the session behind a session key. Uses the key up.
    Start {
        /// The digits, or the token of the unique URL. Absent in a browser, whose ticket is
        /// bound to the key already.
        #[serde(default)]
        key: Option<Text<64>>,
        /// Of the customer's side.
        facts: Facts,
        /// Answer to an earlier [`TurnedReason::Puzzle`].
        #[serde(default)]
        puzzle: Option<PuzzleAnswer>,
    },
    /// Come back to a session that was started before.
    Resume {
        /// Which.
        session: SessionId,
        /// From the welcome.
        token: Token,
        /// Last log entry that arrived; later ones are sent again.
        entries: u32,
        /// Shells that still run, and the input that has arrived for them.
        #[serde(default)]
        shells: heapless::Vec<ShellPosition, 16>,
    },
    /// A representative's console; the ticket says whose.
    Console {
        /// Of a program that comes by the link protocol. A browser's is in its request.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ticket: Option<Token>,
        /// Terminals that are still on the screen, and the output that has arrived for them.
        #[serde(default)]
        shells: heapless::Vec<SessionShellPosition, 64>,
    },
    /// An installed machine, by the device key that its connection has proved (JC-01).
    JumpClient {
        /// The token of the deployment that it was installed by, until it was let in once.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deployment: Option<Token>,
        /// Host name.
        computer: Label,
        /// Operating system.
        platform: Label,
    },
}

/// What a Jump Client says of its machine, at the set interval (JC-04, JC-05). Shown, never trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statistics {
    /// Who is at the machine; empty if nobody is.
    pub console_user: Label,
    /// Since the machine started.
    pub uptime_seconds: u64,
    /// Of all its cores, over the last interval.
    pub cpu_percent: u8,
    /// Of the disk that the system is on.
    pub disk_used_mib: u64,
    /// In all.
    pub disk_mib: u64,
}

/// What a Jump Client says after its hello.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum FromJumpClient {
    /// How its machine does.
    Statistics(Statistics),
}

/// What a Jump Client hears.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToJumpClient {
    /// Let in.
    Welcome(Welcome),
    /// Not let in; the link closes.
    Turned {
        /// Why.
        #[serde(flatten)]
        reason: JumpClientTurned,
    },
    /// After the welcome.
    JumpClient {
        /// Which one it is.
        client: JumpClientId,
        /// How often it says statistics.
        statistics_seconds: u32,
    },
    /// The appliance restarts for an update.
    Restart {
        /// Until then; none takes it back.
        seconds: Option<u32>,
    },
    /// The same device key has connected again; this link closes.
    Replaced,
}

/// How far a side has got with what it receives of a shell. What arrived counts, also while it
/// waits to be consumed: it is not sent again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShellPosition {
    /// Which.
    pub shell: ShellId,
    /// Bytes that arrived since the shell began.
    pub received: u64,
}

/// The same, where several sessions are open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionShellPosition {
    /// Whose.
    pub session: SessionId,
    /// Which.
    pub shell: ShellId,
    /// Bytes that arrived since the shell began.
    pub received: u64,
}

/// The relay lets the peer in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Welcome {
    /// Protocol version both will speak.
    pub version: u16,
    /// The appliance's clock.
    pub at: Stamp,
    /// Silence after which a peer has to send a ping.
    pub keep_alive_seconds: u32,
}

/// The relay does not let the peer in, and closes.
// No `deny_unknown_fields`: with a flattened field serde would refuse every message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Turned {
    /// Why.
    #[serde(flatten)]
    pub reason: TurnedReason,
}

/// What a customer's program says after its hello.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum FromCustomer {
    /// Something typed.
    Chat {
        /// The words.
        text: LongText,
    },
    /// The answer to [`ToCustomer::Ask`].
    Answer {
        /// Which prompt.
        prompt: PromptId,
        /// Yes or no.
        allow: bool,
    },
    /// A shell runs.
    ShellStarted {
        /// Which.
        shell: ShellId,
    },
    /// A shell could not be started.
    ShellFailed {
        /// Which.
        shell: ShellId,
        /// In the system's words.
        reason: Label,
    },
    /// A shell ended and all its output has been sent.
    ShellEnded {
        /// Which.
        shell: ShellId,
    },
    /// Withdraw every permission, keep the chat (SL-23).
    StopSharing,
    /// End the session.
    Leave,
}

/// What a customer's program hears.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToCustomer {
    /// Let in.
    Welcome(Welcome),
    /// Not let in; the link closes.
    Turned(Turned),
    /// After the welcome of a start or a resume.
    Session {
        /// Which.
        session: SessionId,
        /// To come back with. Absent in a browser that came back.
        token: Token,
        /// The name by which the customer is shown.
        customer: Label,
        /// Who will be, or is, on the other side.
        representative: Label,
        /// Somebody has accepted and is connected.
        accepted: bool,
        /// Tools the customer has allowed.
        allowed: heapless::Vec<Tool, 8>,
    },
    /// The other side came or went.
    Representative {
        /// Who.
        name: Label,
        /// Somebody has accepted and is connected.
        accepted: bool,
    },
    /// A new line of the session log, the customer's own included.
    Entry(Entry),
    /// Every entry up to this number is on record.
    Recorded {
        /// Its number.
        number: u32,
    },
    /// The representative asks for a tool. Answer within `seconds` or it counts as refused.
    Ask {
        /// To answer with.
        prompt: PromptId,
        /// What for.
        tool: Tool,
        /// Who asks.
        representative: Label,
        /// Time to answer.
        seconds: u32,
    },
    /// The question no longer stands.
    AskOver {
        /// Which.
        prompt: PromptId,
    },
    /// Start a shell on this channel.
    ShellOpen {
        /// Which.
        shell: ShellId,
        /// Where its bytes go.
        channel: u16,
        /// Columns.
        columns: u16,
        /// Rows.
        rows: u16,
    },
    /// A shell that still runs goes on, on a new channel.
    ShellResume {
        /// Which.
        shell: ShellId,
        /// Where its bytes go now.
        channel: u16,
        /// Send output from this byte on.
        send_from: u64,
        /// Input comes from this byte on.
        receive_from: u64,
    },
    /// The channel is gone for now; keep the shell, its output waits.
    ShellPause {
        /// Which.
        shell: ShellId,
    },
    /// The terminal's size changed.
    ShellResize {
        /// Which.
        shell: ShellId,
        /// Columns.
        columns: u16,
        /// Rows.
        rows: u16,
    },
    /// End the shell.
    ShellClose {
        /// Which.
        shell: ShellId,
    },
    /// The appliance restarts for an update; the session goes on by itself afterwards. Said again
    /// after a resume as long as it holds.
    Restart {
        /// Until then; none takes it back.
        seconds: Option<u32>,
    },
    /// The session is over; the link closes. Nobody can reach this computer any more.
    Ended {
        /// Why.
        reason: EndReason,
    },
}

/// What a console says after its hello. `request` comes back in a [`ToConsole::Failed`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum FromConsole {
    /// Make a session key (PP-05).
    CreateKey {
        /// Chosen by the console, comes back.
        request: u32,
        /// Life in seconds, 60 to the appliance's maximum.
        seconds: u32,
    },
    /// Take a waiting session.
    Accept {
        /// Which.
        session: SessionId,
    },
    /// Something typed.
    Chat {
        /// Where.
        session: SessionId,
        /// The words.
        text: LongText,
    },
    /// Ask the customer for a shell, or open one more if that was allowed before.
    OpenShell {
        /// Where.
        session: SessionId,
        /// Columns, 2 to 1,000.
        columns: u16,
        /// Rows, 1 to 1,000.
        rows: u16,
    },
    /// Withdraw a question that is not answered yet.
    Withdraw {
        /// Where.
        session: SessionId,
        /// Which.
        prompt: PromptId,
    },
    /// The terminal's size changed.
    ResizeShell {
        /// Where.
        session: SessionId,
        /// Which.
        shell: ShellId,
        /// Columns.
        columns: u16,
        /// Rows.
        rows: u16,
    },
    /// End a shell.
    CloseShell {
        /// Where.
        session: SessionId,
        /// Which.
        shell: ShellId,
    },
    /// Put the session back into the queue (SL-10).
    Hold {
        /// Which.
        session: SessionId,
    },
    /// End the session for everybody (SL-10).
    End {
        /// Which.
        session: SessionId,
    },
}

/// What a console hears. Sessions are shown to it whole when it connects and then by change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToConsole {
    /// Let in.
    Welcome(Welcome),
    /// Not let in; the link closes.
    Turned(Turned),
    /// Who is signed in and what exists; replaces everything the console knew.
    Desk {
        /// The representative's display name.
        name: Label,
        /// Longest life of a session key, seconds.
        key_seconds_max: u32,
        /// Sessions in the personal queue, waiting or running, oldest first. A
        /// [`ToConsole::Session`] follows for each; open tabs are those whose status is not
        /// [`Status::Waiting`].
        sessions: heapless::Vec<SessionId, SESSIONS_PER_REPRESENTATIVE_MAX>,
    },
    /// A session appeared or changed.
    Session(Box<Overview>),
    /// A session left the queue and the tabs.
    Gone {
        /// Which.
        session: SessionId,
        /// Why.
        reason: EndReason,
    },
    /// The answer to [`FromConsole::CreateKey`].
    Key {
        /// As asked.
        request: u32,
        /// To read out: digits only.
        key: Text<16>,
        /// For the unique URL `/?ak=…`.
        ak: Token,
        /// When it stops starting sessions.
        expires: Stamp,
    },
    /// The log of a session that was just accepted or came back, oldest first.
    Log {
        /// Which.
        session: SessionId,
        /// At most [`crate::domain::limits::ENTRIES_REPLAYED_MAX`], the latest, in several messages.
        entries: Vec<Entry>,
    },
    /// A new line of a session's log, the representative's own included.
    Entry {
        /// Which.
        session: SessionId,
        /// The line.
        entry: Entry,
    },
    /// Every entry of this session up to this number is on record.
    Recorded {
        /// Which.
        session: SessionId,
        /// Its number.
        number: u32,
    },
    /// The customer is being asked.
    Asking {
        /// Which.
        session: SessionId,
        /// To withdraw it.
        prompt: PromptId,
        /// What for.
        tool: Tool,
        /// Time left to answer.
        seconds: u32,
    },
    /// The question no longer stands; the log says how it ended.
    AskOver {
        /// Which.
        session: SessionId,
        /// Which.
        prompt: PromptId,
    },
    /// A shell opened on this channel, or goes on there.
    Shell {
        /// Which.
        session: SessionId,
        /// Which.
        shell: ShellId,
        /// Where its bytes go.
        channel: u16,
        /// Send input from this byte on; 0 for a new shell.
        send_from: u64,
        /// Output comes from this byte on; 0 for a new shell.
        receive_from: u64,
    },
    /// The customer's connection is gone for now; the terminal waits.
    ShellPause {
        /// Which.
        session: SessionId,
        /// Which.
        shell: ShellId,
    },
    /// A shell is over. Bytes still in its channel have been delivered before.
    ShellClosed {
        /// Which.
        session: SessionId,
        /// Which.
        shell: ShellId,
    },
    /// Something asked for was not done.
    Failed {
        /// The request's number, or 0 where it had none.
        request: u32,
        /// Whose tab shows it, if any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<SessionId>,
        /// Why.
        reason: Failure,
    },
    /// The appliance restarts for an update; sessions go on by themselves afterwards. Said again
    /// after coming back as long as it holds.
    Restart {
        /// Until then; none takes it back.
        seconds: Option<u32>,
    },
    /// Another console of the same representative took over; this link closes for good.
    Replaced,
    /// The account was signed out or disabled; this link closes for good.
    SignedOut,
}

/// A session as a queue shows it (QU-14, QU-15).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Overview {
    /// Which.
    pub session: SessionId,
    /// How the customer takes part.
    pub kind: Kind,
    /// Where it stands.
    pub status: Status,
    /// What the customer's program said of itself.
    pub facts: Facts,
    /// The customer's address as the appliance sees it.
    pub public_address: Text<45>,
    /// Entry into the first queue.
    pub since: Stamp,
    /// Tools the customer has allowed.
    pub allowed: heapless::Vec<Tool, 8>,
    /// Shells that are open.
    pub shells: heapless::Vec<ShellId, 16>,
}

/// Where a session stands, in the queue's words (QU-14).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nobody has accepted it.
    Waiting,
    /// Both sides are there.
    InProgress,
    /// Accepted, but the customer's connection is gone.
    CustomerAbsent,
}

/// Why something asked for was not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// No such session here, or over.
    NoSession,
    /// Only its owner may.
    NotOwner,
    /// Somebody else accepted it first.
    Taken,
    /// Not while the customer is away.
    CustomerAbsent,
    /// Click-to-chat has no tools.
    ChatOnly,
    /// The customer is being asked already.
    Asking,
    /// A limit is reached.
    Limit,
    /// A number is out of range.
    Range,
}
