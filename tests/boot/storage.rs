//! What is written, damaged or full.

use std::fs;
use std::process::Command;

use jumpgate::boot::table::Place;

use crate::only_nightly;
use crate::support::{Disk, Image, Machine, Setup, page, run};

#[test]
fn data_that_cannot_be_read_stays_as_it_is_and_a_page_says_so() {
    let disk = Disk::flashed(&Image::under_test());
    let (_, size) = disk.place(Place::Data);
    // Neither a file system nor what is left of one.
    let noise = b"not a file system\n".repeat(usize::try_from(size).unwrap() / 18);
    disk.overwrite(Place::Data, 0, &noise);
    let mut machine = Machine::start(&disk, &Setup::default());
    let page = machine.answers(503);
    assert!(
        page.contains("This appliance cannot read its data"),
        "{page}"
    );
    let screen = machine.shows("RESCUE");
    assert!(
        screen.contains("Nothing on the disk was changed"),
        "{screen}"
    );
    let (_, login) = page::get(machine.https(), "/login").unwrap();
    assert!(!login.contains("User name"), "nobody can sign in: {login}");
    machine.unplug();
    assert!(
        disk.starts_with(Place::Data, &noise),
        "nothing was written there"
    );
}

#[test]
fn data_that_was_damaged_is_repaired_and_kept() {
    only_nightly!();
    let disk = Disk::flashed(&Image::under_test());
    let mut machine = Machine::start(&disk, &Setup::default());
    let before = certificate(&machine.shows("Serving. "));
    machine.unplug();
    // The first superblock is gone; there are others.
    disk.overwrite(Place::Data, 1_024, &[0; 1_024]);
    let mut machine = Machine::start(&disk, &Setup::default());
    let screen = machine.shows("Serving. ");
    assert_eq!(certificate(&screen), before);
}

fn certificate(screen: &str) -> String {
    let (_, rest) = screen.split_once("SHA-256").unwrap();
    rest.chars().take(90).collect()
}

#[test]
fn a_full_disk_is_said_on_the_console_and_pages_are_still_served() {
    only_nightly!();
    let disk = Disk::flashed(&Image::under_test());
    let small = Setup {
        gib: 2,
        ..Setup::default()
    };
    let mut machine = Machine::start(&disk, &small);
    machine.shows("Serving. ");
    // In order, since what is still in the journal would be written over it at the next start.
    machine.switch_off();
    fill(&disk);
    let mut machine = Machine::start(&disk, &small);
    machine.serves();
    let screen = machine.shows("Disk The data partition is full");
    assert!(!screen.contains("supervisor:"), "drawn across: {screen}");
}

/// Leaves no free block in the data partition.
fn fill(disk: &Disk) {
    let (start, size) = disk.place(Place::Data);
    let folder = tempfile::tempdir().unwrap();
    let large = folder.path().join("large");
    fs::write(&large, b"full ".repeat(usize::try_from(size).unwrap() / 5)).unwrap();
    let system = format!("{}?offset={start}", disk.raw().display());
    let mut write = Command::new("/sbin/debugfs");
    write.args(["-w", "-R", &format!("write {} large", large.display())]);
    run(write.arg(&system));
    let header = run(Command::new("/sbin/dumpe2fs").args(["-h", &system]));
    let free = header
        .lines()
        .find_map(|line| line.strip_prefix("Free blocks:"));
    assert_eq!(free.map(str::trim), Some("0"));
}
