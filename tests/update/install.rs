//! From a file to a slot that is marked to be tried.

use std::fs;
use std::io::Write as _;

use jumpgate::boot::System;
use jumpgate::control::machine::Health;
use jumpgate::control::update::{Accept, Phase, Reply, Request, What, When, Who};
use jumpgate::control::wire;
use jumpgate::domain::limits::{TRIES, UPDATE_RESTART_NOTICE};

use crate::appliance::{Appliance, PARTITION};
use crate::vendor::{Vendor, Version, payload_at};

const NOTHING: Accept = Accept {
    older: false,
    expired: false,
};

/// Asserts that slot B holds `file` whole, and is marked to be tried.
pub fn holds(appliance: &Appliance, file: &[u8]) {
    let payload = &file[payload_at(file)..];
    let root = fs::read(appliance.partition(System::B)).unwrap();
    let mut at = usize::try_from(Version::new(6).verity().bytes()).unwrap();
    assert!(root[..at] == payload[..at], "the root");
    for name in [
        "initramfs",
        "initramfs.sig",
        "kernel",
        "kernel.sig",
        "slot.cfg.sig",
        "slot.cfg",
    ] {
        let found = fs::read(appliance.boot_file(System::B, name)).unwrap();
        assert!(found == payload[at..at + found.len()], "{name}");
        at += found.len();
    }
    assert_eq!(at, payload.len());
    let environment = appliance.environment();
    assert_eq!(environment.trial(), Some(System::B));
    assert_eq!(environment.tries_left(System::B), TRIES);
    assert!(environment.is_good(System::A) && !environment.is_good(System::B));
}

#[test]
fn an_update_that_is_handed_in_is_in_the_other_slot_marked_to_be_tried_and_on_record() {
    let vendor = Vendor::new();
    let appliance = Appliance::new(&vendor);
    let file = vendor.make(&Version::new(6));
    let verdict = appliance.examine(&file).unwrap();
    assert_eq!(verdict.offer.version.as_str(), "0.6.0");
    assert_eq!((verdict.needs, verdict.refused), (NOTHING, None));
    assert_eq!(verdict.offer.notes, "Faster.\nSafer.\n");
    let before = fs::read(appliance.partition(System::A)).unwrap();
    appliance.install(&file, NOTHING).unwrap();
    holds(&appliance, &file);
    assert!(before == fs::read(appliance.partition(System::A)).unwrap());
    let status = appliance.status();
    assert!(
        matches!(&status.phase, Phase::Ready { version, slot: System::B, .. } if version == "0.6.0")
    );
    let recorded: Vec<_> = appliance.audit.try_iter().collect();
    assert_eq!(
        recorded.iter().map(|row| row.what).collect::<Vec<_>>(),
        [What::Began, What::Ready]
    );
    assert_eq!(recorded[1].keys.len(), 1);
    assert!(recorded[1].manifest.is_some());
}

#[test]
fn a_version_that_proved_itself_and_one_that_did_not_are_told_apart() {
    let vendor = Vendor::new();
    let appliance = Appliance::new(&vendor);
    let file = vendor.make(&Version::new(6));
    appliance.install(&file, NOTHING).unwrap();
    // It was tried and left: slot A runs in another boot.
    appliance.boots(2);
    let status = appliance.status();
    assert_eq!(status.phase, Phase::Idle);
    assert_eq!(status.history[0].what, What::WentBack);
    // It had tries left, as one that could not even be loaded has: they are gone.
    let environment = appliance.environment();
    assert_eq!(environment.trial(), None);
    assert_eq!(environment.tries_left(System::B), 0);
    assert!(appliance.examine(&file).unwrap().offer.failed_before);
    // Somebody has it tried again, and now it runs.
    appliance.install(&file, NOTHING).unwrap();
    appliance.boots(3);
    appliance.runs(System::B, Health::Serving);
    let status = appliance.status();
    assert!(
        matches!(status.phase, Phase::Proving { .. }),
        "{:?}",
        status.phase
    );
    assert!(status.blocked.is_some());
    appliance.runs(System::B, Health::Good);
    let status = appliance.status();
    assert_eq!(
        (status.phase, status.history[0].what),
        (Phase::Idle, What::Proved)
    );
}

#[test]
fn an_update_that_breaks_off_anywhere_is_taken_up_again_and_the_running_slot_stays() {
    let vendor = Vendor::new();
    let appliance = Appliance::new(&vendor);
    let file = vendor.make(&Version::new(6));
    let payload = payload_at(&file);
    let before = fs::read(appliance.partition(System::A)).unwrap();
    for cut in [
        0,
        1,
        15,
        60,
        payload - 1,
        payload,
        payload + 1,
        payload + 1_500_000,
        file.len() - 1,
    ] {
        let why = appliance.breaks_off(&file, cut);
        let said = if cut < payload {
            "the file did not arrive"
        } else {
            "the update broke off after"
        };
        assert!(why.starts_with(said), "{cut}: {why}");
        assert_eq!(appliance.environment().trial(), None, "{cut}");
        assert!(!appliance.boot_file(System::B, "slot.cfg").exists());
    }
    appliance.install(&file, NOTHING).unwrap();
    holds(&appliance, &file);
    assert!(before == fs::read(appliance.partition(System::A)).unwrap());
}

