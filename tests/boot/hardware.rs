//! Machines that are not as they should be.

use crate::only_nightly;
use crate::support::{Disk, Image, Machine, Setup};

#[test]
fn a_disk_that_is_too_small_is_said_to_be() {
    let disk = Disk::flashed(&Image::under_test());
    let small = Setup {
        gib: 1,
        ..Setup::default()
    };
    let mut machine = Machine::start(&disk, &small);
    machine.says("disk too small: it has 1024 MiB, this image takes");
}

#[test]
fn of_two_disks_with_the_same_image_only_the_booted_one_is_touched() {
    only_nightly!();
    let (disk, other) = (
        Disk::flashed(&Image::under_test()),
        Disk::flashed(&Image::under_test()),
    );
    let before = other.hash();
    let both = Setup {
        qemu: [
            "-drive",
            &format!("if=none,id=other,format=raw,file={}", other.raw().display()),
            "-device",
            "virtio-blk-pci,drive=other",
        ]
        .map(str::to_owned)
        .to_vec(),
        ..Setup::default()
    };
    let mut machine = Machine::start(&disk, &both);
    machine.serves();
    machine.shows("Serving. ");
    machine.unplug();
    assert_eq!(other.hash(), before);
}

#[test]
fn unknown_hardware_runs_with_the_lowest_limits_and_says_so() {
    only_nightly!();
    let disk = Disk::flashed(&Image::under_test());
    let unknown = Setup {
        model: "none",
        ..Setup::default()
    };
    let mut machine = Machine::start(&disk, &unknown);
    machine.serves();
    let screen = machine.shows("Serving. ");
    assert!(
        screen.contains("up to 1,000 active Jump Clients"),
        "{screen}"
    );
    assert!(screen.contains("Unknown hardware"), "{screen}");
}

fn at(time: &str) -> Setup {
    Setup {
        qemu: vec!["-rtc".to_owned(), format!("base={time}")],
        ..Setup::default()
    }
}

#[test]
fn a_clock_at_1970_is_set_to_no_earlier_than_the_build_and_is_said_to_be_a_guess() {
    only_nightly!();
    let disk = Disk::flashed(&Image::under_test());
    // This firmware has no years before 1998, and takes 1970 for 2070.
    for time in ["1999-01-02T00:00:00", "1970-01-02T00:00:00"] {
        let mut machine = Machine::start(&disk, &at(time));
        machine.serves();
        let screen = machine.shows("a guess: the machine's clock was wrong");
        let clock = screen.split_once("Clock").unwrap().1;
        assert!(clock.trim_start().starts_with("202"), "{time}: {screen}");
    }
}

#[test]
fn a_clock_at_2040_poisons_nothing() {
    only_nightly!();
    let disk = Disk::flashed(&Image::under_test());
    let mut machine = Machine::start(&disk, &at("2040-01-01T00:00:00"));
    machine.serves();
    let screen = machine.shows("a guess: the machine's clock was wrong");
    assert!(!screen.contains("2040"), "{screen}");
    machine.shows("Serving. ");
    machine.unplug();
    let mut machine = Machine::start(&disk, &Setup::default());
    machine.serves();
    let screen = machine.shows("Serving. ");
    assert!(!screen.contains("2040"), "{screen}");
    assert!(
        screen.contains("not confirmed by a time server"),
        "{screen}"
    );
}
