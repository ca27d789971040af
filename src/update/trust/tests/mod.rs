//! A client and repositories made for it. What the reference implementation makes is in `tests/tuf`.

mod limits;
mod maker;
mod policy;

use proptest::prelude::*;
use serde_json::json;

use self::maker::{Maker, id_of, public};
use super::*;
use crate::domain::Stamp;

/// 2026-11-23.
const NOW: Stamp = Stamp(1_795_392_000_000);
const ONLINE: Policy = Policy {
    expiry: Expiry::Refuse { now: NOW },
    versions: Versions::OnlyUp,
};

type Refreshed = Result<(), TrustError>;

/// One update, and what is kept after it.
fn update(kept: &TrustedSet, from: &mut Maker, policy: Policy) -> (Refreshed, TrustedSet) {
    let mut client = Client::new(kept.clone(), policy).unwrap();
    let refreshed = refused(client.refresh(from));
    (refreshed, client.trusted().clone())
}

fn refused<T>(result: Result<T, RefreshError<std::convert::Infallible>>) -> Result<T, TrustError> {
    result.map_err(|error| match error {
        RefreshError::Refused(error) => error,
        RefreshError::Repository(never) => match never {},
    })
}

/// What an appliance keeps after a good update.
fn updated(kept: &TrustedSet, from: &mut Maker) -> TrustedSet {
    let (refreshed, kept) = update(kept, from, ONLINE);
    refreshed.unwrap();
    kept
}

#[test]
fn a_genuine_repository_is_believed_and_says_who_signed_it() {
    let mut maker = Maker::new();
    let mut client = Client::new(maker.first_root(), ONLINE).unwrap();
    client.refresh(&mut maker).unwrap();
    let target = client.target(&mut maker, "a.update").unwrap();
    assert_eq!(target.length, 5);
    assert!(
        matches!(&target.custom, Some(Json::Object(words)) if words["sequence"] == Json::Number(7))
    );
    let mut check = Check::of(&target);
    check.update(b"hello").unwrap();
    check.finish().unwrap();
    let signed: Vec<_> = client
        .evidence()
        .iter()
        .map(|e| (&*e.role, e.version, e.signed_by.clone()))
        .collect();
    let by = |key| vec![id_of(key)];
    let expected = [
        ("root", 1, by(1)),
        ("timestamp", 1, by(2)),
        ("snapshot", 1, by(3)),
        ("targets", 1, by(4)),
    ];
    assert_eq!(signed, expected);
    let unknown = refused(client.target(&mut maker, "b.update"));
    assert_eq!(
        unknown,
        Err(TrustError::NoTarget {
            name: "b.update".into()
        })
    );
}

#[test]
fn what_is_known_is_not_fetched_again() {
    let mut maker = Maker::new();
    let kept = updated(&maker.first_root(), &mut maker);
    maker.asked.clear();
    assert_eq!(updated(&kept, &mut maker), kept);
    assert_eq!(maker.asked, ["2.root.json", "timestamp.json"]);
}

#[test]
fn every_changed_byte_of_any_file_is_refused() {
    let genuine = Maker::new();
    let mut refusals = 0;
    for (name, bytes) in &genuine.files {
        for at in 0..bytes.len() {
            let mut maker = genuine.clone();
            maker.files.get_mut(name).unwrap()[at] ^= 1;
            let kept = TrustedSet::of_root(maker.files["1.root.json"].clone());
            let refreshed = Client::new(kept, ONLINE).map(|mut client| client.refresh(&mut maker));
            assert!(!matches!(refreshed, Ok(Ok(()))), "byte {at} of {name}");
            refusals += 1;
        }
    }
    assert!(refusals > 2_000);
}

