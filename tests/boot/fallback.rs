//! Slots that cannot be started, or that start and are no good.

use std::fs;
use std::path::Path;
use std::process::Command;

use jumpgate::boot::System;
use jumpgate::boot::table::Place;
use jumpgate::domain::limits::{HEALTHY_WITHIN, TRIES};

use crate::only_nightly;
use crate::support::image::top;
use crate::support::{BOOT, Disk, Image, Machine, Setup, Variant, run};

/// A disk whose slot A has proved itself, with a newer version in slot B as an update leaves it.
fn updated(change: impl FnOnce(&Path)) -> Disk {
    let image = Image::under_test();
    let disk = Disk::flashed(&image);
    let newer = Variant::new(&image, 1, change);
    disk.install(System::B, &newer.slot());
    disk.set_environment(&[
        ("a_left", "3"),
        ("a_good", "1"),
        ("b_left", "3"),
        ("trial", "b"),
    ]);
    disk
}

/// The other slot serves, and nobody has touched anything.
fn falls_back(machine: &mut Machine<'_>) {
    machine.says("Slot a: version");
    machine.serves();
    let screen = machine.shows("Serving. ");
    assert!(screen.contains("slot A"), "{screen}");
}

#[test]
fn a_newer_version_that_is_fine_is_started_and_proves_itself() {
    only_nightly!();
    let disk = updated(|_| {});
    let mut machine = Machine::start(&disk, &Setup::default());
    machine.says("Slot b: version");
    machine.serves();
    let screen = machine.shows("Serving. ");
    assert!(screen.contains("slot B"), "{screen}");
    machine.unplug();
    let environment = disk.environment();
    assert!(environment.is_good(System::B));
    assert_eq!(environment.tries_left(System::B), 3);
    assert_eq!(environment.trial(), None, "the trial is over");
}

#[test]
fn what_is_not_signed_as_it_is_gives_way_to_the_other_slot_within_the_same_start() {
    let names = ["slot.cfg", "kernel", "initramfs"];
    // Any of them in the nightly run, one of them otherwise.
    let names = if crate::nightly() {
        &names[..]
    } else {
        &names[..1]
    };
    for name in names {
        let disk = updated(|_| {});
        disk.flip_file(&format!("/jumpgate/b/{name}"));
        let secure = Setup {
            secure_boot: true,
            ..Setup::default()
        };
        let mut machine = Machine::start(&disk, &secure);
        falls_back(&mut machine);
        assert_eq!(
            machine.times_said("BdsDxe: starting"),
            1,
            "{name}: one start"
        );
        assert!(!machine.has_said("Linux version"), "{name}");
    }
}

#[test]
fn one_flipped_bit_of_the_root_restarts_the_machine_and_then_the_other_slot_serves() {
    let disk = updated(|_| {});
    // Of a block that every start reads: the file system's own description.
    disk.flip(Place::B, 40);
    let tries = if crate::nightly() { 3 } else { 1 };
    disk.set_environment(&[("b_left", &tries.to_string())]);
    let mut machine = Machine::start(&disk, &Setup::default());
    machine.says("Slot b: version");
    falls_back(&mut machine);
    assert_eq!(machine.times_said("Slot b: version"), tries);
    assert!(
        machine.has_said("is corrupted"),
        "the kernel names the block"
    );
    machine.unplug();
    assert_eq!(disk.environment().tries_left(System::B), 0);
}

#[test]
fn a_kernel_that_panics_gives_way_to_the_other_slot() {
    let disk = updated(|_| {});
    // Signed, but without anything to start: the kernel finds no root and gives up.
    let (archive, signature) = signed_nothing(&Image::keys());
    disk.write("/jumpgate/b/initramfs", &archive);
    disk.write("/jumpgate/b/initramfs.sig", &signature);
    let tries = if crate::nightly() { 3 } else { 1 };
    disk.set_environment(&[("b_left", &tries.to_string())]);
    let mut machine = Machine::start(&disk, &Setup::default());
    machine.says("Slot b: version");
    machine.says("Kernel panic");
    falls_back(&mut machine);
    assert_eq!(machine.times_said("Kernel panic"), tries);
}

/// An archive without files, and the boot key's signature.
fn signed_nothing(keys: &Path) -> (Vec<u8>, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let script = "export GNUPGHOME=$1 JUMPGATE_BUILT=$(date +%s); \
                  gpg --quiet --batch --import \"$2/boot.key\" 2>/dev/null; \
                  source board/common/slot.sh; \
                  cpio --quiet --create --format=newc </dev/null >\"$1/nothing\"; \
                  sign_for_loader \"$1/nothing\"; gpgconf --kill all";
    let mut sign = Command::new("bash");
    sign.current_dir(top())
        .args(["-euc", script, "sign"])
        .arg(folder.path())
        .arg(keys);
    run(&mut sign);
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    (read("nothing"), read("nothing.sig"))
}

