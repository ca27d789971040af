//! The machine's disks: which of them was booted, its partitions, and its partition table.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Instant;

use nix::mount::{MsFlags, mount, umount};

use crate::boot::command_line::Start;
use crate::boot::disk::{Candidate, Search, booted};
use crate::boot::table::{self, Copies, Disk, Place, Table};
use crate::boot::{BootStamp, CommandLine, Environment, Guid};
use crate::domain::limits::{
    DISK_WITHIN, ENVIRONMENT_BYTES, INIT_TICK, PARTITIONS_WITHIN, RIVAL_WITHIN,
};

use super::console::say;
use super::sys;
use super::watchdog::Watchdogs;
use super::{Devices, InitError};

pub(super) const DISKS: &str = "/sys/block";
/// Block devices that are no disks of this machine.
const NO_DISKS: [&str; 9] = ["dm-", "fd", "loop", "md", "mtd", "nbd", "ram", "sr", "zram"];
/// Where an EFI partition is looked into, before there is a root.
const ESP: &str = "/esp";

/// The disk that was booted.
pub(super) struct Booted {
    name: String,
    places: &'static [Place],
    disk: Disk,
    copies: Copies,
    table: Table,
}

/// A disk that was seen.
struct Seen {
    candidate: Candidate,
    found: Option<(Disk, Copies)>,
    /// Has the right GUID, but the kernel has not made out its partitions yet.
    waits_for_partitions: bool,
}

/// Waits for the disk that the boot loader came from. Nothing is written to any disk.
pub(super) fn find(line: &CommandLine, devices: &mut Devices) -> Result<Booted, InitError> {
    let began = Instant::now();
    let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
    let mut rival_until = None;
    loop {
        look(&mut seen, line);
        let candidates: Vec<Candidate> = seen.values().map(|seen| seen.candidate.clone()).collect();
        let has_guid = |candidate: &Candidate| candidate.esps.contains(&line.esp);
        if rival_until.is_none() && candidates.iter().any(has_guid) {
            rival_until = Some(Instant::now() + RIVAL_WITHIN);
        }
        let until = rival_until.unwrap_or(began + DISK_WITHIN);
        let search = if Instant::now() < until {
            Search::Going
        } else {
            Search::Over
        };
        if let Some(at) = booted(line, &candidates, search)? {
            let name = candidates[at].name.clone();
            let found = seen.remove(&name).and_then(|seen| seen.found);
            let (disk, copies) = found.expect("a disk with the GUID has a table");
            let places = match line.start {
                Start::Slot(_) => Place::ALL.as_slice(),
                Start::Install => Place::STICK.as_slice(),
            };
            return Booted::check(name, places, disk, copies);
        }
        sleep(INIT_TICK);
        devices.look();
    }
}

/// Adds the disks that came since, and the stamps that can be read since.
fn look(seen: &mut BTreeMap<String, Seen>, line: &CommandLine) {
    for name in names() {
        if seen.contains_key(&name) {
            continue;
        }
        // No medium, or not ready: perhaps later.
        let Ok(disk) = geometry(&name) else { continue };
        let found = disk.and_then(|disk| Some((disk, read_copies(&name, disk).ok()?)));
        let esps = found.as_ref().map(|(_, copies)| copies.esps());
        let esps: Vec<Guid> = esps.unwrap_or_default();
        let candidate = Candidate {
            name: name.clone(),
            esps,
            stamp: None,
        };
        let waits_for_partitions = candidate.esps.contains(&line.esp);
        let disk = Seen {
            candidate,
            found,
            waits_for_partitions,
        };
        seen.insert(name, disk);
    }
    for disk in seen.values_mut().filter(|disk| disk.waits_for_partitions) {
        let table = disk.found.as_ref().and_then(|(_, copies)| copies.table());
        let esp = table.and_then(|table| Some(table.find(Place::Esp).ok()?.0));
        let device = esp.and_then(|number| partition(&disk.candidate.name, number).ok());
        if let Some(device) = device {
            disk.waits_for_partitions = false;
            disk.candidate.stamp = stamp(&device);
        }
    }
}

