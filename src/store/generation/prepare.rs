//! From what lies in the folder to an open store.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};

use super::files::{self, Name};
use super::keep::put_aside;
use super::plan::{Plan, plan};
use crate::domain::Stamp;
use crate::domain::limits::STORE_BUSY_MAX;
use crate::store::journal::{self, line};
use crate::store::{Database, SCHEMA_VERSION, StoreError};

/// Something that was done, in this order. After each the power may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Journals that belong to what is made anew are out of the way.
    Cleared,
    /// The copy has all pages.
    Copied,
    /// The copy has this version's schema, and was found whole.
    Migrated,
    /// What was left of the name is gone.
    Removed,
    /// The copy has its name.
    Named,
    /// Its journal is there: from now on it is taken up again.
    Begun,
    /// A journal's rows were taken over.
    Imported,
    /// It is the store that counts.
    Pointed,
}

/// A store that is ready.
#[derive(Debug)]
pub struct Prepared {
    /// It.
    pub database: Database,
    /// Journals to take over, in this order, before anything else: by the images that wrote them.
    pub import: Vec<u32>,
    /// Another store counts until this version has proved itself.
    pub on_trial: bool,
    /// Which one was copied just now, if any.
    pub copied: Option<Name>,
}

/// Opens the store of image `own` in `folder`, and makes it first if need be. `trial` says that the
/// slot has not proved itself; a store that was proved before stays proved. When it returns, the
/// store's folder says which store counts, except that journals are still to be taken over: then
/// [`files::point_to`] comes after that.
///
/// `watch` hears of every step and may stop here, as a power cut would: for tests.
///
/// # Errors
///
/// [`StoreError::NoRoom`] and every other leave the store that counts as it was.
pub fn prepare(
    folder: &Path,
    own: u32,
    trial: bool,
    at: Stamp,
    watch: &mut dyn FnMut(Step) -> Result<(), StoreError>,
) -> Result<Prepared, StoreError> {
    let name = Name::Numbered(own);
    let path = folder.join(name.file());
    let found = files::look(folder).map_err(|error| unreadable(folder, &error))?;
    let ready = |import, on_trial, copied| {
        Ok::<_, StoreError>(Prepared {
            database: Database::create_or_migrate(&path)?,
            import,
            on_trial,
            copied,
        })
    };
    match plan(&found, own, trial) {
        Plan::Make => {
            let prepared = ready(Vec::new(), false, None)?;
            point(folder, own, watch)?;
            Ok(prepared)
        }
        Plan::Open { import, counts } => {
            let prepared = ready(import, counts.is_some(), None)?;
            if prepared.import.is_empty() && !prepared.on_trial {
                point(folder, own, watch)?;
            }
            Ok(prepared)
        }
        Plan::Copy { from } => {
            let mut copy = Copy {
                folder,
                from: folder.join(from.file()),
                to: folder.join(format!("{}.new", name.file())),
                name: path.clone(),
                watch,
            };
            match copy.check() {
                // This version cannot read it, but there is its own from before: better than none.
                Err(StoreError::NewerSchema { .. }) if found.stores.contains(&name) && !trial => {
                    tracing::error!(store = %from, "store_too_new_to_copy");
                    let prepared = ready(Vec::new(), false, None)?;
                    point(folder, own, watch)?;
                    return Ok(prepared);
                }
                checked => checked?,
            }
            copy.clear(own, &found.copies_of(name))?;
            let made = copy.make();
            if made.is_err() {
                let _ = files::remove_database(&copy.to);
            }
            made?;
            let head = line::Head {
                format: line::FORMAT,
                generation: own,
                from: from.number(),
                at,
            };
            journal::begin(&mut Database::create_or_migrate(&path)?, folder, head)?;
            (copy.watch)(Step::Begun)?;
            let prepared = ready(Vec::new(), trial, Some(from))?;
            if !trial {
                point(folder, own, watch)?;
            }
            Ok(prepared)
        }
        Plan::Missing { name } => Err(StoreError::Unreadable {
            path: folder.join(name.file()),
            detail: "the file is gone, and no other store took its place; restore it from a backup"
                .into(),
        }),
    }
}

fn point(
    folder: &Path,
    own: u32,
    watch: &mut dyn FnMut(Step) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    if super::is_on_trial(folder, own) {
        files::point_to(folder, own).map_err(|error| unreadable(folder, &error))?;
        watch(Step::Pointed)?;
    }
    Ok(())
}

/// A copy being made.
struct Copy<'a> {
    folder: &'a Path,
    /// Only read.
    from: PathBuf,
    /// Under a name that nobody opens.
    to: PathBuf,
    /// Then under this one.
    name: PathBuf,
    watch: &'a mut dyn FnMut(Step) -> Result<(), StoreError>,
}

