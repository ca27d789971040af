//! Session keys that nobody has used yet. Using one deletes it.

use rusqlite::{Connection, Transaction};

use super::StoreError;
use crate::domain::limits::KEYS_PER_REPRESENTATIVE_MAX;
use crate::domain::{AccountId, Stamp, Token};

/// A key that starts one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionKeyRow {
    /// To read out. Kept plain: it is no authentication (PP-04) and dies within a day.
    pub digits: String,
    /// Of the unique URL.
    pub ak: Token,
    /// Whose queue its session waits in.
    pub account: AccountId,
    /// When it was made.
    pub created: Stamp,
    /// It starts no session at or after this.
    pub expires: Stamp,
}

/// Remembers a new key. Forgets expired ones first, so that their digits are free again.
///
/// # Errors
///
/// [`StoreError::Full`] if the account has [`KEYS_PER_REPRESENTATIVE_MAX`] unused ones;
/// [`StoreError::Sqlite`] if an unused key has the same digits.
pub fn put(tx: &Transaction<'_>, key: &SessionKeyRow) -> Result<(), StoreError> {
    sweep(tx, key.created)?;
    let count: u32 = tx
        .prepare_cached("SELECT count(*) FROM session_keys WHERE account = ?1")?
        .query_row([key.account], |row| row.get(0))?;
    if count as usize >= KEYS_PER_REPRESENTATIVE_MAX {
        return Err(StoreError::Full {
            what: "unused session keys",
            limit: KEYS_PER_REPRESENTATIVE_MAX,
        });
    }
    tx.prepare_cached(
        "INSERT INTO session_keys (ak, digits, account, created, expires)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute((&key.ak, &key.digits, key.account, key.created, key.expires))?;
    Ok(())
}

/// Uses a key up. `true` exactly once, and only while it is good.
pub fn take(tx: &Transaction<'_>, ak: &Token, at: Stamp) -> Result<bool, StoreError> {
    let taken = tx
        .prepare_cached("DELETE FROM session_keys WHERE ak = ?1 AND expires > ?2")?
        .execute((ak, at))?;
    Ok(taken == 1)
}

/// Keys that are good, oldest first.
pub fn unused(c: &Connection, at: Stamp) -> Result<Vec<SessionKeyRow>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT digits, ak, account, created, expires FROM session_keys
         WHERE expires > ?1 ORDER BY created, ak",
    )?;
    let keys = statement.query_map([at], |row| {
        Ok(SessionKeyRow {
            digits: row.get(0)?,
            ak: row.get(1)?,
            account: row.get(2)?,
            created: row.get(3)?,
            expires: row.get(4)?,
        })
    })?;
    Ok(keys.collect::<Result<_, _>>()?)
}

/// Forgets keys that are no longer good; tells how many.
pub fn sweep(tx: &Transaction<'_>, at: Stamp) -> Result<usize, StoreError> {
    let gone = tx
        .prepare_cached("DELETE FROM session_keys WHERE expires <= ?1")?
        .execute([at])?;
    Ok(gone)
}
