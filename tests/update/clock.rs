//! Clocks that are wrong, and metadata whose time is over.

use std::time::{Duration, UNIX_EPOCH};

use jumpgate::boot::System;
use jumpgate::control::machine::Channel;
use jumpgate::control::update::{Phase, Settings, Verdict};
use jumpgate::domain::{Model, Stamp, Text};
use jumpgate::update::bundle::{HEADER_BYTES, Header, Metadata};
use jumpgate::update::trust::TrustedSet;
use jumpgate::update::verify::judge::{Situation, Unfit, believe};
use jumpgate::update::verify::source::{Bundle, MANIFEST};
use jumpgate::update::wire::{Running, Told};

use crate::vendor::{Vendor, Version, payload_at};

const DAY: i64 = 24 * 60 * 60 * 1_000;
/// When everything here is signed: 2026-11-23.
const SIGNED: i64 = 1_795_392_000_000;
/// The machine's clock was never set.
const IN_1970: i64 = 0;
const IN_2040: i64 = 2_208_988_800_000;

fn told(clock_confirmed: bool) -> Told {
    Told {
        running: Running {
            model: Model::B200,
            version: Text::try_from("0.5.0").unwrap(),
            sequence: 5,
            channel: Channel::Development,
            clock_confirmed,
            built: Stamp(1_764_000_000_000),
            target: System::B,
        },
        settings: Settings::default(),
        history: Vec::new(),
        failed: Vec::new(),
        news: None,
        phase: Phase::Idle,
        security_epoch: 1,
        blocked: None,
    }
}

fn signed(vendor: &Vendor, sequence: u32) -> Vec<u8> {
    let time = UNIX_EPOCH + Duration::from_millis(SIGNED.unsigned_abs());
    vendor.make_at(&Version::new(sequence), time)
}

/// What `file` is worth at `now`, and what is trusted afterwards.
fn judge(
    file: &[u8],
    kept: &TrustedSet,
    now: i64,
    (online, clock_confirmed): (bool, bool),
) -> (Result<Verdict, Unfit>, TrustedSet) {
    let header = Header::decode(file[..HEADER_BYTES].try_into().unwrap()).unwrap();
    let metadata = Metadata::decode(header, &file[HEADER_BYTES..payload_at(file)]).unwrap();
    let manifest = metadata.file(MANIFEST).unwrap().to_vec();
    let told = told(clock_confirmed);
    let situation = Situation {
        told: &told,
        kept,
        now: Stamp(now),
        online,
    };
    let (mut bundle, mut newest) = (Bundle(metadata), kept.clone());
    let verdict = believe(situation, &mut bundle, &mut newest)
        .and_then(|believed| believed.judge(situation, &mut bundle, manifest))
        .map(|judged| judged.verdict);
    (verdict, newest)
}

#[test]
fn a_wrong_clock_never_blocks_an_update_that_is_carried_in() {
    let vendor = Vendor::new();
    let file = signed(&vendor, 6);
    let first = TrustedSet::of_root(vendor.first_root());
    for confirmed in [true, false] {
        for (now, needs_a_word) in [
            (IN_1970, false),
            (SIGNED, false),
            (SIGNED + 29 * DAY, false),
            (SIGNED + 31 * DAY, true),
            (IN_2040, true),
        ] {
            let (verdict, _) = judge(&file, &first, now, (false, confirmed));
            let verdict = verdict.unwrap();
            assert_eq!(verdict.needs.expired, needs_a_word, "at {now}");
            assert_eq!(verdict.refused, None);
            // With the dates, so that a person can tell which of the two is wrong.
            let dated = verdict.expired.iter().all(|role| role.since.0 > SIGNED);
            assert!(dated && verdict.expired.is_empty() != needs_a_word);
        }
    }
}

#[test]
fn a_server_whose_metadata_has_expired_is_refused_by_a_clock_that_was_confirmed() {
    let vendor = Vendor::new();
    let file = signed(&vendor, 6);
    let first = TrustedSet::of_root(vendor.first_root());
    let late = SIGNED + 31 * DAY;
    let (verdict, kept) = judge(&file, &first, late, (true, true));
    assert!(matches!(verdict, Err(Unfit::Trust(_))), "{verdict:?}");
    assert_eq!(kept.targets, None, "nothing of it is believed later");
    // Nobody knows what time it is, so a person has to say.
    let (verdict, _) = judge(&file, &first, late, (true, false));
    assert!(verdict.unwrap().needs.expired);
}

#[test]
fn no_clock_lets_an_older_version_in() {
    let vendor = Vendor::new();
    let old = signed(&vendor, 6);
    let new = signed(&vendor, 7);
    let first = TrustedSet::of_root(vendor.first_root());
    let (verdict, kept) = judge(&new, &first, SIGNED, (false, true));
    verdict.unwrap();
    // The clock steps back to before all of it, or far ahead, and nobody confirms it.
    for now in [IN_1970, SIGNED - DAY, SIGNED, IN_2040] {
        for confirmed in [true, false] {
            let (verdict, after) = judge(&old, &kept, now, (false, confirmed));
            assert!(verdict.unwrap().needs.older, "at {now}");
            assert!(after == kept, "what was seen stays seen");
            let (verdict, after) = judge(&old, &kept, now, (true, confirmed));
            assert!(verdict.is_err() && after == kept, "at {now}");
        }
    }
}
