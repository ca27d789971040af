//! A real store in a temporary folder, and rows to put into it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::accounts::{self, NewAccount};
use super::sessions::{SavedState, SessionRow};
use super::{Database, StoreError};
use crate::domain::facts::Kind;
use crate::domain::text::label;
use crate::domain::token::Fingerprint;
use crate::domain::{
    Account, AccountId, AccountName, Author, DisplayName, Entry, Facts, LongText, SessionId, Stamp,
    Text, What,
};

/// Where a test keeps its store; removed with it.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.0.path().join("appliance.db")
    }

    pub(crate) fn store(&self) -> Database {
        Database::create_or_migrate(&self.file()).unwrap()
    }
}

/// `write` with the error type spelt out.
pub(crate) fn write<T>(
    store: &mut Database,
    work: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    store.write(work)
}

/// `read` with the error type spelt out.
pub(crate) fn read<T>(
    store: &Database,
    work: impl FnOnce(&rusqlite::Connection) -> Result<T, StoreError>,
) -> T {
    store.read(work).unwrap()
}

pub(crate) fn new_account(name: &str) -> NewAccount<'static> {
    NewAccount {
        name: AccountName::new(name).unwrap(),
        display_name: DisplayName::new(name).unwrap(),
        administrator: false,
        representative: true,
        password_hash: "$argon2id$…",
        at: Stamp(1),
    }
}

/// Makes a representative.
pub(crate) fn account(store: &mut Database, name: &str) -> Account {
    write(store, |tx| accounts::create(tx, &new_account(name))).unwrap()
}

pub(crate) fn session(number: u8, owner: AccountId, customer: &str) -> SessionRow {
    SessionRow {
        id: SessionId::from_random([number; 8]),
        owner,
        owner_name: label("Rep Ana"),
        kind: Kind::Client,
        facts: Facts {
            customer: label(customer),
            computer: label("laptop-7"),
            platform: label("Debian 12"),
            private_address: Text::try_from("10.0.0.7").unwrap(),
        },
        public_address: Text::try_from("203.0.113.9").unwrap(),
        resume: Fingerprint::of(&[number]),
        started: Stamp(i64::from(number)),
        accepted: None,
        state: SavedState::Waiting,
        allowed: Vec::new(),
        next_shell: 1,
    }
}

pub(crate) fn chat(number: u32, text: &str) -> Entry {
    Entry {
        number,
        at: Stamp(i64::from(number)),
        by: Author::Customer(label("Kim")),
        what: What::Chat {
            text: LongText::new(text).unwrap(),
        },
    }
}

/// Set in a child: the store it works on.
const CHILD: &str = "JUMPGATE_TEST_STORE";

/// In a child process that [`spawn`] made: the store to work on.
pub(crate) fn child_file() -> Option<PathBuf> {
    std::env::var_os(CHILD).map(PathBuf::from)
}

/// Runs the test `name` of the module `module` (its `module_path!()`) once more, as a process of
/// its own that finds `file` by [`child_file`].
pub(crate) fn spawn(module: &str, name: &str, file: &Path) -> Child {
    let (_, module) = module.split_once("::").unwrap();
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", &format!("{module}::{name}")])
        .env(CHILD, file)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}
