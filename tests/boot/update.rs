//! Updates, from the page to a version that proved itself, or back.

mod broken;
mod disk;

use std::time::Duration;

use jumpgate::boot::System;

use crate::support::{Admin, BOOT, Disk, Image, Machine, Setup, Variant};

/// Until a new version has proved itself, or was left: three starts at most, or the time of a trial.
const DECIDED: Duration = Duration::from_secs(900);

/// Flashed, set up, good, and with `update` in the other slot.
fn updated<'disk>(disk: &'disk Disk, setup: &Setup, update: &Variant) -> (Machine<'disk>, Admin) {
    let mut machine = Machine::start(disk, setup);
    let admin = Admin::set_up(&mut machine);
    machine.shows("Serving. ");
    admin.sees(&machine, BOOT, |status| {
        status["blocked"].is_null() && status["phase"].is_object()
    });
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
    let status = admin.sees(&machine, DECIDED, |status| {
        status["history"][0]["what"] == "proved"
    });
    assert_eq!(status["phase"]["phase"], "idle", "{status:#}");
    assert_eq!(machine.times_said("BdsDxe: starting"), 2, "one restart");
    machine.switch_off();
    let environment = disk.environment();
    assert!(environment.is_good(System::B) && environment.is_good(System::A));
    assert_eq!(environment.trial(), None);
}
