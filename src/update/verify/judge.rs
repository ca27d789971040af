//! What an update is worth, before anything of it is written. Pure.

use std::error::Error;

use crate::control::machine::{Notice, notice};
use crate::control::update::{Accept, Expired, KeyId, Line, Offer, Verdict};
use crate::domain::limits::UPDATE_KEYS_MAX;
use crate::domain::text::label;
use crate::domain::{Model, Stamp, Text};
use crate::update::manifest::{Manifest, ManifestError};
use crate::update::trust::{
    Check, Client, Evidence, Expiry, Policy, RefreshError, Repository, Target, TrustError,
    TrustedSet, Versions,
};
use crate::update::wire::Told;

/// Why bytes are no update for this appliance. Always the sender's doing.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// Its metadata is not believed.
    #[error("it cannot be trusted: {0}")]
    Trust(String),
    /// The manifest is not one of the files that the metadata vouches for.
    #[error("its manifest is not the one that was signed")]
    Manifest,
    /// The manifest is not there.
    #[error("it has no manifest")]
    NoManifest,
    /// A version that is only a manifest.
    #[error("it has no payload")]
    NoPayload,
    /// Whoever holds the metadata does not hand it over.
    #[error("{0}")]
    Unread(String),
    /// The manifest says what cannot be.
    #[error(transparent)]
    Unreadable(#[from] ManifestError),
}

/// An update whose metadata is believed.
#[derive(Clone, Debug)]
pub struct Judged {
    /// What it brings.
    pub manifest: Manifest,
    /// Its bytes, which the writer hashes.
    pub manifest_bytes: Vec<u8>,
    /// Who signed what.
    pub evidence: Vec<Evidence>,
    /// For people.
    pub verdict: Verdict,
}

impl Judged {
    /// Ids of the keys that signed for it.
    pub fn keys(&self) -> heapless::Vec<KeyId, UPDATE_KEYS_MAX> {
        let targets = self.evidence.iter().filter(|e| e.role == "targets");
        let ids = targets.flat_map(|evidence| &evidence.signed_by);
        let ids = ids.filter_map(|id| KeyId::try_from(id.as_str()).ok());
        ids.take(UPDATE_KEYS_MAX).collect()
    }
}

/// What is known when an update is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// What runs and what happened.
    pub told: &'a Told,
    /// What is trusted.
    pub kept: &'a TrustedSet,
    /// The clock.
    pub now: Stamp,
    /// Whether it came from a server, which can be asked again, or was carried in.
    pub online: bool,
}

/// A repository that was believed, before a version is chosen.
pub struct Believed {
    client: Client,
    /// Something in it is older than what was known before.
    lowered: bool,
}

/// Brings the trusted metadata up to date from `repository`. What is to be kept as trusted is in
/// `newest` afterwards, also if it failed: new roots may have come before something else was wrong.
///
/// # Errors
///
/// [`Unfit::Trust`]. Old metadata from a server is refused; carried in, it is believed as far as
/// signatures go, and a person is asked.
pub fn believe<R: Repository>(
    situation: Situation<'_>,
    repository: &mut R,
    newest: &mut TrustedSet,
) -> Result<Believed, Unfit> {
    let Situation {
        told,
        kept,
        now,
        online,
    } = situation;
    let expiry = if online && told.running.clock_confirmed {
        Expiry::Refuse { now }
    } else {
        Expiry::Report
    };
    let mut refresh = |versions| -> Result<Client, RefreshError<R::Error>> {
        let mut client = Client::new(kept.clone(), Policy { expiry, versions })?;
        let done = client.refresh(repository);
        client.trusted().clone_into(newest);
        done.map(|()| client)
    };
    match refresh(Versions::OnlyUp) {
        Ok(client) => Ok(Believed {
            client,
            lowered: false,
        }),
        Err(RefreshError::Refused(TrustError::Rollback { .. } | TrustError::Vanished { .. }))
            if !online =>
        {
            let client = refresh(Versions::Confirmed).map_err(|error| refused(&error))?;
            Ok(Believed {
                client,
                lowered: true,
            })
        }
        Err(error) => Err(refused(&error)),
    }
}

fn refused<E: Error>(error: &RefreshError<E>) -> Unfit {
    match error {
        RefreshError::Refused(error) => Unfit::Trust(error.to_string()),
        RefreshError::Repository(error) => Unfit::Unread(error.to_string()),
    }
}

