//! What is new in a version: who has read it.

use rusqlite::{Connection, OptionalExtension as _, Transaction};

use super::StoreError;
use crate::domain::AccountId;

/// Whether this account has read the news of `version`, and not since of another.
pub fn is_read(c: &Connection, account: AccountId, version: &str) -> Result<bool, StoreError> {
    let mut statement = c.prepare_cached("SELECT version FROM news WHERE account = ?1")?;
    let read: Option<String> = statement
        .query_row([account], |row| row.get(0))
        .optional()?;
    Ok(read.is_some_and(|read| read == version))
}

/// This account has read the news of `version`.
pub fn read(tx: &Transaction<'_>, account: AccountId, version: &str) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO news (account, version) VALUES (?1, ?2)
         ON CONFLICT (account) DO UPDATE SET version = excluded.version",
    )?
    .execute((account, version))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{Folder, account, read as look, write};

    #[test]
    fn news_are_new_once_for_each_person_and_version() {
        let folder = Folder::new();
        let mut store = folder.store();
        let [ana, bea] = ["ana", "bea"].map(|name| account(&mut store, name).id);
        let is_read = |store: &_, who, version: &str| look(store, |c| is_read(c, who, version));
        assert!(!is_read(&store, ana, "1.1"));
        write(&mut store, |tx| read(tx, ana, "1.1")).unwrap();
        assert!(is_read(&store, ana, "1.1"));
        assert!(!is_read(&store, bea, "1.1"));
        assert!(!is_read(&store, ana, "1.2"));
        write(&mut store, |tx| read(tx, ana, "1.2")).unwrap();
        assert!(is_read(&store, ana, "1.2"));
    }
}