/// As the kernel calls them.
pub(super) fn names() -> BTreeSet<String> {
    let entries = fs::read_dir(DISKS).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| !NO_DISKS.iter().any(|prefix| name.starts_with(prefix)))
        .collect()
}

/// What the driver says of a disk; `None` if none of ours can be like that.
pub(super) fn geometry(name: &str) -> io::Result<Option<Disk>> {
    let folder = Path::new(DISKS).join(name);
    let number = |file: &str| -> io::Result<u64> {
        let text = fs::read_to_string(folder.join(file))?;
        text.trim().parse().map_err(io::Error::other)
    };
    // Always counted in sectors of 512 bytes.
    let bytes = number("size")?.saturating_mul(512);
    let sector = number("queue/logical_block_size")?;
    if bytes == 0 || sector == 0 {
        return Err(io::ErrorKind::NotFound.into());
    }
    let sector_bytes = u32::try_from(sector).unwrap_or_default();
    Ok(Disk::new(sector_bytes, bytes / sector).ok())
}

/// The copies of a disk's partition table, as far as they are like ours.
pub(super) fn read_copies(name: &str, disk: Disk) -> io::Result<Copies> {
    let file = File::open(Path::new("/dev").join(name))?;
    let sector = disk.sector_bytes();
    let mut bytes = vec![0; sector * usize::try_from(disk.table_sectors()).unwrap_or_default()];
    file.read_exact_at(&mut bytes, sector as u64)?;
    let primary = table::read_primary(disk, &bytes).ok();
    let last = (disk.sectors() - disk.table_sectors()) * sector as u64;
    let backup = file
        .read_exact_at(&mut bytes, last)
        .ok()
        .and_then(|()| table::read_backup(disk, &bytes).ok());
    Ok(Copies { primary, backup })
}

/// What the boot loader last left on the EFI partition, if that can be read.
fn stamp(device: &Path) -> Option<BootStamp> {
    fs::create_dir_all(ESP).ok()?;
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NODEV | MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    let none = None::<&str>;
    mount(Some(device), ESP, Some("vfat"), flags, none).ok()?;
    let read = |name: &str| {
        let mut bytes = Vec::new();
        let file = File::open(Path::new(ESP).join(name)).ok()?;
        let mut file = file.take(ENVIRONMENT_BYTES as u64 + 1);
        file.read_to_end(&mut bytes).ok()?;
        Environment::decode(&bytes).ok()
    };
    // The boot loader uses the second one while the first is lost.
    let environment = read("jumpgate/env").or_else(|| read("jumpgate/spare"));
    let _ = umount(ESP);
    environment?.stamp()
}

/// The device of a partition, as the kernel numbers them.
fn partition(disk: &str, number: u32) -> io::Result<PathBuf> {
    Ok(Path::new("/dev").join(partition_name(disk, number)?))
}

fn partition_name(disk: &str, number: u32) -> io::Result<String> {
    for entry in fs::read_dir(Path::new(DISKS).join(disk))?.flatten() {
        let text = fs::read_to_string(entry.path().join("partition"));
        if text.is_ok_and(|text| text.trim().parse() == Ok(number)) {
            return Ok(entry.file_name().to_string_lossy().into_owned());
        }
    }
    let text = format!("the kernel has no partition {number} on {disk}");
    Err(io::Error::new(io::ErrorKind::NotFound, text))
}

impl Booted {
    fn check(
        name: String,
        places: &'static [Place],
        disk: Disk,
        copies: Copies,
    ) -> Result<Self, InitError> {
        let table = copies.table().expect("it had the GUID").clone();
        table
            .check(disk, places)
            .map_err(|error| InitError::Layout {
                disk: name.clone(),
                error,
            })?;
        Ok(Self {
            name,
            places,
            disk,
            copies,
            table,
        })
    }

