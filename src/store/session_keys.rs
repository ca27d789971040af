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
    /// It starts sessions up to and including then.
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

/// Uses a key up. `true` exactly once, and only while it is good. `at` is when the customer gave
/// it, not when that is written down.
pub fn take(tx: &Transaction<'_>, ak: &Token, at: Stamp) -> Result<bool, StoreError> {
    let taken = tx
        .prepare_cached("DELETE FROM session_keys WHERE ak = ?1 AND expires >= ?2")?
        .execute((ak, at))?;
    Ok(taken == 1)
}

/// Keys that are good, oldest first.
pub fn unused(c: &Connection, at: Stamp) -> Result<Vec<SessionKeyRow>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT digits, ak, account, created, expires FROM session_keys
         WHERE expires >= ?1 ORDER BY created, ak",
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
        .prepare_cached("DELETE FROM session_keys WHERE expires < ?1")?
        .execute([at])?;
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{Folder, account, read, write};

    fn key(number: u8, account: AccountId, created: i64) -> SessionKeyRow {
        SessionKeyRow {
            digits: format!("{number:07}"),
            ak: Token::from_random([number; 16]),
            account,
            created: Stamp(created),
            expires: Stamp(created + 1000),
        }
    }

    #[test]
    fn a_key_is_taken_once_and_in_time() {
        let folder = Folder::new();
        let mut store = folder.store();
        let ana = account(&mut store, "ana").id;
        let (one, two) = (key(1, ana, 0), key(2, ana, 1));
        write(&mut store, |tx| put(tx, &one).and_then(|()| put(tx, &two))).unwrap();
        assert_eq!(
            read(&store, |c| unused(c, Stamp(5))),
            [one.clone(), two.clone()]
        );
        let mut take_at = |ak: &Token, at| write(&mut store, |tx| take(tx, ak, Stamp(at))).unwrap();
        assert!(take_at(&one.ak, 1000));
        assert!(!take_at(&one.ak, 1000));
        assert!(!take_at(&two.ak, 1002));
        assert!(!take_at(&Token::from_random([9; 16]), 5));
        assert_eq!(write(&mut store, |tx| sweep(tx, Stamp(1002))).unwrap(), 1);
        assert_eq!(read(&store, |c| unused(c, Stamp(5))), []);
    }

    #[test]
    fn digits_are_free_again_once_their_key_expired() {
        let folder = Folder::new();
        let mut store = folder.store();
        let ana = account(&mut store, "ana").id;
        write(&mut store, |tx| put(tx, &key(1, ana, 0))).unwrap();
        let mut again = key(1, ana, 1000);
        again.ak = Token::from_random([7; 16]);
        assert!(write(&mut store, |tx| put(tx, &again)).is_err());
        again.created = Stamp(1001);
        write(&mut store, |tx| put(tx, &again)).unwrap();
    }

    #[test]
    fn unused_keys_come_to_an_end() {
        let folder = Folder::new();
        let mut store = folder.store();
        let ana = account(&mut store, "ana").id;
        write(&mut store, |tx| {
            (0..KEYS_PER_REPRESENTATIVE_MAX)
                .try_for_each(|number| put(tx, &key(u8::try_from(number).unwrap(), ana, 0)))
        })
        .unwrap();
        let more = write(&mut store, |tx| put(tx, &key(200, ana, 0)));
        assert!(matches!(more, Err(StoreError::Full { .. })));
        let later = write(&mut store, |tx| put(tx, &key(200, ana, 1001)));
        later.unwrap();
    }
}
