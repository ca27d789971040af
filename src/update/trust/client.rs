//! The client's workflow, section 5 of the specification step by step.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::Stamp;
use crate::domain::limits::{
    TRUST_ROOT_BYTES_MAX, TRUST_ROOTS_MAX, TRUST_SNAPSHOT_BYTES_MAX, TRUST_TARGETS_BYTES_MAX,
    TRUST_TIMESTAMP_BYTES_MAX,
};

use super::envelope::{Body, Envelope, Metadata, open};
use super::error::{RefreshError, TrustError};
use super::evidence::Evidence;
use super::file::name_of;
use super::key::{Keys, Role};
use super::roles::{Listed, Root, Snapshot, Targets, Timestamp};
use super::set::TrustedSet;
use super::target::Check;

/// Where metadata comes from: a server, a bundle, a folder. Nothing it hands over is believed.
pub trait Repository {
    /// What may go wrong there.
    type Error: std::error::Error + 'static;

    /// The metadata file `name`, such as `3.root.json`, or `None` if there is none. Of a longer one
    /// it reads no more than a byte beyond `bytes_max`.
    fn metadata(&mut self, name: &str, bytes_max: u64) -> Result<Option<Vec<u8>>, Self::Error>;
}

/// What is done about metadata that nobody stands by any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// It is refused: we are online, and this time was confirmed.
    Refuse {
        /// When the update began; it counts to the end.
        now: Stamp,
    },
    /// [`Client::evidence`] says until when, and an administrator decides.
    Report,
}

/// What is done about metadata older than what is known already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// It is refused.
    OnlyUp,
    /// An administrator confirmed that it is to be used. The kept set stays as new as it was.
    Confirmed,
}

/// What the caller decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// About expired metadata.
    pub expiry: Expiry,
    /// About old metadata.
    pub versions: Versions,
}

/// One update. [`Self::trusted`] is to be kept afterwards, also if it failed: new roots may have
/// come, and what was believed before the failure stays believed.
pub struct Client {
    pub(super) policy: Policy,
    pub(super) root: Metadata<Root>,
    kept: TrustedSet,
    /// What newer versions are compared with.
    floor: Floor,
    /// What this update goes by.
    pub(super) view: Option<View>,
    /// Delegated roles that were fetched, by file name.
    pub(super) delegated: BTreeMap<String, Vec<u8>>,
    pub(super) evidence: Vec<Evidence>,
}

#[derive(Default)]
struct Floor {
    timestamp: Option<Metadata<Timestamp>>,
    snapshot: Option<Metadata<Snapshot>>,
    /// Something that this update goes by is older, so nothing of it is kept.
    lowered: bool,
}

/// A file that was believed, as it is and as it came.
pub(super) struct Found<T> {
    pub(super) metadata: Metadata<T>,
    pub(super) bytes: Vec<u8>,
}

pub(super) struct View {
    pub(super) snapshot: Arc<Metadata<Snapshot>>,
    pub(super) targets: Arc<Metadata<Targets>>,
}

impl Client {
    /// Begins with what is kept; its root has to be signed by its own keys.
    pub fn new(kept: TrustedSet, policy: Policy) -> Result<Self, TrustError> {
        let envelope = Envelope::decode("the kept root.json", &kept.root)?;
        // Read before it is verified: only it says what to verify it with. It was ours before.
        let root: Metadata<Root> = envelope.read("the kept root.json", Vec::new())?;
        let (keys, role) = (&root.body.keys, &root.body.own);
        let root = open("the kept root.json", &kept.root, keys, role)?;
        let floor = Floor {
            timestamp: known("the kept timestamp.json", kept.timestamp.as_deref())?,
            snapshot: known("the kept snapshot.json", kept.snapshot.as_deref())?,
            lowered: false,
        };
        Ok(Self {
            policy,
            root,
            kept,
            floor,
            view: None,
            delegated: BTreeMap::new(),
            evidence: Vec::new(),
        })
    }

    /// What is to be kept now.
    pub fn trusted(&self) -> &TrustedSet {
        &self.kept
    }