impl Believed {
    /// Where the newest version of `line` for `model` is described: the path of its manifest's
    /// target, if there is one.
    pub fn path<R: Repository>(
        &mut self,
        repository: &mut R,
        line: Line,
        model: Model,
        kind: Kind,
    ) -> Result<Option<String>, Unfit> {
        let consistent = self.client.is_consistent();
        let found = self.find(repository, line, model, kind)?;
        Ok(found.map(|target| target.path(consistent)))
    }

    fn find<R: Repository>(
        &mut self,
        repository: &mut R,
        line: Line,
        model: Model,
        kind: Kind,
    ) -> Result<Option<Target>, Unfit> {
        match self.client.target(repository, &name(line, model, kind)) {
            Ok(target) => Ok(Some(target)),
            Err(RefreshError::Refused(TrustError::NoTarget { .. })) => Ok(None),
            Err(error) => Err(refused(&error)),
        }
    }

    /// Looks at a manifest and says what installing it would mean.
    pub fn judge<R: Repository>(
        mut self,
        situation: Situation<'_>,
        repository: &mut R,
        manifest_bytes: Vec<u8>,
    ) -> Result<Judged, Unfit> {
        if !self.vouches_for(repository, &manifest_bytes)? {
            return Err(Unfit::Manifest);
        }
        let manifest = Manifest::decode(&manifest_bytes)?;
        let verdict = self.verdict(situation, &manifest, &manifest_bytes);
        Ok(Judged {
            manifest,
            manifest_bytes,
            evidence: self.client.evidence().to_vec(),
            verdict,
        })
    }

    /// Whether these bytes are the manifest of any line and model: which ones decides later, by what
    /// it says itself.
    fn vouches_for<R: Repository>(
        &mut self,
        repository: &mut R,
        manifest: &[u8],
    ) -> Result<bool, Unfit> {
        for line in [Line::Stable, Line::Early] {
            for model in Model::ALL {
                let found = self.find(repository, line, model, Kind::Manifest)?;
                if found.is_some_and(|target| is(&target, manifest)) {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn verdict(
        &self,
        situation: Situation<'_>,
        manifest: &Manifest,
        manifest_bytes: &[u8],
    ) -> Verdict {
        let Situation { told, now, .. } = situation;
        let expired: heapless::Vec<Expired, 4> = self
            .client
            .evidence()
            .iter()
            .filter(|evidence| evidence.has_expired(now))
            .map(|evidence| Expired {
                role: Text::try_from(evidence.role.as_str()).unwrap_or_default(),
                since: evidence.expires,
            })
            .take(4)
            .collect();
        let fingerprint = crate::domain::token::Fingerprint::of(manifest_bytes);
        Verdict {
            needs: Accept {
                older: self.lowered || manifest.sequence <= told.running.sequence,
                expired: !expired.is_empty(),
            },
            expired,
            refused: refusal(told, manifest),
            offer: Offer {
                version: manifest.version.clone(),
                sequence: manifest.sequence,
                model: manifest.model,
                channel: manifest.channel,
                built: seconds(manifest.built),
                notes: manifest.notes.clone(),
                bytes: manifest.payload_bytes(),
                failed_before: told.failed.contains(&fingerprint),
            },
        }
    }
}

fn is(target: &Target, bytes: &[u8]) -> bool {
    let mut check = Check::of(target);
    check.update(bytes).is_ok() && check.finish().is_ok()
}

/// What a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// [`Manifest`].
    Manifest,
    /// The files, one behind the other.
    Payload,
}

/// As the repository calls it.
fn name(line: Line, model: Model, kind: Kind) -> String {
    let kind = match kind {
        Kind::Manifest => "json",
        Kind::Payload => "payload",
    };
    format!("{line}/{}.{kind}", model.code())
}

/// What no confirmation helps against.
fn refusal(told: &Told, manifest: &Manifest) -> Option<Notice> {
    let running = &told.running;
    let why = if manifest.model != running.model {
        format!(
            "This update is for the model {}; this appliance is a {}. Get the one for {}.",
            manifest.model, running.model, running.model
        )
    } else if manifest.channel != running.channel {
        format!(
            "This is a {} version, and the appliance runs a {} one.",
            manifest.channel, running.channel
        )
    } else if manifest.security_epoch < told.security_epoch {
        format!(
            "Version {} has a known weakness (security epoch {}, this appliance is at {}). Get a newer \
             one.",
            label(&manifest.version),
            manifest.security_epoch,
            told.security_epoch
        )
    } else {
        return told.blocked.clone();
    };
    Some(notice(&why))
}

fn seconds(since_1970: u64) -> Stamp {
    let millis = since_1970.saturating_mul(1_000);
    Stamp(i64::try_from(millis).unwrap_or(i64::MAX))
}
