//! Whom an appliance believes, and what it asks a person about.

use jumpgate::control::update::Accept;

use crate::appliance::{Appliance, RUNNING};
use crate::vendor::{Vendor, Version};

const NOTHING: Accept = Accept {
    older: false,
    expired: false,
};
const OLDER: Accept = Accept {
    older: true,
    expired: false,
};

#[test]
fn an_older_version_is_installed_only_after_somebody_confirmed_that() {
    let vendor = Vendor::new();
    for sequence in [RUNNING - 1, RUNNING] {
        let appliance = Appliance::new(&vendor);
        let before = appliance.disk();
        let file = vendor.make(&Version::new(sequence));
        assert_eq!(appliance.examine(&file).unwrap().needs, OLDER);
        let why = appliance.install(&file, NOTHING).unwrap_err();
        assert!(why.contains("is not newer than the running one"), "{why}");
        assert!(before == appliance.disk());
        appliance.install(&file, OLDER).unwrap();
    }
}

#[test]
fn metadata_older_than_what_is_known_is_believed_only_after_somebody_confirmed_that() {
    let vendor = Vendor::new();
    let appliance = Appliance::new(&vendor);
    let old = vendor.make(&Version::new(6));
    let new = vendor.make(&Version::new(7));
    appliance.install(&new, NOTHING).unwrap();
    appliance.boots(2);
    appliance.status();
    assert_eq!(appliance.examine(&old).unwrap().needs, OLDER);
    assert!(appliance.install(&old, NOTHING).is_err());
    appliance.install(&old, OLDER).unwrap();
}

#[test]
fn what_no_confirmation_helps_against_is_said_in_words() {
    let vendor = Vendor::new();
    let appliance = Appliance::new(&vendor);
    let before = appliance.disk();
    let everything = Accept {
        older: true,
        expired: true,
    };
    let new = Version::new(6);
    for (version, said) in [
        (
            Version {
                model: "b400",
                ..new.clone()
            },
            "This update is for the model B400; this appliance is a B200. Get the one for B200.",
        ),
        (
            Version {
                channel: "release",
                ..new.clone()
            },
            "This is a release version, and the appliance runs a development one.",
        ),
        (
            Version {
                epoch: 0,
                ..new.clone()
            },
            "Version 0.6.0 has a known weakness (security epoch 0, this appliance is at 1). Get a newer one.",
        ),
    ] {
        let file = Vendor::make(&vendor, &version);
        assert_eq!(
            appliance.examine(&file).unwrap().refused.unwrap().as_str(),
            said
        );
        assert_eq!(appliance.install(&file, everything).unwrap_err(), said);
    }
    assert!(before == appliance.disk());
}

#[test]
fn roots_one_to_four_come_in_one_file_and_a_key_that_was_revoked_is_refused_afterwards() {
    let vendor = Vendor::new();
    let appliance = Appliance::new(&vendor);
    let revoked = vendor.make(&Version::new(8));
    vendor.root(&["timestamp"]);
    vendor.root(&["root"]);
    vendor.root(&["root", "targets", "snapshot"]);
    let file = vendor.make(&Version::new(6));
    appliance.install(&file, NOTHING).unwrap();
    assert_eq!(appliance.status().root_version, 4);
    appliance.boots(2);
    appliance.status();
    let before = appliance.disk();
    let why = appliance.install(&revoked, OLDER).unwrap_err();
    assert!(
        why.starts_with("this update is not installed: it cannot be trusted"),
        "{why}"
    );
    assert!(before == appliance.disk());
}

#[test]
fn another_vendors_update_is_refused() {
    let appliance = Appliance::new(&Vendor::new());
    let before = appliance.disk();
    let why = appliance
        .install(&Vendor::new().make(&Version::new(6)), NOTHING)
        .unwrap_err();
    assert!(
        why.starts_with("this update is not installed: it cannot be trusted"),
        "{why}"
    );
    assert!(before == appliance.disk());
}
