//! Limits, each of them reached.

use super::*;
use crate::domain::limits::{
    TRUST_ROLES_VISITED_MAX, TRUST_ROOTS_MAX, TRUST_SIGNATURES_MAX, TRUST_TIMESTAMP_BYTES_MAX,
};

#[test]
fn new_roots_are_taken_over_up_to_the_limit_and_the_rest_next_time() {
    let mut maker = Maker::new();
    for _ in 0..TRUST_ROOTS_MAX {
        maker.publish(&["root"]);
    }
    updated(&maker.first_root(), &mut maker);
    maker.publish(&["root"]);
    let (refreshed, kept) = update(&maker.first_root(), &mut maker, ONLINE);
    assert_eq!(
        refreshed,
        Err(TrustError::TooManyRoots {
            limit: TRUST_ROOTS_MAX
        })
    );
    let kept = updated(&kept, &mut maker);
    let newest = format!("{}.root.json", TRUST_ROOTS_MAX + 2);
    assert_eq!(kept.root, maker.files[&newest]);
}

#[test]
fn delegations_are_followed_up_to_the_limit() {
    let mut maker = Maker::new();
    let mut roles = vec!["targets".to_owned()];
    // One of the visited lists is the top one.
    for depth in 1..=TRUST_ROLES_VISITED_MAX {
        let name = format!("r{depth}");
        maker.delegate(roles.last().unwrap(), &name, "*", 100);
        roles.push(name);
    }
    let target = maker.signed["targets"]["targets"]["a.update"].clone();
    maker.say(&format!("r{}", TRUST_ROLES_VISITED_MAX - 1))["targets"] = json!({"near": target});
    maker.say(&format!("r{TRUST_ROLES_VISITED_MAX}"))["targets"] = json!({"far": target});
    roles.reverse();
    let roles: Vec<&str> = roles.iter().map(|name| &**name).collect();
    maker.publish(&roles);
    maker.publish(&["snapshot", "timestamp"]);
    let mut client = Client::new(maker.first_root(), ONLINE).unwrap();
    client.refresh(&mut maker).unwrap();
    assert!(client.target(&mut maker, "near").is_ok());
    let far = refused(client.target(&mut maker, "far"));
    let expected = TrustError::TooManyRoles {
        name: "far".into(),
        limit: TRUST_ROLES_VISITED_MAX,
    };
    assert_eq!(far, Err(expected));
}

#[test]
fn a_file_longer_than_its_limit_is_refused_unread() {
    let mut maker = Maker::new();
    let limit = TRUST_TIMESTAMP_BYTES_MAX;
    let file = maker.files.get_mut("timestamp.json").unwrap();
    file.resize(usize::try_from(limit).unwrap() + 1, b' ');
    let (refreshed, _) = update(&maker.first_root(), &mut maker, ONLINE);
    let file = "timestamp.json".to_owned();
    assert_eq!(refreshed, Err(TrustError::TooLong { file, limit }));
}

#[test]
fn more_signatures_than_anybody_needs_are_not_verified() {
    let mut maker = Maker::new();
    let keys: Vec<u8> = (0..=u8::try_from(TRUST_SIGNATURES_MAX).unwrap()).collect();
    maker
        .signers
        .insert("timestamp".into(), keys[..64].to_vec());
    maker.write("timestamp");
    updated(&maker.first_root(), &mut maker);
    maker.signers.insert("timestamp".into(), keys);
    maker.write("timestamp");
    let (refreshed, _) = update(&maker.first_root(), &mut maker, ONLINE);
    assert!(matches!(
        refreshed,
        Err(TrustError::Malformed {
            field: "signatures",
            ..
        })
    ));
}
