//! Browsers in which somebody signed in before, known by a long-lived cookie.
//!
//! Not here: browsers in which somebody is signed in now ([`super::sign_ins`]).

use rusqlite::{Connection, Transaction};

use super::StoreError;
use crate::domain::limits::{KNOWN_BROWSER_LIFE, KNOWN_BROWSERS_PER_ACCOUNT_MAX};
use crate::domain::token::Fingerprint;
use crate::domain::{AccountId, AccountName, Stamp};

/// Somebody signed in to `account` with the browser of this cookie. Beyond
/// [`KNOWN_BROWSERS_PER_ACCOUNT_MAX`] the account's longest unseen ones are forgotten.
pub fn remember(
    tx: &Transaction<'_>,
    account: AccountId,
    browser: &Fingerprint,
    at: Stamp,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO known_browsers (account, browser, seen) VALUES (?1, ?2, ?3)
         ON CONFLICT (account, browser) DO UPDATE SET seen = max(seen, excluded.seen)",
    )?
    .execute((account, browser, at))?;
    tx.prepare_cached(
        "DELETE FROM known_browsers WHERE account = ?1 AND browser IN
             (SELECT browser FROM known_browsers WHERE account = ?1 AND browser <> ?2
              ORDER BY seen DESC LIMIT -1 OFFSET ?3)",
    )?
    .execute((
        account,
        browser,
        KNOWN_BROWSERS_PER_ACCOUNT_MAX.cast_signed() - 1,
    ))?;
    Ok(())
}

/// Whether the account of this name was signed in to with this browser, within
/// [`KNOWN_BROWSER_LIFE`].
pub fn knows(
    c: &Connection,
    name: &AccountName,
    browser: &Fingerprint,
    at: Stamp,
) -> Result<bool, StoreError> {
    let known = c
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM known_browsers b JOIN accounts a ON a.id = b.account
                            WHERE b.browser = ?1 AND a.name = ?2 AND b.seen > ?3)",
        )?
        .query_row((browser, name, oldest(at)), |row| row.get(0))?;
    Ok(known)
}

/// Whether anybody signed in with this browser: then its cookie is one of ours.
pub fn is_known(c: &Connection, browser: &Fingerprint, at: Stamp) -> Result<bool, StoreError> {
    let known = c
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM known_browsers WHERE browser = ?1 AND seen > ?2)",
        )?
        .query_row((browser, oldest(at)), |row| row.get(0))?;
    Ok(known)
}

/// Forgets all browsers of an account: its password was changed, perhaps because of one of them.
pub fn forget_all(tx: &Transaction<'_>, account: AccountId) -> Result<(), StoreError> {
    tx.prepare_cached("DELETE FROM known_browsers WHERE account = ?1")?
        .execute([account])?;
    Ok(())
}

/// Forgets browsers that [`knows`] no longer finds; tells how many.
pub fn sweep(tx: &Transaction<'_>, at: Stamp) -> Result<usize, StoreError> {
    let gone = tx
        .prepare_cached("DELETE FROM known_browsers WHERE seen <= ?1")?
        .execute([oldest(at)])?;
    Ok(gone)
}

/// A browser that counts was seen later than this.
fn oldest(at: Stamp) -> Stamp {
    let life = i64::try_from(KNOWN_BROWSER_LIFE.as_millis()).unwrap_or(i64::MAX);
    Stamp(at.0.saturating_sub(life))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::accounts;
    use crate::store::testing::{Folder, account, read, write};

    const START: Stamp = Stamp(1_700_000_000_000);

    fn cookie(number: usize) -> Fingerprint {
        Fingerprint::of(&number.to_be_bytes())
    }

    #[test]
    fn a_browser_is_known_for_its_account_and_for_half_a_year() {
        let folder = Folder::new();
        let mut store = folder.store();
        let (ana, bea) = (account(&mut store, "ana"), account(&mut store, "bea"));
        write(&mut store, |tx| remember(tx, ana.id, &cookie(1), START)).unwrap();
        let end = START.after(KNOWN_BROWSER_LIFE);
        let just_before = Stamp(end.0 - 1);
        assert!(read(&store, |c| knows(
            c,
            &ana.name,
            &cookie(1),
            just_before
        )));
        assert!(!read(&store, |c| knows(c, &ana.name, &cookie(1), end)));
        assert!(!read(&store, |c| knows(c, &ana.name, &cookie(2), START)));
        assert!(!read(&store, |c| knows(c, &bea.name, &cookie(1), START)));
        assert!(read(&store, |c| is_known(c, &cookie(1), just_before)));
        assert_eq!(write(&mut store, |tx| sweep(tx, just_before)).unwrap(), 0);
        assert_eq!(write(&mut store, |tx| sweep(tx, end)).unwrap(), 1);
    }

    #[test]
    fn one_browser_too_many_makes_the_longest_unseen_unknown() {
        let folder = Folder::new();
        let mut store = folder.store();
        let ana = account(&mut store, "ana");
        for number in 0..=KNOWN_BROWSERS_PER_ACCOUNT_MAX {
            let at = Stamp(START.0 + i64::try_from(number).unwrap());
            write(&mut store, |tx| remember(tx, ana.id, &cookie(number), at)).unwrap();
        }
        for number in 0..=KNOWN_BROWSERS_PER_ACCOUNT_MAX {
            let known = read(&store, |c| knows(c, &ana.name, &cookie(number), START));
            assert_eq!(known, number > 0, "{number}");
        }
    }

    #[test]
    fn a_new_password_makes_every_browser_unknown() {
        let folder = Folder::new();
        let mut store = folder.store();
        let ana = account(&mut store, "ana");
        write(&mut store, |tx| remember(tx, ana.id, &cookie(1), START)).unwrap();
        write(&mut store, |tx| accounts::set_password(tx, ana.id, "new")).unwrap();
        assert!(!read(&store, |c| knows(c, &ana.name, &cookie(1), START)));
    }
}
