//! The file: opening, checking and migrating it, and transactions.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};
use rusqlite_migration::{M, Migrations};

use super::StoreError;
use super::journal::Journal;
use crate::domain::limits::{STORE_BUSY_MAX, STORE_ROW_BYTES_MAX, STORE_WAL_KEPT_BYTES_MAX};

/// In order; a migration that has been released is never edited.
const MIGRATIONS: &[M<'static>] = &[
    M::up(include_str!("migrations/0001_first.sql")),
    M::up(include_str!("migrations/0002_known_browsers.sql")),
    M::up(include_str!("migrations/0003_journal.sql")),
    M::up(include_str!("migrations/0004_across.sql")),
    M::up(include_str!("migrations/0005_jump_clients.sql")),
];

/// The schema this release writes: how many migrations there are.
#[allow(clippy::cast_possible_truncation)] // A count of files in this folder.
pub const SCHEMA_VERSION: u32 = MIGRATIONS.len() as u32;

/// 'JGAT', as the first migration writes it.
const APPLICATION_ID: u32 = 0x4a47_4154;

/// Statements kept prepared: more than all aggregates have.
const STATEMENTS_CACHED: usize = 64;

/// The store, opened: this process's one connection.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    path: PathBuf,
    /// Kept by an image's store that was copied from another.
    journal: Option<Journal>,
}

