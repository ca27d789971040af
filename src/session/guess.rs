//! Guessing session keys must not pay, and must not lock out those who do not guess.
//!
//! Each address may be wrong a few times per window. The whole site may be wrong often before
//! anything happens; then new keys grow longer and typing one costs a small puzzle, but a right
//! key still works for everybody, and the token of a unique URL, which nobody guesses, is never
//! limited at all.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use crate::domain::limits::{
    GUESS_WINDOW, GUESSERS_MAX, GUESSES_BEFORE_PUZZLE, GUESSES_PER_ADDRESS_MAX, KEY_DIGITS,
    KEY_DIGITS_MAX, PUZZLE_BITS, PUZZLE_WITHIN,
};
use crate::domain::turned::{PuzzleAnswer, TurnedReason};
use crate::domain::{Moment, Token};

/// The site's memory of wrong keys.
#[derive(Debug, Default)]
pub struct Guesses {
    by_address: HashMap<IpAddr, Tally>,
    /// First guess of each address still remembered, oldest first.
    order: VecDeque<(Moment, IpAddr)>,
    /// Wrong keys per minute, newest last: (minute's beginning, count).
    minutes: VecDeque<(Moment, u32)>,
    puzzles: VecDeque<(Moment, Token)>,
}

#[derive(Debug)]
struct Tally {
    since: Moment,
    wrong: u32,
}

const MINUTE: Duration = Duration::from_secs(60);

impl Guesses {
    /// Whether this address may have its digits looked at now.
    ///
    /// # Errors
    ///
    /// [`TurnedReason::SlowDown`] or [`TurnedReason::Puzzle`]: the digits must not be compared.
    pub fn may_try(
        &mut self,
        address: IpAddr,
        answer: Option<&PuzzleAnswer>,
        now: Moment,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> Result<(), TurnedReason> {
        self.forget(now);
        if let Some(tally) = self.by_address.get(&address)
            && tally.wrong >= GUESSES_PER_ADDRESS_MAX
        {
            let wait = (tally.since + GUESS_WINDOW).since(now);
            let retry_after_seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).max(1);
            return Err(TurnedReason::SlowDown {
                retry_after_seconds,
            });
        }
        if self.wrong_lately() < GUESSES_BEFORE_PUZZLE || self.is_solved(answer) {
            return Ok(());
        }
        let mut bytes = [0; 16];
        random(&mut bytes);
        let challenge = Token::from_random(bytes);
        if self.puzzles.len() == GUESSERS_MAX {
            self.puzzles.pop_front();
        }
        self.puzzles
            .push_back((now + PUZZLE_WITHIN, challenge.clone()));
        Err(TurnedReason::Puzzle {
            challenge,
            bits: PUZZLE_BITS,
        })
    }

    /// Counts a wrong key.
    pub fn was_wrong(&mut self, address: IpAddr, now: Moment) {
        self.forget(now);
        match self.minutes.back_mut() {
            Some((since, count)) if now.since(*since) < MINUTE => *count = count.saturating_add(1),
            _ => self.minutes.push_back((now, 1)),
        }
        if let Some(tally) = self.by_address.get_mut(&address) {
            tally.wrong += 1;
            return;
        }
        if self.order.len() == GUESSERS_MAX
            && let Some((_, oldest)) = self.order.pop_front()
        {
            self.by_address.remove(&oldest);
        }
        self.by_address.insert(
            address,
            Tally {
                since: now,
                wrong: 1,
            },
        );
        self.order.push_back((now, address));
    }

