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
    [RELAY, WEB].contains(&user)
}

/// Makes `path` a folder with this mode, and this owner if one is given (needs root). What was
/// made below it under another owner, by a start without root, goes over to the new one.
pub fn folder(path: &Path, mode: u32, owner: Option<Identity>) -> io::Result<()> {
    let is_new = match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => false,
        Err(error) => return Err(error),
    };
    if let Some(owner) = owner {
        let before = path.symlink_metadata()?;
        if (before.uid(), before.gid()) != (owner.user, owner.group) {
            if !is_new {
                hand_over(path, owner)?;
            }
            lchown(path, Some(owner.user), Some(owner.group))?;
        }
    }
    // After the owner: changing that clears the set-group-id bit.
    std::fs::set_permissions(path, Permissions::from_mode(mode))
}

/// Gives everything below `folder` to `owner`. Runs before the folder is theirs, so nobody else
/// is in it; still, what has a second name elsewhere is left alone and no link is followed.
fn hand_over(folder: &Path, owner: Identity) -> io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let found = path.symlink_metadata()?;
        if found.is_dir() {
            hand_over(&path, owner)?;
        } else if found.nlink() > 1 {
            continue;
        }
        lchown(&path, Some(owner.user), Some(owner.group))?;
        if !found.is_symlink() {
            let group_as_user = found.mode() | ((found.mode() & 0o600) >> 3);
            std::fs::set_permissions(&path, Permissions::from_mode(group_as_user))?;
        }
    }
    Ok(())
}
