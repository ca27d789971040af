//! The audit table: adding a row, reading rows, walking the chain.

use rusqlite::{Connection, OptionalExtension as _, Transaction};

use super::chain::{ChainBroken, GENESIS, Row};
use super::{Actor, Event};
use crate::domain::Stamp;
use crate::domain::limits::PAGE_ROWS_MAX;
use crate::domain::token::Fingerprint;
use crate::store::{SCHEMA_VERSION, StoreError};

/// The latest row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its number, which is how many rows there are; 0 before the first.
    pub number: u64,
    /// Its hash; [`GENESIS`] before the first.
    pub hash: Fingerprint,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Counted from 1.
    pub number: u64,
    /// When.
    pub at: Stamp,
    /// Who.
    pub actor: Actor,
    /// What.
    pub event: Event,
    /// Covers this row and all before it.
    pub hash: Fingerprint,
}

/// Why the record was not found good.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// Somebody changed it.
    #[error(transparent)]
    Broken(#[from] ChainBroken),
    /// It could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Puts [`Event::StoreCreated`] on record if nothing is yet. The relay calls it before anything
/// else; tells whether the store is new.
pub fn begin(tx: &Transaction<'_>, at: Stamp) -> Result<bool, StoreError> {
    if head(tx)?.number > 0 {
        return Ok(false);
    }
    let schema = SCHEMA_VERSION;
    append(tx, at, &Actor::Appliance, &Event::StoreCreated { schema })?;
    Ok(true)
}

/// Puts `event` on record.
///
/// `tx` has to be [`crate::store::Database::write`]'s: it is IMMEDIATE, so nobody appends between
/// our look at the chain's head and our commit.
pub fn append(
    tx: &Transaction<'_>,
    at: Stamp,
    actor: &Actor,
    event: &Event,
) -> Result<(), StoreError> {
    let head = head(tx)?;
    let actor = json(actor)?;
    let event = json(event)?;
    let row = Row {
        number: head.number + 1,
        at,
        actor: &actor,
        event: &event,
    };
    insert(tx, &row, &row.hash(&head.hash))
}

/// What became of a row of another version's record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restored {
    /// It is here under its number.
    InPlace,
    /// It does not follow the row before, and stands at the end as [`Event::RowImported`].
    Appended,
}

/// Puts a row of another version's record, which goes on from this one, into this one: with its
/// number, text and hash, so that the chain holds and a head that was noted elsewhere stays true.
/// A row that is here already is left as it is.
pub fn restore(
    tx: &Transaction<'_>,
    row: &Row<'_>,
    hash: &Fingerprint,
) -> Result<Restored, StoreError> {
    let head = head(tx)?;
    if row.number <= head.number {
        let found: Option<Fingerprint> = tx
            .prepare_cached("SELECT hash FROM audit WHERE number = ?1")?
            .query_row([row.number.cast_signed()], |row| row.get(0))
            .optional()?;
        if found.as_ref() == Some(hash) {
            return Ok(Restored::InPlace);
        }
    } else if row.number == head.number + 1 && row.hash(&head.hash) == *hash {
        insert(tx, row, hash)?;
        return Ok(Restored::InPlace);
    }
    let event = Event::RowImported {
        number: row.number,
        at: row.at,
        actor: row.actor.to_owned(),
        said: row.event.to_owned(),
    };
    append(tx, row.at, &Actor::Appliance, &event)?;
    Ok(Restored::Appended)
}

fn insert(tx: &Transaction<'_>, row: &Row<'_>, hash: &Fingerprint) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO audit (number, at, actor, event, hash) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute((row.number.cast_signed(), row.at, row.actor, row.event, hash))?;
    Ok(())
}

/// The latest row: noted elsewhere, it shows later that nothing before it was cut off.
pub fn head(c: &Connection) -> Result<Head, StoreError> {
    let latest = c
        .prepare_cached("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1")?
        .query_row([], |row| {
            Ok(Head {
                number: row.get::<_, i64>(0)?.cast_unsigned(),
                hash: row.get(1)?,
            })
        })
        .optional()?;
    Ok(latest.unwrap_or(Head {
        number: 0,
        hash: GENESIS,
    }))
}

/// Rows before row `before` (all if absent), latest first, at most `limit` and
/// [`PAGE_ROWS_MAX`].
pub fn page(c: &Connection, before: Option<u64>, limit: usize) -> Result<Vec<Record>, StoreError> {
    let before = before.map_or(i64::MAX, |number| i64::try_from(number).unwrap_or(i64::MAX));
    let mut statement = c.prepare_cached(
        "SELECT number, at, actor, event, hash FROM audit WHERE number < ?1
         ORDER BY number DESC LIMIT ?2",
    )?;
    let rows = statement.query_map((before, limit.min(PAGE_ROWS_MAX).cast_signed()), |row| {
        Ok(Record {
            number: row.get::<_, i64>(0)?.cast_unsigned(),
            at: row.get(1)?,
            actor: parsed(row, 2)?.unwrap_or(Actor::Later),
            event: parsed(row, 3)?.unwrap_or(Event::Later),
            hash: row.get(4)?,
        })
    })?;
    rows.collect::<Result<_, _>>().map_err(StoreError::from)
}

/// Walks the whole chain from row 1 and tells how many rows it has. Reads row by row.
///
/// # Errors
///
/// [`VerifyError::Broken`] at the first row that is missing or not as it was written.
pub fn verify(c: &Connection) -> Result<u64, VerifyError> {
    let failed = |error: rusqlite::Error| VerifyError::Store(error.into());
    let mut statement = c
        .prepare("SELECT number, at, actor, event, hash FROM audit ORDER BY number")
        .map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    let mut head = Head {
        number: 0,
        hash: GENESIS,
    };
    while let Some(row) = rows.next().map_err(failed)? {
        let number = head.number + 1;
        let found: i64 = row.get(0).map_err(failed)?;
        if found != number.cast_signed() {
            return Err(ChainBroken::Missing { row: number, found }.into());
        }
        // The table is STRICT, so only text that is not UTF-8 or a hash of another length ends
        // here.
        let unreadable = |_| VerifyError::Broken(ChainBroken::Unreadable { row: number });
        let actor = row.get_ref(2).map_err(failed)?;
        let event = row.get_ref(3).map_err(failed)?;
        let content = Row {
            number,
            at: row.get(1).map_err(failed)?,
            actor: actor.as_str().map_err(unreadable)?,
            event: event.as_str().map_err(unreadable)?,
        };
        let hash = row.get_ref(4).map_err(failed)?;
        let hash = hash.as_blob().map_err(unreadable)?;
        let stored = Fingerprint(
            <[u8; 32]>::try_from(hash)
                .map_err(|_| VerifyError::Broken(ChainBroken::Unreadable { row: number }))?,
        );
        let computed = content.hash(&head.hash);
        if stored != computed {
            return Err(ChainBroken::Changed {
                row: number,
                stored,
                computed,
            }
            .into());
        }
        head = Head {
            number,
            hash: computed,
        };
    }
    Ok(head.number)
}

fn json(value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()).into())
}

/// Nothing if a later version wrote what this one does not understand.
fn parsed<T: serde::de::DeserializeOwned>(
    row: &rusqlite::Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<T>> {
    let text = row.get_ref(column)?;
    Ok(serde_json::from_str(text.as_str()?).ok())
}
