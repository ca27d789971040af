//! The stick that writes the appliance to a disk.
//!
//! Here the stick is the machine's first disk (`vda`) and what it may write are further ones.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;

use jumpgate::boot::table::Place;

use crate::only_nightly;
use crate::support::{Disk, Image, Machine, Setup, run};

const UNATTENDED: &str = "/jumpgate/install-unattended";
const NOISE: &[u8] = b"somebody's data";

/// A stick; with a file that asks it to install without questions, if there is to be one.
fn stick(unattended: Option<&str>) -> Disk {
    let image = Image::under_test();
    let stick = Disk::flashed(&image);
    let mut copy = Command::new("cp");
    run(copy.arg(image.file("installer.img")).arg(stick.raw()));
    if let Some(text) = unattended {
        stick.write(UNATTENDED, text.as_bytes());
    }
    stick
}

/// A disk of this many MiB with somebody's data at both ends.
fn used(mib: u64) -> Disk {
    let disk = Disk::flashed(&Image::under_test());
    let file = File::create(disk.raw()).unwrap();
    file.set_len(mib << 20).unwrap();
    file.write_all_at(NOISE, 0).unwrap();
    let end = (mib << 20) - NOISE.len() as u64;
    file.write_all_at(NOISE, end).unwrap();
    disk
}

/// A machine with these disks beside the stick: `vdb`, `vdc` and so on, serial numbers `DISK1`,
/// `DISK2`.
fn beside(disks: &[&Disk]) -> Setup {
    let mut qemu = Vec::new();
    for (number, disk) in (1..).zip(disks) {
        let raw = disk.raw();
        let file = raw.display();
        let drive = format!("if=none,id=disk{number},format=raw,cache=unsafe,file={file}");
        let device = format!("virtio-blk-pci,drive=disk{number},serial=DISK{number}");
        qemu.extend(["-drive".into(), drive, "-device".into(), device]);
    }
    Setup {
        qemu,
        ..Setup::default()
    }
}

/// Whether the disk begins with the image's bytes.
fn is_installed(disk: &Path) -> bool {
    let image = Image::under_test().disk();
    let bytes = image.metadata().unwrap().len();
    let mut compare = Command::new("cmp");
    compare.arg("--silent").arg(format!("--bytes={bytes}"));
    compare.arg(image).arg(disk).status().unwrap().success()
}

fn installs(machine: &mut Machine<'_>) {
    machine.says("Writing: 100 %");
    machine.says("Reading back: 100 %");
    machine.says("every byte was read back and compared");
    machine.says("press Enter to restart");
}

/// The serial line is the only thing that this person has.
#[test]
fn a_disk_that_was_confirmed_gets_the_appliance_and_starts_from_it() {
    let (stick, disk) = (stick(None), used(2_048));
    let setup = Setup {
        secure_boot: true,
        ..beside(&[&disk])
    };
    let mut machine = Machine::start(&stick, &setup);
    machine.says("1  vdb, 2.1 GB, virtual disk, serial number DISK1");
    machine.says("holds data without partitions");
    machine.says("Which disk?");
    let before = disk.hash();
    machine.press("2\n");
    machine.says("There is no disk '2'");
    machine.says("Which disk?");
    machine.press("1\n");
    machine.says("Everything on vdb will be erased");
    machine.says("Type yes");
    machine.press("no\n");
    machine.says("Nothing was written");
    assert_eq!(disk.hash(), before);
    machine.says("Which disk?");
    machine.press("1\n");
    machine.says("Type yes");
    machine.press("yes\n");
    installs(&mut machine);
    machine.press("\n");
    machine.says("Restarting");
    machine.unplug();
    assert!(is_installed(&disk.raw()));
    assert!(!disk.holds(NOISE), "the disk's end was erased too");
    let secure = Setup {
        secure_boot: true,
        ..Setup::default()
    };
    Machine::start(&disk, &secure).serves();
}

