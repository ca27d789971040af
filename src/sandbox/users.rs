//! Under which ids programs run, and who owns which folder.
//!
//! Numbers instead of names: they need no entry in any user database, on the appliance as on a
//! developer's machine. They lie outside the ranges that Debian gives out (base-passwd, 60000 to
//! 64999 are reserved for packages that ask; 65000 on are not used).

use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _, lchown};
use std::path::Path;

/// All programs of the appliance.
pub const GROUP: u32 = 64_700;
/// The relay.
pub const RELAY: u32 = 64_710;
/// The web side.
pub const WEB: u32 = 64_711;
/// Whoever asks, as a stranger would, whether pages are served.
pub const PROBE: u32 = 64_712;
/// Whoever asks time servers.
pub const TIME: u32 = 64_713;
/// The update agent's verifier.
pub const UPDATE: u32 = 64_714;
/// The update agent's fetcher.
pub const FETCH: u32 = 64_715;

/// Set-group-id: what is made in such a folder belongs to its group.
const SHARED: u32 = 0o2000;

/// Who owns a folder, or runs a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Numeric user id.
    pub user: u32,
    /// Numeric group id.
    pub group: u32,
}

impl Identity {
    /// Root, with our group.
    pub const ROOT: Self = Self::of(0);

    /// `user` in our group.
    pub const fn of(user: u32) -> Self {
        Self { user, group: GROUP }
    }
}

/// Whether `user` is one that we gave to a program.
pub fn is_own(user: u32) -> bool {
    [RELAY, WEB, UPDATE, FETCH].contains(&user)
}

/// Makes `path` a folder with this mode, and this owner if one is given (needs root).
pub fn folder(path: &Path, mode: u32, owner: Option<Identity>) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists || !path.is_dir() => {
            return Err(error);
        }
        _ => {}
    }
    if let Some(owner) = owner {
        lchown(path, Some(owner.user), Some(owner.group))?;
    }
    // After the owner: changing that clears the set-group-id bit.
    std::fs::set_permissions(path, Permissions::from_mode(mode))
}

/// The same for a folder whose contents are its owner's: what was made in it under another owner,
/// by a start without root, goes over to the new one; in a folder shared by the group (set-group-id)
/// the group may then do what the owner may.
pub fn folder_with_contents(path: &Path, mode: u32, owner: Identity) -> io::Result<()> {
    if let Ok(before) = path.symlink_metadata()
        && before.is_dir()
        && (before.uid(), before.gid()) != (owner.user, owner.group)
    {
        hand_over(path, owner, mode & SHARED != 0)?;
    }
    folder(path, mode, Some(owner))
}

/// Gives everything below `folder` to `owner`. Runs before the folder is theirs, so nobody else
/// is in it; still, what has a second name elsewhere is left alone and no link is followed.
fn hand_over(folder: &Path, owner: Identity, shared: bool) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let found = path.symlink_metadata()?;
        if found.is_dir() {
            hand_over(&path, owner, shared)?;
        } else if found.nlink() > 1 {
            continue;
        }
        lchown(&path, Some(owner.user), Some(owner.group))?;
        if shared && !found.is_symlink() {
            let group_as_user = found.mode() | ((found.mode() & 0o600) >> 3);
            std::fs::set_permissions(&path, Permissions::from_mode(group_as_user))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gets_the_mode_asked_for_each_time() {
        let folder_of_test = tempfile::tempdir().unwrap();
        let path = folder_of_test.path().join("run");
        for mode in [0o750, 0o700] {
            folder(&path, mode, None).unwrap();
            assert_eq!(path.metadata().unwrap().mode() & 0o7777, mode);
        }
        let file = folder_of_test.path().join("file");
        std::fs::write(&file, "").unwrap();
        folder(&file, 0o700, None).unwrap_err();
    }

    #[test]
    fn what_was_made_without_root_goes_over_to_the_program() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let folder_of_test = tempfile::tempdir().unwrap();
        let shared = folder_of_test.path().join("store");
        std::fs::create_dir(&shared).unwrap();
        let (inside, elsewhere) = (shared.join("db"), folder_of_test.path().join("elsewhere"));
        std::fs::write(&inside, "").unwrap();
        std::fs::set_permissions(&inside, Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&elsewhere, "").unwrap();
        std::os::unix::fs::symlink(&elsewhere, shared.join("link")).unwrap();
        std::fs::hard_link(&elsewhere, shared.join("name")).unwrap();

        folder_with_contents(&shared, 0o2770, Identity::of(WEB)).unwrap();
        let found = inside.metadata().unwrap();
        assert_eq!((found.uid(), found.mode() & 0o777), (WEB, 0o660));
        assert_eq!(elsewhere.metadata().unwrap().uid(), 0, "not ours to give");
        assert_eq!(shared.metadata().unwrap().mode() & 0o7777, 0o2770);
    }
}
