//! Afterwards: what is kept of other generations, and copies that an administrator may need.

use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use super::files::{self, Name};
use super::prepare::copy;
use crate::domain::limits::{BACKUPS_KEPT, GENERATION_KEPT};
use crate::store::StoreError;

/// Puts the journal of image `sequence` aside, if there is one: it was taken over, or its store is
/// no more. It stays to be looked at until [`sweep`] finds it old.
pub fn put_aside(folder: &Path, sequence: u32) -> Result<(), StoreError> {
    let journal = folder.join(files::journal_file(sequence));
    let aside = folder.join(files::journal_aside(sequence));
    let moved = match fs::rename(&journal, aside) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => files::sync(folder),
    };
    moved.map_err(|error| StoreError::journal(&journal, &error))
}

/// Removes what nobody needs any more now that the store of image `own` counts: stores and journals
/// last written longer than [`GENERATION_KEPT`] ago. The store that `own` was copied from is kept in
/// any case, and so is `own`'s journal, which leads back to it. Tells what went.
///
/// # Errors
///
/// The folder's. What could be removed is.
pub fn sweep(folder: &Path, own: u32, now: SystemTime) -> io::Result<Vec<String>> {
    let found = files::look(folder)?;
    let before = found.origin(own);
    let old = |file: &Path| {
        let age = fs::metadata(file)
            .and_then(|found| found.modified())
            .map(|written| now.duration_since(written).unwrap_or_default());
        age.is_ok_and(|age| age > GENERATION_KEPT)
    };
    let mut gone = Vec::new();
    for name in &found.stores {
        let file = folder.join(name.file());
        let kept = *name == Name::Numbered(own) || Some(*name) == before;
        let [store, wal, ..] = files::with_companions(&file);
        if !kept && old(&store) && (old(&wal) || !wal.exists()) {
            files::remove_database(&file)?;
            gone.push(name.file());
        }
    }
    for entry in fs::read_dir(folder)? {
        let Ok(file) = entry?.file_name().into_string() else {
            continue;
        };
        let aside = files::number(&file, "aside-", ".journal").is_some();
        let journal = files::number(&file, "trial-", ".journal").is_some_and(|of| of != own);
        if (aside || journal) && old(&folder.join(&file)) {
            files::remove(&folder.join(&file))?;
            gone.push(file);
        }
    }
    files::sync(folder)?;
    Ok(gone)
}

/// Copies the store at `store` to `before-LABEL.db` in `folder`, whole or not at all, and removes
/// the oldest beyond [`BACKUPS_KEPT`]. `label` is checked by whoever took it from outside. Tells the
/// copy's length in bytes.
///
/// # Errors
///
/// [`StoreError::NoRoom`], or what reading and writing may meet. Earlier copies stay then.
pub fn back_up(store: &Path, folder: &Path, label: &str) -> Result<u64, StoreError> {
    let file = folder.join(format!("before-{label}.db"));
    let new = folder.join(format!("before-{label}.new"));
    let failed = |error: io::Error| StoreError::no_room_or(&file, &error);
    files::remove_database(&new).map_err(failed)?;
    let copied = copy(store, &new);
    if copied.is_err() {
        let _ = files::remove_database(&new);
    }
    copied?;
    fs::rename(&new, &file).map_err(failed)?;
    files::sync(folder).map_err(failed)?;
    let bytes = fs::metadata(&file).map_err(failed)?.len();
    forget_old_backups(folder, &file).map_err(failed)?;
    Ok(bytes)
}

/// Keeps the latest ones, of which `newest` is one whatever the clock says.
fn forget_old_backups(folder: &Path, newest: &Path) -> io::Result<()> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let name = path.file_stem().and_then(|name| name.to_str());
        let is_backup = name.is_some_and(|name| name.starts_with("before-"));
        if is_backup && path.extension().is_some_and(|found| found == "db") {
            found.push((path == newest, entry.metadata()?.modified()?, path));
        }
    }
    found.sort();
    for (_, _, path) in found.iter().rev().skip(BACKUPS_KEPT) {
        files::remove(path)?;
    }
    files::sync(folder)
}
