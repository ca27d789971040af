//! Makes repositories, genuine ones and others, from keys that anybody can guess.

use std::collections::BTreeMap;
use std::convert::Infallible;

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use super::super::{Json, Repository, TrustedSet, quoted};

/// A time that lies ahead of [`super::NOW`].
pub const LATER: &str = "2030-01-01T00:00:00Z";

/// A repository, with consistent snapshots. Keys are numbers.
#[derive(Clone)]
pub struct Maker {
    /// What each role says, to be changed at will before it is published.
    pub signed: BTreeMap<String, Value>,
    /// Who signs for it.
    pub signers: BTreeMap<String, Vec<u8>>,
    /// What is to be fetched.
    pub files: BTreeMap<String, Vec<u8>>,
    /// What was asked for.
    pub asked: Vec<String>,
}

impl Maker {
    /// Version 1 of everything, with a target `a.update`.
    pub fn new() -> Self {
        let head = |kind: &str| json!({"_type": kind, "spec_version": "1.0.34", "version": 0, "expires": LATER});
        let with = |kind: &str, field: &str, value: Value| {
            let mut signed = head(kind);
            signed[field] = value;
            (kind.to_owned(), signed)
        };
        let mut maker = Self {
            signed: BTreeMap::from([
                with("root", "consistent_snapshot", json!(true)),
                with("timestamp", "meta", json!({})),
                with("snapshot", "meta", json!({})),
                with("targets", "targets", json!({})),
            ]),
            signers: BTreeMap::new(),
            files: BTreeMap::new(),
            asked: Vec::new(),
        };
        maker.say("root")["keys"] = json!({});
        for (role, key) in [
            ("root", 1),
            ("timestamp", 2),
            ("snapshot", 3),
            ("targets", 4),
        ] {
            maker.assign(role, 1, &[key]);
        }
        let hash = HEXLOWER.encode(digest(&SHA256, b"hello").as_ref());
        let target = json!({"length": 5, "hashes": {"sha256": hash}, "custom": {"sequence": 7}});
        maker.say("targets")["targets"]["a.update"] = target;
        maker.publish(&["root", "targets", "snapshot", "timestamp"]);
        maker
    }

    pub fn say(&mut self, role: &str) -> &mut Value {
        self.signed.get_mut(role).unwrap()
    }

    /// From the next root on, `keys` sign for `role`, which takes `threshold` of them.
    pub fn assign(&mut self, role: &str, threshold: u64, keys: &[u8]) {
        let root = self.signed.get_mut("root").unwrap();
        for key in keys {
            root["keys"][id_of(*key)] = public(*key);
        }
        let ids: Vec<String> = keys.iter().map(|key| id_of(*key)).collect();
        root["roles"][role] = json!({"keyids": ids, "threshold": threshold});
        self.signers.insert(role.into(), keys.to_vec());
    }

    /// `from` hands names that match `pattern` on to a new role, with a key of its own.
    pub fn delegate(&mut self, from: &str, to: &str, pattern: &str, key: u8) {
        let delegations = &mut self.say(from)["delegations"];
        delegations["keys"][id_of(key)] = public(key);
        let role = json!({"name": to, "keyids": [id_of(key)], "threshold": 1, "terminating": false, "paths": [pattern]});
        match delegations["roles"].as_array_mut() {
            Some(roles) => roles.push(role),
            None => delegations["roles"] = json!([role]),
        }
        let head = json!({"_type": "targets", "spec_version": "1.0", "version": 0, "expires": LATER, "targets": {}});
        self.signed.entry(to.into()).or_insert(head);
        self.signers.insert(to.into(), vec![key]);
    }

    /// The next version of each role, listed where it belongs.
    pub fn publish(&mut self, roles: &[&str]) {
        for role in roles {
            let version = self.signed[*role]["version"].as_u64().unwrap() + 1;
            self.say(role)["version"] = version.into();
            self.write(role);
            let listed = json!({"version": version});
            match *role {
                "root" | "timestamp" => {}
                "snapshot" => self.say("timestamp")["meta"]["snapshot.json"] = listed,
                _ => self.say("snapshot")["meta"][format!("{role}.json")] = listed,
            }
        }
    }

    /// Signs a role as it is.
    pub fn write(&mut self, role: &str) {
        let signed = &self.signed[role];
        let message = canonical(signed);
        let signature = |key: &u8| {
            let signature = pair(*key).sign(&message);
            json!({"keyid": id_of(*key), "sig": HEXLOWER.encode(signature.as_ref())})
        };
        let signatures: Vec<Value> = self.signers[role].iter().map(signature).collect();
        let file = json!({"signed": signed, "signatures": signatures});
        let name = match role {
            "timestamp" => "timestamp.json".to_owned(),
            role => format!("{}.{}.json", signed["version"], quoted(role)),
        };
        self.files.insert(name, serde_json::to_vec(&file).unwrap());
    }

    /// What an appliance was built with.
    pub fn first_root(&self) -> TrustedSet {
        TrustedSet::of_root(self.files["1.root.json"].clone())
    }
}

impl Repository for Maker {
    type Error = Infallible;
    fn metadata(&mut self, name: &str, _: u64) -> Result<Option<Vec<u8>>, Infallible> {
        self.asked.push(name.to_owned());
        Ok(self.files.get(name).cloned())
    }
}

fn pair(key: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[key; 32]).unwrap()
}

pub fn public(key: u8) -> Value {
    let public = HEXLOWER.encode(pair(key).public_key().as_ref());
    json!({"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": public}})
}

pub fn id_of(key: u8) -> String {
    id(&public(key))
}

pub fn id(key: &Value) -> String {
    HEXLOWER.encode(digest(&SHA256, &canonical(key)).as_ref())
}

fn canonical(value: &Value) -> Vec<u8> {
    Json::decode(value.to_string().as_bytes())
        .unwrap()
        .canonical()
}
