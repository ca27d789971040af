//! The first program of the image: from the kernel to a checked root, or to a restart.
//!
//! ```text
//! mounts ─> modules ─> watchdogs ─> disks ─> mapper (dm-verity) ─> new root ─> volume ─> /sbin/init
//!                                      └─> installer, if a stick was booted that is one
//! ```
//!
//! Runs as process 1 out of the initramfs, which the boot loader has checked. Whatever fails before
//! the hand-over ends in one line on the console and a restart, so that the boot loader's count of
//! tries moves on to the other slot. Nothing is written before it is certain which disk was booted,
//! and then only there; and nothing but a torn partition table before its root has opened.
//!
//! Start at [`run`]. Decisions are in [`crate::boot`], which is pure; here is what touches the
//! machine. `sys` holds all of the `unsafe`. Not here: everything that can wait for the checked
//! root.

mod console;
mod disks;
mod installer;
mod machine;
mod mapper;
mod modules;
mod mounts;
mod sys;
mod volume;
mod watchdog;

use std::convert::Infallible;
use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::thread::{self, sleep};

use nix::sys::reboot::{RebootMode, reboot};

use crate::boot::command_line::{CommandLineError, Start};
use crate::boot::disk::DiskError;
use crate::boot::modules::ModulesError;
use crate::boot::table::{LayoutError, Place};
use crate::boot::verity::ChangedBlock;
use crate::boot::{CommandLine, Facts, Slot, System, Verity};
use crate::domain::limits::RESTART_AFTER_FAILED_START;

use console::complain;
use modules::Modules;
use volume::Volume;
use watchdog::Watchdogs;

/// What runs from here on.
const NEXT: &str = "/sbin/init";

