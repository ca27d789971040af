//! Disks that fail, are too small or full, and transfers that break off: said in words, and the slot
//! that runs stays as it is.

use std::fs::{self, File};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::{FileExt as _, symlink};

use jumpgate::boot::System;
use jumpgate::control::update::{Accept, Phase, What};
use jumpgate::esp::Esp;
use jumpgate::update::bundle::{HEADER_BYTES, Header, Metadata};
use jumpgate::update::manifest::Manifest;
use jumpgate::update::write::slot::{Incoming, Places, SlotError};
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};

use crate::appliance::{Appliance, PARTITION};
use crate::vendor::{Vendor, Version, payload_at};

/// A partition that can be read and takes no byte: the kernel refuses each write.
fn refuses_writes(appliance: &Appliance, system: System) -> OwnedFd {
    let memory = memfd_create(c"partition", MFdFlags::MFD_ALLOW_SEALING).unwrap();
    let file = File::from(memory);
    file.set_len(PARTITION as u64).unwrap();
    fcntl(&file, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_WRITE)).unwrap();
    let path = appliance.partition(system);
    fs::remove_file(&path).unwrap();
    symlink(
        format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd()),
        path,
    )
    .unwrap();
    file.into()
}

#[test]
fn a_disk_that_does_not_take_the_version_is_named_and_nothing_is_startable() {
    let vendor = Vendor::new();
    let appliance = Appliance::new(&vendor);
    let running = fs::read(appliance.partition(System::A)).unwrap();
    let _partition = refuses_writes(&appliance, System::B);
    let file = vendor.make(&Version::new(6));
    let why = appliance.install(&file, Accept::default()).unwrap_err();
    assert!(
        why.starts_with("the disk failed when it was written: Operation not permitted"),
        "{why}"
    );
    assert!(
        why.ends_with("The running version is untouched; replace the disk"),
        "{why}"
    );
    assert_eq!(appliance.environment().trial(), None);
    assert!(!appliance.boot_file(System::B, "slot.cfg").exists());
    assert!(running == fs::read(appliance.partition(System::A)).unwrap());
    // The page says so later as well, and the record has it.
    let status = appliance.status();
    assert_eq!(status.phase, Phase::Idle);
    assert_eq!(status.history[0].what, What::Stopped);
    assert_eq!(status.history[0].why.as_ref().unwrap().as_str(), why);
    let recorded: Vec<What> = appliance.audit.try_iter().map(|row| row.what).collect();
    assert_eq!(recorded, [What::Began, What::Stopped]);
    // With another disk it goes on.
    let path = appliance.partition(System::B);
    fs::remove_file(&path).unwrap();
    fs::write(&path, vec![0; PARTITION]).unwrap();
    appliance.install(&file, Accept::default()).unwrap();
    assert_eq!(appliance.environment().trial(), Some(System::B));
}

#[test]
fn without_room_for_a_backup_nothing_is_written_and_the_reason_is_said() {
    let vendor = Vendor::new();
    let appliance = Appliance::new(&vendor);
    let full = "there is no room for backups/before-0.6.0.db: 40960 bytes are needed";
    appliance.cannot_back_up(full);
    let before = appliance.disk();
    let file = vendor.make(&Version::new(6));
    let why = appliance.install(&file, Accept::default()).unwrap_err();
    assert_eq!(
        why,
        format!("There is no backup, so nothing was written: {full}")
    );
    assert!(before == appliance.disk(), "something was written");
}

#[test]
fn what_has_arrived_is_not_asked_for_again() {
    let vendor = Vendor::new();
    let appliance = Appliance::new(&vendor);
    let file = vendor.make(&Version::new(6));
    let manifest = manifest(&file);
    let chunks: Vec<_> = manifest.chunks().collect();
    // Cut inside each chunk in turn: every one before it is there.
    for (number, chunk) in chunks.iter().enumerate() {
        let cut = payload_at(&file) + usize::try_from(chunk.at).unwrap() + chunk.bytes / 2;
        appliance.breaks_off(&file, cut);
        let missing = missing(&appliance, &manifest);
        let expected: Vec<u32> = (0..).zip(&chunks).skip(number).map(|(n, _)| n).collect();
        assert_eq!(missing, expected, "cut in chunk {number}");
        if number + 3 > chunks.len() {
            // The description comes last, and is kept in memory until everything is compared.
            break;
        }
    }
}

#[test]
fn what_reads_back_different_or_not_at_all_is_never_startable() {
    let vendor = Vendor::new();
    let file = vendor.make(&Version::new(6));
    for damage in ["changed", "gone"] {
        let appliance = Appliance::new(&vendor);
        let running = fs::read(appliance.partition(System::A)).unwrap();
        let error = read_back_after(&appliance, &file, damage);
        match (damage, error) {
            ("changed", SlotError::ReadBack { at, .. }) => assert_eq!(at, 1 << 20),
            ("gone", SlotError::Disk { what, .. }) => assert_eq!(what, "when it was read back"),
            (_, error) => panic!("{damage}: {error}"),
        }
        assert!(
            !appliance.boot_file(System::B, "slot.cfg").exists(),
            "{damage}"
        );
        assert_eq!(appliance.environment().trial(), None);
        assert!(running == fs::read(appliance.partition(System::A)).unwrap());
    }
}

/// Puts everything in its place, then something happens to the disk, then it is read back.
fn read_back_after(appliance: &Appliance, file: &[u8], damage: &str) -> SlotError {
    let manifest = manifest(file);
    let payload = &file[payload_at(file)..];
    tokio_uring::start(async {
        let mut incoming = Incoming::open(places(appliance), manifest.clone())
            .await
            .unwrap();
        for (number, chunk) in (0..).zip(manifest.chunks()) {
            let at = usize::try_from(chunk.at).unwrap();
            let mut buffer = incoming.buffer();
            buffer.resize(chunk.bytes).unwrap();
            let bytes = &payload[at..at + chunk.bytes];
            buffer.bytes_mut().copy_from_slice(bytes);
            incoming.put(number, buffer).await.unwrap();
        }
        incoming.settle().await.unwrap();
        let partition = File::options()
            .write(true)
            .open(appliance.partition(System::B));
        let partition = partition.unwrap();
        match damage {
            "changed" => partition.write_all_at(b"?", (1 << 20) + 77).unwrap(),
            _ => partition.set_len(1 << 20).unwrap(),
        }
        incoming.finish(1, async |_| {}).await.unwrap_err()
    })
}

/// What an install that begins now would ask for.
fn missing(appliance: &Appliance, manifest: &Manifest) -> Vec<u32> {
    tokio_uring::start(async {
        let incoming = Incoming::open(places(appliance), manifest.clone())
            .await
            .unwrap();
        incoming.missing().await.unwrap()
    })
}

fn places(appliance: &Appliance) -> Places {
    Places {
        system: System::B,
        root: appliance.partition(System::B),
        esp: Esp {
            device: None,
            at: appliance.esp(),
            turn: appliance.esp().with_file_name("turn"),
        },
    }
}

fn manifest(file: &[u8]) -> Manifest {
    let header = Header::decode(file[..HEADER_BYTES].try_into().unwrap()).unwrap();
    let metadata = Metadata::decode(header, &file[HEADER_BYTES..payload_at(file)]).unwrap();
    Manifest::decode(metadata.file("manifest.json").unwrap()).unwrap()
}