    /// Which metadata was checked, and who signed it.
    pub fn evidence(&self) -> &[Evidence] {
        &self.evidence
    }

    /// Whether the repository has the version or hash of files in their names.
    pub fn is_consistent(&self) -> bool {
        self.root.body.consistent
    }

    /// Delegated roles as they came, by their file's name without a version, which is one segment of
    /// a path.
    pub fn delegated(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.delegated
    }

    /// Delegated roles from an earlier update: those that are still right are not fetched again.
    pub fn remember(&mut self, delegated: BTreeMap<String, Vec<u8>>) {
        self.delegated = delegated;
    }

    /// Brings the top-level roles up to date (sections 5.3 to 5.6).
    pub fn refresh<R: Repository>(
        &mut self,
        repository: &mut R,
    ) -> Result<(), RefreshError<R::Error>> {
        self.view = None;
        self.evidence.clear();
        self.floor.lowered = false;
        self.update_root(repository)?;
        let timestamp = self.update_timestamp(repository)?;
        let snapshot = self.update_snapshot(repository, &timestamp)?;
        let targets = self.update_targets(repository, &snapshot)?;
        self.view = Some(View {
            snapshot: Arc::new(snapshot),
            targets: Arc::new(targets),
        });
        Ok(())
    }

    /// 5.3: from root N to the newest, one by one.
    fn update_root<R: Repository>(&mut self, from: &mut R) -> Result<(), RefreshError<R::Error>> {
        let mut left = TRUST_ROOTS_MAX;
        loop {
            self.believed("root", &self.root.clone());
            let file = name_of("root", Some(self.root.version.saturating_add(1)));
            let Some(bytes) = fetch_if_there(from, &file, TRUST_ROOT_BYTES_MAX)? else {
                return Ok(self.check_expiry("root.json", self.root.expires)?);
            };
            left = left.checked_sub(1).ok_or(TrustError::TooManyRoots {
                limit: TRUST_ROOTS_MAX,
            })?;
            let newer = self.next_root(&file, &bytes)?;
            let (before, after) = (&self.root.body, &newer.body);
            // 5.3.11: keys that were taken away may have signed versions that nobody can reach.
            // Done at once, so that a root is never kept without it.
            if before.timestamp.lost_a_key(&after.timestamp)
                || before.snapshot.lost_a_key(&after.snapshot)
            {
                self.kept.timestamp = None;
                self.kept.snapshot = None;
                self.floor = Floor::default();
            }
            self.kept.root = bytes;
            self.root = newer;
        }
    }

    /// 5.3.4 and 5.3.5: signed by the old and by the new root's keys, and exactly the next one.
    fn next_root(&self, file: &str, bytes: &[u8]) -> Result<Metadata<Root>, TrustError> {
        let trusted = &self.root.body;
        let envelope = Envelope::decode(file, bytes)?;
        let mut signed_by = envelope.signed_by(file, &trusted.keys, &trusted.own)?;
        let newer: Metadata<Root> = envelope.read(file, Vec::new())?;
        let mut newer: Metadata<Root> = open(file, bytes, &newer.body.keys, &newer.body.own)?;
        check_version(file, newer.version, self.root.version.saturating_add(1))?;
        signed_by.retain(|id| !newer.signed_by.contains(id));
        newer.signed_by.append(&mut signed_by);
        Ok(newer)
    }

    /// 5.4.
    fn update_timestamp<R: Repository>(
        &mut self,
        from: &mut R,
    ) -> Result<Metadata<Timestamp>, RefreshError<R::Error>> {
        let file = "timestamp.json";
        let bytes = fetch(from, file, TRUST_TIMESTAMP_BYTES_MAX)?;
        let root = &self.root.body;
        let newer: Metadata<Timestamp> = open(file, &bytes, &root.keys, &root.timestamp)?;
        let mut lowered = false;
        if let Some(trusted) = &self.floor.timestamp {
            // 5.4.3.1: the same version says the same, so it is what we have.
            if newer.version == trusted.version
                && let Some(bytes) = &self.kept.timestamp
                && let Ok(trusted) = open(file, bytes, &root.keys, &root.timestamp)
            {
                self.check_expiry(file, trusted.expires)?;
                self.believed("timestamp", &trusted);
                return Ok(trusted);
            }
            lowered |= self.check_rollback(file, newer.version, trusted.version)?;
            let (found, trusted) = (&newer.body.snapshot, &trusted.body.snapshot);
            lowered |= self.check_rollback("snapshot.json", found.version, trusted.version)?;
        }
        self.check_expiry(file, newer.expires)?;
        self.floor.lowered |= lowered;
        if !self.floor.lowered {
            self.floor.timestamp = Some(newer.clone());
            self.kept.timestamp = Some(bytes);
        }
        self.believed("timestamp", &newer);
        Ok(newer)
    }

