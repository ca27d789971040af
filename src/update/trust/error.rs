//! Why metadata is not believed.

use crate::domain::Stamp;

use super::json::BadJson;
use super::malformed::Malformed;

/// Whoever made or handed over the metadata is at fault, or it is damaged. Nothing of what an error
/// is about was kept, and what was kept before it stays good.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// No JSON, or a kind that has several readings.
    #[error("{file} cannot be read: {error}")]
    Json {
        /// Its name.
        file: String,
        /// What stands where.
        error: BadJson,
    },
    /// JSON, but not such metadata.
    #[error("{file} cannot be read: '{field}' is not {expected}")]
    Malformed {
        /// Its name.
        file: String,
        /// As the specification calls it.
        field: &'static str,
        /// What it has to be.
        expected: &'static str,
    },
    /// An arbitrary software attack.
    #[error("{file} is signed by {signed} of its keys, it takes {threshold}")]
    Signatures {
        /// Its name.
        file: String,
        /// Different ones.
        signed: u64,
        /// How many it takes.
        threshold: u64,
    },
    /// A rollback attack.
    #[error("{file} has version {found}, older than {trusted}, which is known already")]
    Rollback {
        /// Its name.
        file: String,
        /// What it, or the file that lists it, says.
        found: u64,
        /// What was trusted before.
        trusted: u64,
    },
    /// A rollback attack as well.
    #[error("{file} is not listed any more")]
    Vanished {
        /// Its name.
        file: String,
    },
    /// A mix-and-match attack.
    #[error("{file} has version {found} where {expected} belongs")]
    Version {
        /// Its name.
        file: String,
        /// In the file.
        found: u64,
        /// Where it is listed.
        expected: u64,
    },
    /// A freeze attack, or an appliance that was off for long.
    #[error("{file} has expired on {}", day(*expires))]
    Expired {
        /// Its name.
        file: String,
        /// Since when.
        expires: Stamp,
    },
    /// Metadata names it, and it is not there.
    #[error("{file} is missing")]
    Missing {
        /// Its name.
        file: String,
    },
    /// Endless data.
    #[error("{file} is longer than {limit} bytes")]
    TooLong {
        /// Its name.
        file: String,
        /// What is read of such a file at most.
        limit: u64,
    },
    /// Not as long as listed.
    #[error("{file} has {found} bytes where {expected} belong")]
    Length {
        /// Its name.
        file: String,
        /// How many came, at least.
        found: u64,
        /// Where it is listed.
        expected: u64,
    },
    /// Other bytes than those listed.
    #[error("{file} is not the file that was signed: its hash differs")]
    Hash {
        /// Its name.
        file: String,
    },
    /// More than an appliance catches up with at once.
    #[error("there are more than {limit} new versions of root.json; those were taken over")]
    TooManyRoots {
        /// In one update.
        limit: u64,
    },
    /// A role that the snapshot does not know.
    #[error("the snapshot does not list {file}")]
    NotInSnapshot {
        /// Its name.
        file: String,
    },
    /// Nobody answers for it.
    #[error("no trusted metadata describes '{name}'")]
    NoTarget {
        /// As it was asked for.
        name: String,
    },
    /// Delegations without end.
    #[error("'{name}' was not found in {limit} lists of targets, and there are more")]
    TooManyRoles {
        /// As it was asked for.
        name: String,
        /// For one target.
        limit: usize,
    },
}

impl TrustError {
    pub(super) fn malformed(file: &str, Malformed { field, expected }: Malformed) -> Self {
        Self::Malformed {
            file: file.to_owned(),
            field,
            expected,
        }
    }
}

/// Why an update does not go on.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError<E: std::error::Error + 'static> {
    /// The metadata.
    #[error(transparent)]
    Refused(#[from] TrustError),
    /// The place it was to come from.
    #[error(transparent)]
    Repository(E),
}

fn day(stamp: Stamp) -> String {
    let time = jiff::Timestamp::from_millisecond(stamp.0).unwrap_or_default();
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
