//! Shells that run on while the relay does not.

use rusqlite::Transaction;

use super::StoreError;
use super::column::{Count, Short};
use crate::domain::limits::NAME_BYTES_MAX;
use crate::domain::{SessionId, ShellId, Stamp};

/// One shell, and how far each side got: bytes surely consumed, and bytes sent to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenShell {
    /// Whose.
    pub session: SessionId,
    /// Which.
    pub shell: ShellId,
    /// Columns and rows.
    pub size: (u16, u16),
    /// Of the customer's computer.
    pub input: (u64, u64),
    /// Of the console.
    pub output: (u64, u64),
}

/// A transcript that is to be gone on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Bytes of output in it.
    pub taken: u64,
    /// The file's length.
    pub written: u64,
    /// Microseconds from its beginning to its last event.
    pub elapsed: u64,
    /// The beginning of a character: at most 3 bytes.
    pub carried: Vec<u8>,
}

/// A shell that can go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// It.
    pub shell: OpenShell,
    /// The transcript's file, within the recordings' folder.
    pub file: String,
    /// When that began.
    pub started: Stamp,
    /// How far it is.
    pub cut: Cut,
}

/// A shell goes on without the relay.
pub fn put(tx: &Transaction<'_>, open: &OpenShell) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT OR REPLACE INTO open_shells
             (session, shell, columns, rows, input_acknowledged, input_sent, output_acknowledged,
              output_sent)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute((
        open.session,
        open.shell,
        open.size.0,
        open.size.1,
        Count(open.input.0),
        Count(open.input.1),
        Count(open.output.0),
        Count(open.output.1),
    ))?;
    Ok(())
}

/// Its transcript is on the disk, as far as it goes.
pub fn transcript(
    tx: &Transaction<'_>,
    session: SessionId,
    shell: ShellId,
    cut: &Cut,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE open_shells SET taken = ?3, written = ?4, elapsed = ?5, carried = ?6
         WHERE session = ?1 AND shell = ?2",
    )?
    .execute((
        session,
        shell,
        Count(cut.taken),
        Count(cut.written),
        Count(cut.elapsed),
        &cut.carried,
    ))?;
    Ok(())
}

/// Takes out all that can go on: of running sessions, with a transcript that was not finished. Those
/// that cannot are gone as well.
pub fn take(tx: &Transaction<'_>) -> Result<Vec<Waiting>, StoreError> {
    let mut statement = tx.prepare_cached(
        "SELECT o.session, o.shell, o.columns, o.rows, o.input_acknowledged, o.input_sent,
                o.output_acknowledged, o.output_sent, o.taken, o.written, o.elapsed, o.carried,
                t.file, t.started
         FROM open_shells o
         JOIN sessions s ON s.id = o.session AND s.ended IS NULL
         JOIN transcripts t ON t.session = o.session AND t.shell = o.shell AND t.ended IS NULL
         WHERE o.taken IS NOT NULL ORDER BY o.session, o.shell",
    )?;
    let count = |row: &rusqlite::Row<'_>, at: usize| row.get::<_, Count>(at).map(|count| count.0);
    let waiting = statement.query_map([], |row| {
        Ok(Waiting {
            shell: OpenShell {
                session: row.get(0)?,
                shell: row.get(1)?,
                size: (row.get(2)?, row.get(3)?),
                input: (count(row, 4)?, count(row, 5)?),
                output: (count(row, 6)?, count(row, 7)?),
            },
            cut: Cut {
                taken: count(row, 8)?,
                written: count(row, 9)?,
                elapsed: count(row, 10)?,
                carried: row.get(11)?,
            },
            file: row.get::<_, Short<NAME_BYTES_MAX>>(12)?.0.to_string(),
            started: row.get(13)?,
        })
    })?;
    let waiting = waiting.collect::<Result<_, _>>()?;
    forget(tx)?;
    Ok(waiting)
}

/// What was noted holds no longer: somebody else went on with them.
pub fn forget(tx: &Transaction<'_>) -> Result<(), StoreError> {
    tx.execute("DELETE FROM open_shells", [])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{Folder, account, session, write};
    use crate::store::{sessions, transcripts};

    #[test]
    fn a_shell_is_gone_on_with_once_and_only_with_its_transcript() {
        let folder = Folder::new();
        let mut store = folder.store();
        let owner = account(&mut store, "ana").id;
        let row = session(1, owner, "Kim");
        let open = |shell| OpenShell {
            session: row.id,
            shell: ShellId(shell),
            size: (80, 24),
            input: (1, 5_000_000_000),
            output: (3, 4),
        };
        let cut = Cut {
            taken: 7,
            written: 90,
            elapsed: 1_000,
            carried: vec![0xe2],
        };
        write(&mut store, |tx| {
            sessions::start(tx, &row)?;
            for shell in [1, 2] {
                transcripts::start(tx, row.id, ShellId(shell), "x.cast", Stamp(5))?;
                put(tx, &open(shell))?;
            }
            transcript(tx, row.id, ShellId(2), &cut)
        })
        .unwrap();
        let taken = write(&mut store, take).unwrap();
        let expected = Waiting {
            shell: open(2),
            file: "x.cast".into(),
            started: Stamp(5),
            cut,
        };
        assert_eq!(taken, [expected]);
        assert_eq!(write(&mut store, take).unwrap(), []);
    }
}
