//! What a version on trial writes beside its store, so that the version before can take it over.
//!
//! ```text
//! any transaction ─> temp triggers ─> rows as JSON ─┐ before COMMIT, under SQLite's write lock
//!                                                   └─> trial-7.journal, fsync ─> COMMIT
//! going back: trial-7.journal ─> line::Reader ─> take_over ─> store of the generation before
//! ```
//!
//! The store's row in the table `journal` makes [`super::Database`] keep one, in whichever process
//! it is opened: nobody who changes a row has to think of it, and nobody can forget. The rows are
//! caught by triggers of the connection, which the file knows nothing of.
//!
//! Two processes append in turn, since each holds the store's write lock meanwhile. A journal is
//! written before its transaction is committed, so nothing is acknowledged that it does not have.
//! What it has more (the commit failed, the power went) lies beyond the length that the last commit
//! noted in the store, and is cut off by whoever writes next. A reader that has only the journal
//! meets at most one such transaction, the last: whole, it is taken over like any other that was
//! committed a moment before the end; torn, it is left out.
//!
//! Start at [`mod@line`]. The journal goes on after the trial, so that going back loses nothing later
//! either, and holds what the store holds: it is as secret as the store's file beside it.

pub mod line;
pub mod row;
mod take_over;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, Transaction};

use super::StoreError;
use super::generation::{self, Name};
use crate::domain::limits::JOURNAL_BYTES_MAX;
use crate::domain::token::Fingerprint;
use line::{Head, Line};
pub use take_over::{Taken, take_over};

/// Gathers changed rows as JSON, in order. Temporary: they belong to the connection, and what they
/// gather is undone with the transaction.
const TRIGGERS: &str = include_str!("triggers.sql");

/// The journal of one opened store.
#[derive(Debug)]
pub(super) struct Journal {
    file: File,
    path: PathBuf,
    /// Of the store, as its row says.
    store: String,
}

/// How far the journal is, as the store says.
struct Written {
    bytes: u64,
    last: u64,
}

impl Journal {
    /// The journal of the store at `path`, if it keeps one.
    pub(super) fn of(connection: &Connection, path: &Path) -> Result<Option<Self>, StoreError> {
        let Some(name @ Name::Numbered(sequence)) = Name::of(path) else {
            return Ok(None);
        };
        let store = name.file();
        if written(connection, &store)?.is_none() {
            return Ok(None);
        }
        let folder = path.parent().unwrap_or(Path::new("."));
        let path = folder.join(generation::journal_file(sequence));
        let file = match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => file,
            // Put aside by a version that took it over; whoever goes back is told that it is gone.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::journal(&path, &error)),
        };
        connection.execute_batch(TRIGGERS)?;
        Ok(Some(Self { file, path, store }))
    }

    /// Puts what `tx` changed on the disk, just before it is committed.
    pub(super) fn record(&self, tx: &Transaction<'_>) -> Result<(), StoreError> {
        let rows: Vec<String> = tx
            .prepare_cached("SELECT row FROM journaled ORDER BY id")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        if rows.is_empty() {
            return Ok(());
        }
        tx.prepare_cached("DELETE FROM journaled")?.execute([])?;
        let Some(Written { bytes, last }) = written(tx, &self.store)? else {
            return Ok(());
        };
        let n = last + 1;
        if bytes > JOURNAL_BYTES_MAX {
            self.append(bytes, &Line::Ended { n, ended: true }.encode())?;
            tx.execute("DELETE FROM journal", [])?;
            return Ok(());
        }
        let count = rows.len() as u64;
        let mut text: String = rows.iter().map(|row| line::row(n, row)).collect();
        text.push_str(&Line::End { n, rows: count }.encode());
        let bytes = self.append(bytes, &text)?;
        tx.prepare_cached("UPDATE journal SET bytes = ?1, last = ?2")?
            .execute((bytes.cast_signed(), n.cast_signed()))?;
        Ok(())
    }

    /// Cuts off what a transaction left that failed after it was written here. `tx` holds the write
    /// lock, so nobody else is writing.
    pub(super) fn cut(&self, tx: &Transaction<'_>) -> Result<(), StoreError> {
        if let Some(written) = written(tx, &self.store)? {
            self.whole(written.bytes)?;
        }
        Ok(())
    }

    /// Writes `text` behind the first `bytes` bytes, and tells how many there are then.
    fn append(&self, bytes: u64, text: &str) -> Result<u64, StoreError> {
        let end = self.whole(bytes)?;
        let written = self
            .file
            .write_all_at(text.as_bytes(), end)
            .and_then(|()| self.file.sync_data());
        written.map_err(|error| StoreError::journal(&self.path, &error))?;
        Ok(end + text.len() as u64)
    }

    /// Makes the file end behind its first `bytes` bytes, or at the end of a line if somebody made
    /// it shorter; tells where that is.
    fn whole(&self, bytes: u64) -> Result<u64, StoreError> {
        let length = self.file.metadata().map(|found| found.len());
        let whole = length.and_then(|length| {
            if length > bytes {
                self.file.set_len(bytes)?;
            } else if length < bytes {
                self.file.write_all_at(b"\n", length)?;
                return Ok(length + 1);
            }
            Ok(bytes)
        });
        whole.map_err(|error| StoreError::journal(&self.path, &error))
    }
}

/// Makes the journal of the store at `path`, which nobody has opened, and has it kept from the next
/// opening on. The file is whole when it appears, and the last thing to appear.
pub(super) fn begin(
    database: &mut super::Database,
    folder: &Path,
    head: Head,
) -> Result<(), StoreError> {
    let path = folder.join(generation::journal_file(head.generation));
    let text = Line::Head(head).encode();
    database.write(|tx| {
        tx.execute("DELETE FROM journal", [])?;
        tx.execute(
            "INSERT INTO journal (only, store, bytes, last) VALUES (1, ?1, ?2, 0)",
            (
                Name::Numbered(head.generation).file(),
                (text.len() as u64).cast_signed(),
            ),
        )?;
        Ok::<_, StoreError>(())
    })?;
    let made = generation::files::put(folder, &path, text.as_bytes());
    made.map_err(|error| StoreError::journal(&path, &error))
}

/// Number of the last transaction that was taken over from the journal with this first line.
pub fn imported(c: &Connection, journal: &Fingerprint) -> Result<u64, StoreError> {
    let last = c
        .prepare_cached("SELECT last FROM imported WHERE journal = ?1")?
        .query_row([journal], |row| row.get::<_, i64>(0))
        .optional()?;
    Ok(last.unwrap_or(0).cast_unsigned())
}

/// Notes it, in the transaction that takes its rows over.
pub fn note_imported(
    tx: &Transaction<'_>,
    journal: &Fingerprint,
    last: u64,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO imported (journal, last) VALUES (?1, ?2)
         ON CONFLICT (journal) DO UPDATE SET last = excluded.last",
    )?
    .execute((journal, last.cast_signed()))?;
    Ok(())
}

/// The row of the store whose file is `store`, if it keeps a journal.
fn written(c: &Connection, store: &str) -> Result<Option<Written>, StoreError> {
    let found = c
        .prepare_cached("SELECT bytes, last FROM journal WHERE store = ?1")?
        .query_row([store], |row| {
            Ok(Written {
                bytes: row.get::<_, i64>(0)?.cast_unsigned(),
                last: row.get::<_, i64>(1)?.cast_unsigned(),
            })
        })
        .optional()?;
    Ok(found)
}

/// How a file beside the store is made: for owner and group, less the umask.
pub(super) fn new_file(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o660);
    options.open(path)
}
