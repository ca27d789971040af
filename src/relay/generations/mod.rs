//! Opening the store of this version: which one, and what other versions had on record since.
//!
//! ```text
//! store::generation::prepare ─> Prepared ─> import each journal ─> point at it ─> journals aside
//!                                           in transactions of a few thousand rows, each with the
//!                                           number up to which the journal is in: it may be cut off
//! ```
//!
//! Nothing that a journal says stops the start: what can be read is taken over, the rest is counted,
//! logged and on record. Only when everything is in does the relay serve.

mod import;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::Path;

use crate::audit::{self, Actor, Event};
use crate::config::{Generation, Paths};
use crate::domain::Stamp;
use crate::domain::limits::JOURNAL_ROWS_AT_ONCE;
use crate::store::generation::{self, Prepared, Step};
use crate::store::journal::line::Reader;
use crate::store::{Database, StoreError, open_shells};
use import::{Told, import};

/// The store that this start uses.
#[derive(Debug)]
pub struct Opened {
    /// It, with its journal if it keeps one.
    pub database: Database,
    /// Another one counts until this version has proved itself.
    pub on_trial: bool,
    /// It was read whole and is in order.
    pub checked: bool,
}

/// Opens the store, as [`Paths::generation`] says. Without one there is a single store.
///
/// # Errors
///
/// The store's; which one counts is as it was then.
pub fn open(paths: &Paths, at: Stamp) -> Result<Opened, StoreError> {
    match paths.generation() {
        None => Ok(Opened {
            database: Database::create_or_migrate(&paths.store())?,
            on_trial: false,
            checked: false,
        }),
        Some(own) => open_generation(&paths.store_folder(), own, at, &mut |_| Ok(())),
    }
}

/// The same, where `watch` may stop it after any step: for tests.
fn open_generation(
    folder: &Path,
    own: Generation,
    at: Stamp,
    watch: &mut dyn FnMut(Step) -> Result<(), StoreError>,
) -> Result<Opened, StoreError> {
    let Prepared {
        mut database,
        import,
        on_trial,
        copied,
    } = generation::prepare(folder, own.sequence, own.trial, at, watch)?;
    database.write(|tx| audit::begin(tx, at))?;
    if let Some(from) = copied {
        let event = Event::StoreCopied {
            generation: own.sequence,
            from: from.number(),
        };
        database.write(|tx| audit::append(tx, at, &Actor::Appliance, &event))?;
        tracing::info!(generation = own.sequence, %from, on_trial, "store_copied");
    }
    let unwritable = |error: std::io::Error| StoreError::Unreadable {
        path: folder.join("current"),
        detail: error.to_string(),
    };
    let mut taken = Vec::new();
    for journal in &import {
        taken.extend(take_over(&mut database, folder, *journal)?);
        watch(Step::Imported)?;
    }
    if !import.is_empty() {
        // Another version went on with what this one left running.
        database.write(open_shells::forget)?;
    }
    // Only now: each journal's audit rows follow those of the one before.
    for event in taken {
        database.write(|tx| audit::append(tx, at, &Actor::Appliance, &event))?;
    }
    if !import.is_empty() && !on_trial {
        generation::point_to(folder, own.sequence).map_err(unwritable)?;
        watch(Step::Pointed)?;
    }
    for journal in import {
        generation::put_aside(folder, journal)?;
        watch(Step::Cleared)?;
    }
    // A version has three tries, and the copy is made in the first: it is looked at in each, with
    // everything that was taken over.
    if own.trial {
        database.check()?;
    }
    Ok(Opened {
        database,
        on_trial,
        checked: own.trial,
    })
}

/// What goes on record about it; nothing if there was nothing to take over.
fn take_over(
    database: &mut Database,
    folder: &Path,
    generation: u32,
) -> Result<Option<Event>, StoreError> {
    let path = folder.join(generation::journal_file(generation));
    let told = match File::open(&path).map(Reader::new) {
        Ok(reader) => import(database, reader, JOURNAL_ROWS_AT_ONCE)?,
        Err(error) => {
            tracing::error!(%error, path = %path.display(), "journal_unreadable");
            Told::default()
        }
    };
    if told == Told::default() {
        return Ok(None);
    }
    tracing::info!(
        generation,
        transactions = told.transactions,
        rows = told.rows,
        appended = told.appended,
        left_out = told.left_out,
        damaged = told.damaged,
        missing = told.missing,
        "journal_imported"
    );
    Ok(Some(Event::StoreImported {
        generation,
        transactions: told.transactions,
        rows: told.rows,
        left_out: told.left_out + told.missing,
    }))
}
