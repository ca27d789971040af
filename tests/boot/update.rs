//! Updates, from the page to a version that proved itself, or back.

use jumpgate::boot::System;

use crate::support::{Admin, DECIDED, Disk, Image, Machine, Setup, Variant};

/// Flashed, set up, good, and with `update` in the other slot.
fn updated<'disk>(disk: &'disk Disk, update: &Variant) -> (Machine<'disk>, Admin) {
    let mut machine = Machine::start(disk, &Setup::default());
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
    let (mut machine, admin) = updated(&disk, &newer);
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

#[test]
fn an_update_whose_web_side_is_broken_is_left_and_the_page_says_so() {
    crate::only_nightly!();
    let disk = Disk::flashed(&Image::under_test());
    let broken = Variant::new(&Image::under_test(), 1, |root| {
        let web = root.join("usr/lib/jumpgate/programs/web");
        std::fs::copy("/bin/false", web).unwrap();
    });
    let (mut machine, admin) = updated(&disk, &broken);
    admin.restart(&machine);
    machine.says("Slot b: version");
    machine.says("Slot a: version");
    machine.serves();
    let status = admin.sees(&machine, DECIDED, |status| {
        status["history"][0]["what"] == "went_back"
    });
    assert!(machine.times_said("Slot b: version") <= 3);
    let why = status["history"][0]["why"].as_str().unwrap();
    assert!(why.contains("web"), "{why}");
}
