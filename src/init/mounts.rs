//! What is mounted before and beneath the root.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::Path;

use nix::mount::{MsFlags, mount};
use nix::sys::statfs::{FsType, TMPFS_MAGIC, statfs};
use nix::unistd::{chdir, chroot};

use crate::boot::facts::{FACTS_FILE, Facts, PLACES_FOLDER};
use crate::boot::table::Place;

use super::InitError;
use super::disks::Booted;

/// The kernel's own file systems and one in memory, in the order of mounting.
const EARLY: [(&str, &str, &str); 4] = [
    ("proc", "/proc", ""),
    ("sysfs", "/sys", ""),
    ("devtmpfs", "/dev", "mode=0755"),
    ("tmpfs", "/run", "mode=0755,size=25%"),
];
/// Where the new root is until it is one.
const NEW_ROOT: &str = "/root";

/// `<linux/magic.h>`.
const RAMFS_MAGIC: FsType = FsType(0x8584_58f6);

const NONE: Option<&str> = None;

/// `/proc`, `/sys`, `/dev` and `/run`.
pub(super) fn early() -> Result<(), InitError> {
    for (kind, at, options) in EARLY {
        let mut flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
        if kind != "devtmpfs" {
            flags |= MsFlags::MS_NODEV;
        }
        fs::create_dir_all(at).map_err(InitError::during(at))?;
        mount(Some(kind), at, Some(kind), flags, Some(options))
            .map_err(|error| InitError::during(at)(error.into()))?;
    }
    Ok(())
}

/// Names the disk's partitions for whoever comes later.
pub(super) fn name_places(disk: &Booted) -> Result<(), InitError> {
    let failed = InitError::during(PLACES_FOLDER);
    fs::create_dir_all(PLACES_FOLDER).map_err(&failed)?;
    for place in Place::ALL {
        let link = Path::new(PLACES_FOLDER).join(place.name());
        symlink(disk.device(place)?, link).map_err(&failed)?;
    }
    Ok(())
}

/// Leaves what later programs ask about this start.
pub(super) fn leave(facts: &Facts) -> Result<(), InitError> {
    let folder = Path::new(FACTS_FILE).parent().unwrap_or(Path::new("/"));
    let failed = InitError::during(FACTS_FILE);
    fs::create_dir_all(folder).map_err(&failed)?;
    fs::write(FACTS_FILE, facts.encode()).map_err(&failed)
}

/// Makes the checked root on `device` the root of everything, and gives the memory of the first one
/// back.
pub(super) fn switch_root(device: &Path) -> Result<(), InitError> {
    let failed = InitError::during("root");
    fs::create_dir_all(NEW_ROOT).map_err(&failed)?;
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NODEV | MsFlags::MS_NOSUID;
    let steps = || -> io::Result<()> {
        mount(Some(device), NEW_ROOT, Some("squashfs"), flags, NONE)?;
        for (_, at, _) in EARLY {
            let to = format!("{NEW_ROOT}{at}");
            mount(Some(at), to.as_str(), NONE, MsFlags::MS_MOVE, NONE)?;
        }
        chdir(NEW_ROOT)?;
        empty_first_root()?;
        mount(Some("."), "/", NONE, MsFlags::MS_MOVE, NONE)?;
        chroot(".")?;
        Ok(chdir("/")?)
    };
    steps().map_err(failed)
}

/// Removes what the initramfs brought: it is memory, and nothing can reach it any more.
fn empty_first_root() -> io::Result<()> {
    let kind = statfs("/")?.filesystem_type();
    if kind != RAMFS_MAGIC && kind != TMPFS_MAGIC {
        return Err(io::Error::other("the first root is no memory"));
    }
    let device = fs::metadata("/")?.dev();
    for entry in fs::read_dir("/")? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.dev() != device {
            continue;
        }
        // Nothing was mounted below these, so this stays on the one file system.
        let _ = if metadata.is_dir() {
            fs::remove_dir_all(entry.path())
        } else {
            fs::remove_file(entry.path())
        };
    }
    Ok(())
}