    /// 5.5.
    fn update_snapshot<R: Repository>(
        &mut self,
        from: &mut R,
        timestamp: &Metadata<Timestamp>,
    ) -> Result<Metadata<Snapshot>, RefreshError<R::Error>> {
        let listed = &timestamp.body.snapshot;
        let root = &self.root.body;
        let role = (&root.keys, &root.snapshot);
        let known = self.kept.snapshot.as_deref();
        let limit = TRUST_SNAPSHOT_BYTES_MAX;
        let found: Found<Snapshot> = match reused("snapshot", known, listed, role) {
            Some(reused) => reused,
            None => fetch_listed(from, "snapshot", listed, limit, role, root.consistent)?,
        };
        let newer = found.metadata;
        let mut lowered = false;
        for (file, trusted) in self.floor.snapshot.iter().flat_map(|s| &s.body.meta) {
            lowered |= match newer.body.meta.get(file) {
                Some(found) => self.check_rollback(file, found.version, trusted.version)?,
                None if self.policy.versions == Versions::Confirmed => true,
                None => return Err(TrustError::Vanished { file: file.clone() }.into()),
            };
        }
        self.check_expiry("snapshot.json", newer.expires)?;
        self.floor.lowered |= lowered;
        if !self.floor.lowered {
            self.floor.snapshot = Some(newer.clone());
            self.kept.snapshot = Some(found.bytes);
        }
        self.believed("snapshot", &newer);
        Ok(newer)
    }

    /// 5.6, without the search, which is [`Self::target`].
    fn update_targets<R: Repository>(
        &mut self,
        from: &mut R,
        snapshot: &Metadata<Snapshot>,
    ) -> Result<Metadata<Targets>, RefreshError<R::Error>> {
        let root = &self.root.body;
        let role = (&root.keys, &root.targets);
        let known = self.kept.targets.as_deref();
        let found = self.targets_of(from, "targets", role, known, snapshot)?;
        if !self.floor.lowered {
            self.kept.targets = Some(found.bytes);
        }
        self.believed("targets", &found.metadata);
        Ok(found.metadata)
    }

    /// The list of targets of `name` that belongs to `snapshot`, reusing `known` if it is that.
    pub(super) fn targets_of<R: Repository>(
        &self,
        from: &mut R,
        name: &str,
        role: (&Keys, &Role),
        known: Option<&[u8]>,
        snapshot: &Metadata<Snapshot>,
    ) -> Result<Found<Targets>, RefreshError<R::Error>> {
        // As the snapshot calls it: not quoted, and never with a version.
        let file = format!("{name}.json");
        let Some(listed) = snapshot.body.meta.get(&file) else {
            return Err(TrustError::NotInSnapshot { file }.into());
        };
        let limit = TRUST_TARGETS_BYTES_MAX;
        let consistent = self.root.body.consistent;
        let found: Found<Targets> = match reused(name, known, listed, role) {
            Some(reused) => reused,
            None => fetch_listed(from, name, listed, limit, role, consistent)?,
        };
        self.check_expiry(&file, found.metadata.expires)?;
        Ok(found)
    }

    /// A freeze attack, if that is for us to say.
    fn check_expiry(&self, file: &str, expires: Stamp) -> Result<(), TrustError> {
        match self.policy.expiry {
            Expiry::Refuse { now } if expires <= now => Err(TrustError::Expired {
                file: file.to_owned(),
                expires,
            }),
            Expiry::Refuse { .. } | Expiry::Report => Ok(()),
        }
    }

