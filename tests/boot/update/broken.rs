//! Releases that are signed as they should be, and no good: the version before is back without hands,
//! and says what it knows.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::Duration;

use jumpgate::boot::System;
use jumpgate::domain::limits::TRIES;

use super::{DECIDED, updated};
use crate::only_nightly;
use crate::support::{BOOT, Disk, Image, Setup, Variant};

/// What came of a release that was left.
struct Left {
    /// How often it was started.
    starts: usize,
    /// What the page says about it.
    why: String,
}

/// Installs `broken` by the page, starts it, and waits for the version before. Nobody touches
/// anything meanwhile.
fn tried(broken: &Variant) -> Left {
    tried_on(broken, &Setup::default())
}

fn tried_on(broken: &Variant, setup: &Setup) -> Left {
    let disk = Disk::flashed(&Image::under_test());
    let (mut machine, admin) = updated(&disk, setup, broken);
    let before = machine.times_said("Slot a: version");
    admin.restart(&machine);
    machine.says("Slot b: version");
    machine.until("the version before", DECIDED, |machine| {
        (machine.times_said("Slot a: version") > before).then_some(())
    });
    machine.serves();
    let status = admin.sees(&machine, BOOT, |status| {
        status["history"][0]["what"] == "went_back" && status["blocked"].is_null()
    });
    assert_eq!(status["phase"]["phase"], "idle", "{status:#}");
    let starts = machine.times_said("Slot b: version");
    assert!(starts <= usize::from(TRIES), "{starts} starts");
    // Nobody gets it again without having asked for it.
    let verdict = admin.examine(&machine, &broken.update());
    assert_eq!(verdict["offer"]["failed_before"], true, "{verdict:#}");
    machine.unplug();
    let environment = disk.environment();
    assert!(environment.is_good(System::A));
    assert!(
        environment.trial().is_none() || environment.tries_left(System::B) == 0,
        "the next start goes to the version that is good"
    );
    let why = status["history"][0]["why"].as_str().unwrap().to_owned();
    eprintln!("{starts} starts, then: {why}");
    Left { starts, why }
}

/// A release with another root.
fn with_root(change: impl FnOnce(&Path)) -> Variant {
    Variant::new(&Image::under_test(), 1, change)
}

/// A release made of other parts.
fn with_parts(change: impl FnOnce(&Path)) -> Variant {
    Variant::of_parts(&Image::under_test(), 1, change)
}

#[test]
fn an_unloadable_kernel_costs_no_start() {
    let broken = with_parts(|parts| {
        let path = parts.join("bzImage");
        let kernel = fs::read(&path).unwrap();
        let header = u32::from_le_bytes(kernel[0x3c..0x40].try_into().unwrap());
        let file = fs::File::options().write(true).open(path).unwrap();
        // For another machine, as the firmware reads it (PE/COFF, "Machine": AArch64), and without
        // the word of the boot protocol ("HdrS"): GRUB goes by one of them.
        let machine = u64::from(header) + 4;
        file.write_all_at(&0xaa64_u16.to_le_bytes(), machine)
            .unwrap();
        file.write_all_at(b"????", 0x202).unwrap();
    });
    let left = tried(&broken);
    assert_eq!(left.starts, 1);
    assert!(left.why.starts_with("It did not start"), "{}", left.why);
}

#[test]
fn a_kernel_without_anything_to_start_panics_and_is_left() {
    only_nightly!();
    let left = tried(&with_parts(|parts| {
        fs::write(parts.join("init"), "neither a program nor a script").unwrap();
    }));
    assert!(left.why.starts_with("It did not start"), "{}", left.why);
}

#[test]
fn a_system_that_hangs_is_left_when_the_watchdog_has_had_enough() {
    only_nightly!();
    let left = tried(&with_root(|root| {
        // Nobody feeds the watchdog.
        fs::write(root.join("etc/inittab"), "::sysinit:/bin/mount -a\n").unwrap();
    }));
    assert!(left.why.starts_with("It did not start"), "{}", left.why);
}

#[test]
fn a_root_that_is_not_what_its_description_says_is_never_run() {
    only_nightly!();
    let broken = with_root(|_| {});
    // Of a block that every start reads. The manifest is about the changed root.
    flip(&broken.slot().join("root.img"), 40);
    let left = tried(&broken);
    assert!(left.why.starts_with("It did not start"), "{}", left.why);
}

#[test]
fn a_changed_block_that_nothing_reads_is_found_before_the_version_proves_itself() {
    only_nightly!();
    let noise: Vec<u8> = (0..1_u32 << 18)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes())
        .map(|byte| byte.rotate_left(3) ^ 0x5a)
        .collect();
    let broken = with_root(|root| fs::write(root.join("usr/lib/unread"), &noise).unwrap());
    // Behind everything that a start reads, and not in the hash tree.
    let root = broken.slot().join("root.img");
    let content = fs::read(&root).unwrap();
    let at = content
        .windows(4_096)
        .position(|window| window == &noise[8_192..12_288])
        .expect("noise is not packed");
    flip(&root, at as u64);
    let left = tried(&broken);
    assert!(left.why.contains("system files"), "{}", left.why);
}

fn flip(file: &Path, at: u64) {
    let file = fs::File::options()
        .read(true)
        .write(true)
        .open(file)
        .unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 1], at).unwrap();
}

#[test]
fn a_version_whose_web_side_is_broken_is_left_and_the_page_says_so() {
    only_nightly!();
    let left = tried(&with_root(|root| {
        let web = root.join("usr/lib/jumpgate/programs/web");
        fs::copy("/bin/false", web).unwrap();
    }));
    assert!(left.why.contains("web"), "{}", left.why);
}

#[test]
fn a_version_that_eats_the_disk_is_left() {
    only_nightly!();
    let small = Setup {
        gib: 2,
        ..Setup::default()
    };
    let broken = with_root(|root| {
        let table = root.join("etc/inittab");
        let rest = fs::read_to_string(&table).unwrap();
        // At once, or the watchdog is faster. Without a sign that would need a shell (an equals sign
        // does): there is none.
        let mut eats = String::new();
        for mib in (4..=10).rev().map(|power| 1 << power) {
            let size = mib << 20;
            let _ = writeln!(
                eats,
                "::sysinit:/bin/busybox fallocate -l {size} /data/eaten.{mib}"
            );
        }
        eats += "::sysinit:/bin/busybox cp /dev/zero /data/eaten\n";
        let rest = rest.replacen("::respawn:", &format!("{eats}::respawn:"), 1);
        fs::write(&table, rest).unwrap();
    });
    let left = tried_on(&broken, &small);
    assert!(
        left.why.contains("full") || left.why.contains("no room"),
        "{}",
        left.why
    );
}

#[test]
fn a_version_that_does_not_find_the_network_is_left() {
    only_nightly!();
    let left = tried(&with_root(|root| {
        fs::remove_file(root.join("sbin/udhcpc")).unwrap();
    }));
    assert_eq!(left.starts, 1, "five minutes were enough to know");
    assert!(left.why.contains("network"), "{}", left.why);
}

// One try takes five minutes at most, and the start before and after it.
const _: () = assert!(DECIDED.as_secs() > Duration::from_secs(800).as_secs());
