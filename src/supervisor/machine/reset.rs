//! Factory reset: nothing of what the appliance was told is left on its disk.
//!
//! It is ordered by a file on the state partition and done at the next start, before anything is
//! opened: the data partition is overwritten with zeros whole and gets an empty file system, then
//! the state partition, and with it the order. A power cut in between leaves the order, or a state
//! partition that begins with zeros; either way the next start goes on.
//!
//! The two slots and the recovery system hold nothing that was told; the disk's own identity in its
//! partition table is kept.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Instant;

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, OFlag, fallocate};
use nix::mount::{MntFlags, umount2};

use super::places::{self, Places};
use super::watchdog::Watchdogs;
use crate::boot::table::Place;
use crate::domain::limits::{INIT_TICK, MAKE_WITHIN, WIPE_STEP_BYTES};

/// On the state partition: the order.
const ORDER: &str = "factory-reset";
/// A file system that begins with so many zeros was never made, or wiped.
const BLANK_BYTES: usize = 64 * 1_024;

/// Why it is not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum ResetError {
    /// Something still uses it.
    #[error("{at} cannot be unmounted: {errno}")]
    Busy {
        /// Which.
        at: &'static str,
        /// The system's word.
        errno: Errno,
    },
    /// The disk refuses.
    #[error("partition {place} cannot be wiped: {error}")]
    Wipe {
        /// Which.
        place: Place,
        /// The system's word.
        error: io::Error,
    },
    /// An empty file system cannot be made.
    #[error("partition {place} gets no file system: {error}")]
    Make {
        /// Which.
        place: Place,
        /// The system's word.
        error: io::Error,
    },
}

/// What there is to do at a start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing.
    Nothing,
    /// Everything.
    Reset,
    /// A reset was cut off in its last step; or somebody wiped this partition. Nothing is on it.
    StateOnly,
}

/// Orders a reset for the next start.
pub(super) fn order(places: &Places) -> io::Result<()> {
    places::replace(&places.state(ORDER), "ordered on the console\n")
}

/// What this start has to do.
pub(super) fn due(places: &Places) -> Due {
    if places.state(ORDER).exists() {
        return Due::Reset;
    }
    let unreadable = places.run("state-unreadable").exists();
    if unreadable && is_blank(&places.device(Place::State)).unwrap_or(false) {
        return Due::StateOnly;
    }
    Due::Nothing
}

fn is_blank(device: &Path) -> io::Result<bool> {
    let mut first = vec![0; BLANK_BYTES];
    File::open(device)?.read_exact(&mut first)?;
    Ok(first.iter().all(|byte| *byte == 0))
}

/// Does what is due. The machine has to be restarted afterwards, whether it worked or not.
pub(super) fn perform(
    places: &Places,
    due: Due,
    watchdogs: &mut Watchdogs,
    mut tell: impl FnMut(&str),
) -> Result<(), ResetError> {
    let wiped: &[Place] = match due {
        Due::Nothing => &[],
        Due::Reset => &[Place::Data, Place::State],
        Due::StateOnly => &[Place::State],
    };
    for place in wiped {
        unmount(places, *place)?;
    }
    for place in wiped {
        tell(&format!("wiping partition {place}"));
        let device = places.device(*place);
        let mut last = 0;
        wipe(&device, |percent| {
            watchdogs.feed();
            if percent / 10 != last / 10 {
                tell(&format!("wiping partition {place}: {percent} %"));
            }
            last = percent;
        })
        .map_err(|error| ResetError::Wipe {
            place: *place,
            error,
        })?;
        tell(&format!("making an empty file system on partition {place}"));
        make(places, *place, watchdogs).map_err(|error| ResetError::Make {
            place: *place,
            error,
        })?;
    }
    nix::unistd::sync();
    Ok(())
}

/// Whatever is mounted there: the partition, or the memory that stands in for it.
fn unmount(places: &Places, place: Place) -> Result<(), ResetError> {
    // What we mounted on top of it goes first; it may not be there.
    let (at, above): (_, &[&str]) = match place {
        Place::Data => ("data", &["data/jumpgate/run"]),
        _ => ("state", &[]),
    };
    for above in above {
        let _ = umount2(&places.path(above), MntFlags::empty());
    }
    match umount2(&places.path(at), MntFlags::empty()) {
        // Not mounted.
        Ok(()) | Err(Errno::EINVAL) => Ok(()),
        Err(errno) => Err(ResetError::Busy { at, errno }),
    }
}

/// Overwrites all of `device` with zeros, and tells how many of a hundred parts are done.
fn wipe(device: &Path, mut done: impl FnMut(u64)) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        // Refused by the kernel while a file system on it is mounted.
        .custom_flags(OFlag::O_EXCL.bits())
        .open(device)?;
    let length = file.seek(SeekFrom::End(0))?;
    let mut at = 0;
    while at < length {
        let step = WIPE_STEP_BYTES.min(length - at);
        zero(&mut file, at, step)?;
        at += step;
        done(at * 100 / length);
    }
    file.sync_all()
}

