//! The session log's lines. Only ever added to.

use rusqlite::{Connection, Row, Transaction};

use super::StoreError;
use super::column::Json;
use crate::domain::limits::ENTRIES_PER_SESSION_MAX;
use crate::domain::{Author, Entry, LongText, SessionId, What};

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
        by: parsed(row, 2)?.unwrap_or(Author::Appliance),
        what: parsed(row, 3)?.unwrap_or_else(later),
    })
}

/// What this version understands of a column: a line that was taken over from a later one may say
/// something new.
fn parsed<T: serde::de::DeserializeOwned>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<T>> {
    let text = row.get_ref(column)?;
    Ok(serde_json::from_str(text.as_str()?).ok())
}

/// Shown in place of such a line, which stays in the store as it is. Said as chat, since customers'
/// programs know no other line with words of ours.
fn later() -> What {
    const WORDS: &str = "(This line is of a later version, which shows it.)";
    let text = LongText::new(WORDS).expect("a short line");
    What::Chat { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::entry::EndReason;
    use crate::domain::{ShellId, Tool};
    use crate::store::sessions;
    use crate::store::testing::{Folder, account, chat, read, session, write};

    #[test]
    fn a_log_reads_as_it_was_written_and_its_end_by_itself() {
        let folder = Folder::new();
        let mut store = folder.store();
        let owner = account(&mut store, "ana").id;
        let row = session(1, owner, "Kim");
        write(&mut store, |tx| sessions::start(tx, &row)).unwrap();
        let tool = Tool::Shell;
        let mut log = vec![chat(1, "two\nlines, \"quoted\" €"), chat(2, "x")];
        for what in [
            What::Arrived,
            What::Allowed { tool },
            What::ShellClosed {
                shell: ShellId(1),
                open: 0,
            },
            What::Ended {
                reason: EndReason::Customer,
            },
        ] {
            let number = u32::try_from(log.len()).unwrap() + 1;
            log.push(Entry {
                what,
                by: Author::Appliance,
                ..chat(number, "x")
            });
        }
        write(&mut store, |tx| {
            log.iter().try_for_each(|entry| append(tx, row.id, entry))
        })
        .unwrap();
        assert_eq!(read(&store, |c| of(c, row.id)), log);
        assert_eq!(read(&store, |c| last(c, row.id, 2)), log[4..]);
    }

    #[test]
    fn a_log_has_no_gap_and_no_second_line_of_a_number() {
        let folder = Folder::new();
        let mut store = folder.store();
        let owner = account(&mut store, "ana").id;
        let row = session(1, owner, "Kim");
        write(&mut store, |tx| sessions::start(tx, &row)).unwrap();
        write(&mut store, |tx| append(tx, row.id, &chat(1, "a"))).unwrap();
        for number in [0, 1, 3] {
            let outcome = write(&mut store, |tx| append(tx, row.id, &chat(number, "b")));
            assert!(
                matches!(outcome, Err(StoreError::EntryOutOfStep { expected: 2, found, .. })
                    if found == number)
            );
        }
    }

    #[test]
    fn a_log_comes_to_an_end() {
        let folder = Folder::new();
        let mut store = folder.store();
        let owner = account(&mut store, "ana").id;
        let row = session(1, owner, "Kim");
        let most = u32::try_from(ENTRIES_PER_SESSION_MAX).unwrap() + 1;
        write(&mut store, |tx| {
            sessions::start(tx, &row)?;
            (1..=most).try_for_each(|number| append(tx, row.id, &chat(number, "a")))
        })
        .unwrap();
        let more = write(&mut store, |tx| append(tx, row.id, &chat(most + 1, "a")));
        assert!(matches!(more, Err(StoreError::Full { .. })));
    }
}
