//! The attacks that section 1.5.2 of the specification names, one by one: what an attacker serves is
//! refused, and what was known before stays.

use jumpgate::domain::limits::TRUST_TIMESTAMP_BYTES_MAX;
use jumpgate::update::trust::TrustError;

use crate::support::{Appliance, Maker, Served};

const ALL: &str = "publish targets snapshot timestamp";

/// Both a new appliance and one that knows `before` refuse `served`, and say so.
fn refused(before: &Served, served: &Served) -> String {
    let mut knows = Appliance::that_knows(before);
    let said = knows.update(served).unwrap_err();
    let known = Appliance::that_knows(before).kept;
    assert_eq!(knows.kept.targets, known.targets);
    let new = Appliance::new(served).update(served).unwrap_err();
    assert_eq!(new, said);
    said.to_string()
}

/// Likewise, but only who knows `before` can tell.
fn refused_by_who_knows(before: &Served, served: &Served) -> TrustError {
    let mut knows = Appliance::that_knows(before);
    let said = knows.update(served).unwrap_err();
    assert_eq!(
        knows.kept.targets,
        Appliance::that_knows(before).kept.targets
    );
    Appliance::new(served).update(served).unwrap();
    said
}

#[test]
fn arbitrary_software_is_refused_whichever_role_a_stranger_signs() {
    for role in ["root", "timestamp", "snapshot", "targets"] {
        let mut maker = Maker::start("ed25519");
        let before = maker.now();
        maker.orders(&format!(
            "stranger {role}\npublish root targets snapshot timestamp"
        ));
        let said = refused(&before, &maker.now());
        assert!(
            said.contains(&format!(
                "{role}.json is signed by 0 of its keys, it takes 1"
            )),
            "{said}"
        );
    }
}

#[test]
fn a_signature_below_other_bytes_is_refused_with_any_kind_of_key() {
    for keys in ["ed25519", "ecdsa", "rsa"] {
        let mut maker = Maker::start(keys);
        let before = maker.now();
        maker.orders(ALL);
        let served = maker.now();
        let text = String::from_utf8(served.file("2.targets.json")).unwrap();
        let changed = text
            .replace("\"length\": 5", "\"length\": 6")
            .replace("\"length\":5", "\"length\":6");
        assert_ne!(text, changed);
        served.write("2.targets.json", changed.as_bytes());
        let said = refused(&before, &served);
        assert!(said.contains("2.targets.json is signed by 0"), "{said}");
    }
}

#[test]
fn the_right_signature_of_another_role_is_refused() {
    let mut maker = Maker::start("ed25519");
    let before = maker.now();
    maker.orders(ALL);
    let served = maker.now();
    served.write("2.targets.json", &served.file("2.snapshot.json"));
    let said = refused(&before, &served);
    assert!(said.contains("2.targets.json is signed by 0"), "{said}");
}

#[test]
fn a_rollback_of_each_role_is_refused() {
    // A whole older repository; a newer timestamp with an older snapshot; a newer snapshot with
    // older targets; a root that calls itself an older one.
    let mut maker = Maker::start("ed25519");
    let old = maker.now();
    maker.orders(ALL);
    let new = maker.now();
    let said = refused_by_who_knows(&new, &old);
    assert!(
        matches!(&said, TrustError::Rollback { file, found: 1, trusted: 2 } if file == "timestamp.json")
    );

    maker.orders("version snapshot 0\npublish snapshot timestamp");
    let said = refused_by_who_knows(&new, &maker.now());
    assert!(
        matches!(&said, TrustError::Rollback { file, found: 1, trusted: 2 } if file == "snapshot.json")
    );

    maker.orders("version snapshot 2\nlisted targets.json 1\npublish snapshot timestamp");
    let said = refused_by_who_knows(&new, &maker.now());
    assert!(
        matches!(&said, TrustError::Rollback { file, found: 1, trusted: 2 } if file == "targets.json")
    );

    let served = maker.now();
    served.write("2.root.json", &served.file("1.root.json"));
    let said = Appliance::that_knows(&new).update(&served).unwrap_err();
    assert!(matches!(
        &said,
        TrustError::Version {
            found: 1,
            expected: 2,
            ..
        }
    ));
}

#[test]
fn a_root_cannot_be_skipped() {
    let mut maker = Maker::start("ed25519");
    let before = maker.now();
    maker.orders("publish root\npublish root");
    let served = maker.now();
    served.write("2.root.json", &served.file("3.root.json"));
    let said = refused(&before, &served);
    assert_eq!(said, "2.root.json has version 3 where 2 belongs");
}

#[test]
fn a_fast_forward_cannot_be_undone_without_new_keys() {
    let mut maker = Maker::start("ed25519");
    let honest = maker.now();
    maker.orders("version timestamp 2000000\npublish timestamp");
    let said = refused_by_who_knows(&maker.now(), &honest);
    assert!(matches!(
        said,
        TrustError::Rollback {
            trusted: 2_000_001,
            ..
        }
    ));
}

#[test]
fn a_freeze_ends_when_the_signed_time_is_over() {
    for role in ["root", "timestamp", "snapshot", "targets"] {
        let mut maker = Maker::start("ed25519");
        let before = maker.now();
        maker.orders(&format!("expires {role} -1\npublish root"));
        maker.orders(ALL);
        let said = refused(&before, &maker.now());
        assert!(
            said.starts_with(&format!("{role}.json has expired on ")),
            "{said}"
        );
    }
}

