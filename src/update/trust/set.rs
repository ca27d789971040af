//! What is kept from one update to the next.

use crate::domain::limits::{
    TRUST_ROOT_BYTES_MAX, TRUST_SNAPSHOT_BYTES_MAX, TRUST_TARGETS_BYTES_MAX,
    TRUST_TIMESTAMP_BYTES_MAX,
};

/// The newest metadata that was believed, as it came.
///
/// The set only says that somebody checked it once: whoever keeps it keeps others from changing it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedSet {
    /// Who may sign what. Everything rests on it.
    pub root: Vec<u8>,
    /// The newest of each role, if there was one yet.
    pub timestamp: Option<Vec<u8>>,
    /// Likewise.
    pub snapshot: Option<Vec<u8>>,
    /// Likewise.
    pub targets: Option<Vec<u8>>,
}

/// Bytes that are no trusted set.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the trusted set is damaged: {0}")]
pub struct BadSet(&'static str);

const MAGIC: &[u8] = b"JGTRUST1";
const LENGTHS_MAX: [u64; 4] = [
    TRUST_ROOT_BYTES_MAX,
    TRUST_TIMESTAMP_BYTES_MAX,
    TRUST_SNAPSHOT_BYTES_MAX,
    TRUST_TARGETS_BYTES_MAX,
];

impl TrustedSet {
    /// The set that an appliance begins with.
    pub fn of_root(root: Vec<u8>) -> Self {
        Self {
            root,
            ..Self::default()
        }
    }

    /// As one piece: `JGTRUST1`, then for root, timestamp, snapshot and targets a length (`u32`,
    /// big-endian, 0 for one that is not there) and as many bytes. It has no checksum of its own.
    ///
    /// # Panics
    ///
    /// If a piece is longer than metadata may be.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        let optional = [&self.timestamp, &self.snapshot, &self.targets];
        let pieces = optional.map(|piece| piece.as_deref().unwrap_or_default());
        for (piece, limit) in [&*self.root].iter().chain(&pieces).zip(LENGTHS_MAX) {
            assert!(piece.len() as u64 <= limit);
            let length = u32::try_from(piece.len()).expect("below the limit");
            bytes.extend(length.to_be_bytes());
            bytes.extend(*piece);
        }
        bytes
    }

    /// Reads what [`Self::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadSet> {
        let mut rest = bytes.strip_prefix(MAGIC).ok_or(BadSet("its beginning"))?;
        let mut pieces = [const { None }; 4];
        for (piece, limit) in pieces.iter_mut().zip(LENGTHS_MAX) {
            let (length, after) = rest.split_first_chunk().ok_or(BadSet("it ends early"))?;
            let length = u32::from_be_bytes(*length);
            if u64::from(length) > limit {
                return Err(BadSet("a length"));
            }
            let (found, after) = after
                .split_at_checked(length as usize)
                .ok_or(BadSet("it ends early"))?;
            *piece = (length > 0).then(|| found.to_vec());
            rest = after;
        }
        if !rest.is_empty() {
            return Err(BadSet("something follows it"));
        }
        let [root, timestamp, snapshot, targets] = pieces;
        Ok(Self {
            root: root.ok_or(BadSet("it has no root"))?,
            timestamp,
            snapshot,
            targets,
        })
    }
}

/// See [`super::fuzz`].
#[cfg(any(test, fuzzing))]
pub fn fuzz(data: &[u8]) {
    if let Ok(set) = TrustedSet::decode(data) {
        assert_eq!(set.encode(), data);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_survives_being_kept_and_a_torn_one_is_refused() {
        let set = TrustedSet {
            root: b"{}".to_vec(),
            timestamp: Some(b"t".to_vec()),
            snapshot: None,
            targets: Some(vec![7; 70_000]),
        };
        let bytes = set.encode();
        assert_eq!(TrustedSet::decode(&bytes), Ok(set));
        for end in [0, 7, 8, 11, 13, 14, 20, bytes.len() - 1] {
            assert!(TrustedSet::decode(&bytes[..end]).is_err(), "{end} bytes");
        }
        assert!(TrustedSet::decode(&[&bytes[..], b"x"].concat()).is_err());
        assert!(TrustedSet::decode(&[MAGIC, &[0; 16]].concat()).is_err());
    }
}
