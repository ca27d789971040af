//! The state directory: made, owned by the right users, and ours alone while we run.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};

use crate::config::Paths;
use crate::domain::limits::STOP_WITHIN;
use crate::sandbox::users::{self, Identity, RELAY};

/// With which rights we run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Each program gets a user of its own.
    Root,
    /// Every program runs as whoever started us.
    User,
}

impl Mode {
    pub(super) fn of_this_process() -> Self {
        if nix::unistd::geteuid().is_root() {
            Self::Root
        } else {
            Self::User
        }
    }
}

/// Why the state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Missing rights, a file in its place, a full disk.
    #[error("cannot use state directory {path}: {error}")]
    Unusable {
        /// Which folder or file.
        path: PathBuf,
        /// The system's word.
        error: io::Error,
    },
    /// Two would write the same store.
    #[error("state directory {path} is in use by process {holder}; stop that one first")]
    InUse {
        /// Which.
        path: PathBuf,
        /// Process id of the other supervisor, as it wrote it.
        holder: String,
    },
}

/// A state directory that no other supervisor uses.
#[derive(Debug)]
pub(super) struct State {
    paths: Paths,
    /// Holds our process id while we run; empty after a clean end.
    lock: Flock<File>,
    was_left_cleanly: bool,
}

impl State {
    /// Makes what is missing below `folder`.
    pub(super) fn prepare(folder: &Path, mode: Mode) -> Result<Self, StateError> {
        let unusable = |path: &Path| {
            let path = path.to_owned();
            move |error| StateError::Unusable { path, error }
        };
        std::fs::create_dir_all(folder).map_err(unusable(folder))?;
        let root = folder.canonicalize().map_err(unusable(folder))?;
        let paths = Paths::new(&root);
        let (lock, was_left_cleanly) = take_lock(&root)?;
        for (path, bits, owner, contents) in layout(&paths) {
            let done = match (mode, contents) {
                // Without root there is one user and no group to share with.
                (Mode::User, _) => users::folder(&path, 0o700, None),
                (Mode::Root, Contents::Apart) => users::folder(&path, bits, Some(owner)),
                (Mode::Root, Contents::Along) => users::folder_with_contents(&path, bits, owner),
            };
            done.map_err(unusable(&path))?;
        }
        Ok(Self {
            paths,
            lock,
            was_left_cleanly,
        })
    }

    pub(super) fn paths(&self) -> &Paths {
        &self.paths
    }

    /// How long a port may still be in use: after a supervisor was killed, its programs are too,
    /// but that takes them a moment.
    pub(super) fn patience(&self) -> Duration {
        if self.was_left_cleanly {
            Duration::ZERO
        } else {
            STOP_WITHIN
        }
    }

    /// The next start need not wait for programs of this one.
    pub(super) fn left_cleanly(self) {
        drop(self.lock.set_len(0));
    }
}

/// Whether what is in a folder follows its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contents {
    /// Each thing in it has an owner of its own.
    Apart,
    /// Programs made it, and under whichever user they run now they need it.
    Along,
}

/// Each folder with its mode and owner under root.
fn layout(paths: &Paths) -> [(PathBuf, u32, Identity, Contents); 7] {
    use Contents::{Along, Apart};
    let relay = Identity::of(RELAY);
    let private = Identity { user: 0, group: 0 };
    [
        // Programs may pass through and read the start-up file, not list.
        (paths.root().to_owned(), 0o710, Identity::ROOT, Apart),
        (paths.store_folder(), 0o2770, Identity::ROOT, Along),
        (paths.keys(), 0o700, relay, Along),
        (paths.recordings(), 0o2750, relay, Along),
        (paths.backups(), 0o700, relay, Along),
        (paths.sockets(), 0o750, Identity::ROOT, Apart),
        (paths.logs(), 0o750, private, Apart),
    ]
}

fn take_lock(root: &Path) -> Result<(Flock<File>, bool), StateError> {
    let path = root.join("lock");
    let unusable = |error: io::Error| StateError::Unusable {
        path: path.clone(),
        error,
    };
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(unusable)?;
    let mut holder = String::new();
    // A process id has few digits; whatever else is in there is not shown.
    let read = (&mut file).take(16).read_to_string(&mut holder);
    read.map_err(unusable)?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(mut lock) => {
            let written = lock
                .set_len(0)
                .and_then(|()| lock.rewind())
                .and_then(|()| writeln!(lock, "{}", std::process::id()));
            match written {
                // It is locked all the same, and only the words of a refusal are missing.
                Err(error) if error.kind() == io::ErrorKind::StorageFull => {}
                written => written.map_err(unusable)?,
            }
            Ok((lock, holder.is_empty()))
        }
        Err((_, nix::errno::Errno::EWOULDBLOCK)) => Err(StateError::InUse {
            path: root.to_owned(),
            holder: holder.trim().to_owned(),
        }),
        Err((_, errno)) => Err(unusable(errno.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_supervisor_is_told_who_holds_the_state() {
        let folder = tempfile::tempdir().unwrap();
        let first = State::prepare(folder.path(), Mode::User).unwrap();
        let refused = State::prepare(folder.path(), Mode::User).unwrap_err();
        let own = std::process::id().to_string();
        assert!(matches!(refused, StateError::InUse { holder, .. } if holder == own));
        first.left_cleanly();
        State::prepare(folder.path(), Mode::User).unwrap();
    }

    #[test]
    fn only_after_a_killed_supervisor_is_there_patience() {
        let folder = tempfile::tempdir().unwrap();
        let first = State::prepare(folder.path(), Mode::User).unwrap();
        assert_eq!(first.patience(), Duration::ZERO);
        drop(first);
        let second = State::prepare(folder.path(), Mode::User).unwrap();
        assert_eq!(second.patience(), STOP_WITHIN);
        second.left_cleanly();
        let third = State::prepare(folder.path(), Mode::User).unwrap();
        assert_eq!(third.patience(), Duration::ZERO);
    }

    #[test]
    fn a_file_in_its_place_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        std::fs::write(&path, "").unwrap();
        let error = State::prepare(&path, Mode::User).unwrap_err().to_string();
        assert!(error.contains(path.to_str().unwrap()), "{error}");
    }
}
