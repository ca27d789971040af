//! The machine's disks as people are offered them, from what kernel and drivers say. Only reads.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::boot::install::{Holds, Offer, plain};
use crate::boot::table::{Disk, Place};
use crate::domain::limits::INSTALL_CHUNK_BYTES;

use super::super::disks::{self, Booted, DISKS};

/// Folders up from a disk to the device that has a serial number: a stick's partition of a target on
/// a host of an interface of a device on the bus.
const ANCESTORS_MAX: usize = 6;

/// All disks but the stick, by name.
pub(super) fn all(stick: &Booted) -> Vec<Offer> {
    let names = disks::names().into_iter();
    names
        .filter(|name| name != stick.name())
        .filter_map(|name| offer(&name))
        .collect()
}

/// `None` for a slot without a card in it.
fn offer(name: &str) -> Option<Offer> {
    let folder = Path::new(DISKS).join(name);
    let number = |file: &str| text(&folder.join(file)).parse::<u64>().ok();
    let bytes = number("size")
        .filter(|sectors| *sectors > 0)?
        .checked_mul(512)?;
    Some(Offer {
        name: plain(name),
        model: model(name, &folder),
        serial: serial(&folder),
        bytes,
        sector_bytes: number("queue/logical_block_size").unwrap_or_default(),
        is_removable: number("removable") != Some(0),
        is_read_only: number("ro") != Some(0),
        holds: holds(name, &folder).unwrap_or(Holds::Unreadable),
    })
}

/// A file of the kernel's, without its end of line; empty if there is none.
fn text(path: &Path) -> String {
    let text = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&text).trim().to_owned()
}

fn model(name: &str, folder: &Path) -> String {
    let of_device = |file: &str| plain(&text(&folder.join("device").join(file)));
    let (vendor, model) = (of_device("vendor"), of_device("model"));
    match (vendor.as_str(), model.as_str()) {
        // A virtio device has a number for a vendor, and no name.
        (_, "") if name.starts_with("vd") => "virtual disk".into(),
        (_, "") => of_device("name"),
        // What the kernel says of every disk on such a cable.
        ("" | "ATA", model) => model.into(),
        (vendor, model) => plain(&format!("{vendor} {model}")),
    }
}

fn serial(folder: &Path) -> String {
    let own = plain(&text(&folder.join("serial")));
    if !own.is_empty() {
        return own;
    }
    // SCSI's page of that name: a header of four bytes, then the text.
    let page = fs::read(folder.join("device/vpd_pg80")).unwrap_or_default();
    let paged = plain(&String::from_utf8_lossy(page.get(4..).unwrap_or_default()));
    if !paged.is_empty() {
        return paged;
    }
    let device = fs::canonicalize(folder.join("device")).unwrap_or_default();
    let devices = device.ancestors().take(ANCESTORS_MAX);
    let serials = devices.map(|device| plain(&text(&device.join("serial"))));
    serials
        .into_iter()
        .find(|serial| !serial.is_empty())
        .unwrap_or_default()
}

fn holds(name: &str, folder: &Path) -> io::Result<Holds> {
    // Whether it can be read at all, and what it begins with.
    let mut start = Vec::new();
    let file = File::open(Path::new("/dev").join(name))?;
    file.take(INSTALL_CHUNK_BYTES as u64)
        .read_to_end(&mut start)?;
    if let Some(disk) = disks::geometry(name)?
        && let Some(ours) = ours(name, disk)
    {
        return Ok(ours);
    }
    let partitions = partitions(folder);
    let names = partitions.iter().map(|partition| partition_name(partition));
    let names: Vec<String> = names.filter(|name| !name.is_empty()).collect();
    Ok(match partitions.len() {
        0 if start.iter().all(|byte| *byte == 0) => Holds::Nothing,
        0 => Holds::Data,
        count => Holds::Partitions { count, names },
    })
}

/// What a disk of ours is.
fn ours(name: &str, disk: Disk) -> Option<Holds> {
    let copies = disks::read_copies(name, disk).ok()?;
    let table = copies.table()?;
    if table.find(Place::Installer).is_ok() {
        return Some(Holds::Stick);
    }
    // The first start gives a disk a random one.
    let is_in_use = table.guid.is_random();
    table.is_ours().then_some(Holds::Appliance { is_in_use })
}

fn partitions(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    folders.retain(|folder| folder.join("partition").exists());
    folders.sort();
    folders
}

fn partition_name(folder: &Path) -> String {
    let text = text(&folder.join("uevent"));
    let name = text.lines().find_map(|line| line.strip_prefix("PARTNAME="));
    plain(name.unwrap_or_default())
}
