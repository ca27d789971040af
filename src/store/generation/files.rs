//! The store's folder: which files mean what, and changing them so that a power cut finds each
//! either as it was or as it is to be.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::plan::{Found, Pointer};
use crate::store::journal::line::{Line, Reader};
use crate::store::journal::new_file;

/// Which store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// `appliance.db`: without an image, and of images from before there were generations.
    Plain,
    /// `appliance-7.db`.
    Numbered(u32),
}

impl Name {
    /// Its file.
    pub fn file(self) -> String {
        match self {
            Self::Plain => "appliance.db".into(),
            Self::Numbered(sequence) => format!("appliance-{sequence}.db"),
        }
    }

    /// The store of which `path` is the file.
    pub fn of(path: &Path) -> Option<Self> {
        Self::of_file(path.file_name()?.to_str()?)
    }

    fn of_file(file: &str) -> Option<Self> {
        let name = match number(file, "appliance-", ".db") {
            Some(sequence) => Self::Numbered(sequence),
            None => Self::Plain,
        };
        (name.file() == file).then_some(name)
    }

    /// Its number.
    pub fn number(self) -> Option<u32> {
        match self {
            Self::Plain => None,
            Self::Numbered(sequence) => Some(sequence),
        }
    }

    /// The other way around.
    pub fn from_number(number: Option<u32>) -> Self {
        number.map_or(Self::Plain, Self::Numbered)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file())
    }
}

/// The journal that the store of image `sequence` keeps.
pub fn journal_file(sequence: u32) -> String {
    format!("trial-{sequence}.journal")
}

/// Where a journal goes that was taken over, or belongs to a store that is no more.
pub fn journal_aside(sequence: u32) -> String {
    format!("aside-{sequence}.journal")
}

const POINTER: &str = "current";

/// What is in `folder`.
pub fn look(folder: &Path) -> io::Result<Found> {
    let mut stores = BTreeSet::new();
    let mut journals = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let Ok(file) = entry?.file_name().into_string() else {
            continue;
        };
        stores.extend(Name::of_file(&file));
        if let Some(sequence) = number(&file, "trial-", ".journal") {
            journals.insert(sequence, copied_from(&folder.join(&file)));
        }
    }
    let current = pointer(folder);
    Ok(Found {
        current,
        stores,
        journals,
    })
}

/// From which store the journal's was copied; nothing if its first line is no good.
fn copied_from(journal: &Path) -> Option<Name> {
    let mut reader = Reader::new(File::open(journal).ok()?);
    match reader.line() {
        Ok(Some(Ok(Line::Head(head)))) => Some(Name::from_number(head.from)),
        _ => None,
    }
}

/// The store that counts, as the pointer says.
pub fn pointer(folder: &Path) -> Pointer {
    match fs::read_to_string(folder.join(POINTER)) {
        Ok(text) => match text.trim_end().parse() {
            Ok(sequence) => Pointer::To(Name::Numbered(sequence)),
            Err(_) => Pointer::Damaged,
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Pointer::Missing,
        Err(_) => Pointer::Damaged,
    }
}

/// Makes the store of image `sequence` the one that counts.
pub fn point_to(folder: &Path, sequence: u32) -> io::Result<()> {
    let text = format!("{sequence}\n");
    put(folder, &folder.join(POINTER), text.as_bytes())
}

/// Puts `bytes` in the place of `path`, which lies in `folder`.
pub fn put(folder: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    remove(&new)?;
    let mut file = new_file(&new)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if let Err(error) = written {
        let _ = remove(&new);
        return Err(error);
    }
    fs::rename(&new, path)?;
    sync(folder)
}

/// Names in `folder` are on the disk.
pub fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Removes a file that may not be there.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// A database's file and those that SQLite keeps beside it. The file goes first: the others mean
/// nothing without it.
pub fn with_companions(file: &Path) -> [PathBuf; 4] {
    ["", "-wal", "-shm", "-journal"].map(|suffix| {
        let mut name = file.as_os_str().to_owned();
        name.push(suffix);
        name.into()
    })
}

/// Removes a database.
pub fn remove_database(file: &Path) -> io::Result<()> {
    with_companions(file)
        .iter()
        .try_for_each(|file| remove(file))
}

/// The number between two parts of a name, as we write it.
pub fn number(file: &str, before: &str, after: &str) -> Option<u32> {
    let digits = file.strip_prefix(before)?.strip_suffix(after)?;
    let number: u32 = digits.parse().ok()?;
    (number.to_string() == digits).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_we_write_are_stores() {
        for (file, name) in [
            ("appliance.db", Some(Name::Plain)),
            ("appliance-7.db", Some(Name::Numbered(7))),
            ("appliance-07.db", None),
            ("appliance-+7.db", None),
            ("appliance-7.db-wal", None),
            ("appliance-7.db.new", None),
            ("appliance-.db", None),
            ("appliance-4294967296.db", None),
        ] {
            assert_eq!(Name::of_file(file), name, "{file}");
        }
    }

    #[test]
    fn a_pointer_is_what_was_written_last_and_anything_else_is_damage() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        assert_eq!(pointer(folder), Pointer::Missing);
        for sequence in [7, 8] {
            point_to(folder, sequence).unwrap();
            assert_eq!(pointer(folder), Pointer::To(Name::Numbered(sequence)));
        }
        for text in ["", "8 9", "-1", "appliance.db"] {
            fs::write(folder.join(POINTER), text).unwrap();
            assert_eq!(pointer(folder), Pointer::Damaged, "{text}");
        }
    }
}