    /// As the kernel calls it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The device of a partition.
    pub fn device(&self, place: Place) -> Result<PathBuf, InitError> {
        let (number, _) = self.find(place);
        partition(&self.name, number).map_err(InitError::during(place))
    }

    /// `major:minor` of a partition's device.
    pub fn device_number(&self, place: Place) -> Result<String, InitError> {
        let (number, _) = self.find(place);
        let read = || {
            let name = partition_name(&self.name, number)?;
            fs::read_to_string(Path::new(DISKS).join(&self.name).join(name).join("dev"))
        };
        let text = read().map_err(InitError::during(place))?;
        Ok(text.trim().to_owned())
    }

    /// Bytes of a partition.
    pub fn bytes(&self, place: Place) -> u64 {
        let (_, partition) = self.find(place);
        partition.sectors() * self.disk.sector_bytes() as u64
    }

    fn find(&self, place: Place) -> (u32, &table::Partition) {
        self.table.find(place).expect("checked when it was found")
    }

    /// Sees to it that the kernel knows the disk's partitions. Puts the table at the start right for
    /// that, if a power cut tore it.
    pub fn attach(&mut self, watchdogs: &mut Watchdogs) -> Result<(), InitError> {
        if self.copies.primary.is_none() {
            say(format_args!(
                "{}: partition table torn, restored from its copy",
                self.name
            ));
            let disk = self.write_change()?;
            sys::read_partitions_again(&disk).map_err(InitError::during("partition table"))?;
        }
        self.wait_for_partitions(watchdogs)
    }

    /// Waits until the kernel knows the disk's partitions. Writes nothing.
    pub fn wait_for_partitions(&self, watchdogs: &mut Watchdogs) -> Result<(), InitError> {
        let until = Instant::now() + PARTITIONS_WITHIN;
        for place in self.places {
            while let Err(error) = self.device(*place) {
                if Instant::now() > until {
                    return Err(error);
                }
                watchdogs.feed();
                sleep(INIT_TICK);
            }
        }
        Ok(())
    }

    /// Lets the data partition fill the disk and gives a disk that was only flashed GUIDs of its
    /// own; does nothing if that is so.
    pub fn make_own(&mut self) -> Result<(), InitError> {
        let before = self.find(Place::Data).1.sectors();
        let disk = self.write_change()?;
        let (number, data) = self.find(Place::Data);
        if data.sectors() == before {
            return Ok(());
        }
        let bytes = |sectors| sectors * self.disk.sector_bytes() as u64;
        sys::resize_partition(&disk, number, bytes(data.first), bytes(data.sectors()))
            .map_err(InitError::during("data partition"))?;
        let mib = bytes(data.sectors()) >> 20;
        say(format_args!(
            "{}: data partition grown to {mib} MiB",
            self.name
        ));
        Ok(())
    }

    /// Writes what [`table::change()`] says, each step on the disk before the next one begins.
    fn write_change(&mut self) -> Result<File, InitError> {
        let failed = InitError::during("partition table");
        let path = Path::new("/dev").join(&self.name);
        let file = OpenOptions::new().read(true).write(true).open(path);
        let file = file.map_err(&failed)?;
        // Blocks until the kernel's generator has been seeded.
        let mut random = File::open("/dev/random").map_err(&failed)?;
        let mut problem = None;
        let mut fresh = || {
            let mut bytes = [0; 16];
            problem = random.read_exact(&mut bytes).err().or(problem.take());
            Guid::from_random(bytes)
        };
        let Some(change) = table::change(self.disk, &self.copies, &mut fresh) else {
            return Ok(file);
        };
        if let Some(error) = problem {
            return Err(failed(error));
        }
        for write in &change.writes {
            let at = write.sector * self.disk.sector_bytes() as u64;
            file.write_all_at(&write.bytes, at).map_err(&failed)?;
            file.sync_data().map_err(&failed)?;
        }
        self.copies = Copies {
            primary: Some(change.table.clone()),
            backup: Some(change.table.clone()),
        };
        self.table = change.table;
        Ok(file)
    }
}