    /// Wrong keys on the whole site within the window.
    pub fn wrong_lately(&self) -> u32 {
        self.minutes
            .iter()
            .fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// Digits of a key made now: one more for every fourfold of the puzzle's threshold, so that
    /// the chance of a hit stays flat while somebody with many addresses guesses.
    pub fn digits(&self) -> usize {
        let mut digits = KEY_DIGITS;
        let mut threshold = GUESSES_BEFORE_PUZZLE;
        while digits < KEY_DIGITS_MAX && self.wrong_lately() >= threshold {
            digits += 1;
            threshold = threshold.saturating_mul(4);
        }
        digits
    }

    /// A puzzle we gave, not used before, solved.
    fn is_solved(&mut self, answer: Option<&PuzzleAnswer>) -> bool {
        let Some(answer) = answer else { return false };
        let given = self
            .puzzles
            .iter()
            .position(|(_, challenge)| *challenge == answer.challenge);
        let Some(position) = given else { return false };
        answer.solves(PUZZLE_BITS) && self.puzzles.remove(position).is_some()
    }

    fn forget(&mut self, now: Moment) {
        while let Some((since, address)) = self.order.front().copied()
            && now.since(since) >= GUESS_WINDOW
        {
            self.order.pop_front();
            self.by_address.remove(&address);
        }
        while let Some((since, _)) = self.minutes.front()
            && now.since(*since) >= GUESS_WINDOW
        {
            self.minutes.pop_front();
        }
        while let Some((until, _)) = self.puzzles.front()
            && *until < now
        {
            self.puzzles.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn address(number: u32) -> IpAddr {
        IpAddr::V4(Ipv4Addr::from(number))
    }

    fn no_random(buffer: &mut [u8]) {
        buffer.fill(9);
    }

    #[test]
    fn an_address_that_guesses_waits_and_others_do_not() {
        let mut guesses = Guesses::default();
        let start = Moment::default();
        for _ in 0..GUESSES_PER_ADDRESS_MAX {
            assert_eq!(
                guesses.may_try(address(1), None, start, &mut no_random),
                Ok(())
            );
            guesses.was_wrong(address(1), start);
        }
        let refused = guesses.may_try(address(1), None, start, &mut no_random);
        assert_eq!(
            refused,
            Err(TurnedReason::SlowDown {
                retry_after_seconds: 600
            })
        );
        assert_eq!(
            guesses.may_try(address(2), None, start, &mut no_random),
            Ok(())
        );
        let later = start + GUESS_WINDOW;
        assert_eq!(
            guesses.may_try(address(1), None, later, &mut no_random),
            Ok(())
        );
    }

    #[test]
    fn a_guessed_at_site_asks_for_a_puzzle_and_makes_longer_keys_but_locks_nobody_out() {
        let mut guesses = Guesses::default();
        let start = Moment::default();
        for number in 0..GUESSES_BEFORE_PUZZLE {
            guesses.was_wrong(address(number), start);
        }
        assert_eq!(guesses.digits(), KEY_DIGITS + 1);
        let honest = address(1_000_000);
        let Err(TurnedReason::Puzzle { challenge, bits }) =
            guesses.may_try(honest, None, start, &mut no_random)
        else {
            panic!("no puzzle");
        };
        let answer = PuzzleAnswer::find(&challenge, bits);
        assert_eq!(
            guesses.may_try(honest, Some(&answer), start, &mut no_random),
            Ok(())
        );
        let again = guesses.may_try(honest, Some(&answer), start, &mut no_random);
        assert!(
            matches!(again, Err(TurnedReason::Puzzle { .. })),
            "an answer counts once"
        );
        assert_eq!(
            guesses.may_try(honest, None, start + GUESS_WINDOW, &mut no_random),
            Ok(())
        );
    }

    #[test]
    fn a_seven_digit_key_survives_everything_one_window_allows() {
        // Without puzzles an attacker with any number of addresses has this many guesses, at ten
        // keys in use: below 1 in 10,000.
        let chance = f64::from(GUESSES_BEFORE_PUZZLE) * 10.0 / 10_f64.powi(7);
        assert!(chance <= 1e-4, "{chance}");
    }

    #[test]
    fn memory_of_guessers_is_bounded() {
        let mut guesses = Guesses::default();
        for number in 0..u32::try_from(GUESSERS_MAX).unwrap() + 100 {
            guesses.was_wrong(address(number), Moment::default());
        }
        assert_eq!(guesses.by_address.len(), GUESSERS_MAX);
        assert_eq!(guesses.order.len(), GUESSERS_MAX);
    }
}
