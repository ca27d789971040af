//! Where a running image has things.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::boot::table::Place;
use crate::domain::limits::SMALL_FILE_BYTES_MAX;
use crate::esp::Esp;

/// Folders that most tools are in; those of the image, then those of a developer's machine.
const TOOL_FOLDERS: [&str; 6] = [
    "sbin",
    "bin",
    "usr/sbin",
    "usr/bin",
    "usr/local/sbin",
    "usr/local/bin",
];

/// Everything below one folder, so that a test can have a machine of its own.
#[derive(Clone, Debug)]
pub(super) struct Places {
    root: PathBuf,
}

impl Places {
    /// Of the machine that we run on.
    pub(super) fn of_this_machine() -> Self {
        Self::below(Path::new("/"))
    }

    pub(super) fn below(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    /// `path` (without its leading slash) on this machine.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// What `init` left, and what lasts until the next restart.
    pub(super) fn run(&self, name: &str) -> PathBuf {
        self.path("run/jumpgate").join(name)
    }

    /// Small things that last, whatever happens to the data partition.
    pub(super) fn state(&self, name: &str) -> PathBuf {
        self.path("state").join(name)
    }

    /// The appliance's own state directory, and the rest of what fills up.
    pub(super) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// What the image says of itself.
    pub(super) fn release(&self) -> PathBuf {
        self.path("etc/jumpgate/release")
    }

    /// A partition of the booted disk.
    pub(super) fn device(&self, place: Place) -> PathBuf {
        self.path(crate::boot::facts::PLACES_FOLDER)
            .join(place.name())
    }

    /// The boot loader's partition.
    pub(super) fn esp(&self) -> Esp {
        Esp {
            device: Some(self.device(Place::Esp)),
            at: self.run("esp"),
            turn: self.run("esp.turn"),
        }
    }

    /// A tool of the base system; where it would be if there is none, for the error's sake.
    pub(super) fn tool(&self, name: &str) -> PathBuf {
        let candidates = TOOL_FOLDERS.map(|folder| self.path(folder).join(name));
        let found = candidates.iter().find(|path| path.is_file());
        found.unwrap_or(&candidates[0]).clone()
    }
}

/// A small file as text. What is not UTF-8 in it is replaced; what is beyond
/// [`SMALL_FILE_BYTES_MAX`] is left out.
pub(super) fn text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(SMALL_FILE_BYTES_MAX)
        .read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The first line of a small file, if there is one with anything in it.
pub(super) fn line(path: &Path) -> Option<String> {
    let text = text(path).ok()?;
    let line = text.lines().next()?.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

/// Puts `text` in the place of `path`, whole at every instant and there after a power cut.
pub(super) fn replace(path: &Path, text: &str) -> io::Result<()> {
    crate::supervisor::settings::replace(
        path,
        text.as_bytes(),
        0o640,
        crate::supervisor::state::Mode::of_this_process(),
    )?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    File::open(folder)?.sync_all()
}

/// Removes `path` for good; it may be gone already.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        done => done?,
    }
    let folder = path.parent().unwrap_or(Path::new("/"));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_below_the_machines_root() {
        let places = Places::of_this_machine();
        assert_eq!(places.run("boot").to_str(), Some("/run/jumpgate/boot"));
        assert_eq!(
            places.device(Place::Data).to_str(),
            Some("/dev/jumpgate/data")
        );
        assert_eq!(
            places.tool("no-such-tool").to_str(),
            Some("/sbin/no-such-tool")
        );
        let other = Places::below(Path::new("/tmp/m"));
        assert_eq!(
            other.device(Place::Esp).to_str(),
            Some("/tmp/m/dev/jumpgate/esp")
        );
    }

    #[test]
    fn a_file_is_replaced_and_removed_as_often_as_one_likes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("clock");
        for text_of_file in ["one\n", "two\n"] {
            replace(&path, text_of_file).unwrap();
            assert_eq!(text(&path).unwrap(), text_of_file);
        }
        assert_eq!(line(&path).as_deref(), Some("two"));
        remove(&path).unwrap();
        remove(&path).unwrap();
        assert_eq!(line(&path), None);
    }
}