/// For a block device this is BLKZEROOUT: the disk's own way, or written out by the kernel. What is
/// read afterwards is zeros, and no block is only forgotten.
fn zero(file: &mut File, at: u64, bytes: u64) -> io::Result<()> {
    let signed = |number: u64| i64::try_from(number).map_err(io::Error::other);
    let mode = FallocateFlags::FALLOC_FL_ZERO_RANGE;
    match fallocate(&*file, mode, signed(at)?, signed(bytes)?) {
        Err(Errno::EOPNOTSUPP) => {
            file.seek(SeekFrom::Start(at))?;
            io::copy(&mut io::repeat(0).take(bytes), file)?;
            file.flush()?;
            file.sync_data()
        }
        done => Ok(done?),
    }
}

/// As the image has it, but as large as the partition.
fn words(place: Place, device: &Path) -> Vec<String> {
    let (reserved, journal) = match place {
        Place::Data => ("1", "64"),
        _ => ("0", "8"),
    };
    let mut words = format!(
        "-q -F -t ext4 -b 4096 -m {reserved} -O 64bit,metadata_csum -J size={journal} -L {}",
        place.label()
    );
    if place == Place::Data {
        // Room for the tables of a larger disk.
        words.push_str(" -E resize=4294967295");
    }
    let mut words: Vec<String> = words.split(' ').map(str::to_owned).collect();
    words.push(device.to_string_lossy().into_owned());
    words
}

fn make(places: &Places, place: Place, watchdogs: &mut Watchdogs) -> io::Result<()> {
    let mut child = Command::new(places.tool("mke2fs"))
        .args(words(place, &places.device(place)))
        .env_clear()
        .stdin(Stdio::null())
        .spawn()?;
    let began = Instant::now();
    loop {
        // A disk that hangs is the hardware's to end.
        if began.elapsed() < MAKE_WITHIN {
            watchdogs.feed();
        }
        if let Some(status) = child.try_wait()? {
            let failed = || io::Error::other(format!("mke2fs: {status}"));
            return status.success().then_some(()).ok_or_else(failed);
        }
        sleep(INIT_TICK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> (tempfile::TempDir, Places) {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::below(folder.path());
        for path in ["state", "data", "run/jumpgate", "dev/jumpgate"] {
            std::fs::create_dir_all(places.path(path)).unwrap();
        }
        (folder, places)
    }

    #[test]
    fn it_is_due_once_it_was_ordered() {
        let (_folder, places) = machine();
        assert_eq!(due(&places), Due::Nothing);
        order(&places).unwrap();
        assert_eq!(due(&places), Due::Reset);
    }

    #[test]
    fn a_state_partition_that_was_being_wiped_is_finished_and_a_damaged_one_left_alone() {
        let (_folder, places) = machine();
        std::fs::write(places.run("state-unreadable"), "bad magic\n").unwrap();
        let device = places.device(Place::State);
        let mut bytes = vec![0; 2 * BLANK_BYTES];
        bytes[BLANK_BYTES + 1] = 1;
        std::fs::write(&device, &bytes).unwrap();
        assert_eq!(due(&places), Due::StateOnly);
        bytes[1_080] = 0x53;
        std::fs::write(&device, &bytes).unwrap();
        assert_eq!(due(&places), Due::Nothing);
        std::fs::remove_file(places.run("state-unreadable")).unwrap();
        std::fs::write(&device, vec![0; 2 * BLANK_BYTES]).unwrap();
        assert_eq!(due(&places), Due::Nothing, "it is in use");
    }

    #[test]
    fn every_byte_is_overwritten() {
        let (folder, _places) = machine();
        let device = folder.path().join("device");
        let length = 3 * 1_024 * 1_024 + 512;
        std::fs::write(&device, vec![0xab; length]).unwrap();
        let mut told = Vec::new();
        wipe(&device, |percent| told.push(percent)).unwrap();
        let after = std::fs::read(&device).unwrap();
        assert_eq!(after.len(), length);
        assert!(after.iter().all(|byte| *byte == 0));
        assert_eq!(told.last(), Some(&100));
    }

    #[test]
    fn a_reset_leaves_empty_file_systems_and_no_trace() {
        let (folder, places) = machine();
        let real = Places::of_this_machine().tool("mke2fs");
        if !real.is_file() {
            return;
        }
        std::fs::create_dir(folder.path().join("sbin")).unwrap();
        std::os::unix::fs::symlink(real, folder.path().join("sbin/mke2fs")).unwrap();
        let canary = b"canary-7f3a".repeat(1_000);
        for (place, mib) in [(Place::State, 64), (Place::Data, 192)] {
            let device = places.device(place);
            let mut file = File::create(&device).unwrap();
            file.set_len(mib << 20).unwrap();
            file.seek(SeekFrom::Start(50 << 20)).unwrap();
            file.write_all(&canary).unwrap();
        }
        let mut told = Vec::new();
        let mut watchdogs = Watchdogs::default();
        perform(&places, Due::Reset, &mut watchdogs, |line| {
            told.push(line.to_owned());
        })
        .unwrap();
        for place in [Place::State, Place::Data] {
            let bytes = std::fs::read(places.device(place)).unwrap();
            let magic = u16::from_le_bytes([bytes[1_080], bytes[1_081]]);
            assert_eq!(magic, 0xef53, "{place}");
            let left = bytes.windows(11).any(|window| window == b"canary-7f3a");
            assert!(!left, "{place}");
        }
        assert!(
            told.iter()
                .any(|line| line == "wiping partition data: 100 %"),
            "{told:?}"
        );
    }
}
