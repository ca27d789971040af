//! Thousands of files that are no update of ours: none is accepted, and none leaves a byte on the
//! disk.

use jumpgate::control::update::Accept;

use crate::appliance::Appliance;
use crate::vendor::{Vendor, Version, payload_at};

/// Whatever a person could be talked into.
const EVERYTHING: Accept = Accept {
    older: true,
    expired: true,
};

/// With a hash that fits again: what somebody would do who means it.
fn with_hash(mut file: Vec<u8>, payload: usize) -> Vec<u8> {
    let metadata = &file[52..payload];
    let hash = ring::digest::digest(&ring::digest::SHA256, metadata);
    file[20..52].copy_from_slice(hash.as_ref());
    file
}

/// Where an entry's content begins and ends.
fn entry(file: &[u8], name: &str) -> std::ops::Range<usize> {
    let mut at = 52;
    loop {
        let length = usize::from(file[at]);
        let found = &file[at + 1..=at + length];
        let begin = at + 1 + length + 4;
        let bytes = u32::from_be_bytes(file[begin - 4..begin].try_into().unwrap()) as usize;
        if found == name.as_bytes() {
            return begin..begin + bytes;
        }
        at = begin + bytes;
    }
}

#[test]
fn no_hostile_file_is_accepted_and_none_leaves_a_byte_on_the_disk() {
    let vendor = Vendor::new();
    let appliance = Appliance::new(&vendor);
    let version = Version::new(6);
    let file = vendor.make(&version);
    let payload = payload_at(&file);
    // Everything is refused before the payload, so little of it has to come.
    let file = &file[..payload + 4_096];
    let before = appliance.disk();
    let mut cases: u32 = 0;
    let mut refuse = |hostile: &[u8], what: &dyn std::fmt::Display| {
        let accepted = appliance.install(hostile, EVERYTHING).is_ok();
        assert!(!accepted, "{what} was accepted");
        cases += 1;
    };

    // Every byte before the payload, as an accident.
    for at in (0..payload).step_by(3) {
        let mut flipped = file.to_vec();
        flipped[at] ^= 1 << (at % 8);
        refuse(&flipped, &format_args!("byte {at} flipped"));
    }
    // Every byte that is believed for its signature, as a deceit.
    for name in [
        "timestamp.json",
        "6.snapshot.json",
        "6.targets.json",
        "manifest.json",
    ] {
        for at in entry(file, name).step_by(3) {
            let mut flipped = file.to_vec();
            flipped[at] ^= 1;
            // A space or an end of line between two words means nothing.
            if file[at].is_ascii_whitespace() {
                continue;
            }
            let flipped = with_hash(flipped, payload);
            refuse(&flipped, &format_args!("{name}: byte {at} flipped"));
        }
    }
    for cut in (0..payload).step_by(97) {
        refuse(&file[..cut], &format_args!("cut at {cut}"));
    }
    for length in [0, 1, 4 << 20, (4 << 20) + 1, u32::MAX] {
        let mut lies = file.to_vec();
        lies[16..20].copy_from_slice(&length.to_be_bytes());
        refuse(&lies, &format_args!("metadata of {length} bytes"));
    }
    assert!(before == appliance.disk(), "something was written");
    assert!(cases > 2_000, "{cases} cases");
}

#[test]
fn parts_of_two_updates_make_none() {
    let vendor = Vendor::new();
    let six = vendor.make(&Version::new(6));
    let seven = vendor.make(&Version::new(7));
    let other = Vendor::new().make(&Version::new(8));
    let names = |sequence: u32| {
        [
            "timestamp.json".to_owned(),
            format!("{sequence}.snapshot.json"),
            format!("{sequence}.targets.json"),
            "manifest.json".to_owned(),
        ]
    };
    for (from, from_names) in [(&six, names(6)), (&other, names(8))] {
        for (name, from_name) in names(7).iter().zip(&from_names) {
            let (place, content) = (entry(&seven, name), &from[entry(from, from_name)]);
            let mut mixed = seven[..place.start - 4].to_vec();
            mixed.extend(u32::try_from(content.len()).unwrap().to_be_bytes());
            mixed.extend(content);
            mixed.extend(&seven[place.end..payload_at(&seven)]);
            let length = u32::try_from(mixed.len() - 52).unwrap();
            mixed[16..20].copy_from_slice(&length.to_be_bytes());
            let payload = mixed.len();
            mixed.extend(&seven[payload_at(&seven)..]);
            let mixed = with_hash(mixed, payload);
            // One that knows nothing yet: what was believed before need not come again.
            let appliance = Appliance::new(&vendor);
            let before = appliance.disk();
            assert!(appliance.install(&mixed, EVERYTHING).is_err(), "{name}");
            assert!(before == appliance.disk(), "{name}");
        }
    }
}
