//! Updates, from the page to a version that proved itself, or back.

mod broken;
mod disk;

use std::process::Command;

use jumpgate::boot::System;

use crate::support::image::top;
use crate::support::variant::NOTES;
use crate::support::{Admin, DECIDED, Disk, Image, Machine, Setup, Variant, run};

/// Flashed, set up, good, and with `update` in the other slot.
fn updated<'disk>(disk: &'disk Disk, setup: &Setup, update: &Variant) -> (Machine<'disk>, Admin) {
    let mut machine = Machine::start(disk, setup);
    let admin = Admin::set_up(&mut machine);
    machine.shows("Serving. ");
    admin.may_update(&machine);
    let heard = admin.install(&machine, &update.update());
    assert_eq!(heard["done"], true, "{heard}");
    let status = admin.status(&machine);
    assert_eq!(status["phase"]["phase"], "ready", "{status:#}");
    (machine, admin)
}

#[test]
fn an_update_from_the_page_runs_after_one_restart_and_proves_itself() {
    let disk = Disk::flashed(&Image::under_test());
    let newer = Variant::new(&Image::under_test(), 1, |_| {});
    let (mut machine, admin) = updated(&disk, &Setup::default(), &newer);
    admin.restart(&machine);
    machine.says("Slot b: version");
    machine.serves();
    // The session of the browser went on.
    let status = admin.proves(&machine);
    assert_eq!(status["phase"]["phase"], "idle", "{status:#}");
    assert_eq!(machine.times_said("BdsDxe: starting"), 2, "one restart");
    machine.switch_off();
    let environment = disk.environment();
    assert!(environment.is_good(System::B) && environment.is_good(System::A));
    assert_eq!(environment.trial(), None);
}

/// The people of `tests/browser`, in front of this machine: one follows the update, the others are
/// told, sleep through it and come back.
#[test]
fn a_person_follows_an_update_on_the_page_and_everybody_comes_back() {
    let disk = Disk::flashed(&Image::under_test());
    let newer = Variant::new(&Image::under_test(), 1, |_| {});
    let setup = Setup::default();
    let mut machine = Machine::start(&disk, &setup);
    machine.serves();
    let screen = machine.shows("/login/setup");
    let (_, token) = screen.split_once("token=").unwrap();
    let url = format!("https://localhost:{}", machine.https());
    let booted = serde_json::json!({
        "url": url,
        "setupUrl": format!("{url}/login/setup?token={}", &token[..32]),
    });
    let update = serde_json::json!({
        "file": newer.update(),
        "version": newer.version(),
        "notes": NOTES,
    });
    let mut browser = Command::new("node");
    browser
        .current_dir(top().join("tests/browser"))
        // An emulated machine starts twice in it.
        .args(["--test", "--test-timeout=900000", "update.test.mjs"])
        .env("JUMPGATE_BOOTED", booted.to_string())
        .env("JUMPGATE_UPDATE", update.to_string());
    let said = run(&mut browser);
    for figure in said.lines().filter(|line| line.contains(" after a page")) {
        eprintln!("{figure}");
    }
    assert_eq!(machine.times_said("BdsDxe: starting"), 2, "one restart");
}

#[test]
fn an_appliance_of_which_neither_slot_starts_is_updated_from_the_factorys_copy() {
    crate::only_nightly!();
    let disk = Disk::flashed(&Image::under_test());
    let newer = Variant::new(&Image::under_test(), 1, |_| {});
    // The other slot is as the factory left it: empty.
    disk.remove("/jumpgate/a/kernel");
    let (mut machine, admin) = updated(&disk, &Setup::default(), &newer);
    assert_eq!(machine.times_said("Slot r: version"), 1);
    admin.restart(&machine);
    // The boot loader named it before too, when it found no kernel there.
    machine.says_next("Slot a: version");
    machine.serves();
    admin.proves(&machine);
    assert_eq!(machine.times_said("Slot r: version"), 1);
    machine.unplug();
    assert!(disk.environment().is_good(System::A));
}
