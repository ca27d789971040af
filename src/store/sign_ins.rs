//! Browsers in which somebody signed in.

use rusqlite::{Connection, OptionalExtension as _, Transaction};

use super::StoreError;
use super::accounts;
use crate::domain::limits::{OPEN_SIGN_INS_PER_ACCOUNT_MAX, SIGN_IN_IDLE_MAX, SIGN_IN_LIFE_MAX};
use crate::domain::token::Fingerprint;
use crate::domain::{Account, AccountId, Stamp, Token};

/// A sign-in that is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// Whose. Never disabled.
    pub account: Account,
    /// When the password was given.
    pub opened: Stamp,
    /// Last request, as [`touch`] was told.
    pub seen: Stamp,
    /// What this browser's forms have to carry.
    pub csrf: Token,
}

/// Remembers that the browser with cookie `token` signed in. Beyond
/// [`OPEN_SIGN_INS_PER_ACCOUNT_MAX`] the account's oldest sign-ins are closed.
pub fn open(
    tx: &Transaction<'_>,
    token: &Fingerprint,
    account: AccountId,
    csrf: &Token,
    at: Stamp,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO sign_ins (token, account, csrf, opened, seen) VALUES (?1, ?2, ?3, ?4, ?4)",
    )?
    .execute((token, account, csrf, at))?;
    tx.prepare_cached(
        "DELETE FROM sign_ins WHERE token IN
             (SELECT token FROM sign_ins WHERE account = ?1 AND token <> ?2
              ORDER BY opened DESC LIMIT -1 OFFSET ?3)",
    )?
    .execute((
        account,
        token,
        OPEN_SIGN_INS_PER_ACCOUNT_MAX.cast_signed() - 1,
    ))?;
    Ok(())
}

/// The sign-in of the browser with cookie `token`, unless it is unknown, closed, too old
/// ([`SIGN_IN_IDLE_MAX`], [`SIGN_IN_LIFE_MAX`]) or its account is disabled.
pub fn find(c: &Connection, token: &Fingerprint, at: Stamp) -> Result<Option<SignIn>, StoreError> {
    let (opened_after, seen_after) = oldest(at);
    let found = c
        .prepare_cached(
            "SELECT a.id, a.name, a.display_name, a.administrator, a.representative, a.disabled,
                    s.opened, s.seen, s.csrf
             FROM sign_ins s JOIN accounts a ON a.id = s.account
             WHERE s.token = ?1 AND s.opened > ?2 AND s.seen > ?3 AND a.disabled = 0",
        )?
        .query_row((token, opened_after, seen_after), |row| {
            Ok(SignIn {
                account: accounts::account(row)?,
                opened: row.get(6)?,
                seen: row.get(7)?,
                csrf: row.get(8)?,
            })
        })
        .optional()?;
    Ok(found)
}

/// The browser made a request. Once a minute is enough.
pub fn touch(tx: &Transaction<'_>, token: &Fingerprint, at: Stamp) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE sign_ins SET seen = max(seen, ?2) WHERE token = ?1")?
        .execute((token, at))?;
    Ok(())
}

/// The browser signed out. Nothing happens if it had already.
pub fn close(tx: &Transaction<'_>, token: &Fingerprint) -> Result<(), StoreError> {
    tx.prepare_cached("DELETE FROM sign_ins WHERE token = ?1")?
        .execute([token])?;
    Ok(())
}

/// Signs an account out everywhere.
pub fn close_all(tx: &Transaction<'_>, account: AccountId) -> Result<(), StoreError> {
    tx.prepare_cached("DELETE FROM sign_ins WHERE account = ?1")?
        .execute([account])?;
    Ok(())
}

/// Forgets sign-ins that [`find`] no longer finds; tells how many.
pub fn sweep(tx: &Transaction<'_>, at: Stamp) -> Result<usize, StoreError> {
    let (opened_after, seen_after) = oldest(at);
    let gone = tx
        .prepare_cached("DELETE FROM sign_ins WHERE opened <= ?1 OR seen <= ?2")?
        .execute((opened_after, seen_after))?;
    Ok(gone)
}

