//! What a journal's rows say. Each is the state of one row of the store after a change, or that it
//! is gone. Fields and kinds are added, never renamed or given another meaning; what a reader does
//! not know it leaves out.

use serde::{Deserialize, Serialize};

use crate::domain::token::Fingerprint;
use crate::domain::{
    AccountId, AccountName, DisplayName, JumpClientId, SessionId, ShellId, Stamp, Token,
};

/// One changed row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "row", rename_all = "snake_case")]
pub enum Row {
    /// A row of the audit chain, in the very bytes that its hash covers.
    Audit(AuditRow),
    /// A session, whole.
    Session(SessionRow),
    /// A line of a session's log.
    Entry(EntryRow),
    /// A recorded shell; its bytes are a file of their own.
    Transcript(TranscriptRow),
    /// A session key was made.
    KeyMade(KeyRow),
    /// It was used, or expired. Its token is as dead as its row.
    KeyGone {
        /// Of the unique URL.
        ak: Token,
    },
    /// Somebody signed in.
    SignedIn(SignInRow),
    /// A sign-in is over: it must not come back with an older store.
    SignedOut {
        /// Of the cookie.
        token: Fingerprint,
    },
    /// An account, whole. While a version is on trial they do not change; afterwards who was
    /// disabled stays so whatever version runs.
    Account(AccountRow),
    /// A machine became a Jump Client.
    JumpClient(JumpClientRow),
    /// Of a kind that a later version added.
    #[serde(other)]
    Later,
}

/// An installed machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // As in migrations/0005_jump_clients.sql.
pub struct JumpClientRow {
    pub id: JumpClientId,
    pub device: Fingerprint,
    pub computer: String,
    pub platform: String,
    pub deployment: Fingerprint,
    pub enrolled: Stamp,
}

/// See `audit/chain.rs` for what the hash covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRow {
    /// Counted from 1.
    pub number: u64,
    /// When.
    pub at: Stamp,
    /// JSON.
    pub actor: String,
    /// JSON.
    pub event: String,
    /// Covers this row and all before it.
    pub hash: Fingerprint,
}

/// A session's columns; words and JSON as the store has them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // As in migrations/0001_first.sql.
pub struct SessionRow {
    pub id: SessionId,
    pub owner: AccountId,
    pub owner_name: String,
    pub kind: String,
    pub customer: String,
    pub computer: String,
    pub platform: String,
    pub private_address: String,
    pub public_address: String,
    pub resume: Fingerprint,
    pub started: Stamp,
    pub accepted: Option<Stamp>,
    pub state: String,
    pub allowed: String,
    pub next_shell: u32,
    pub ended: Option<Stamp>,
    pub end_reason: Option<String>,
}

/// A line of a session's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryRow {
    /// Whose.
    pub session: SessionId,
    /// Counted from 1.
    pub number: u32,
    /// When.
    pub at: Stamp,
    /// JSON.
    pub author: String,
    /// JSON.
    pub what: String,
}

/// A recorded shell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TranscriptRow {
    /// Whose.
    pub session: SessionId,
    /// Which.
    pub shell: ShellId,
    /// Within the recordings' folder.
    pub file: String,
    /// When it began.
    pub started: Stamp,
    /// When the file was complete; then the next two are known.
    pub ended: Option<Stamp>,
    /// Its length.
    pub bytes: Option<i64>,
    /// Its SHA-256.
    pub sha256: Option<Fingerprint>,
}

/// A session key nobody has used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRow {
    /// Of the unique URL.
    pub ak: Token,
    /// To read out.
    pub digits: String,
    /// Whose queue it leads to.
    pub account: AccountId,
    /// When it was made.
    pub created: Stamp,
    /// It starts sessions up to then.
    pub expires: Stamp,
}

/// A sign-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignInRow {
    /// Of the cookie.
    pub token: Fingerprint,
    /// Whose.
    pub account: AccountId,
    /// What its forms carry.
    pub csrf: Token,
    /// When.
    pub opened: Stamp,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)] // As in migrations/0001_first.sql.
pub struct AccountRow {
    pub id: AccountId,
    pub name: AccountName,
    pub display_name: DisplayName,
    pub administrator: bool,
    pub representative: bool,
    pub disabled: bool,
    pub password_hash: String,
    pub created: Stamp,
}
