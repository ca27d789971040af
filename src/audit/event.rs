//! What is put on record. The JSON of these types is stored for ever: variants and fields are
//! added, never renamed or given another meaning.

use serde::{Deserialize, Serialize};

use crate::domain::entry::EndReason;
use crate::domain::facts::Kind;
use crate::domain::limits::{NOTICE_BYTES_MAX, UPDATE_KEYS_MAX};
use crate::domain::text::label;
use crate::domain::token::Fingerprint;
use crate::domain::{
    Account, AccountId, AccountName, AdmissionRate, DisplayName, Entry, JumpClientId, Label,
    PeerAddress, SessionId, ShellId, Stamp, Text, Tool,
};

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "actor", rename_all = "snake_case")]
pub enum Actor {
    /// Somebody who was signed in.
    Account {
        /// Which account.
        id: AccountId,
        /// Its name at that time.
        name: Label,
    },
    /// The customer of a session.
    Customer {
        /// Which session.
        session: SessionId,
    },
    /// Somebody on the network who was not signed in.
    Visitor {
        /// From where.
        address: PeerAddress,
    },
    /// The appliance by itself.
    Appliance,
    /// Somebody at the appliance itself: at its console, or with a shell.
    CommandLine,
    /// Whom only a later version knows; its rows were taken over when the appliance went back.
    #[serde(other)]
    Later,
}

