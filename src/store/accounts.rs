//! Who may sign in. Accounts are disabled, never deleted: sessions and the audit record name them.

use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Row, Transaction};

use super::StoreError;
use crate::domain::limits::ACCOUNTS_MAX;
use crate::domain::{Account, AccountId, AccountName, DisplayName, Stamp};

/// What a new account starts with.
#[derive(Clone, Debug)]
pub struct NewAccount<'a> {
    /// Typed to sign in.
    pub name: AccountName,
    /// Seen by others.
    pub display_name: DisplayName,
    /// May sign in at `/login`.
    pub administrator: bool,
    /// May sign in at `/console`.
    pub representative: bool,
    /// PHC string of the first password.
    pub password_hash: &'a str,
    /// Now.
    pub at: Stamp,
}

/// Makes an account.
///
/// # Errors
///
/// [`StoreError::NameTaken`], or [`StoreError::Full`] at [`ACCOUNTS_MAX`].
pub fn create(tx: &Transaction<'_>, new: &NewAccount<'_>) -> Result<Account, StoreError> {
    let count: usize = tx.query_row("SELECT count(*) FROM accounts", [], |row| {
        row.get::<_, u32>(0).map(|count| count as usize)
    })?;
    if count >= ACCOUNTS_MAX {
        return Err(StoreError::Full {
            what: "accounts",
            limit: ACCOUNTS_MAX,
        });
    }
    let inserted = tx
        .prepare_cached(
            "INSERT INTO accounts
                 (name, display_name, administrator, representative, password_hash, created)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .insert((
            &new.name,
            &new.display_name,
            new.administrator,
            new.representative,
            new.password_hash,
            new.at,
        ));
    let id = inserted.map_err(|error| match error.sqlite_error_code() {
        // The only constraint that the types do not keep already.
        Some(ErrorCode::ConstraintViolation) => StoreError::NameTaken {
            name: new.name.clone(),
        },
        _ => StoreError::Sqlite(error),
    })?;
    Ok(Account {
        id: AccountId(id),
        name: new.name.clone(),
        display_name: new.display_name.clone(),
        administrator: new.administrator,
        representative: new.representative,
        disabled: false,
    })
}

/// The account that signs in by this name, and the PHC string of its password. Disabled accounts
/// are found too.
pub fn by_name(
    c: &Connection,
    name: &AccountName,
) -> Result<Option<(Account, String)>, StoreError> {
    let found = c
        .prepare_cached(
            "SELECT id, name, display_name, administrator, representative, disabled, password_hash
             FROM accounts WHERE name = ?1",
        )?
        .query_row([name], |row| Ok((account(row)?, row.get(6)?)))
        .optional()?;
    Ok(found)
}

/// The account with this id and the PHC string of its password.
pub fn by_id(c: &Connection, id: AccountId) -> Result<Option<(Account, String)>, StoreError> {
    let found = c
        .prepare_cached(
            "SELECT id, name, display_name, administrator, representative, disabled, password_hash
             FROM accounts WHERE id = ?1",
        )?
        .query_row([id], |row| Ok((account(row)?, row.get(6)?)))
        .optional()?;
    Ok(found)
}

/// Every account, by name.
pub fn list(c: &Connection) -> Result<Vec<Account>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT id, name, display_name, administrator, representative, disabled
         FROM accounts ORDER BY name",
    )?;
    let accounts = statement.query_map([], account)?;
    Ok(accounts.collect::<Result<_, _>>()?)
}

/// Gives an account another password and signs it out everywhere.
///
/// # Errors
///
/// [`StoreError::NoSuchAccount`].
pub fn set_password(
    tx: &Transaction<'_>,
    id: AccountId,
    password_hash: &str,
) -> Result<(), StoreError> {
    let changed = tx
        .prepare_cached("UPDATE accounts SET password_hash = ?2 WHERE id = ?1")?
        .execute((id, password_hash))?;
    one(changed, id)?;
    super::known_browsers::forget_all(tx, id)?;
    super::sign_ins::close_all(tx, id)
}

