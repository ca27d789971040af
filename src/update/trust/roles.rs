//! What the four top-level roles say.

use std::collections::BTreeMap;

use super::delegation::Delegations;
use super::envelope::Body;
use super::json::Json;
use super::key::{Keys, Role};
use super::malformed::{Fields, Malformed, refuse};
use super::target::{Hashes, Target};

/// Names that no delegated role may have.
pub const TOP_LEVEL: [&str; 4] = ["root", "timestamp", "snapshot", "targets"];

/// Who may sign what.
#[derive(Clone, Debug)]
pub struct Root {
    /// Whether files have their version or hash in front of their name.
    pub consistent: bool,
    pub keys: Keys,
    /// Who signs the next root.
    pub own: Role,
    pub timestamp: Role,
    pub snapshot: Role,
    pub targets: Role,
}

impl Body for Root {
    const TYPE: &'static str = "root";
    fn decode(fields: Fields<'_>) -> Result<Self, Malformed> {
        let roles = fields.object("roles")?;
        let role = |name| Role::decode(roles.object(name)?);
        Ok(Self {
            consistent: match fields.maybe("consistent_snapshot") {
                Some(_) => fields.flag("consistent_snapshot")?,
                None => false,
            },
            keys: Keys::decode(fields)?,
            own: role("root")?,
            timestamp: role("timestamp")?,
            snapshot: role("snapshot")?,
            targets: role("targets")?,
        })
    }
}

/// Which file of metadata is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub version: u64,
    pub length: Option<u64>,
    pub hashes: Option<Hashes>,
}

impl Listed {
    fn decode(json: &Json) -> Result<Self, Malformed> {
        let fields = Fields::of(json, "meta")?;
        Ok(Self {
            version: fields.positive("version")?,
            length: match fields.maybe("length") {
                Some(_) => Some(fields.positive("length")?),
                None => None,
            },
            hashes: match fields.maybe("hashes") {
                Some(_) => Some(Hashes::decode(fields)?),
                None => None,
            },
        })
    }
}

/// Which snapshot is the newest.
#[derive(Clone, Debug)]
pub struct Timestamp {
    pub snapshot: Listed,
}

impl Body for Timestamp {
    const TYPE: &'static str = "timestamp";
    fn decode(fields: Fields<'_>) -> Result<Self, Malformed> {
        let snapshot = fields.object("meta")?.any("snapshot.json")?;
        Ok(Self {
            snapshot: Listed::decode(snapshot)?,
        })
    }
}

/// Which lists of targets belong together.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// By file name, such as `targets.json`.
    pub meta: BTreeMap<String, Listed>,
}

impl Body for Snapshot {
    const TYPE: &'static str = "snapshot";
    fn decode(fields: Fields<'_>) -> Result<Self, Malformed> {
        let files = fields.object("meta")?;
        if files.maybe("targets.json").is_none() {
            return refuse("meta", "a list with targets.json");
        }
        let listed = |(name, json): (&String, &Json)| Ok((name.clone(), Listed::decode(json)?));
        Ok(Self {
            meta: files.each().map(listed).collect::<Result<_, _>>()?,
        })
    }
}

/// Files that one may trust, and who else may say so.
#[derive(Clone, Debug)]
pub struct Targets {
    pub targets: BTreeMap<String, Target>,
    pub delegations: Option<Delegations>,
}

impl Body for Targets {
    const TYPE: &'static str = "targets";
    fn decode(fields: Fields<'_>) -> Result<Self, Malformed> {
        let target = |(name, json): (&String, &Json)| {
            let target = Target::decode(name, Fields::of(json, "targets")?)?;
            Ok((name.clone(), target))
        };
        let targets = fields.object("targets")?.each().map(target);
        Ok(Self {
            targets: targets.collect::<Result<_, _>>()?,
            delegations: match fields.maybe("delegations") {
                Some(_) => Some(Delegations::decode(fields.object("delegations")?)?),
                None => None,
            },
        })
    }
}

/// See [`super::fuzz`].
#[cfg(any(test, fuzzing))]
pub fn fuzz(data: &[u8]) {
    let Ok(json) = Json::decode(data) else { return };
    let Ok(fields) = Fields::of(&json, "data") else {
        return;
    };
    let _ = (
        Root::decode(fields).is_ok(),
        Timestamp::decode(fields).is_ok(),
    );
    if let Ok(snapshot) = Snapshot::decode(fields) {
        assert!(snapshot.meta.values().all(|listed| listed.version > 0));
    }
    if let Ok(targets) = Targets::decode(fields) {
        assert!(
            targets
                .targets
                .iter()
                .all(|(name, target)| *name == target.name)
        );
    }
}