impl Copy<'_> {
    /// Whether this version can read the original, before anything is touched.
    fn check(&self) -> Result<(), StoreError> {
        let source = open_to_read(&self.from)?;
        let version: u32 = source
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .map_err(|error| opening(&self.from, &error))?;
        if version > SCHEMA_VERSION {
            return Err(StoreError::NewerSchema {
                path: self.from.clone(),
                found: version,
                known: SCHEMA_VERSION,
            });
        }
        Ok(())
    }

    /// The journal of the store that is replaced, and those of its copies, are of no use to anyone
    /// who starts from the new copy.
    fn clear(&mut self, own: u32, copies: &[u32]) -> Result<(), StoreError> {
        for journal in copies.iter().copied().chain([own]) {
            put_aside(self.folder, journal)?;
        }
        (self.watch)(Step::Cleared)
    }

    fn make(&mut self) -> Result<(), StoreError> {
        let failed = |error: io::Error| StoreError::no_room_or(&self.name, &error);
        files::remove_database(&self.to).map_err(failed)?;
        copy(&self.from, &self.to)?;
        (self.watch)(Step::Copied)?;
        Database::create_or_migrate(&self.to)?.check()?;
        // Closed by now, and with it its WAL is part of the file.
        let failed = |error: io::Error| StoreError::no_room_or(&self.name, &error);
        File::open(&self.to)
            .and_then(|file| file.sync_all())
            .map_err(failed)?;
        let left = files::with_companions(&self.to)
            .into_iter()
            .skip(1)
            .find(|companion| companion.exists());
        if let Some(companion) = left {
            return Err(unreadable(&companion, &io::Error::other("still in use")));
        }
        (self.watch)(Step::Migrated)?;
        // What SQLite kept beside an earlier file of the name would be read with the new one.
        let failed = |error: io::Error| StoreError::no_room_or(&self.name, &error);
        files::remove_database(&self.name).map_err(failed)?;
        files::sync(self.folder).map_err(failed)?;
        (self.watch)(Step::Removed)?;
        let failed = |error: io::Error| StoreError::no_room_or(&self.name, &error);
        std::fs::rename(&self.to, &self.name).map_err(failed)?;
        files::sync(self.folder).map_err(failed)?;
        (self.watch)(Step::Named)
    }
}

/// Copies the database at `from`, as it is at one moment, WAL included, to the new file `to`. Others
/// may go on writing it. The copy keeps no journal.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let no_room = |error: io::Error| StoreError::no_room_or(to, &error);
    let needed = crate::store::size_bytes(from);
    let folder = to.parent().unwrap_or(Path::new("."));
    let disk = nix::sys::statvfs::statvfs(folder).map_err(|errno| no_room(errno.into()))?;
    if disk.blocks_available() * disk.fragment_size() < needed {
        return Err(StoreError::NoRoom {
            path: to.to_owned(),
            needed,
        });
    }
    drop(journal::new_file(to).map_err(no_room)?);
    let source = open_to_read(from)?;
    let mut target = Connection::open_with_flags(to, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .map_err(|error| opening(to, &error))?;
    let mut copied = || -> rusqlite::Result<StepResult> {
        let step = Backup::new(&source, &mut target)?.step(-1)?;
        if step != StepResult::Done {
            return Ok(step);
        }
        // Nothing of it may be left in a file beside it.
        target.pragma_update_and_check(None, "journal_mode", "delete", |row| {
            row.get::<_, String>(0)
        })?;
        // The original may keep a journal, and that is not the copy's.
        let kept: bool = target.query_row(
            "SELECT count(*) FROM sqlite_schema WHERE name = 'journal'",
            [],
            |row| row.get(0),
        )?;
        if kept {
            target.execute_batch("DELETE FROM journal")?;
        }
        Ok(step)
    };
    match copied() {
        Ok(StepResult::Done) => {}
        Ok(_) => {
            let path = from.to_owned();
            return Err(StoreError::Busy { path });
        }
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull) => {
            let path = to.to_owned();
            return Err(StoreError::NoRoom { path, needed });
        }
        Err(error) => return Err(opening(to, &error)),
    }
    drop((source, target));
    let synced = File::open(to).and_then(|file| file.sync_all());
    synced.map_err(no_room)
}

fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    let absolute = std::path::absolute(path).map_err(|error| unreadable(path, &error))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(&absolute, flags).map_err(|error| opening(path, &error))?;
    connection
        .busy_timeout(STORE_BUSY_MAX)
        .map_err(|error| opening(path, &error))?;
    Ok(connection)
}

fn opening(path: &Path, error: &rusqlite::Error) -> StoreError {
    StoreError::opening(path, error)
}

fn unreadable(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Unreadable {
        path: path.to_owned(),
        detail: error.to_string(),
    }
}
