//! A view of the file system of its own.
//!
//! The state directory may lie below a home folder that only its owner can enter. Programs under
//! ids of their own would not reach it, and opening the home folder to them is not ours to do. So
//! the supervisor, when root, shows it to its programs, and to nobody else, in another place.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

/// Where things are shown.
const PLACE: &str = "/run/jumpgate";

/// What may be done with a folder that is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Read and write, execute nothing.
    Data,
    /// Read and execute.
    Programs,
}

/// Mounts that only this process and those it starts see.
#[derive(Debug)]
pub struct View(());

impl View {
    /// Leaves the system's view. Needs root with the right to mount; call it while there is one
    /// thread. What the system mounts or unmounts later still shows here, not the other way round.
    pub fn new() -> io::Result<Self> {
        unshare(CloneFlags::CLONE_NEWNS)?;
        let none = None::<&str>;
        mount(none, "/", none, MsFlags::MS_SLAVE | MsFlags::MS_REC, none)?;
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(PLACE)?;
        // Memory of this view only: nothing is left behind when the last process of it ends.
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
        mount(
            Some("jumpgate"),
            PLACE,
            Some("tmpfs"),
            flags,
            Some("mode=0755,size=64k"),
        )?;
        Ok(Self(()))
    }

    /// Shows `folder` as `name` and returns its path there.
    pub fn show(&self, folder: &Path, name: &str, usage: Use) -> io::Result<PathBuf> {
        let at = Path::new(PLACE).join(name);
        DirBuilder::new().mode(0o755).create(&at)?;
        let none = None::<&str>;
        mount(Some(folder), &at, none, MsFlags::MS_BIND, none)?;
        let kept_out = match usage {
            Use::Data => MsFlags::MS_NOEXEC,
            Use::Programs => MsFlags::MS_RDONLY,
        };
        let again = MsFlags::MS_BIND | MsFlags::MS_REMOUNT;
        let flags = again | kept_out | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mount(none, &at, none, flags, none)?;
        Ok(at)
    }
}
