//! Which shells were recorded, where, and what the files must hash to.

use rusqlite::{Connection, Transaction};

use super::StoreError;
use super::column::Count;
use crate::domain::token::Fingerprint;
use crate::domain::{SessionId, ShellId, Stamp};

/// One recorded shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranscriptRow {
    /// Which.
    pub shell: ShellId,
    /// Name of the file within the recordings' folder.
    pub file: String,
    /// When the shell opened.
    pub started: Stamp,
    /// When the file was finished. Absent while it is written, and for good if the appliance was
    /// stopped the hard way; so are the next two.
    pub ended: Option<Stamp>,
    /// The finished file's length.
    pub bytes: Option<u64>,
    /// SHA-256 of the finished file.
    pub sha256: Option<Fingerprint>,
}

/// A recording begins.
pub fn start(
    tx: &Transaction<'_>,
    session: SessionId,
    shell: ShellId,
    file: &str,
    at: Stamp,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO transcripts (session, shell, file, started) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute((session, shell, file, at))?;
    Ok(())
}

/// A recording's file is complete and on the disk.
///
/// # Errors
///
/// [`StoreError::NoSuchTranscript`] if it was never started, or ended before.
pub fn end(
    tx: &Transaction<'_>,
    session: SessionId,
    shell: ShellId,
    bytes: u64,
    sha256: &Fingerprint,
    at: Stamp,
) -> Result<(), StoreError> {
    let changed = tx
        .prepare_cached(
            "UPDATE transcripts SET ended = ?5, bytes = ?3, sha256 = ?4
             WHERE session = ?1 AND shell = ?2 AND ended IS NULL",
        )?
        .execute((session, shell, Count(bytes), sha256, at))?;
    (changed == 1)
        .then_some(())
        .ok_or(StoreError::NoSuchTranscript { session, shell })
}

/// A session's recorded shells, in order.
pub fn of(c: &Connection, session: SessionId) -> Result<Vec<TranscriptRow>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT shell, file, started, ended, bytes, sha256 FROM transcripts
         WHERE session = ?1 ORDER BY shell",
    )?;
    let transcripts = statement.query_map([session], |row| {
        Ok(TranscriptRow {
            shell: row.get(0)?,
            file: row.get(1)?,
            started: row.get(2)?,
            ended: row.get(3)?,
            bytes: row.get::<_, Option<Count>>(4)?.map(|count| count.0),
            sha256: row.get(5)?,
        })
    })?;
    Ok(transcripts.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sessions;
    use crate::store::testing::{Folder, account, read, session, write};

    #[test]
    fn a_transcript_ends_once() {
        let folder = Folder::new();
        let mut store = folder.store();
        let owner = account(&mut store, "ana").id;
        let id = session(1, owner, "Kim").id;
        let sha256 = Fingerprint::of(b"file");
        let shell = ShellId(1);
        let finish = |tx: &Transaction<'_>| end(tx, id, shell, 5_000_000_000, &sha256, Stamp(9));
        write(&mut store, |tx| {
            sessions::start(tx, &session(1, owner, "Kim"))?;
            start(tx, id, ShellId(2), "2.cast", Stamp(6))?;
            start(tx, id, shell, "1.cast", Stamp(5))
        })
        .unwrap();
        write(&mut store, finish).unwrap();
        let again = write(&mut store, finish);
        assert!(matches!(again, Err(StoreError::NoSuchTranscript { .. })));
        let rows = read(&store, |c| of(c, id));
        assert_eq!(rows.len(), 2);
        let expected = TranscriptRow {
            shell,
            file: "1.cast".to_owned(),
            started: Stamp(5),
            ended: Some(Stamp(9)),
            bytes: Some(5_000_000_000),
            sha256: Some(sha256),
        };
        assert_eq!(rows[0], expected);
        assert_eq!(
            (rows[1].ended, rows[1].bytes, rows[1].sha256),
            (None, None, None)
        );
    }
}
