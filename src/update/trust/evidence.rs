//! What was believed and why, for the administrator and the audit trail.

use crate::domain::Stamp;

/// One piece of metadata whose signatures were checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// `root`, `timestamp`, `snapshot`, `targets`, or the name of a delegated role.
    pub role: String,
    /// Which of its versions.
    pub version: u64,
    /// Until when its signers stand by it.
    pub expires: Stamp,
    /// Ids of the keys that signed it: SHA-256 in digits.
    pub signed_by: Vec<String>,
}

impl Evidence {
    /// Whether nobody stands by it any more.
    pub fn has_expired(&self, now: Stamp) -> bool {
        self.expires <= now
    }
}