impl Actor {
    /// This account.
    pub fn account(account: &Account) -> Self {
        Self::Account {
            id: account.id,
            name: label(account.name.as_str()),
        }
    }
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The store was made. Always the first row.
    StoreCreated {
        /// Schema version.
        schema: u32,
    },
    /// The relay began to serve.
    RelayStarted {
        /// Of the programs.
        version: Label,
    },
    /// The relay was asked to stop. Absent after a crash.
    RelayStopped,
    /// Something happened to a version of the system (FW-08).
    Update {
        /// What: `refused`, `began`, `stopped`, `ready`, `restarted`, `proved`, `went_back`, `set`.
        what: Label,
        /// To which version, if to one.
        version: Option<Label>,
        /// From which one.
        from: Label,
        /// By which way it came: `page`, `command_line`, `stick`, `console`, `schedule`.
        way: Label,
        /// From where, if somebody signed in.
        address: Option<PeerAddress>,
        /// SHA-256 of the manifest, which pins every byte of the version.
        manifest: Option<Fingerprint>,
        /// Ids of the keys that signed for it.
        keys: heapless::Vec<Text<64>, UPDATE_KEYS_MAX>,
        /// More words.
        why: Option<Text<NOTICE_BYTES_MAX>>,
    },
    /// A one-time link to make the first administrator was made.
    SetupLinkCreated,
    /// An account was made.
    AccountCreated {
        /// Which.
        account: AccountId,
        /// To sign in.
        name: AccountName,
        /// Seen by others.
        display_name: DisplayName,
        /// May administer.
        administrator: bool,
        /// May support.
        representative: bool,
    },
    /// An account got another password and was signed out everywhere.
    PasswordChanged {
        /// Whose.
        account: AccountId,
        /// Its name.
        name: AccountName,
    },
    /// An account may not sign in any more and was signed out everywhere.
    AccountDisabled {
        /// Which.
        account: AccountId,
        /// Its name.
        name: AccountName,
    },
    /// An account may sign in again.
    AccountEnabled {
        /// Which.
        account: AccountId,
        /// Its name.
        name: AccountName,
    },
    /// Name and password were right.
    SignedIn {
        /// Who.
        account: AccountId,
        /// Its name.
        name: AccountName,
        /// From where.
        address: PeerAddress,
    },
    /// Name or password were wrong, or the account is disabled.
    SignInFailed {
        /// The account, if there is one of the typed name. Other text is not kept: people type
        /// passwords into the wrong field.
        name: Option<AccountName>,
        /// From where.
        address: PeerAddress,
    },
    /// Somebody signed out.
    SignedOut {
        /// Who.
        account: AccountId,
        /// Its name.
        name: AccountName,
    },
    /// A session key was made. Its digits are not kept.
    KeyCreated {
        /// Whose queue its session will wait in.
        account: AccountId,
        /// How many digits it has.
        digits: u8,
        /// It starts sessions up to and including then.
        expires: Stamp,
    },
    /// A customer used a session key.
    SessionStarted {
        /// Which.
        session: SessionId,
        /// In whose queue it waits.
        owner: AccountId,
        /// How the customer takes part.
        kind: Kind,
        /// What the customer is called.
        customer: Label,
        /// From where.
        address: Text<45>,
    },
    /// A representative took the session.
    SessionAccepted {
        /// Which.
        session: SessionId,
        /// Who.
        owner: AccountId,
    },
    /// The session went back into the queue.
    SessionQueued {
        /// Which.
        session: SessionId,
    },
    /// A line of a session's log. Its content is in the log; this pins it.
    SessionEntry {
        /// Which session.
        session: SessionId,
        /// Number of the line.
        number: u32,
        /// SHA-256 of the line's JSON as [`Event::entry`] writes it.
        sha256: Fingerprint,
    },
    /// The customer allowed a tool.
    ConsentGiven {
        /// In which session.
        session: SessionId,
        /// Which.
        tool: Tool,
    },
    /// The customer refused a tool, or did not answer in time.
    ConsentRefused {
        /// In which session.
        session: SessionId,
        /// Which.
        tool: Tool,
        /// No answer came.
        unanswered: bool,
    },
    /// The customer withdrew everything that was allowed.
    SharingStopped {
        /// In which session.
        session: SessionId,
    },
    /// A command shell opened on the customer's computer.
    ShellOpened {
        /// In which session.
        session: SessionId,
        /// Which.
        shell: ShellId,
    },
    /// A command shell is over and its transcript complete.
    ShellClosed {
        /// In which session.
        session: SessionId,
        /// Which.
        shell: ShellId,
        /// The transcript's length.
        bytes: u64,
        /// The transcript's SHA-256.
        sha256: Fingerprint,
    },
    /// A session is over.
    SessionEnded {
        /// Which.
        session: SessionId,
        /// Why.
        reason: EndReason,
    },
    /// Machines may be installed by a new deployment.
    DeploymentCreated {
        /// Fingerprint of its token.
        deployment: Fingerprint,
        /// How many.
        machines: u32,
        /// Up to and including then.
        expires: Stamp,
    },
    /// A machine became a Jump Client.
    JumpClientEnrolled {
        /// Which.
        client: JumpClientId,
        /// Fingerprint of its device key.
        device: Fingerprint,
        /// Its name, as it said.
        computer: Label,
        /// Fingerprint of the deployment's token.
        deployment: Fingerprint,
    },
    /// How many Jump Clients are let in each second.
    AdmissionRateSet {
        /// None is as many as come.
        rate: AdmissionRate,
    },
    /// This version's store was copied from another version's.
    StoreCopied {
        /// The image whose store this is.
        generation: u32,
        /// The image whose store it was; absent if none had a number then.
        from: Option<u32>,
    },
    /// The version proved itself: its store is the one that counts.
    StoreProved {
        /// The image whose store this is.
        generation: u32,
    },
    /// A copy of the store was put away.
    StoreBackedUp {
        /// What it is called.
        label: Label,
        /// How long it is.
        bytes: u64,
    },
    /// The appliance went back to this version; what a later one had on record was taken over.
    StoreImported {
        /// The image that had it.
        generation: u32,
        /// Its transactions.
        transactions: u64,
        /// Their rows that are in this store now.
        rows: u64,
        /// Rows that could not be read, or that this version does not know or refused.
        left_out: u64,
    },
    /// A row that a later version had on record under another number, since the row before it is
    /// not here. Its texts are as they were.
    RowImported {
        /// Its number there.
        number: u64,
        /// When.
        at: Stamp,
        /// JSON of the actor.
        actor: String,
        /// JSON of the event.
        said: String,
    },
    /// What only a later version knows.
    #[serde(other)]
    Later,
}

impl Event {
    /// Pins a line of a session's log: the SHA-256 is of the line as JSON, which a reader gets
    /// again by writing what [`crate::store::entries::of`] returns.
    pub fn entry(session: SessionId, entry: &Entry) -> Self {
        let json = serde_json::to_vec(entry).expect("an entry has only text keys");
        Self::SessionEntry {
            session,
            number: entry.number,
            sha256: Fingerprint::of(&json),
        }
    }
}
