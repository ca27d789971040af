//! The session log's lines. Only ever added to.

use rusqlite::{Connection, Row, Transaction};

use super::StoreError;
use super::column::Json;
use crate::domain::limits::ENTRIES_PER_SESSION_MAX;
use crate::domain::{Author, Entry, SessionId, What};

/// Adds a line.
///
/// # Errors
///
/// [`StoreError::EntryOutOfStep`] unless its number follows the last one's;
/// [`StoreError::Full`] beyond [`ENTRIES_PER_SESSION_MAX`] and one: the line that says the session
/// ended because of that.
pub fn append(tx: &Transaction<'_>, session: SessionId, entry: &Entry) -> Result<(), StoreError> {
    let last: u32 = tx
        .prepare_cached("SELECT coalesce(max(number), 0) FROM entries WHERE session = ?1")?
        .query_row([session], |row| row.get(0))?;
    if last as usize > ENTRIES_PER_SESSION_MAX {
        return Err(StoreError::Full {
            what: "lines of a session's log",
            limit: ENTRIES_PER_SESSION_MAX,
        });
    }
    let expected = last + 1;
    if entry.number != expected {
        return Err(StoreError::EntryOutOfStep {
            session,
            expected,
            found: entry.number,
        });
    }
    tx.prepare_cached(
        "INSERT INTO entries (session, number, at, author, what) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute((
        session,
        entry.number,
        entry.at,
        Json(&entry.by),
        Json(&entry.what),
    ))?;
    Ok(())
}

/// The whole log, oldest first.
pub fn of(c: &Connection, session: SessionId) -> Result<Vec<Entry>, StoreError> {
    last(c, session, usize::MAX)
}

/// The `most` latest lines, oldest first.
pub fn last(c: &Connection, session: SessionId, most: usize) -> Result<Vec<Entry>, StoreError> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut statement = c.prepare_cached(
        "SELECT number, at, author, what FROM
             (SELECT number, at, author, what FROM entries WHERE session = ?1
              ORDER BY number DESC LIMIT ?2)
         ORDER BY number",
    )?;
    let entries = statement.query_map((session, most), entry)?;
    Ok(entries.collect::<Result<_, _>>()?)
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        number: row.get(0)?,
        at: row.get(1)?,
        by: row.get::<_, Json<Author>>(2)?.0,
        what: row.get::<_, Json<What>>(3)?.0,
    })
}
