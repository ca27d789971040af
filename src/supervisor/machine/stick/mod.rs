//! USB sticks that somebody plugged in: for a support bundle to be written to, or with an update on
//! them ([`update`]). Whoever uses one keeps to himself while he does ([`super::life`]).

mod turn;
mod update;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount, umount2};

use crate::domain::Label;
use crate::domain::text::label;
use crate::supervisor::machine::places::{self, Places};

pub(super) use turn::Turn;
pub(super) use update::Updates;

/// File systems that an update may lie on, with what is said to each. A stranger made them: nothing
/// on them is replayed, and none may decide that the machine stops when it finds a fault.
const READ_FROM: [(&str, &str); 3] = [
    ("vfat", "utf8,errors=continue"),
    ("exfat", "errors=continue"),
    ("ext4", "noload,errors=continue"),
];
/// `MS_NOSYMFOLLOW` of mount(2), since Linux 5.10.
const NO_LINKS: MsFlags = MsFlags::from_bits_retain(0x100);

/// Where one may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    /// The partition, or the whole of a stick without any.
    device: PathBuf,
    /// Maker, name and size.
    pub(super) description: Label,
}

/// Everything that hangs on USB and is not the `booted` disk, in the order of the kernel's names.
pub(super) fn candidates(places: &Places, booted: &str) -> Vec<Candidate> {
    let blocks = places.path("sys/block");
    let listed = fs::read_dir(&blocks).into_iter().flatten().flatten();
    let mut names: Vec<String> = listed
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name != booted && is_usb(&blocks.join(name)))
        .collect();
    names.sort();
    let mut found = Vec::new();
    for name in names {
        let block = blocks.join(&name);
        let description = describe(&block);
        let mut parts = partitions(&block);
        if parts.is_empty() {
            parts.push(name);
        }
        found.extend(parts.into_iter().map(|part| Candidate {
            device: places.path("dev").join(part),
            description: description.clone(),
        }));
    }
    found
}

fn is_usb(block: &Path) -> bool {
    let behind = fs::canonicalize(block).unwrap_or_default();
    behind.components().any(|part| {
        let part = part.as_os_str().to_string_lossy();
        part.strip_prefix("usb")
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
    })
}

fn partitions(block: &Path) -> Vec<String> {
    let listed = fs::read_dir(block).into_iter().flatten().flatten();
    let mut parts: Vec<String> = listed
        .filter(|entry| entry.path().join("partition").exists())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    parts.sort();
    parts
}

fn describe(block: &Path) -> Label {
    let word = |name: &str| places::line(&block.join("device").join(name)).unwrap_or_default();
    let sectors: u64 = places::line(&block.join("size"))
        .and_then(|text| text.parse().ok())
        .unwrap_or_default();
    // The kernel counts in 512 bytes whatever the disk does.
    let megabytes = sectors * 512 / 1_000_000;
    let text = format!("{} {} ({megabytes} MB)", word("vendor"), word("model"));
    label(text.trim())
}

/// Does `work` in the root folder of the first candidate with a FAT file system; `None` if none has
/// one.
pub(super) fn with_first<T>(
    places: &Places,
    candidates: &[Candidate],
    work: impl FnOnce(&Path) -> io::Result<T>,
) -> Option<(Label, io::Result<T>)> {
    let at = places.run("stick");
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    fs::create_dir_all(&at).ok()?;
    let found = candidates.iter().find(|candidate| {
        let options = Some("umask=0077,utf8");
        mount(Some(&candidate.device), &at, Some("vfat"), flags, options).is_ok()
    })?;
    let done = work(&at);
    // Everything has to be on the stick when we say so.
    let unmounted = umount(&at).map_err(io::Error::from);
    let done = done.and_then(|value| unmounted.map(|()| value));
    Some((found.description.clone(), done))
}

/// Does `work` in the root folder of `candidate`, of which nothing can be changed or started.
fn read<T>(
    places: &Places,
    candidate: &Candidate,
    work: impl FnOnce(&Path) -> io::Result<T>,
) -> io::Result<T> {
    let at = places.run("stick");
    fs::create_dir_all(&at)?;
    // What somebody who was ended in the middle left there.
    while umount2(&at, MntFlags::MNT_DETACH).is_ok() {}
    mount_to_read(&candidate.device, &at)?;
    let done = work(&at);
    // Of a stick that was pulled out there may be nothing left to unmount in order.
    if umount(&at).is_err() {
        umount2(&at, MntFlags::MNT_DETACH)?;
    }
    done
}

fn mount_to_read(device: &Path, at: &Path) -> io::Result<()> {
    let flags = MsFlags::MS_RDONLY
        | MsFlags::MS_NOSUID
        | MsFlags::MS_NODEV
        | MsFlags::MS_NOEXEC
        | MsFlags::MS_SILENT
        | NO_LINKS;
    let mounted = READ_FROM
        .iter()
        .any(|(kind, options)| mount(Some(device), at, Some(*kind), flags, Some(*options)).is_ok());
    let none = || io::Error::other("no file system that can be read; use FAT");
    mounted.then_some(()).ok_or_else(none)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_hangs_on_usb_and_was_not_booted_is_a_stick() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::below(folder.path());
        for (name, bus, parts) in [
            ("sda", "pci0000:00/ata1", &["sda1"][..]),
            ("sdb", "pci0000:00/usb2/2-1", &["sdb2", "sdb1"]),
            ("sdc", "pci0000:00/usb10/10-1", &[]),
            ("sdd", "pci0000:00/usb1/1-1", &["sdd1"]),
            ("loop0", "virtual", &[]),
        ] {
            let device = places
                .path("sys/devices")
                .join(bus)
                .join("block")
                .join(name);
            fs::create_dir_all(device.join("device")).unwrap();
            fs::write(device.join("device/model"), "Flash Disk  \n").unwrap();
            fs::write(device.join("device/vendor"), "Acme\n").unwrap();
            fs::write(device.join("size"), "15728640\n").unwrap();
            for part in parts {
                fs::create_dir(device.join(part)).unwrap();
                fs::write(device.join(part).join("partition"), "1\n").unwrap();
            }
            let blocks = places.path("sys/block");
            fs::create_dir_all(&blocks).unwrap();
            std::os::unix::fs::symlink(&device, blocks.join(name)).unwrap();
        }
        let found = candidates(&places, "sdd");
        let devices: Vec<_> = found
            .iter()
            .map(|candidate| candidate.device.file_name().unwrap().to_str().unwrap())
            .collect();
        assert_eq!(devices, ["sdb1", "sdb2", "sdc"]);
        assert_eq!(found[0].description, "Acme Flash Disk (8053 MB)");
    }
}
