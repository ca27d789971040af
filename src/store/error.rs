//! Why the store could not be opened, or would not do something.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use crate::domain::limits::STORE_BUSY_MAX;
use crate::domain::{AccountId, AccountName, SessionId, ShellId};

/// Why the store could not be opened, or would not do something. The texts of the first group
/// are for whoever starts the appliance: they name the file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Written by a later release. Untouched.
    #[error(
        "the store '{}' has schema version {found}, this release knows versions up to {known}: \
         start the newer release again, or restore a backup made with this one",
        path.display()
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: u32,
        /// What this release writes.
        known: u32,
    },
    /// Not brought up to date yet. Only for [`super::Database::open`].
    #[error(
        "the store '{}' has schema version {found}, version {known} is needed: start the relay \
         first, it brings the store up to date",
        path.display()
    )]
    OlderSchema {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: u32,
        /// What this release writes.
        known: u32,
    },
    /// An SQLite database, but not ours. Untouched.
    #[error(
        "'{}' is a database of another program (application id {found:#010x}): move it away, \
         or choose another state directory",
        path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What its header says.
        found: u32,
    },
    /// Not a database, or damaged. Untouched.
    #[error(
        "the store '{}' is damaged ({detail}): restore it from a backup, or move it and the files \
         beside it ('-wal', '-shm') away to begin with an empty store",
        path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// SQLite's words.
        detail: String,
    },
    /// Missing, or not ours to read and write.
    #[error(
        "cannot open the store '{}' ({detail}): check that the file and its folder exist and that \
         this user may write to both",
        path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's words.
        detail: String,
    },
    /// Another process kept the store to itself for longer than any of ours does.
    #[error(
        "the store '{}' stayed locked for {} s: close whatever else has it open",
        path.display(),
        STORE_BUSY_MAX.as_secs()
    )]
    Busy {
        /// The file.
        path: PathBuf,
    },

    /// A copy does not fit on the disk. The original is as it was.
    #[error(
        "no room for a copy of the store ('{}', {} MiB): make room on its disk; the store that it \
         would be copied from is untouched",
        path.display(),
        needed.div_ceil(1024 * 1024)
    )]
    NoRoom {
        /// The copy.
        path: PathBuf,
        /// What it needs, in bytes; 0 if that was not found out.
        needed: u64,
    },
    /// The journal beside the store. A transaction that it cannot take is not committed.
    #[error("the store's journal '{}': {detail}", path.display())]
    Journal {
        /// The file.
        path: PathBuf,
        /// The system's words.
        detail: String,
    },

    /// Somebody has this name already.
    #[error("the name '{name}' is taken")]
    NameTaken {
        /// As asked.
        name: AccountName,
    },
    /// A limit is reached.
    #[error("no room: {limit} {what} exist, more are not allowed")]
    Full {
        /// Of what, in the plural.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// No account with this id.
    #[error("there is no account {}", id.0)]
    NoSuchAccount {
        /// As asked.
        id: AccountId,
    },
    /// No session with this id, or it is over and so no longer changes.
    #[error("there is no running session {session}")]
    NoSuchSession {
        /// As asked.
        session: SessionId,
    },
    /// No transcript of this shell that is still being written.
    #[error("session {session} has no open transcript of shell {shell}")]
    NoSuchTranscript {
        /// As asked.
        session: SessionId,
        /// As asked.
        shell: ShellId,
    },
    /// A log entry whose number is not the next one.
    #[error("session {session} was given log entry {found}, its next is {expected}")]
    EntryOutOfStep {
        /// Whose log.
        session: SessionId,
        /// The number that is next.
        expected: u32,
        /// The number that came.
        found: u32,
    },
    /// Everything else SQLite may say: disk full, input or output error, a row nobody can read.
    #[error("the store failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

impl StoreError {
    /// What an error means while the file at `path` is being opened.
    pub(super) fn opening(path: &Path, error: &rusqlite::Error) -> Self {
        let path = path.to_owned();
        match error.sqlite_error_code() {
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Self::Corrupt {
                path,
                detail: error.to_string(),
            },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { path },
            _ => Self::Unreadable {
                path,
                detail: error.to_string(),
            },
        }
    }

    /// What an error means while a copy is being made at `path`.
    pub(super) fn no_room_or(path: &Path, error: &io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            io::ErrorKind::StorageFull => Self::NoRoom { path, needed: 0 },
            _ => Self::Unreadable {
                path,
                detail: error.to_string(),
            },
        }
    }

    /// The journal at `path` failed.
    pub(super) fn journal(path: &Path, error: &io::Error) -> Self {
        Self::Journal {
            path: path.to_owned(),
            detail: error.to_string(),
        }
    }

    /// Whether the store will refuse this however often it is tried: what it was asked for is
    /// wrong, not the disk or the moment.
    pub fn is_for_good(&self) -> bool {
        use ErrorCode::{ConstraintViolation, DatabaseCorrupt, NotADatabase, TooBig, TypeMismatch};
        match self {
            Self::Busy { .. }
            | Self::Unreadable { .. }
            | Self::NoRoom { .. }
            | Self::Journal { .. } => false,
            Self::Sqlite(error) => error.sqlite_error_code().is_some_and(|code| {
                matches!(
                    code,
                    ConstraintViolation | DatabaseCorrupt | NotADatabase | TooBig | TypeMismatch
                )
            }),
            _ => true,
        }
    }
}
