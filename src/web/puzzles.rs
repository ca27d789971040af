//! The puzzle that signing in costs while somebody is trying passwords for a name.
//!
//! A challenge carries what it is good for: when it ends, how hard it is, and a tag (HMAC-SHA-256)
//! that only this process can make. So nobody can push another's challenge out of a list by asking
//! for many; the list has answers that were used, and each of those cost its work. Pure: time and
//! random bytes are arguments.

use std::collections::HashMap;

use data_encoding::HEXLOWER;
use ring::hmac;

use super::throttle::Whom;
use crate::domain::limits::{
    PUZZLE_BITS, PUZZLES_USED_MAX, SIGN_IN_PUZZLE_BITS_MAX, SIGN_IN_PUZZLE_WITHIN,
    SIGN_INS_PER_ACCOUNT_MAX,
};
use crate::domain::turned::PuzzleAnswer;
use crate::domain::{Moment, Token};

/// Gives puzzles out and takes answers, each once.
pub(crate) struct Puzzles {
    key: hmac::Key,
    /// When each would have ended, in seconds.
    used: HashMap<[u8; 16], u32>,
}

/// What a page asks of a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Puzzle {
    /// Hexadecimal digits.
    pub(crate) challenge: String,
    /// Leading zero bits.
    pub(crate) bits: u8,
}

/// End in seconds, bits, random bytes, and the tag's beginning.
const NONCE: std::ops::Range<usize> = 5..8;
const TAG: std::ops::Range<usize> = 8..16;

impl Puzzles {
    /// With random bytes for its key.
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
            used: HashMap::new(),
        }
    }

    /// One for `whom`, harder the more passwords were tried of late.
    pub(crate) fn give(&self, whom: &Whom, tries: u32, at: Moment, nonce: [u8; 3]) -> Puzzle {
        let bits = bits(tries);
        let mut challenge = [0; 16];
        challenge[..4].copy_from_slice(&seconds(at + SIGN_IN_PUZZLE_WITHIN).to_be_bytes());
        challenge[4] = bits;
        challenge[NONCE].copy_from_slice(&nonce);
        let tag = self.tag(whom, &challenge);
        challenge[TAG].copy_from_slice(&tag);
        Puzzle {
            challenge: HEXLOWER.encode(&challenge),
            bits,
        }
    }

    /// Whether this solves a puzzle that was given for `whom`, in time, and is the first to.
    pub(crate) fn redeem(&mut self, whom: &Whom, answer: &PuzzleAnswer, at: Moment) -> bool {
        let Some(challenge) = bytes(&answer.challenge) else {
            return false;
        };
        let end = u32::from_be_bytes([challenge[0], challenge[1], challenge[2], challenge[3]]);
        let good = self.tag(whom, &challenge) == challenge[TAG]
            && seconds(at) < end
            && answer.solves(challenge[4])
            && !self.used.contains_key(&challenge);
        if good {
            self.make_room(seconds(at));
            self.used.insert(challenge, end);
        }
        good
    }

    /// Eight bytes: there is no way to try one but to ask us.
    fn tag(&self, whom: &Whom, challenge: &[u8; 16]) -> [u8; 8] {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&whom.0.0);
        context.update(&challenge[..TAG.start]);
        let tag = context.sign();
        std::array::from_fn(|i| tag.as_ref()[i])
    }

    /// Forgets what is over, or else what ends first.
    fn make_room(&mut self, now: u32) {
        if self.used.len() < PUZZLES_USED_MAX {
            return;
        }
        self.used.retain(|_, end| *end > now);
        if self.used.len() >= PUZZLES_USED_MAX {
            let first = self.used.iter().min_by_key(|(_, end)| **end);
            if let Some(challenge) = first.map(|(challenge, _)| *challenge) {
                self.used.remove(&challenge);
            }
        }
    }
}

impl std::fmt::Debug for Puzzles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Puzzles")
            .field("used", &self.used.len())
            .finish_non_exhaustive()
    }
}

/// One more for every fourfold of the tries that begin it.
fn bits(tries: u32) -> u8 {
    let mut bits = PUZZLE_BITS;
    let mut threshold = SIGN_INS_PER_ACCOUNT_MAX.saturating_mul(4);
    while bits < SIGN_IN_PUZZLE_BITS_MAX && tries >= threshold {
        bits += 1;
        threshold = threshold.saturating_mul(4);
    }
    bits
}

fn seconds(at: Moment) -> u32 {
    u32::try_from(at.since(Moment::default()).as_secs()).unwrap_or(u32::MAX)
}

fn bytes(challenge: &Token) -> Option<[u8; 16]> {
    let bytes = HEXLOWER.decode(challenge.reveal().as_bytes()).ok()?;
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Moment = Moment::from_millis(5_000);

    fn solved(puzzle: &Puzzle) -> PuzzleAnswer {
        PuzzleAnswer::find(&puzzle.challenge.parse().unwrap(), puzzle.bits)
    }

    #[test]
    fn an_answer_counts_once_for_its_name_and_in_time() {
        let mut puzzles = Puzzles::new([7; 32]);
        let (ana, bea) = (Whom::name("ana"), Whom::name("bea"));
        let answer = solved(&puzzles.give(&ana, 10, START, [1; 3]));
        assert!(!puzzles.redeem(&bea, &answer, START));
        assert!(!puzzles.redeem(&ana, &answer, START + SIGN_IN_PUZZLE_WITHIN));
        assert!(!Puzzles::new([8; 32]).redeem(&ana, &answer, START));
        assert!(puzzles.redeem(&ana, &answer, START));
        assert!(!puzzles.redeem(&ana, &answer, START));
    }

    #[test]
    fn an_easier_challenge_than_was_given_is_nobody_s() {
        let mut puzzles = Puzzles::new([7; 32]);
        let ana = Whom::name("ana");
        let given = puzzles.give(&ana, 10, START, [1; 3]);
        let mut easier = bytes(&given.challenge.parse().unwrap()).unwrap();
        easier[4] = 0;
        let answer = PuzzleAnswer::find(&Token::from_random(easier), 0);
        assert!(!puzzles.redeem(&ana, &answer, START));
    }

    #[test]
    fn a_puzzle_is_harder_the_more_is_guessed_and_never_too_hard_for_a_browser() {
        assert_eq!(bits(SIGN_INS_PER_ACCOUNT_MAX), PUZZLE_BITS);
        assert_eq!(bits(SIGN_INS_PER_ACCOUNT_MAX * 4), PUZZLE_BITS + 1);
        assert_eq!(bits(u32::MAX), SIGN_IN_PUZZLE_BITS_MAX);
    }

    #[test]
    fn memory_of_used_answers_is_bounded() {
        let mut puzzles = Puzzles::new([7; 32]);
        for number in 0..u32::try_from(PUZZLES_USED_MAX).unwrap() + 10 {
            puzzles.make_room(0);
            let mut challenge = [0; 16];
            challenge[..4].copy_from_slice(&number.to_be_bytes());
            puzzles.used.insert(challenge, number + 1);
        }
        assert_eq!(puzzles.used.len(), PUZZLES_USED_MAX);
    }
}
