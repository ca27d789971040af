//! The two partitions that are written: checked, repaired, mounted, grown; or left alone.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread::sleep;
use std::time::Instant;

use nix::mount::{MsFlags, mount};

use crate::boot::table::Place;
use crate::domain::limits::{CHECK_WITHIN, INIT_TICK, REPAIR_ROUNDS_MAX};

use super::InitError;
use super::console::complain;
use super::disks::Booted;
use super::watchdog::Watchdogs;

/// In the checked root.
const CHECKER: &str = "/sbin/e2fsck";
/// In the checked root as well.
const GROWER: &str = "/sbin/resize2fs";
/// What a check said, and why a volume is not the one on the disk.
const REPORTS: &str = "/run/jumpgate";

/// A partition with a file system that lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Volume {
    /// Small, and whole after any power cut: contents go through the journal too.
    State,
    /// The rest of the disk.
    Data,
}

impl Volume {
    fn place(self) -> Place {
        match self {
            Self::State => Place::State,
            Self::Data => Place::Data,
        }
    }

    fn options(self) -> &'static str {
        match self {
            Self::State => "data=journal,errors=remount-ro",
            Self::Data => "errors=remount-ro",
        }
    }

    fn report(self, kind: &str) -> PathBuf {
        Path::new(REPORTS).join(format!("{self}-{kind}"))
    }
}

impl fmt::Display for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place().fmt(f)
    }
}

/// How a check ended.
#[derive(Debug, PartialEq, Eq)]
enum Checked {
    /// Nothing but what a power cut leaves.
    Clean,
    /// Only by decisions that a person is commonly asked about.
    Repaired,
}

/// Why a volume is left alone.
#[derive(Debug, thiserror::Error)]
enum VolumeError {
    #[error("no file system that can be repaired: {}", said.as_deref().unwrap_or("no reason given"))]
    Broken { said: Option<String> },
    #[error("{CHECKER}: {0}")]
    Checker(io::Error),
    #[error("its check took longer than {} minutes", CHECK_WITHIN.as_secs() / 60)]
    TooSlow,
    #[error("the disk cannot read a part of it. Replace the disk, or have it copied")]
    Disk,
    #[error("does not mount: {0}")]
    Mount(nix::Error),
}

/// Mounts `volume` at its place in the root.
///
/// What cannot be read, also after a repair, is not touched any further: memory takes its place, and
/// `/run/jumpgate/data-unreadable` (or `state-`) says why, for the page that tells people. What was
/// only readable after a repair leaves a `-repaired` there.
pub(super) fn open(
    volume: Volume,
    disk: &Booted,
    watchdogs: &Mutex<Watchdogs>,
) -> Result<(), InitError> {
    let device = disk.device(volume.place())?;
    let at = format!("/{volume}");
    match try_open(volume, &device, &at, watchdogs) {
        Ok(Checked::Clean) => {}
        Ok(Checked::Repaired) => {
            complain(format_args!(
                "{volume}: the file system was damaged and has been repaired"
            ));
            let text = "the file system was damaged and has been repaired\n";
            let _ = fs::write(volume.report("repaired"), text);
        }
        Err(error) => {
            complain(format_args!("{volume}: {error}. It is left as it is"));
            let report = volume.report("unreadable");
            fs::write(report, format!("{error}\n")).map_err(InitError::during(REPORTS))?;
            return memory_instead(&at);
        }
    }
    if volume == Volume::Data
        && let Err(error) = begin_to_grow(&device)
    {
        // It is as large as before, and the next start tries again.
        complain(format_args!(
            "{volume}: the file system does not grow: {error}"
        ));
    }
    Ok(())
}

fn try_open(
    volume: Volume,
    device: &Path,
    at: &str,
    watchdogs: &Mutex<Watchdogs>,
) -> Result<Checked, VolumeError> {
    let report = volume.report("check");
    let checked = if check("-p", device, &report, watchdogs)? {
        Checked::Clean
    } else if cannot_be_read(device, &report, watchdogs)? {
        return Err(VolumeError::Disk);
    } else if repair(device, &report, watchdogs)? {
        Checked::Repaired
    } else {
        let said = first_line(&report);
        return Err(VolumeError::Broken { said });
    };
    let flags = MsFlags::MS_NODEV | MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC | MsFlags::MS_NOATIME;
    let options = Some(volume.options());
    mount(Some(device), at, Some("ext4"), flags, options).map_err(VolumeError::Mount)?;
    Ok(checked)
}