impl Database {
    /// Opens the store at `path`, makes it if there is none and brings its schema up to date. An
    /// existing file is checked whole first, which reads all of it.
    ///
    /// A new file may be read and written by owner and group, less the process's umask, and
    /// SQLite gives the files beside it the same mode.
    ///
    /// # Errors
    ///
    /// [`StoreError::NewerSchema`], [`StoreError::Foreign`] and [`StoreError::Corrupt`] leave the
    /// file as it was; [`StoreError::Unreadable`] if it cannot be made or opened.
    pub fn create_or_migrate(path: &Path) -> Result<Self, StoreError> {
        // SQLite itself would make it 0644, and so leave out the group whatever the umask says.
        OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o660)
            .open(path)
            .map_err(|error| StoreError::Unreadable {
                path: path.to_owned(),
                detail: error.to_string(),
            })?;
        let mut database = Self::connect(path)?;
        match database.schema()? {
            Schema::Empty => {}
            Schema::Ours(found) if found > SCHEMA_VERSION => {
                return Err(database.newer(found));
            }
            Schema::Ours(_) => database.check()?,
        }
        database.configure().map_err(|e| database.opening(&e))?;
        database.migrate()?;
        database.journal = Journal::of(&database.connection, path)?;
        Ok(database)
    }

    /// Opens a store that [`Database::create_or_migrate`] has prepared, as another process.
    ///
    /// # Errors
    ///
    /// As there, and [`StoreError::OlderSchema`] if it is not up to date.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let mut database = Self::connect(path)?;
        let found = match database.schema()? {
            Schema::Empty => 0,
            Schema::Ours(version) => version,
        };
        if found > SCHEMA_VERSION {
            return Err(database.newer(found));
        }
        if found < SCHEMA_VERSION {
            return Err(StoreError::OlderSchema {
                path: path.to_owned(),
                found,
                known: SCHEMA_VERSION,
            });
        }
        database.configure().map_err(|e| database.opening(&e))?;
        database.journal = Journal::of(&database.connection, path)?;
        Ok(database)
    }

    /// Does `work` in one IMMEDIATE transaction. All of it is on the disk when this returns `Ok`;
    /// none of it happened when this returns an error.
    ///
    /// # Errors
    ///
    /// What `work` returned, or [`StoreError::Busy`] or [`StoreError::Sqlite`] for the transaction
    /// itself.
    pub fn write<T, E: From<StoreError>>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let path = &self.path;
        let failed = |error| match code(&error) {
            Some(ErrorCode::DatabaseBusy) => StoreError::Busy { path: path.clone() },
            _ => StoreError::Sqlite(error),
        };
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        // An error or a panic drops the transaction, which rolls it back.
        let done = work(&transaction)?;
        if let Some(journal) = &self.journal {
            journal.record(&transaction)?;
        }
        let committed = transaction.commit().map_err(failed);
        if committed.is_err() {
            self.undo_in_journal();
        }
        committed?;
        Ok(done)
    }

    /// Whoever writes next would do it too; until then the journal says what did not happen.
    fn undo_in_journal(&mut self) {
        let Some(journal) = &self.journal else { return };
        let undone = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(StoreError::from)
            .and_then(|tx| journal.cut(&tx));
        if let Err(error) = undone {
            tracing::error!(%error, "journal_not_cut");
        }
    }

    /// Does `work` on one snapshot: what others commit meanwhile is not seen. Keep it short, the
    /// WAL cannot shrink while it lasts.
    ///
    /// # Errors
    ///
    /// What `work` returned, or [`StoreError::Sqlite`] if the snapshot cannot be taken.
    pub fn read<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        // "Unchecked" as to nesting: `write` borrows the database for itself alone, and a nested
        // `read` gets SQLite's error.
        let snapshot = Transaction::new_unchecked(&self.connection, TransactionBehavior::Deferred)
            .map_err(StoreError::from)?;
        work(&snapshot)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file without reading it, and sets what must hold before anything is read.
    fn connect(path: &Path) -> Result<Self, StoreError> {
        let unreadable = |detail: String| StoreError::Unreadable {
            path: path.to_owned(),
            detail,
        };
        // Absolute, so that no name is taken for one of SQLite's own ("file:…", ":memory:").
        let absolute = std::path::absolute(path).map_err(|error| unreadable(error.to_string()))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&absolute, flags)
            .map_err(|error| unreadable(error.to_string()))?;
        let database = Self {
            connection,
            path: path.to_owned(),
            journal: None,
        };
        database.harden().map_err(|e| database.opening(&e))?;
        Ok(database)
    }

    /// Nothing that is written in the file may make SQLite do more than keep tables.
    fn harden(&self) -> rusqlite::Result<()> {
        let connection = &self.connection;
        connection.busy_timeout(STORE_BUSY_MAX)?;
        for (setting, on) in [
            (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
            (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, true),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
            // A misspelt "column" is an error, not a text.
            (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
            (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
        ] {
            connection.set_db_config(setting, on)?;
        }
        connection.set_limit(Limit::SQLITE_LIMIT_LENGTH, STORE_ROW_BYTES_MAX)?;
        connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
        // A disk error under a memory map is a signal, not an error.
        connection.pragma_update(None, "mmap_size", 0)?;
        connection.pragma_update(None, "cell_size_check", true)
    }

    /// What only a file that was found good is asked for.
    fn configure(&self) -> rusqlite::Result<()> {
        let connection = &self.connection;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
        let mode: String =
            connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
        if mode != "wal" {
            // A file system without shared memory; going on would change what a commit promises.
            return Err(rusqlite::Error::InvalidParameterName(format!(
                "journal mode is '{mode}', not 'wal'"
            )));
        }
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "journal_size_limit", STORE_WAL_KEPT_BYTES_MAX)?;
        // Used session keys and closed sign-ins leave no bytes behind.
        connection.pragma_update(None, "secure_delete", true)?;
        // The sandbox has no folder for temporary files.
        connection.pragma_update(None, "temp_store", "memory")
    }

    /// Whose file it is and how far it is. The first look at its bytes.
    fn schema(&self) -> Result<Schema, StoreError> {
        let look = || -> rusqlite::Result<(i32, i32, bool)> {
            Ok((
                self.connection
                    .pragma_query_value(None, "application_id", |row| row.get(0))?,
                self.connection
                    .pragma_query_value(None, "user_version", |row| row.get(0))?,
                self.connection
                    .query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| {
                        row.get(0)
                    })?,
            ))
        };
        let (application, version, empty) = look().map_err(|e| self.opening(&e))?;
        let application = application.cast_unsigned();
        if application == APPLICATION_ID {
            // The number is written once and only counted up; below zero it is beyond us as well.
            return Ok(Schema::Ours(version.cast_unsigned()));
        }
        // Also what a power cut leaves of a store that was just being made.
        if application == 0 && version == 0 && empty {
            return Ok(Schema::Empty);
        }
        Err(StoreError::Foreign {
            path: self.path.clone(),
            found: application,
        })
    }

    /// Reads the whole file: 150 MB took 0.45 s from the page cache, with SQLite not optimised.
    pub fn check(&self) -> Result<(), StoreError> {
        let verdict = self
            .connection
            .query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))
            .map_err(|e| self.opening(&e))?;
        if verdict == "ok" {
            return Ok(());
        }
        Err(StoreError::Corrupt {
            path: self.path.clone(),
            detail: verdict.replace('\n', ", "),
        })
    }

    fn migrate(&mut self) -> Result<(), StoreError> {
        use rusqlite_migration::Error as Failed;
        self.connection
            .set_transaction_behavior(TransactionBehavior::Immediate);
        Migrations::from_slice(MIGRATIONS)
            .to_latest(&mut self.connection)
            .map_err(|error| match error {
                Failed::RusqliteError { err, .. } => self.opening(&err),
                other => StoreError::Unreadable {
                    path: self.path.clone(),
                    detail: other.to_string(),
                },
            })
    }

    fn newer(&self, found: u32) -> StoreError {
        StoreError::NewerSchema {
            path: self.path.clone(),
            found,
            known: SCHEMA_VERSION,
        }
    }

    fn opening(&self, error: &rusqlite::Error) -> StoreError {
        StoreError::opening(&self.path, error)
    }
}

/// What a file says it is.
enum Schema {
    /// Nothing yet.
    Empty,
    /// A store with so many migrations done.
    Ours(u32),
}

fn code(error: &rusqlite::Error) -> Option<ErrorCode> {
    error.sqlite_error_code()
}

/// What the store at `path` takes on the disk, its WAL included; 0 if it cannot be told.
pub fn size_bytes(path: &Path) -> u64 {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    let length = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
    length(path) + length(Path::new(&wal))
}