/// Why the machine restarts instead of going on.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// Something of the system did not work.
    #[error("{what}: {error}")]
    System {
        /// What it was about.
        what: String,
        /// What the kernel said.
        error: io::Error,
    },
    /// The boot loader is not ours, or says nonsense.
    #[error("kernel command line: {0}")]
    CommandLine(#[from] CommandLineError),
    /// The initramfs was put together wrongly.
    #[error("/modules.list: {0}")]
    Modules(#[from] ModulesError),
    /// No disk is certain to be the one that was booted.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The booted disk does not hold what an appliance's does.
    #[error("{disk}: {error}")]
    Layout {
        /// As the kernel calls it.
        disk: String,
        /// What is wrong.
        error: LayoutError,
    },
    /// The slot's description is of another root.
    #[error("partition {place} has {has} bytes, its root takes {needs}")]
    RootTooLong {
        /// Where it lies.
        place: Place,
        /// The partition.
        has: u64,
        /// File system and hash tree.
        needs: u64,
    },
}

impl InitError {
    /// For `map_err`: an error of the system while busy with `what`.
    fn during(what: impl Display) -> impl Fn(io::Error) -> Self {
        let what = what.to_string();
        move |error| Self::System {
            what: what.clone(),
            error,
        }
    }
}

/// Brings the machine up. Does not return: what follows takes this process over, or the machine
/// restarts.
///
/// # Panics
///
/// If this is not process 1: on a running system it would take its disks apart.
pub fn run() -> ! {
    assert_eq!(std::process::id(), 1, "init is the kernel's first program");
    std::panic::set_hook(Box::new(|panic| restart(&panic)));
    match bring_up() {
        Ok(never) => match never {},
        Err(error) => restart(&error),
    }
}

fn bring_up() -> Result<Infallible, InitError> {
    mounts::early()?;
    let text = fs::read_to_string("/proc/cmdline");
    let line = CommandLine::decode(&text.map_err(InitError::during("/proc/cmdline"))?)?;
    let mut devices = Devices {
        modules: Modules::read()?,
        watchdogs: Watchdogs::default(),
    };
    devices.look();

    let disk = disks::find(&line, &mut devices)?;
    match line.start {
        Start::Slot(slot) => start(slot, &line.verity, disk, devices.watchdogs),
        Start::Install => installer::run(&line.verity, &disk, &mut devices),
    }
}

/// Brings a slot of `disk` up.
fn start(
    slot: Slot,
    verity: &Verity,
    mut disk: disks::Booted,
    mut watchdogs: Watchdogs,
) -> Result<Infallible, InitError> {
    disk.attach(&mut watchdogs)?;
    open_root(slot, verity, &disk)?;
    if let Err(error) = disk.make_own() {
        // Works without, and the next start tries again; a table that was torn is mended there.
        complain(error);
    }

    mounts::name_places(&disk)?;
    mounts::leave(&Facts {
        slot,
        disk: disk.name().to_owned(),
        watchdogs: u32::try_from(watchdogs.count()).unwrap_or(u32::MAX),
    })?;
    let watchdogs = Mutex::new(watchdogs);
    // One that gets stuck keeps the other from going on, and with that the watchdogs from being fed.
    let open = |volume| volume::open(volume, &disk, &watchdogs);
    thread::scope(|scope| {
        let state = scope.spawn(|| open(Volume::State));
        open(Volume::Data)?;
        state.join().expect("a panic ends the start")
    })?;
    let watchdogs = watchdogs.into_inner().expect("a panic ends the start");
    machine::introduce(slot, disk.name(), watchdogs.count());
    // Its time runs on until whoever comes next opens it again.
    drop(watchdogs);
    hand_over()
}

/// What comes up while the kernel finds one device behind the other.
struct Devices {
    modules: Modules,
    watchdogs: Watchdogs,
}

impl Devices {
    /// Gives new ones what they need. To be called in the loop that waits for them.
    fn look(&mut self) {
        self.modules.load();
        self.watchdogs.arm();
        self.watchdogs.feed();
    }
}

fn open_root(slot: Slot, verity: &Verity, disk: &disks::Booted) -> Result<(), InitError> {
    let place = match slot {
        Slot::System(System::A) => Place::A,
        Slot::System(System::B) => Place::B,
        Slot::Recovery => Place::Recovery,
    };
    let device = open_checked(place, verity, disk, ChangedBlock::Restarts)?;
    mounts::switch_root(&device)
}

/// The device over the partition of `place` that gives out nothing but what was signed.
fn open_checked(
    place: Place,
    verity: &Verity,
    disk: &disks::Booted,
    changed: ChangedBlock,
) -> Result<PathBuf, InitError> {
    let (has, needs) = (disk.bytes(place), verity.bytes());
    if needs > has {
        return Err(InitError::RootTooLong { place, has, needs });
    }
    mapper::open(verity, &disk.device_number(place)?, changed)
        .map_err(InitError::during("dm-verity"))
}

/// Becomes the checked root's own first program.
fn hand_over() -> Result<Infallible, InitError> {
    let failed = InitError::during(NEXT);
    let console = || -> io::Result<File> {
        let path = "/dev/console";
        OpenOptions::new().read(true).write(true).open(path)
    };
    let mut next = Command::new(NEXT);
    next.env_clear()
        .env("PATH", "/sbin:/bin:/usr/sbin:/usr/bin")
        .env("TERM", "linux")
        .env("HOME", "/");
    next.stdin(console().map_err(&failed)?)
        .stdout(console().map_err(&failed)?)
        .stderr(console().map_err(&failed)?);
    Err(failed(next.exec()))
}

/// Says why, gives people time to read it, and restarts: the boot loader counts.
fn restart(why: &dyn Display) -> ! {
    let seconds = RESTART_AFTER_FAILED_START.as_secs();
    complain(format_args!(
        "cannot start: {why}; restarting in {seconds} s"
    ));
    sleep(RESTART_AFTER_FAILED_START);
    restart_now()
}

fn restart_now() -> ! {
    nix::unistd::sync();
    match reboot(RebootMode::RB_AUTOBOOT) {
        Ok(never) => match never {},
        Err(error) => {
            complain(format_args!("cannot restart: {error}"));
            // The kernel panics when its first program ends, and restarts on its own.
            std::process::exit(1)
        }
    }
}