#[test]
fn other_bytes_than_the_target_are_refused() {
    let mut maker = Maker::new();
    let mut client = Client::new(maker.first_root(), ONLINE).unwrap();
    client.refresh(&mut maker).unwrap();
    let target = client.target(&mut maker, "a.update").unwrap();
    let check = |bytes: &[u8]| {
        let mut check = Check::of(&target);
        check.update(bytes).and_then(|()| check.finish())
    };
    assert!(matches!(check(b"hullo"), Err(TrustError::Hash { .. })));
    assert!(matches!(
        check(b"hell"),
        Err(TrustError::Length {
            found: 4,
            expected: 5,
            ..
        })
    ));
    assert!(matches!(
        check(b"hello!"),
        Err(TrustError::Length { found: 6, .. })
    ));
}

#[test]
fn one_key_under_two_ids_counts_once() {
    let mut maker = Maker::new();
    let mut again = public(4);
    again["note"] = json!("another id, because another text");
    let twin = maker::id(&again);
    maker.assign("targets", 2, &[4, 5]);
    let root = maker.say("root");
    root["keys"][&twin] = again;
    root["roles"]["targets"]["keyids"] = json!([id_of(4), twin, id_of(5)]);
    maker.signers.insert("targets".into(), vec![4]);
    maker.publish(&["root", "targets", "snapshot", "timestamp"]);
    let file = maker.files.get_mut("2.targets.json").unwrap();
    let mut signed: serde_json::Value = serde_json::from_slice(file).unwrap();
    let mut second = signed["signatures"][0].clone();
    second["keyid"] = json!(twin);
    signed["signatures"].as_array_mut().unwrap().push(second);
    *file = serde_json::to_vec(&signed).unwrap();

    let (refreshed, _) = update(&maker.first_root(), &mut maker, ONLINE);
    let expected = TrustError::Signatures {
        file: "2.targets.json".into(),
        signed: 1,
        threshold: 2,
    };
    assert_eq!(refreshed, Err(expected));
}

#[test]
fn a_key_under_a_false_id_is_refused() {
    let mut maker = Maker::new();
    maker.say("root")["keys"][id_of(4)] = public(9);
    maker.publish(&["root"]);
    let (refreshed, _) = update(&maker.first_root(), &mut maker, ONLINE);
    assert!(matches!(
        refreshed,
        Err(TrustError::Malformed { field: "keys", .. })
    ));
}

#[test]
fn an_older_snapshot_in_a_newer_timestamp_is_refused_before_it_is_fetched() {
    let mut maker = Maker::new();
    maker.publish(&["snapshot", "timestamp"]);
    let kept = updated(&maker.first_root(), &mut maker);
    maker.say("timestamp")["meta"]["snapshot.json"] = json!({"version": 1});
    maker.publish(&["timestamp"]);
    let (refreshed, after) = update(&kept, &mut maker, ONLINE);
    let expected = TrustError::Rollback {
        file: "snapshot.json".into(),
        found: 1,
        trusted: 2,
    };
    assert_eq!((refreshed, after), (Err(expected), kept));
}

#[test]
fn a_new_root_needs_the_old_keys_and_its_own() {
    let mut maker = Maker::new();
    maker.assign("root", 1, &[9]);
    for (signers, believed) in [(vec![9], false), (vec![1], false), (vec![1, 9], true)] {
        let mut maker = maker.clone();
        maker.signers.insert("root".into(), signers);
        maker.publish(&["root"]);
        let (refreshed, kept) = update(&maker.first_root(), &mut maker, ONLINE);
        assert_eq!(refreshed.is_ok(), believed, "{refreshed:?}");
        assert_eq!(kept.root == maker.files["2.root.json"], believed);
    }
}

#[test]
fn a_file_under_another_versions_name_is_refused() {
    for role in ["root", "snapshot", "targets"] {
        let mut maker = Maker::new();
        maker.publish(&["root", "targets", "snapshot", "timestamp"]);
        let old = maker.files[&format!("1.{role}.json")].clone();
        let file = format!("2.{role}.json");
        maker.files.insert(file.clone(), old);
        let (refreshed, _) = update(&maker.first_root(), &mut maker, ONLINE);
        let (found, expected) = (1, 2);
        let error = TrustError::Version {
            file,
            found,
            expected,
        };
        assert_eq!(refreshed, Err(error));
    }
}

