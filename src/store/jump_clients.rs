//! Jump Clients, and the deployments that let new ones in.

use rusqlite::{Connection, Transaction};

use super::StoreError;
use crate::domain::limits::{DEPLOYMENTS_MAX, JUMP_CLIENTS_MAX};
use crate::domain::token::Fingerprint;
use crate::domain::{JumpClientId, Stamp};

/// An installed machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JumpClientRow {
    /// Which.
    pub id: JumpClientId,
    /// Of its device key.
    pub device: Fingerprint,
    /// Its name, as it said.
    pub computer: String,
    /// Its operating system, as it said.
    pub platform: String,
    /// Of the token that it came by.
    pub deployment: Fingerprint,
    /// When.
    pub enrolled: Stamp,
}

/// What lets new machines in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeploymentRow {
    /// Of its token.
    pub token: Fingerprint,
    /// Machines that it may still let in.
    pub machines: u32,
    /// When it was made.
    pub created: Stamp,
    /// Up to and including then.
    pub expires: Stamp,
}

/// A machine becomes a Jump Client, and its deployment lets one less in. `false` if one with this id
/// or key is there already: nothing changes then.
///
/// # Errors
///
/// [`StoreError::Full`] beyond [`JUMP_CLIENTS_MAX`].
pub fn enrol(tx: &Transaction<'_>, row: &JumpClientRow) -> Result<bool, StoreError> {
    let known: u32 = tx
        .prepare_cached("SELECT count(*) FROM jump_clients")?
        .query_row([], |row| row.get(0))?;
    if known as usize >= JUMP_CLIENTS_MAX {
        return Err(StoreError::Full {
            what: "Jump Clients",
            limit: JUMP_CLIENTS_MAX,
        });
    }
    let added = tx
        .prepare_cached(
            "INSERT INTO jump_clients (id, device, computer, platform, deployment, enrolled)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
        )?
        .execute((
            row.id,
            row.device,
            &row.computer,
            &row.platform,
            row.deployment,
            row.enrolled,
        ))?;
    if added == 1 {
        tx.prepare_cached(
            "UPDATE deployments SET machines = machines - 1 WHERE token = ?1 AND machines > 0",
        )?
        .execute([row.deployment])?;
    }
    Ok(added == 1)
}

/// Every Jump Client's device key and id.
pub fn devices(c: &Connection) -> Result<Vec<(Fingerprint, JumpClientId)>, StoreError> {
    let mut statement = c.prepare_cached("SELECT device, id FROM jump_clients ORDER BY id")?;
    let devices = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(devices.collect::<Result<_, _>>()?)
}

/// Remembers a deployment; forgets those that let nobody in any more.
///
/// # Errors
///
/// [`StoreError::Full`] beyond [`DEPLOYMENTS_MAX`].
pub fn deploy(tx: &Transaction<'_>, row: &DeploymentRow) -> Result<(), StoreError> {
    tx.prepare_cached("DELETE FROM deployments WHERE expires < ?1 OR machines = 0")?
        .execute([row.created])?;
    let count: u32 = tx
        .prepare_cached("SELECT count(*) FROM deployments")?
        .query_row([], |row| row.get(0))?;
    if count as usize >= DEPLOYMENTS_MAX {
        return Err(StoreError::Full {
            what: "deployments",
            limit: DEPLOYMENTS_MAX,
        });
    }
    tx.prepare_cached(
        "INSERT INTO deployments (token, machines, created, expires) VALUES (?1, ?2, ?3, ?4)",
    )?
    .execute((row.token, row.machines, row.created, row.expires))?;
    Ok(())
}

/// Deployments that still let somebody in.
pub fn deployments(c: &Connection, at: Stamp) -> Result<Vec<DeploymentRow>, StoreError> {
    let mut statement = c.prepare_cached(
        "SELECT token, machines, created, expires FROM deployments
         WHERE expires >= ?1 AND machines > 0 ORDER BY created, token",
    )?;
    let rows = statement.query_map([at], |row| {
        Ok(DeploymentRow {
            token: row.get(0)?,
            machines: row.get(1)?,
            created: row.get(2)?,
            expires: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::{Folder, read, write};

    fn client(number: u8, deployment: &DeploymentRow) -> JumpClientRow {
        JumpClientRow {
            id: JumpClientId::from_random([number; 8]),
            device: Fingerprint::of(&[number]),
            computer: format!("till-{number}"),
            platform: "Debian".into(),
            deployment: deployment.token,
            enrolled: Stamp(20),
        }
    }

    #[test]
    fn a_deployment_lets_in_as_many_as_it_says_and_is_forgotten_then() {
        let folder = Folder::new();
        let mut store = folder.store();
        let deployment = DeploymentRow {
            token: Fingerprint::of(b"token"),
            machines: 2,
            created: Stamp(1),
            expires: Stamp(100),
        };
        write(&mut store, |tx| deploy(tx, &deployment)).unwrap();
        assert_eq!(read(&store, |c| deployments(c, Stamp(2))), [deployment]);
        assert_eq!(read(&store, |c| deployments(c, Stamp(101))), []);
        for number in [1, 2] {
            let row = client(number, &deployment);
            assert!(write(&mut store, |tx| enrol(tx, &row)).unwrap());
            assert!(!write(&mut store, |tx| enrol(tx, &row)).unwrap(), "once");
        }
        assert_eq!(read(&store, |c| deployments(c, Stamp(2))), []);
        let expected = [1, 2].map(|number| client(number, &deployment));
        let expected = expected.map(|row| (row.device, row.id));
        assert_eq!(read(&store, devices), expected);
    }
}