#[test]
fn files_of_different_snapshots_do_not_mix() {
    let mut maker = Maker::start("ed25519");
    maker.orders("hashes");
    maker.orders(ALL);
    let old = maker.now();
    maker.orders(ALL);
    let new = maker.now();
    let mixed = maker.now();
    mixed.write("3.targets.json", &old.file("2.targets.json"));
    let said = refused(&old, &mixed);
    assert!(
        said.contains("3.targets.json is not the file that was signed"),
        "{said}"
    );
    mixed.write("3.targets.json", &new.file("3.targets.json"));
    mixed.write("3.snapshot.json", &old.file("2.snapshot.json"));
    let said = refused(&old, &mixed);
    assert!(
        said.contains("3.snapshot.json is not the file that was signed"),
        "{said}"
    );
}

#[test]
fn without_hashes_versions_keep_snapshots_apart() {
    let mut maker = Maker::start("ed25519");
    let old = maker.now();
    maker.orders(ALL);
    let mixed = maker.now();
    mixed.write("2.targets.json", &old.file("1.targets.json"));
    assert_eq!(
        refused(&old, &mixed),
        "2.targets.json has version 1 where 2 belongs"
    );
}

#[test]
fn a_threshold_that_is_not_met_is_refused() {
    let mut maker = Maker::start("ed25519");
    let before = maker.now();
    maker.orders("add-key targets\nthreshold targets 2\ndrop-signer targets\npublish root");
    maker.orders(ALL);
    let said = refused(&before, &maker.now());
    assert_eq!(
        said,
        "2.targets.json is signed by 1 of its keys, it takes 2"
    );
}

#[test]
fn one_key_under_two_ids_counts_once() {
    for keys in ["ed25519", "ecdsa", "rsa"] {
        let mut maker = Maker::start(keys);
        let before = maker.now();
        maker.orders("double targets\npublish root");
        maker.orders(ALL);
        let said = refused(&before, &maker.now());
        assert_eq!(
            said,
            "2.targets.json is signed by 1 of its keys, it takes 2"
        );
    }
}

#[test]
fn a_signature_that_stands_there_twice_is_refused() {
    let mut maker = Maker::start("ed25519");
    let before = maker.now();
    maker.orders(ALL);
    let served = maker.now();
    let mut file: serde_json::Value =
        serde_json::from_slice(&served.file("2.targets.json")).unwrap();
    let again = file["signatures"][0].clone();
    file["signatures"].as_array_mut().unwrap().push(again);
    served.write("2.targets.json", &serde_json::to_vec(&file).unwrap());
    let said = refused(&before, &served);
    assert!(said.contains("one signature for each key"), "{said}");
}

#[test]
fn a_revoked_key_is_refused_once_the_new_root_was_seen_even_without_it() {
    for keys in ["ed25519", "ecdsa", "rsa"] {
        let mut maker = Maker::start(keys);
        maker.orders("rotate targets\npublish root");
        maker.orders(ALL);
        let after = maker.now();
        maker.orders("retired targets");
        maker.orders(ALL);
        let served = maker.now();
        let said = refused(&after, &served);
        assert!(said.contains("3.targets.json is signed by 0"), "{said}");
        // The attacker leaves the new root out; whoever saw it does not forget.
        std::fs::remove_file(served.folder.join("2.root.json")).unwrap();
        let said = refused_by_who_knows(&after, &served);
        assert!(matches!(said, TrustError::Signatures { signed: 0, .. }));
    }
}

#[test]
fn a_revoked_root_key_cannot_make_the_next_root() {
    let mut maker = Maker::start("ed25519");
    maker.orders("rotate root\npublish root");
    let after = maker.now();
    maker.orders("retired root\npublish root");
    let said = refused(&after, &maker.now());
    assert_eq!(said, "3.root.json is signed by 0 of its keys, it takes 1");
}

#[test]
fn a_new_root_needs_the_old_keys_as_well() {
    let mut maker = Maker::start("ed25519");
    let before = maker.now();
    // The first signer is the old key.
    maker.orders("rotate root\ndrop-signer root\npublish root");
    let said = refused(&before, &maker.now());
    assert_eq!(said, "2.root.json is signed by 0 of its keys, it takes 1");
}

#[test]
fn endless_data_is_not_read() {
    let maker = Maker::start("ed25519");
    let before = maker.now();
    let served = maker.now();
    let mut endless = served.file("timestamp.json");
    endless.resize(endless.len() + 10_000_000, b' ');
    served.write("timestamp.json", &endless);
    let limit = TRUST_TIMESTAMP_BYTES_MAX;
    let said = refused(&before, &served);
    assert_eq!(said, format!("timestamp.json is longer than {limit} bytes"));
}

#[test]
fn data_that_ends_early_is_refused() {
    let mut maker = Maker::start("ed25519");
    let before = maker.now();
    maker.orders("hashes");
    maker.orders(ALL);
    for name in ["timestamp.json", "2.snapshot.json", "2.targets.json"] {
        let served = maker.now();
        let bytes = served.file(name);
        served.write(name, &bytes[..bytes.len() - 1]);
        refused(&before, &served);
    }
}

#[test]
fn a_list_that_the_snapshot_does_not_name_is_not_asked() {
    let mut maker = Maker::start("ed25519");
    maker.orders("delegate targets b200 *\ntarget b200 extra words\npublish b200 targets");
    maker.orders("unlist b200.json\npublish snapshot timestamp");
    let served = maker.now();
    let said = Appliance::new(&served).target(&served, "extra");
    assert_eq!(
        said,
        Err(TrustError::NotInSnapshot {
            file: "b200.json".into()
        })
    );
}

#[test]
fn extraneous_targets_and_files_are_nobodys() {
    let maker = Maker::start("ed25519");
    let served = maker.now();
    served.write("1.extra.json", &served.file("1.targets.json"));
    served.write("9.root.json", b"not the next one");
    let said = Appliance::new(&served).target(&served, "extra");
    assert_eq!(
        said,
        Err(TrustError::NoTarget {
            name: "extra".into()
        })
    );
}