/// A good sign-in was opened, and seen, later than these.
fn oldest(at: Stamp) -> (Stamp, Stamp) {
    let before = |age: std::time::Duration| {
        Stamp(at.0.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX)))
    };
    (before(SIGN_IN_LIFE_MAX), before(SIGN_IN_IDLE_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{Folder, account, read, write};

    fn cookie(number: usize) -> Fingerprint {
        Fingerprint::of(&number.to_be_bytes())
    }

    const START: Stamp = Stamp(1_700_000_000_000);

    #[test]
    fn a_sign_in_stands_until_it_is_idle_or_old() {
        let folder = Folder::new();
        let mut store = folder.store();
        let ana = account(&mut store, "ana");
        let csrf = Token::from_random([3; 16]);
        write(&mut store, |tx| open(tx, &cookie(1), ana.id, &csrf, START)).unwrap();
        let expected = SignIn {
            account: ana,
            opened: START,
            seen: START,
            csrf,
        };
        let found_at = |store: &_, at| read(store, |c| find(c, &cookie(1), at));
        assert_eq!(found_at(&store, START), Some(expected));
        let idle = START.after(SIGN_IN_IDLE_MAX);
        assert!(found_at(&store, Stamp(idle.0 - 1)).is_some());
        assert_eq!(found_at(&store, idle), None);
        let old = START.after(SIGN_IN_LIFE_MAX);
        let just_before = Stamp(old.0 - 1);
        write(&mut store, |tx| touch(tx, &cookie(1), just_before)).unwrap();
        assert_eq!(found_at(&store, just_before).unwrap().seen, just_before);
        assert_eq!(found_at(&store, old), None);
        assert_eq!(write(&mut store, |tx| sweep(tx, just_before)).unwrap(), 0);
        assert_eq!(write(&mut store, |tx| sweep(tx, old)).unwrap(), 1);
    }

    #[test]
    fn signing_out_closes_one_browser() {
        let folder = Folder::new();
        let mut store = folder.store();
        let ana = account(&mut store, "ana");
        let csrf = Token::from_random([3; 16]);
        for number in [1, 2] {
            write(&mut store, |tx| {
                open(tx, &cookie(number), ana.id, &csrf, START)
            })
            .unwrap();
        }
        write(&mut store, |tx| close(tx, &cookie(1))).unwrap();
        assert_eq!(read(&store, |c| find(c, &cookie(1), START)), None);
        assert!(read(&store, |c| find(c, &cookie(2), START)).is_some());
    }

    #[test]
    fn a_new_password_or_being_disabled_signs_out_everywhere() {
        let folder = Folder::new();
        let mut store = folder.store();
        let ana = account(&mut store, "ana");
        let bea = account(&mut store, "bea");
        let csrf = Token::from_random([3; 16]);
        let sign_in = |store: &mut _| {
            write(store, |tx| open(tx, &cookie(1), ana.id, &csrf, START)).unwrap();
        };
        write(&mut store, |tx| open(tx, &cookie(2), bea.id, &csrf, START)).unwrap();
        sign_in(&mut store);
        write(&mut store, |tx| accounts::set_password(tx, ana.id, "new")).unwrap();
        assert_eq!(read(&store, |c| find(c, &cookie(1), START)), None);
        sign_in(&mut store);
        write(&mut store, |tx| accounts::set_disabled(tx, ana.id, true)).unwrap();
        assert_eq!(read(&store, |c| find(c, &cookie(1), START)), None);
        // Even one that was let in at the same moment does not count.
        sign_in(&mut store);
        assert_eq!(read(&store, |c| find(c, &cookie(1), START)), None);
        assert!(read(&store, |c| find(c, &cookie(2), START)).is_some());
    }

    #[test]
    fn one_browser_too_many_signs_the_oldest_out() {
        let folder = Folder::new();
        let mut store = folder.store();
        let ana = account(&mut store, "ana");
        let csrf = Token::from_random([3; 16]);
        for number in 0..=OPEN_SIGN_INS_PER_ACCOUNT_MAX {
            let at = Stamp(START.0 + i64::try_from(number).unwrap());
            write(&mut store, |tx| {
                open(tx, &cookie(number), ana.id, &csrf, at)
            })
            .unwrap();
        }
        let at = Stamp(START.0 + 100);
        assert_eq!(read(&store, |c| find(c, &cookie(0), at)), None);
        for number in 1..=OPEN_SIGN_INS_PER_ACCOUNT_MAX {
            assert!(read(&store, |c| find(c, &cookie(number), at)).is_some());
        }
    }
}