/// Disables an account, which signs it out everywhere, or enables it again.
///
/// # Errors
///
/// [`StoreError::NoSuchAccount`].
pub fn set_disabled(tx: &Transaction<'_>, id: AccountId, disabled: bool) -> Result<(), StoreError> {
    let changed = tx
        .prepare_cached("UPDATE accounts SET disabled = ?2 WHERE id = ?1")?
        .execute((id, disabled))?;
    one(changed, id)?;
    if disabled {
        super::sign_ins::close_all(tx, id)?;
    }
    Ok(())
}

/// Whether somebody can administer the appliance. While nobody can, the set-up link works.
pub fn any_administrator(c: &Connection) -> Result<bool, StoreError> {
    let any = c
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM accounts WHERE administrator = 1)")?
        .query_row([], |row| row.get(0))?;
    Ok(any)
}

/// The first six columns of `row`.
pub(super) fn account(row: &Row<'_>) -> rusqlite::Result<Account> {
    Ok(Account {
        id: row.get(0)?,
        name: row.get(1)?,
        display_name: row.get(2)?,
        administrator: row.get(3)?,
        representative: row.get(4)?,
        disabled: row.get(5)?,
    })
}

fn one(changed: usize, id: AccountId) -> Result<(), StoreError> {
    (changed == 1)
        .then_some(())
        .ok_or(StoreError::NoSuchAccount { id })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{Folder, account, new_account, read, write};

    #[test]
    fn an_account_is_found_by_name_in_any_case_and_by_id() {
        let folder = Folder::new();
        let mut store = folder.store();
        let ana = account(&mut store, "Ana");
        let typed = AccountName::new("aNA").unwrap();
        let (found, hash) = read(&store, |c| by_name(c, &typed)).unwrap();
        assert_eq!(found, ana);
        assert_eq!(hash, new_account("ana").password_hash);
        let (found, _) = read(&store, |c| by_id(c, ana.id)).unwrap();
        assert_eq!(found, ana);
        let nobody = AccountName::new("nobody").unwrap();
        assert_eq!(read(&store, |c| by_name(c, &nobody)), None);
    }

    #[test]
    fn a_name_is_given_once() {
        let folder = Folder::new();
        let mut store = folder.store();
        account(&mut store, "ana");
        let again = write(&mut store, |tx| create(tx, &new_account("ANA")));
        assert!(matches!(again, Err(StoreError::NameTaken { name }) if name.as_str() == "ana"));
        assert_eq!(read(&store, list).len(), 1);
    }

    #[test]
    fn accounts_come_to_an_end() {
        let folder = Folder::new();
        let mut store = folder.store();
        write(&mut store, |tx| {
            for number in 0..ACCOUNTS_MAX {
                create(tx, &new_account(&format!("rep{number}")))?;
            }
            Ok(())
        })
        .unwrap();
        let more = write(&mut store, |tx| create(tx, &new_account("more")));
        assert!(matches!(more, Err(StoreError::Full { limit, .. }) if limit == ACCOUNTS_MAX));
    }

    #[test]
    fn an_administrator_is_noticed() {
        let folder = Folder::new();
        let mut store = folder.store();
        account(&mut store, "rep");
        assert!(!read(&store, any_administrator));
        let mut boss = new_account("boss");
        boss.administrator = true;
        write(&mut store, |tx| create(tx, &boss)).unwrap();
        assert!(read(&store, any_administrator));
    }

    #[test]
    fn changing_nobody_is_an_error() {
        let folder = Folder::new();
        let mut store = folder.store();
        let nobody = AccountId(7);
        for outcome in [
            write(&mut store, |tx| set_password(tx, nobody, "hash")),
            write(&mut store, |tx| set_disabled(tx, nobody, true)),
        ] {
            assert!(matches!(outcome, Err(StoreError::NoSuchAccount { id }) if id == nobody));
        }
    }
}
