//! What the caller decides: expired metadata, and older metadata.

use super::*;

const OFFLINE: Policy = Policy {
    expiry: Expiry::Report,
    versions: Versions::OnlyUp,
};
const CONFIRMED: Policy = Policy {
    expiry: Expiry::Report,
    versions: Versions::Confirmed,
};

const PAST: &str = "2026-11-22T23:59:59Z";

/// A repository in which nobody stands by `role` any more.
fn expired(role: &str) -> Maker {
    let mut maker = Maker::new();
    maker.say(role)["expires"] = json!(PAST);
    match role {
        "root" => maker.publish(&["root"]),
        _ => maker.publish(&["targets", "snapshot", "timestamp"]),
    }
    maker
}

#[test]
fn online_expired_metadata_is_refused_and_not_kept() {
    for role in ["timestamp", "snapshot", "targets"] {
        let mut maker = expired(role);
        let (refreshed, kept) = update(&maker.first_root(), &mut maker, ONLINE);
        let error = refreshed.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("{role}.json has expired on 2026-11-22 23:59 UTC")
        );
        let kept = [
            ("timestamp", kept.timestamp),
            ("snapshot", kept.snapshot),
            ("targets", kept.targets),
        ];
        assert!(
            kept.iter()
                .any(|(name, bytes)| *name == role && bytes.is_none()),
            "{role}"
        );
    }
    // An expired root is kept all the same: it is the way to the next one.
    let mut maker = expired("root");
    let (refreshed, kept) = update(&maker.first_root(), &mut maker, ONLINE);
    assert!(matches!(refreshed, Err(TrustError::Expired { .. })));
    assert_eq!(kept.root, maker.files["2.root.json"]);
    assert_eq!(kept.timestamp, None);
}

#[test]
fn metadata_counts_up_to_the_second_in_which_it_expires() {
    let mut maker = expired("timestamp");
    let at = |millis| Policy {
        expiry: Expiry::Refuse {
            now: Stamp(NOW.0 + millis),
        },
        ..ONLINE
    };
    assert!(
        update(&maker.first_root(), &mut maker, at(-1_001))
            .0
            .is_ok()
    );
    assert!(
        update(&maker.first_root(), &mut maker, at(-1_000))
            .0
            .is_err()
    );
}

#[test]
fn offline_expired_metadata_is_reported_with_its_date() {
    for role in ["root", "timestamp", "snapshot", "targets"] {
        let mut maker = expired(role);
        let mut client = Client::new(maker.first_root(), OFFLINE).unwrap();
        client.refresh(&mut maker).unwrap();
        let gone: Vec<_> = client
            .evidence()
            .iter()
            .filter(|e| e.has_expired(NOW))
            .collect();
        assert_eq!(gone.len(), 1);
        assert_eq!(
            (&*gone[0].role, gone[0].expires),
            (role, Stamp(NOW.0 - 1_000))
        );
    }
}

#[test]
fn a_confirmed_downgrade_is_used_but_the_kept_set_stays_as_new_as_it_was() {
    let mut old = Maker::new();
    let mut newer = old.clone();
    newer.say("targets")["targets"] = json!({});
    newer.publish(&["targets", "snapshot", "timestamp"]);
    let kept = updated(&newer.first_root(), &mut newer);

    let (refreshed, after) = update(&kept, &mut old, OFFLINE);
    assert!(matches!(
        refreshed,
        Err(TrustError::Rollback {
            found: 1,
            trusted: 2,
            ..
        })
    ));
    assert_eq!(after, kept);

    let mut client = Client::new(kept.clone(), CONFIRMED).unwrap();
    client.refresh(&mut old).unwrap();
    assert_eq!(client.target(&mut old, "a.update").unwrap().length, 5);
    assert_eq!(*client.trusted(), kept);
}

#[test]
fn a_confirmed_downgrade_of_one_list_alone_does_not_lower_what_is_kept() {
    let mut maker = Maker::new();
    maker.publish(&["targets", "snapshot", "timestamp"]);
    let kept = updated(&maker.first_root(), &mut maker);
    // Newer timestamp and snapshot, which list the older targets.
    maker.say("snapshot")["meta"]["targets.json"] = json!({"version": 1});
    maker.publish(&["snapshot", "timestamp"]);
    let (refreshed, after) = update(&kept, &mut maker, ONLINE);
    assert!(matches!(refreshed, Err(TrustError::Rollback { .. })));
    assert_eq!(
        (&after.snapshot, &after.targets),
        (&kept.snapshot, &kept.targets)
    );
    let (refreshed, after) = update(&kept, &mut maker, CONFIRMED);
    refreshed.unwrap();
    assert_eq!(
        (&after.snapshot, &after.targets),
        (&kept.snapshot, &kept.targets)
    );
}

#[test]
fn a_confirmed_downgrade_still_needs_todays_keys() {
    let mut old = Maker::new();
    let mut newer = old.clone();
    newer.assign("targets", 1, &[14]);
    newer.publish(&["root", "targets", "snapshot", "timestamp"]);
    let kept = updated(&newer.first_root(), &mut newer);
    let (refreshed, after) = update(&kept, &mut old, CONFIRMED);
    let expected = TrustError::Signatures {
        file: "1.targets.json".into(),
        signed: 0,
        threshold: 1,
    };
    assert_eq!(refreshed, Err(expected));
    assert_eq!(after, kept);
}

#[test]
fn a_file_that_is_not_listed_any_more_is_noticed() {
    let mut maker = Maker::new();
    maker.delegate("targets", "b200", "*", 10);
    maker.publish(&["b200", "targets", "snapshot", "timestamp"]);
    let kept = updated(&maker.first_root(), &mut maker);
    let listed = maker.say("snapshot")["meta"].as_object_mut().unwrap();
    listed.remove("b200.json").unwrap();
    maker.publish(&["snapshot", "timestamp"]);
    let (refreshed, _) = update(&kept, &mut maker, ONLINE);
    assert_eq!(
        refreshed,
        Err(TrustError::Vanished {
            file: "b200.json".into()
        })
    );
    let (refreshed, after) = update(&kept, &mut maker, CONFIRMED);
    refreshed.unwrap();
    assert_eq!(after.snapshot, kept.snapshot);
}
