//! Single values that the appliance remembers.

use rusqlite::{Connection, Transaction};

use super::StoreError;
use crate::domain::AdmissionRate;
use crate::domain::token::Fingerprint;

/// Remembers the one-time set-up link's token; an earlier one stops working.
pub fn put_setup_token(tx: &Transaction<'_>, token: &Fingerprint) -> Result<(), StoreError> {
    tx.execute("UPDATE settings SET setup_token = ?1", [token])?;
    Ok(())
}

/// The set-up link's token, if one is waiting to be used.
pub fn setup_token(c: &Connection) -> Result<Option<Fingerprint>, StoreError> {
    let token = c.query_row("SELECT setup_token FROM settings", [], |row| row.get(0))?;
    Ok(token)
}

/// The link was used, or is not needed: it stops working.
pub fn clear_setup_token(tx: &Transaction<'_>) -> Result<(), StoreError> {
    tx.execute("UPDATE settings SET setup_token = NULL", [])?;
    Ok(())
}

/// So many Jump Clients are let in each second from now on.
pub fn put_admission_rate(tx: &Transaction<'_>, rate: AdmissionRate) -> Result<(), StoreError> {
    tx.execute("UPDATE settings SET admission_rate = ?1", [rate.limit()])?;
    Ok(())
}

/// How many Jump Clients are let in each second. A rate that nobody could have set is the usual one.
pub fn admission_rate(c: &Connection) -> Result<AdmissionRate, StoreError> {
    let rate: Option<u32> =
        c.query_row("SELECT admission_rate FROM settings", [], |row| row.get(0))?;
    Ok(AdmissionRate::try_from(rate).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_of_admission_is_the_usual_one_until_it_is_set_or_lifted() {
        let folder = Folder::new();
        let mut store = folder.store();
        assert_eq!(read(&store, admission_rate), AdmissionRate::default());
        for rate in [
            AdmissionRate::per_second(300).unwrap(),
            AdmissionRate::LIFTED,
        ] {
            write(&mut store, |tx| put_admission_rate(tx, rate)).unwrap();
            assert_eq!(read(&store, admission_rate), rate);
        }
    }
    use crate::store::testing::{Folder, read, write};

    #[test]
    fn the_latest_setup_token_stands_until_it_is_cleared() {
        let folder = Folder::new();
        let mut store = folder.store();
        assert_eq!(read(&store, setup_token), None);
        for token in [b"first", b"again"] {
            let token = Fingerprint::of(token);
            write(&mut store, |tx| put_setup_token(tx, &token)).unwrap();
            assert_eq!(read(&store, setup_token), Some(token));
        }
        write(&mut store, clear_setup_token).unwrap();
        assert_eq!(read(&store, setup_token), None);
    }
}
