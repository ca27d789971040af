//! Why somebody with a session key, a ticket or a token was turned away, and the puzzle that
//! lets a person through while a machine is guessing.

use serde::{Deserialize, Serialize};

use super::text::Text;
use super::token::Token;

/// A puzzle and its answer: SHA-256 of `challenge` (as its 32 hexadecimal digits) followed by
/// `answer` (in decimal) begins with the asked number of zero bits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PuzzleAnswer {
    /// As it was given.
    pub challenge: Token,
    /// The number found.
    pub answer: u64,
}

/// Why a hello was turned away.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum TurnedReason {
    /// No version in common.
    Version {
        /// Lowest and highest version spoken here.
        versions: (u16, u16),
    },
    /// No such session key: never given out, used, or expired. Deliberately one answer.
    Key,
    /// Too many wrong keys from this address.
    SlowDown {
        /// When to try again.
        retry_after_seconds: u32,
    },
    /// The site is being guessed at: solve this and say hello again.
    Puzzle {
        /// Goes into the answer.
        challenge: Token,
        /// Leading zero bits of the SHA-256.
        bits: u8,
    },
    /// No such session, over, or not with this token.
    Session,
    /// The console's ticket was used, or is too old.
    Ticket,
    /// No room.
    Full,
}

/// Why a Jump Client was turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum JumpClientTurned {
    /// No version in common.
    Version {
        /// Lowest and highest version spoken here.
        versions: (u16, u16),
    },
    /// No Jump Client has this device key, and it brought no deployment that counts.
    Device,
    /// As many are connected as this appliance may have (JC-02).
    Limit {
        /// How many.
        limit: u32,
    },
    /// Many come at once, after a restart or an outage: it is this one's turn then (GX-14).
    ComeBack {
        /// In this time.
        millis: u32,
    },
    /// No room to remember one more.
    Full,
}

impl PuzzleAnswer {
    /// Whether this answers its own challenge with `bits` leading zeros.
    pub fn solves(&self, bits: u8) -> bool {
        let text = format!("{}{}", self.challenge.reveal(), self.answer);
        let hash = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        let mut zeros = 0;
        for byte in hash.as_ref() {
            zeros += byte.leading_zeros();
            if *byte != 0 {
                break;
            }
        }
        zeros >= u32::from(bits)
    }

    /// Tries numbers from 0 until one fits; about 2^`bits` hashes.
    pub fn find(challenge: &Token, bits: u8) -> Self {
        let mut guess = Self {
            challenge: challenge.clone(),
            answer: 0,
        };
        while !guess.solves(bits) {
            guess.answer += 1;
        }
        guess
    }
}

/// A session key or the token of its unique URL, as somebody gave it: unchecked.
pub type KeyText = Text<64>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_found_answer_solves_its_own_challenge_only() {
        let found = PuzzleAnswer::find(&Token::from_random([1; 16]), 10);
        assert!(found.solves(10));
        let moved = PuzzleAnswer {
            challenge: Token::from_random([2; 16]),
            ..found
        };
        assert!(!moved.solves(10));
    }
}
