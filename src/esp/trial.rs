//! A new version's way onto the partition: its slot is retired first, filled, and only then, by one
//! sector, marked to be tried.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

use super::{EspError, environment, remade, slot_folder, was_good, write_environment};
use crate::boot::{Description, Slot, System};
use crate::domain::limits::TRIES;

/// What the boot loader looks at first; without it a slot is empty.
const DESCRIPTION: &str = "slot.cfg";

/// What `slot` holds, if it says so.
pub fn describe(esp: &Path, slot: Slot) -> Option<Description> {
    let file = esp.join("jumpgate").join(slot.letter()).join(DESCRIPTION);
    Description::decode(&fs::read(file).ok()?).ok()
}

/// Takes `system` out of what can be started: nothing in it counts from now on, however much of it
/// is overwritten. May be done again.
pub fn retire(esp: &Path, system: System) -> Result<(), EspError> {
    let mut environment = environment(esp).map_or_else(|| remade(esp), Ok)?;
    if environment.trial() == Some(system) {
        environment.unset("trial");
    }
    environment.set(&format!("{system}_left"), "0")?;
    environment.unset(&format!("{system}_good"));
    write_environment(esp, &environment)?;
    let folder = slot_folder(esp, system);
    fs::create_dir_all(&folder)?;
    // Also without an environment it does not count then.
    for name in ["good", DESCRIPTION, "slot.cfg.sig"] {
        match fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    File::open(&folder)?.sync_all()?;
    Ok(File::open(esp.join("jumpgate"))?.sync_all()?)
}

/// Files of a slot that cannot be read to their end. A power cut in the middle of writing may leave an
/// entry whose size or first cluster the table of clusters knows nothing of; to be looked for while
/// the partition is mounted for reading, since the file system refuses changes once it has noticed.
pub fn unreadable(esp: &Path, system: System) -> Result<Vec<PathBuf>, EspError> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(slot_folder(esp, system)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        let read = File::open(&path).and_then(|mut file| io::copy(&mut file, &mut io::sink()));
        if let (Err(_), Some(name)) = (read, path.file_name()) {
            found.push(name.into());
        }
    }
    Ok(found)
}

/// Removes a file of a slot that is to be filled. What the file system says afterwards does not count:
/// the entry is gone, and the next mount begins anew.
pub fn discard(esp: &Path, system: System, name: &Path) -> Result<(), EspError> {
    let folder = slot_folder(esp, system);
    match fs::remove_file(folder.join(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        done => done?,
    }
    drop(File::open(folder).and_then(|folder| folder.sync_all()));
    Ok(())
}

/// Writes a part of a file of a retired slot, for good.
pub fn put(esp: &Path, system: System, name: &str, at: u64, bytes: &[u8]) -> Result<(), EspError> {
    let path = slot_folder(esp, system).join(name);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)?;
    file.write_all_at(bytes, at)?;
    Ok(file.sync_all()?)
}

/// What comes behind `bytes` is not part of the file.
pub fn cut(esp: &Path, system: System, name: &str, bytes: u64) -> Result<(), EspError> {
    let file = OpenOptions::new()
        .write(true)
        .open(slot_folder(esp, system).join(name))?;
    file.set_len(bytes)?;
    Ok(file.sync_all()?)
}

/// Reads `bytes` bytes of a file of a slot, from the disk and not from memory; `None` if there are
/// not that many.
pub fn read(
    esp: &Path,
    system: System,
    name: &str,
    at: u64,
    bytes: usize,
) -> Result<Option<Vec<u8>>, EspError> {
    let file = match File::open(slot_folder(esp, system).join(name)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    posix_fadvise(file.as_fd(), 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)
        .map_err(io::Error::from)?;
    let mut read = vec![0; bytes];
    match file.read_exact_at(&mut read, at) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        done => {
            done?;
            Ok(Some(read))
        }
    }
}

/// The folder of `system` is complete on the disk.
pub fn settle(esp: &Path, system: System) -> Result<(), EspError> {
    File::open(slot_folder(esp, system))?.sync_all()?;
    Ok(File::open(esp.join("jumpgate"))?.sync_all()?)
}

/// `system` goes first from the next start on, as often as there are tries. One sector: before it is
/// written nothing of the new version is started, and after it everything is there.
pub fn begin(esp: &Path, system: System) -> Result<(), EspError> {
    let mut environment = environment(esp).map_or_else(|| remade(esp), Ok)?;
    environment.set("trial", system.letter())?;
    environment.set(&format!("{system}_left"), &TRIES.to_string())?;
    write_environment(esp, &environment)
}

/// `running`, which is on trial, gives its tries up: the other slot goes first from the next start on.
/// That it was marked stays, so that the version there knows what became of this one. Returns whether
/// there is a version to go back to; without one nothing is changed.
pub fn renounce(esp: &Path, running: System) -> Result<bool, EspError> {
    let other = running.other();
    let Some(mut environment) = environment(esp) else {
        return Ok(false);
    };
    let has_other = describe(esp, Slot::System(other)).is_some() && was_good(esp, other);
    if !has_other || environment.tries_left(other) == 0 {
        return Ok(false);
    }
    environment.set(&format!("{running}_left"), "0")?;
    write_environment(esp, &environment)?;
    Ok(true)
}

/// `system` was tried and left: whatever tries it has, it is not started again.
pub fn abandon(esp: &Path, system: System) -> Result<(), EspError> {
    let mut environment = environment(esp).map_or_else(|| remade(esp), Ok)?;
    environment.set(&format!("{system}_left"), "0")?;
    if environment.trial() == Some(system) {
        environment.unset("trial");
    }
    write_environment(esp, &environment)
}

/// The slot that was last marked to be tried, if it did not prove itself since.
pub fn marked(esp: &Path) -> Option<System> {
    environment(esp)?.trial()
}

/// Whether `system` is marked to be tried and has tries left.
pub fn is_due(esp: &Path, system: System) -> bool {
    environment(esp)
        .is_some_and(|block| block.trial() == Some(system) && block.tries_left(system) > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_found_and_what_is_discarded_is_gone() {
        let esp = tempfile::tempdir().unwrap();
        assert!(unreadable(esp.path(), System::B).unwrap().is_empty());
        let folder = slot_folder(esp.path(), System::B);
        // A folder opens and cannot be read, as a file whose clusters nobody knows.
        fs::create_dir_all(folder.join("kernel")).unwrap();
        fs::write(folder.join("initramfs"), vec![7; 100_000]).unwrap();
        let found = unreadable(esp.path(), System::B).unwrap();
        assert_eq!(found, [Path::new("kernel")]);
        for _ in 0..2 {
            discard(esp.path(), System::B, Path::new("initramfs")).unwrap();
            assert!(!folder.join("initramfs").exists());
        }
    }
}