#[test]
fn a_stick_that_was_told_to_installs_on_the_only_disk_but_never_over_an_appliance_in_use() {
    only_nightly!();
    let disk = used(2_048);
    let stick_for_it = stick(Some("only\r\n"));
    let mut machine = Machine::start(&stick_for_it, &beside(&[&disk]));
    installs(&mut machine);
    assert!(!machine.has_said("Which disk?") && !machine.has_said("Type yes"));
    machine.unplug();
    assert!(is_installed(&disk.raw()));
    let mut machine = Machine::start(&disk, &Setup::default());
    machine.serves();
    machine.unplug();
    let before = disk.hash();
    let stick_for_any = stick(Some(""));
    let mut machine = Machine::start(&stick_for_any, &beside(&[&disk]));
    machine.says("Not installed unattended: disk vdb holds an appliance in use");
    machine.says("No disk was touched");
    machine.says("Which disk?");
    machine.unplug();
    assert_eq!(disk.hash(), before);
}

#[test]
fn of_two_disks_the_one_with_the_serial_number_is_written_and_without_one_none() {
    only_nightly!();
    let disks = [used(2_048), used(2_048)];
    let before = [disks[0].hash(), disks[1].hash()];
    let setup = beside(&[&disks[0], &disks[1]]);
    let stick_for_any = stick(Some(""));
    let mut machine = Machine::start(&stick_for_any, &setup);
    machine.says("Not installed unattended: disks vdb, vdc can all take the appliance");
    machine.says("Which disk?");
    machine.unplug();
    assert_eq!([disks[0].hash(), disks[1].hash()], before);
    let stick_for_one = stick(Some("DISK2\n"));
    let mut machine = Machine::start(&stick_for_one, &setup);
    installs(&mut machine);
    machine.unplug();
    assert_eq!(disks[0].hash(), before[0]);
    assert!(is_installed(&disks[1].raw()));
}

#[test]
fn a_disk_that_is_too_small_and_a_second_stick_are_left_alone() {
    only_nightly!();
    let (small, second) = (used(512), stick(None));
    let before = [small.hash(), second.hash()];
    let stick = stick(Some(""));
    let mut machine = Machine::start(&stick, &beside(&[&small, &second]));
    machine.says("Not installed unattended: no disk of this machine can take the appliance");
    machine.says("cannot be used: too small: the appliance takes 1.2 GB");
    machine.says("cannot be used: an installation stick");
    machine.says("No disk of this machine can take the appliance. Attach one");
    machine.press("\n");
    // And anew.
    machine.says("Jumpgate installation: version");
    machine.unplug();
    assert_eq!([small.hash(), second.hash()], before);
}

#[test]
fn a_stick_without_any_disk_beside_it_says_so() {
    only_nightly!();
    let stick = stick(None);
    let mut machine = Machine::start(&stick, &Setup::default());
    machine.says("Disks of this machine, other than the stick");
    machine.says("none");
    machine.says("No disk of this machine can take the appliance. Attach one");
}

#[test]
fn a_stick_with_a_flipped_bit_touches_no_disk() {
    let disk = used(2_048);
    let before = disk.hash();
    let stick = stick(Some(""));
    stick.flip(Place::Installer, 20 << 20);
    let mut machine = Machine::start(&stick, &beside(&[&disk]));
    machine.says("This stick is damaged or was changed");
    machine.says("No disk was touched");
    machine.unplug();
    assert_eq!(disk.hash(), before);
}

#[test]
fn a_disk_that_cannot_be_written_is_named_and_does_not_start() {
    only_nightly!();
    let disk = used(2_048);
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules");
    let text = "[inject-error]\nevent = \"pwritev\"\nerrno = \"5\"\nsector = \"409600\"\n";
    std::fs::write(&rules, text).unwrap();
    let file = format!("blkdebug:{}:{}", rules.display(), disk.raw().display());
    let drive = format!("if=none,id=disk1,format=raw,werror=report,file={file}");
    let device = "virtio-blk-pci,drive=disk1".into();
    let setup = Setup {
        qemu: vec!["-drive".into(), drive, "-device".into(), device],
        ..Setup::default()
    };
    let stick = stick(Some(""));
    let mut machine = Machine::start(&stick, &setup);
    machine.says("Disk vdb cannot be written, at MiB 200");
    machine.says("Nothing is installed: the disk was erased and does not start");
    machine.unplug();
    let mut start = vec![0xff; 1 << 20];
    let file = File::open(disk.raw()).unwrap();
    file.read_exact_at(&mut start, 0).unwrap();
    assert!(start.iter().all(|byte| *byte == 0), "no partition table");
}