#[test]
fn a_snapshot_is_no_timestamp_even_if_the_right_key_signed_it() {
    let mut maker = Maker::new();
    maker.assign("snapshot", 1, &[2]);
    maker.say("snapshot")["meta"]["snapshot.json"] = json!({"version": 1});
    maker.publish(&["root", "snapshot"]);
    let snapshot = maker.files["2.snapshot.json"].clone();
    maker.files.insert("timestamp.json".into(), snapshot);
    let (refreshed, _) = update(&maker.first_root(), &mut maker, ONLINE);
    let expected = TrustError::Malformed {
        file: "timestamp.json".into(),
        field: "_type",
        expected: "timestamp",
    };
    assert_eq!(refreshed, Err(expected));
}

#[test]
fn keys_that_were_taken_away_take_their_versions_with_them() {
    let mut maker = Maker::new();
    let before = maker.clone();
    maker.say("timestamp")["version"] = json!(1_000_000);
    maker.say("snapshot")["version"] = json!(1_000_000);
    maker.publish(&["snapshot", "timestamp"]);
    let forward = updated(&maker.first_root(), &mut maker);

    // The same root with the old versions: nobody may go back.
    let (refreshed, kept) = update(&forward, &mut before.clone(), ONLINE);
    assert!(matches!(
        refreshed,
        Err(TrustError::Rollback {
            found: 1,
            trusted: 1_000_001,
            ..
        })
    ));
    assert_eq!(kept, forward);

    // A further key changes nothing about it either.
    let mut more = before.clone();
    more.assign("timestamp", 1, &[2, 12]);
    more.publish(&["root"]);
    more.write("timestamp");
    let (refreshed, _) = update(&forward, &mut more, ONLINE);
    assert!(matches!(refreshed, Err(TrustError::Rollback { .. })));

    let mut recovered = before;
    recovered.assign("timestamp", 1, &[12]);
    recovered.publish(&["root", "timestamp"]);
    let kept = updated(&forward, &mut recovered);
    assert_eq!(
        kept.timestamp,
        recovered.files.get("timestamp.json").cloned()
    );
}

#[test]
fn a_delegated_list_is_checked_against_whoever_delegated_to_it() {
    let mut maker = Maker::new();
    maker.delegate("targets", "a", "a/*", 10);
    maker.delegate("targets", "b", "b/*", 11);
    maker.delegate("a", "shared", "a/*", 20);
    maker.delegate("b", "shared", "b/*", 21);
    let target = maker.signed["targets"]["targets"]["a.update"].clone();
    maker.say("shared")["targets"] = json!({"a/x": target, "b/x": target});
    maker.signers.insert("shared".into(), vec![20]);
    maker.publish(&["shared", "a", "b", "targets", "snapshot", "timestamp"]);
    let mut client = Client::new(maker.first_root(), ONLINE).unwrap();
    client.refresh(&mut maker).unwrap();
    assert_eq!(client.target(&mut maker, "a/x").unwrap().length, 5);
    let through_b = refused(client.target(&mut maker, "b/x"));
    assert!(matches!(
        through_b,
        Err(TrustError::Signatures { signed: 0, .. })
    ));
    // Nor does it answer for names that were not handed to it.
    let other = refused(client.target(&mut maker, "c/x"));
    assert!(matches!(other, Err(TrustError::NoTarget { .. })));
}

proptest! {
    #[test]
    fn fuzz_smoke(data: Vec<u8>, at in 0_usize..2_000, file in 0_usize..4, text in "[a-z*?/\\[\\]{}\":,0-9\n]{0,60}") {
        fuzz(&data);
        fuzz(text.as_bytes());
        let maker = Maker::new();
        let mut mixed = maker.files.values().nth(file).unwrap().clone();
        let at = at.min(mixed.len());
        mixed.splice(at..at, data);
        fuzz(&mixed);
        let mut kept = maker.first_root();
        kept.root = mixed;
        fuzz(&kept.encode());
    }
}
