//! The plug is pulled.

use std::thread;
use std::time::{Duration, SystemTime};

use jumpgate::boot::System;

use crate::nightly;
use crate::support::{BOOT, Disk, Image, Machine, Setup};

/// From the kernel's first line to a page, with some room.
const FIRST_BOOT: Duration = Duration::from_secs(35);

#[test]
fn power_pulled_at_any_moment_of_the_first_boot_leaves_an_appliance_that_comes_up_whole() {
    let times = if nightly() { 20 } else { 3 };
    for _ in 0..times {
        let disk = Disk::flashed(&Image::under_test());
        let mut machine = Machine::start(&disk, &Setup::default());
        machine.says("Slot a: version");
        let wait = any_moment_of(FIRST_BOOT);
        eprintln!("pulled {wait:?} after the boot loader has chosen");
        // This wait is what is tested, not a wait for anything.
        thread::sleep(wait);
        machine.unplug();

        let mut machine = Machine::start(&disk, &Setup::default());
        machine.serves();
        let screen = machine.shows("Serving. ");
        for trouble in ["damaged", "cannot be read", "rescue", "RECOVERY"] {
            assert!(!screen.contains(trouble), "{wait:?}: {screen}");
        }
        assert!(screen.contains("slot A"), "{wait:?}: {screen}");
        assert!(screen.contains("/login/setup"), "{wait:?}: {screen}");
        machine.unplug();
        // Proved, with all its tries.
        let environment = disk.environment();
        assert!(environment.is_good(System::A));
        assert_eq!(environment.tries_left(System::A), 3);
    }
}

fn any_moment_of(span: Duration) -> Duration {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    // The clock's smallest digits: nobody chose them.
    span * (now.unwrap().subsec_nanos() / 100 % 1_000) / 1_000
}

#[test]
fn a_shut_down_by_the_power_button_is_in_order() {
    let disk = Disk::flashed(&Image::under_test());
    let mut machine = Machine::start(&disk, &Setup::default());
    machine.shows("Serving. ");
    // QEMU's monitor shares the line: Ctrl-A C goes there.
    machine.press("\x01csystem_powerdown\n");
    let off = machine.until("off", BOOT, Machine::ended);
    assert!(off.success());
    // Nothing was left to replay.
    assert!(disk.is_clean(jumpgate::boot::table::Place::Data));
    assert!(disk.is_clean(jumpgate::boot::table::Place::State));
}