/// Whether the disk does not give out a part of the file system. A repair would write something
/// over it, and perhaps it can be read elsewhere, or tomorrow.
fn cannot_be_read(
    device: &Path,
    report: &Path,
    watchdogs: &Mutex<Watchdogs>,
) -> Result<bool, VolumeError> {
    // Looks at everything and writes nothing.
    check("-fn", device, report, watchdogs)?;
    let said = fs::read(report).map_err(VolumeError::Checker)?;
    let words = b"Error reading block";
    Ok(said.windows(words.len()).any(|part| part == words))
}

/// Whether the file system on `device` is sound after all that can be done for it. Every question is
/// answered with yes: nobody is there to be asked.
///
/// One round may not be enough: after a superblock was lost, the first one only recovers the journal
/// by a backup and ends with "unable to set superblock flags". Where there is no file system, no
/// round writes anything.
fn repair(device: &Path, report: &Path, watchdogs: &Mutex<Watchdogs>) -> Result<bool, VolumeError> {
    for _ in 0..REPAIR_ROUNDS_MAX {
        if check("-fy", device, report, watchdogs)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the file system on `device` is sound after a check of this kind.
fn check(
    kind: &str,
    device: &Path,
    report: &Path,
    watchdogs: &Mutex<Watchdogs>,
) -> Result<bool, VolumeError> {
    let output = OpenOptions::new().create(true).append(true).open(report);
    let output = output.map_err(VolumeError::Checker)?;
    let errors = output.try_clone().map_err(VolumeError::Checker)?;
    let mut child = Command::new(CHECKER)
        .arg(kind)
        .arg(device)
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .spawn()
        .map_err(VolumeError::Checker)?;
    let began = Instant::now();
    loop {
        feed(watchdogs);
        if let Some(status) = child.try_wait().map_err(VolumeError::Checker)? {
            return Ok(status.code().is_some_and(is_sound));
        }
        if began.elapsed() > CHECK_WITHIN {
            let _ = child.kill();
            let _ = child.wait();
            return Err(VolumeError::TooSlow);
        }
        sleep(INIT_TICK);
    }
}

fn feed(watchdogs: &Mutex<Watchdogs>) {
    let mut watchdogs = watchdogs.lock().expect("a panic ends the start");
    watchdogs.feed();
}

/// e2fsck(8), exit code: 1 for errors that were corrected, 2 for a restart that only a mounted file
/// system needs; everything higher was not corrected.
fn is_sound(code: i32) -> bool {
    (0..4).contains(&code)
}

/// What the checker complained about first, without characters that would move a console's cursor.
fn first_line(report: &Path) -> Option<String> {
    let text = fs::read_to_string(report).ok()?;
    // It introduces itself by name and version.
    let mut lines = text.lines().filter(|line| !line.starts_with("e2fsck "));
    let line = lines.find(|line| !line.trim().is_empty())?;
    let plain = line.chars().filter(|c| !c.is_control()).take(200);
    Some(plain.collect())
}

fn memory_instead(at: &str) -> Result<(), InitError> {
    let flags = MsFlags::MS_NODEV | MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    let options = Some("mode=0755,size=25%");
    mount(Some("tmpfs"), at, Some("tmpfs"), flags, options)
        .map_err(|error| InitError::during(at)(error.into()))
}

/// Begins to grow the mounted file system to the end of its partition; the kernel does it through the
/// journal, so a power cut leaves a whole file system of some size between. Nobody waits for it:
/// what follows needs little room, and whoever is process 1 by then collects it.
fn begin_to_grow(device: &Path) -> io::Result<()> {
    let output = File::create(Volume::Data.report("growth"))?;
    let errors = output.try_clone()?;
    let mut grower = Command::new(GROWER);
    grower.arg(device).stdin(Stdio::null());
    grower.stdout(output).stderr(errors).spawn()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_corrected_errors_are_sound() {
        for (code, sound) in [
            (0, true),
            (1, true),
            (3, true),
            (4, false),
            (8, false),
            (12, false),
            (128, false),
            (-1, false),
        ] {
            assert_eq!(is_sound(code), sound, "{code}");
        }
    }

    #[test]
    fn the_reason_is_what_the_checker_complained_about_first() {
        let folder = tempfile::tempdir().unwrap();
        let report = folder.path().join("data-check");
        assert_eq!(first_line(&report), None);
        let said = "e2fsck 1.47\n\nBad magic\u{7} number\n\nRun it again\n";
        fs::write(&report, said).unwrap();
        assert_eq!(first_line(&report).unwrap(), "Bad magic number");
    }
}
