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
