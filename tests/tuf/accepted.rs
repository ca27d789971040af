//! What the reference implementation makes is believed.

use jumpgate::update::trust::TrustError;

use crate::support::{Appliance, Maker};

const ALL: &str = "publish targets snapshot timestamp";

#[test]
fn a_repository_with_any_kind_of_key_is_believed_as_it_is() {
    for keys in ["ed25519", "ecdsa", "rsa"] {
        let mut maker = Maker::start(keys);
        let mut appliance = Appliance::that_knows(&maker.now());
        maker.orders("target targets b.update second\nhashes");
        maker.orders(ALL);
        let served = maker.now();
        assert_eq!(
            appliance.target(&served, "b.update").unwrap().length,
            6,
            "{keys}"
        );
        let missing = appliance.target(&served, "c.update");
        assert_eq!(
            missing,
            Err(TrustError::NoTarget {
                name: "c.update".into()
            })
        );
        assert_eq!(
            appliance.kept.targets.as_deref(),
            Some(&*served.file("2.targets.json"))
        );
    }
}

#[test]
fn a_root_three_versions_on_is_reached_in_one_step_whatever_its_keys() {
    for keys in ["ed25519", "ecdsa", "rsa"] {
        let mut maker = Maker::start(keys);
        let mut appliance = Appliance::that_knows(&maker.now());
        maker.orders("rotate root\npublish root\nrotate root\nrotate targets\npublish root");
        maker.orders("add-key root\nthreshold root 2\npublish root");
        maker.orders(ALL);
        let served = maker.now();
        appliance.update(&served).unwrap();
        assert_eq!(appliance.kept.root, served.file("4.root.json"));
    }
}

#[test]
fn two_of_three_keys_are_enough_where_it_takes_two() {
    let mut maker = Maker::start("ed25519");
    maker.orders("add-key targets\nadd-key targets\nthreshold targets 2\npublish root");
    maker.orders("drop-signer targets");
    maker.orders(ALL);
    Appliance::new(&maker.now()).update(&maker.now()).unwrap();
}

#[test]
fn a_delegated_list_answers_for_the_names_it_was_given_and_no_others() {
    let mut maker = Maker::start("ecdsa");
    maker.orders("delegate targets b200 b200-*\ndelegate b200 nightly b200-nightly-?");
    maker.orders("target b200 b200-1 one\ntarget nightly b200-nightly-7 two");
    maker.orders("target b200 b300-1 three\ntarget nightly b200-2 four");
    maker.orders("publish nightly b200");
    maker.orders(ALL);
    let served = maker.now();
    let mut appliance = Appliance::new(&served);
    assert_eq!(appliance.target(&served, "b200-1").unwrap().length, 3);
    assert_eq!(
        appliance.target(&served, "b200-nightly-7").unwrap().length,
        3
    );
    for name in ["b300-1", "b200-2"] {
        let none = appliance.target(&served, name);
        assert_eq!(none, Err(TrustError::NoTarget { name: name.into() }));
    }
}

#[test]
fn a_name_is_found_in_the_bin_where_the_reference_looks_for_it() {
    for bits in [1, 3, 5] {
        let mut maker = Maker::start("ed25519");
        maker.orders(&format!("bins targets {bits}"));
        maker.orders(ALL);
        let served = maker.now();
        assert_eq!(
            Appliance::new(&served)
                .target(&served, "binned")
                .unwrap()
                .length,
            5
        );
    }
}

#[test]
fn after_an_attacker_pushed_versions_forward_new_keys_bring_back_the_real_ones() {
    let mut maker = Maker::start("ed25519");
    let before = maker.now();
    maker.orders("version timestamp 2000000\nversion snapshot 2000000\npublish snapshot timestamp");
    let mut appliance = Appliance::that_knows(&maker.now());
    let forward = appliance.kept.clone();
    maker.orders("version timestamp 1\nversion snapshot 1\nrotate timestamp\nrotate snapshot");
    maker.orders("publish root snapshot timestamp");
    let served = maker.now();
    appliance.update(&served).unwrap();
    assert_eq!(
        appliance.kept.timestamp.as_deref(),
        Some(&*served.file("timestamp.json"))
    );
    // Without the new root the old versions stay refused.
    let mut appliance = Appliance { kept: forward };
    let refused = appliance.update(&before);
    assert!(
        matches!(refused, Err(TrustError::Rollback { .. })),
        "{refused:?}"
    );
}