    /// Whether `found` is older than what is trusted, or an error if it must not be.
    fn check_rollback(&self, file: &str, found: u64, trusted: u64) -> Result<bool, TrustError> {
        if found >= trusted {
            return Ok(false);
        }
        match self.policy.versions {
            Versions::Confirmed => Ok(true),
            Versions::OnlyUp => Err(TrustError::Rollback {
                file: file.to_owned(),
                found,
                trusted,
            }),
        }
    }

    pub(super) fn believed<T>(&mut self, role: &str, metadata: &Metadata<T>) {
        let evidence = Evidence {
            role: role.to_owned(),
            version: metadata.version,
            expires: metadata.expires,
            signed_by: metadata.signed_by.clone(),
        };
        if !self.evidence.contains(&evidence) {
            self.evidence.push(evidence);
        }
    }
}

/// Metadata that was believed once, for its versions alone: its keys may be others by now.
fn known<T: Body>(file: &str, bytes: Option<&[u8]>) -> Result<Option<Metadata<T>>, TrustError> {
    let read = |bytes| Envelope::decode(file, bytes)?.read(file, Vec::new());
    bytes.map(read).transpose()
}

/// `known`, if it is exactly what is listed and today's keys signed it.
fn reused<T: Body>(
    role_name: &str,
    known: Option<&[u8]>,
    listed: &Listed,
    (keys, role): (&Keys, &Role),
) -> Option<Found<T>> {
    let bytes = known?;
    check_listed(role_name, bytes, listed).ok()?;
    let metadata: Metadata<T> = open(role_name, bytes, keys, role).ok()?;
    let bytes = bytes.to_vec();
    (metadata.version == listed.version).then_some(Found { metadata, bytes })
}

/// Fetches what another role listed, and finds it to be that and signed.
fn fetch_listed<T: Body, R: Repository>(
    from: &mut R,
    role_name: &str,
    listed: &Listed,
    limit: u64,
    (keys, role): (&Keys, &Role),
    consistent: bool,
) -> Result<Found<T>, RefreshError<R::Error>> {
    let file = name_of(role_name, consistent.then_some(listed.version));
    if listed.length.is_some_and(|length| length > limit) {
        return Err(TrustError::TooLong { file, limit }.into());
    }
    let bytes = fetch(from, &file, listed.length.unwrap_or(limit))?;
    // Section 5.5.2: hashes first, because they come from a role that was verified already.
    check_listed(&file, &bytes, listed)?;
    let metadata: Metadata<T> = open(&file, &bytes, keys, role)?;
    check_version(&file, metadata.version, listed.version)?;
    Ok(Found { metadata, bytes })
}

fn check_listed(file: &str, bytes: &[u8], listed: &Listed) -> Result<(), TrustError> {
    let mut check = Check::new(file, listed.length, listed.hashes.as_ref());
    check.update(bytes)?;
    check.finish()
}

fn check_version(file: &str, found: u64, expected: u64) -> Result<(), TrustError> {
    if found == expected {
        return Ok(());
    }
    Err(TrustError::Version {
        file: file.to_owned(),
        found,
        expected,
    })
}

fn fetch<R: Repository>(
    from: &mut R,
    file: &str,
    limit: u64,
) -> Result<Vec<u8>, RefreshError<R::Error>> {
    let missing = || TrustError::Missing {
        file: file.to_owned(),
    };
    Ok(fetch_if_there(from, file, limit)?.ok_or_else(missing)?)
}

fn fetch_if_there<R: Repository>(
    from: &mut R,
    file: &str,
    limit: u64,
) -> Result<Option<Vec<u8>>, RefreshError<R::Error>> {
    let found = from.metadata(file, limit);
    match found.map_err(RefreshError::Repository)? {
        Some(bytes) if bytes.len() as u64 > limit => Err(TrustError::TooLong {
            file: file.to_owned(),
            limit,
        }
        .into()),
        found => Ok(found),
    }
}