#[test]
fn a_damaged_payload_is_refused_with_where_it_is_damaged() {
    let vendor = Vendor::new();
    let appliance = Appliance::new(&vendor);
    let mut file = vendor.make(&Version::new(6));
    let payload = payload_at(&file);
    file[payload + 1_100_000] ^= 1;
    let why = appliance.install(&file, NOTHING).unwrap_err();
    assert_eq!(
        why,
        "the update is damaged at byte 1048576 of its payload. Get it again"
    );
    assert_eq!(appliance.environment().trial(), None);
    let last = appliance.audit.try_iter().last().unwrap();
    assert_eq!(
        (last.what, last.why.unwrap().as_str()),
        (What::Stopped, why.as_str())
    );
}

#[test]
fn a_second_update_while_one_comes_in_is_refused() {
    let vendor = Vendor::new();
    let appliance = Appliance::new(&vendor);
    let file = vendor.make(&Version::new(6));
    let mut first = appliance.connect();
    let request = Request::Install {
        who: Who::default(),
        bytes: file.len() as u64,
        accept: NOTHING,
    };
    wire::write(&mut first, &request).unwrap();
    let half = file.len() / 2;
    first.write_all(&file[..half]).unwrap();
    // The status says so as soon as it is so.
    while appliance.status().phase == Phase::Idle {
        std::thread::yield_now();
    }
    let why = appliance.install(&file, NOTHING).unwrap_err();
    assert_eq!(
        why,
        "another update is being looked for or installed; wait until that is done"
    );
    first.write_all(&file[half..]).unwrap();
    assert!(matches!(wire::read(&mut first).unwrap(), Some(Reply::Done)));
    holds(&appliance, &file);
    let why = appliance.install(&file, NOTHING).unwrap_err();
    assert!(why.starts_with("A version is ready already"), "{why}");
}

#[test]
fn a_slot_smaller_than_the_image_is_named_and_nothing_is_written() {
    let vendor = Vendor::new();
    let appliance = Appliance::new(&vendor);
    let partition = appliance.partition(System::B);
    fs::write(&partition, vec![0; PARTITION / 8]).unwrap();
    let before = appliance.disk();
    let why = appliance
        .install(&vendor.make(&Version::new(6)), NOTHING)
        .unwrap_err();
    assert!(
        why.starts_with("the place for a new version has 524288 bytes, this one needs"),
        "{why}"
    );
    assert!(before == appliance.disk());
}

#[test]
fn while_the_running_version_has_not_proved_itself_nothing_is_written() {
    let vendor = Vendor::new();
    let appliance = Appliance::new(&vendor);
    let before = appliance.disk();
    for health in [Health::Starting, Health::Serving] {
        appliance.runs(System::A, health);
        let why = appliance
            .install(&vendor.make(&Version::new(6)), NOTHING)
            .unwrap_err();
        assert!(
            why.starts_with("The running version has not proved itself yet"),
            "{why}"
        );
    }
    assert!(before == appliance.disk());
}

#[test]
fn people_are_told_before_a_restart_and_when_it_does_not_come_after_all() {
    let vendor = Vendor::new();
    let appliance = Appliance::new(&vendor);
    appliance
        .install(&vendor.make(&Version::new(6)), NOTHING)
        .unwrap();
    assert_eq!(appliance.announced.try_iter().count(), 0);
    let decide = |when| {
        let who = Who::default();
        let decided = appliance.ask(&Request::Restart { who, when }, &[]);
        assert!(matches!(decided, Reply::Done), "{decided:?}");
        appliance.announced.try_iter().collect::<Vec<_>>()
    };
    let asked = now();
    let told = decide(When::Now);
    let [Some(restart)] = *told else {
        panic!("{told:?}");
    };
    let notice = i64::try_from(UPDATE_RESTART_NOTICE.as_millis()).unwrap();
    assert!((asked + notice..=now() + notice).contains(&restart.0));
    // The page says the same.
    assert!(matches!(
        appliance.status().phase,
        Phase::Ready { restart: Some(at), .. } if at == restart
    ));
    assert_eq!(decide(When::Later), [None]);
    assert_eq!(decide(When::Later), []);
}

fn now() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap();
    i64::try_from(since.as_millis()).unwrap()
}
