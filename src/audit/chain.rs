//! Which bytes a row's hash covers. Whoever has the file can check it with any SHA-256:
//!
//! ```text
//! hash(row) = SHA-256( hash(previous row)        32 bytes; all zero before row 1
//!                    ‖ number                     8 bytes, big-endian, 1 for the first row
//!                    ‖ at                         8 bytes, big-endian, two's complement
//!                    ‖ length of actor in bytes   4 bytes, big-endian
//!                    ‖ actor                      the column's UTF-8, byte for byte
//!                    ‖ length of event in bytes   4 bytes, big-endian
//!                    ‖ event )                    the column's UTF-8, byte for byte
//! ```
//!
//! The stored text itself is hashed, never a value read from it and written again, so there is no
//! second way to write a row and nothing to agree on about JSON. The lengths keep a byte from
//! moving between the two texts unseen.

use ring::digest::{Context, SHA256};

use crate::domain::Stamp;
use crate::domain::token::Fingerprint;

/// What the first row takes for the hash of the row before it.
pub const GENESIS: Fingerprint = Fingerprint([0; 32]);

/// What a row says, in the bytes that are stored.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// Counted from 1 without gaps.
    pub number: u64,
    /// When.
    pub at: Stamp,
    /// JSON of the [`super::Actor`].
    pub actor: &'a str,
    /// JSON of the [`super::Event`].
    pub event: &'a str,
}

impl Row<'_> {
    /// This row's hash, after a row with hash `previous`.
    pub fn hash(&self, previous: &Fingerprint) -> Fingerprint {
        let mut context = Context::new(&SHA256);
        context.update(&previous.0);
        context.update(&self.number.to_be_bytes());
        context.update(&self.at.0.to_be_bytes());
        for text in [self.actor, self.event] {
            let length = u32::try_from(text.len()).expect("the store's rows are limited to 1 MiB");
            context.update(&length.to_be_bytes());
            context.update(text.as_bytes());
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        Fingerprint(hash)
    }
}

/// Where the chain does not hold. Rows before it are as they were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainBroken {
    /// The row was changed, or one before it was replaced.
    #[error("audit row {row} does not fit: stored hash {stored}, computed {computed}")]
    Changed {
        /// The first row that does not fit.
        row: u64,
        /// What the row says.
        stored: Fingerprint,
        /// What its content and the row before it give.
        computed: Fingerprint,
    },
    /// The row is gone.
    #[error("audit row {row} is missing, row {found} follows the one before it")]
    Missing {
        /// The first row that is not there.
        row: u64,
        /// The number that was found instead; below 1 if a row was put in front.
        found: i64,
    },
    /// The row holds something that is neither text nor hash.
    #[error("audit row {row} cannot be read")]
    Unreadable {
        /// The row.
        row: u64,
    },
}

impl ChainBroken {
    /// The first row that is not as it was written.
    pub fn row(&self) -> u64 {
        match *self {
            Self::Changed { row, .. } | Self::Missing { row, .. } | Self::Unreadable { row } => row,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outsider_gets_the_same_hashes() {
        // Computed with Python's hashlib and struct from the description above.
        let first = Row {
            number: 1,
            at: Stamp(1_700_000_000_000),
            actor: r#"{"actor":"appliance"}"#,
            event: r#"{"event":"store_created","schema":1}"#,
        };
        let hash = first.hash(&GENESIS);
        assert_eq!(
            hash.to_string(),
            "be47f4c43d237b0c4ad6aaf7532829755600c11e15f503a78b0a6a8627fa7322"
        );
        let second = Row {
            number: 2,
            at: Stamp(-1),
            actor: r#"{"actor":"command_line"}"#,
            event: "{\"ä\":0}",
        };
        assert_eq!(
            second.hash(&hash).to_string(),
            "22560b2c3d586266de0784c76500c91ac32c6b82a984a0854a48279dfc74295c"
        );
    }

    #[test]
    fn no_byte_moves_between_actor_and_event_unseen() {
        let row = |actor, event| Row {
            number: 1,
            at: Stamp(0),
            actor,
            event,
        };
        assert_ne!(row("ab", "c").hash(&GENESIS), row("a", "bc").hash(&GENESIS));
    }
}