#[test]
fn a_system_that_hangs_is_restarted_by_the_watchdog_until_the_other_slot_serves() {
    only_nightly!();
    let disk = updated(|root| {
        // Nobody feeds the watchdog.
        fs::write(root.join("etc/inittab"), "::sysinit:/bin/mount -a\n").unwrap();
    });
    disk.set_environment(&[("b_left", "1")]);
    let mut machine = Machine::start(&disk, &Setup::default());
    machine.says("Slot b: version");
    falls_back(&mut machine);
}

#[test]
fn a_version_whose_programs_keep_crashing_uses_up_its_tries_and_the_other_slot_serves() {
    only_nightly!();
    let disk = updated(|root| {
        let web = root.join("usr/lib/jumpgate/programs/web");
        fs::remove_file(&web).unwrap();
        // A program of the image that ends at once when it is started like this.
        fs::copy(root.join("sbin/e2fsck"), &web).unwrap();
    });
    let mut machine = Machine::start(&disk, &Setup::default());
    for _ in 0..TRIES {
        machine.says("Slot b: version");
    }
    falls_back(&mut machine);
    let tries = machine.times_said("Slot b: version");
    assert_eq!(tries, usize::from(TRIES));
    assert!(
        !machine.has_said("Kernel panic"),
        "nobody else restarted it"
    );
    machine.unplug();
    let environment = disk.environment();
    assert!(!environment.is_good(System::B));
    assert_eq!(environment.tries_left(System::B), 0);
}

#[test]
fn without_the_boot_environment_the_newest_good_slot_is_started() {
    only_nightly!();
    for damage in ["lost", "torn"] {
        let disk = updated(|_| {});
        disk.write("/jumpgate/a/good", b"");
        match damage {
            "lost" => disk.remove("/jumpgate/env"),
            _ => disk.write("/jumpgate/env", b"# GRUB Environment Bl"),
        }
        let mut machine = Machine::start(&disk, &Setup::default());
        machine.says("The boot environment is lost");
        falls_back(&mut machine);
        machine.unplug();
        assert!(disk.environment().is_good(System::A), "{damage}: made anew");
    }
}

#[test]
fn when_both_slots_are_exhausted_the_factorys_copy_serves() {
    only_nightly!();
    let disk = updated(|_| {});
    disk.set_environment(&[("a_left", "0"), ("b_left", "0")]);
    let mut machine = Machine::start(&disk, &Setup::default());
    machine.says("Slot b: no tries left");
    machine.says("Slot r: version");
    machine.serves();
    machine.shows("RECOVERY");
    machine.unplug();
    // Whoever restarts it gets the version that was good, if that is any better now.
    let mut machine = Machine::start(&disk, &Setup::default());
    falls_back(&mut machine);
    machine.unplug();
    assert_eq!(disk.environment().tries_left(System::A), 3);
}

#[test]
fn starts_are_counted_without_the_boot_environment_too() {
    only_nightly!();
    let disk = updated(|_| {});
    disk.write("/jumpgate/a/good", b"");
    disk.remove("/jumpgate/env");
    disk.flip(Place::A, 40);
    let mut machine = Machine::start(&disk, &Setup::default());
    machine.says("The boot environment is lost");
    machine.says("Slot b: version");
    machine.serves();
    assert_eq!(machine.times_said("Slot a: version"), usize::from(TRIES));
    let screen = machine.shows("Serving. ");
    assert!(screen.contains("slot B"), "{screen}");
    machine.unplug();
    assert!(disk.environment().is_good(System::B), "made anew");
}

#[test]
fn a_version_that_runs_but_serves_no_page_gives_way_to_the_other_slot() {
    only_nightly!();
    let disk = updated(|root| {
        // Everything starts; what asks for a page, and the console, do not.
        fs::remove_file(root.join("usr/lib/jumpgate/programs/appliancectl")).unwrap();
    });
    disk.set_environment(&[("b_left", "1")]);
    let mut machine = Machine::start(&disk, &Setup::default());
    machine.says("Slot b: version");
    machine.until("the next start", HEALTHY_WITHIN + 2 * BOOT, |machine| {
        machine.has_said("Slot a: version").then_some(())
    });
    falls_back(&mut machine);
}
