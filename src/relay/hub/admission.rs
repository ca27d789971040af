//! When many machines come at once, each gets a turn (GX-14). Pure.
//!
//! While there is room, who asks is let in. Otherwise it is told when its turn is, and that turn is
//! kept for it: the queue is a list of moments, and nobody waits on an open connection.

use std::collections::HashMap;
use std::time::Duration;

use crate::domain::limits::{ADMISSION_BURST, ADMISSION_TURN_KEPT, ADMISSION_TURNS_MAX};
use crate::domain::token::Fingerprint;
use crate::domain::{AdmissionRate, Moment};

/// Who may come when.
#[derive(Debug, Default)]
pub struct Admission {
    rate: AdmissionRate,
    /// Microseconds since the program started up to which turns are given out: at 300 a second
    /// milliseconds would be too coarse.
    given: u64,
    /// By device key.
    turns: HashMap<Fingerprint, Moment>,
}

/// How many wait, and until when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// Turns that have not been used.
    pub waiting: usize,
    /// Until the last of them.
    pub done_in: Duration,
}

impl Admission {
    /// Lets in at this rate.
    pub fn new(rate: AdmissionRate) -> Self {
        Self {
            rate,
            ..Self::default()
        }
    }

    /// From now on. Turns that are given out stay as they are, unless nobody has to wait any more.
    pub fn set_rate(&mut self, rate: AdmissionRate) {
        self.rate = rate;
    }

    /// The present one.
    pub fn rate(&self) -> AdmissionRate {
        self.rate
    }

    /// Whether `device` may come in now; else how long it has to wait.
    pub fn ask(&mut self, device: Fingerprint, now: Moment) -> Result<(), Duration> {
        let Some(spacing) = self.rate.spacing() else {
            self.turns.remove(&device);
            return Ok(());
        };
        if let Some(turn) = self.turns.get(&device) {
            if *turn > now {
                return Err(turn.since(now));
            }
            self.turns.remove(&device);
            return Ok(());
        }
        let micros = now.millis().saturating_mul(1_000);
        let burst = u64::try_from(ADMISSION_BURST.as_micros()).unwrap_or(0);
        let next = self.given.max(micros.saturating_sub(burst));
        let spacing = u64::try_from(spacing.as_micros()).unwrap_or(u64::MAX);
        if next <= micros {
            self.given = next + spacing;
            return Ok(());
        }
        // Whoever finds no place on the list asks again when it is shorter.
        let turn = Moment::from_millis(next.div_ceil(1_000));
        if self.turns.len() < ADMISSION_TURNS_MAX {
            self.turns.insert(device, turn);
            self.given = next + spacing;
        }
        Err(turn.since(now))
    }

    /// Forgets the turns of those who did not come.
    pub fn time_passed(&mut self, now: Moment) {
        let kept = |turn: &Moment| now.since(*turn) < ADMISSION_TURN_KEPT;
        self.turns.retain(|_, turn| kept(turn));
    }

    /// Who is waiting.
    pub fn queue(&self, now: Moment) -> Queue {
        let last = self.turns.values().max().copied().unwrap_or_default();
        Queue {
            waiting: self.turns.len(),
            done_in: last.since(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn device(number: u32) -> Fingerprint {
        Fingerprint::of(&number.to_be_bytes())
    }

    fn at(rate: u32) -> Admission {
        Admission::new(AdmissionRate::per_second(rate).unwrap())
    }

    #[test]
    fn while_there_is_room_nobody_waits() {
        let mut admission = at(50);
        for second in 10..100_u64 {
            for number in 0..50 {
                let now = Moment::from_millis(second * 1_000 + u64::from(number) * 20);
                assert_eq!(admission.ask(device(number), now), Ok(()));
            }
        }
    }

    #[test]
    fn a_rate_that_is_lifted_lets_everybody_in_also_who_has_a_turn() {
        let mut admission = at(1);
        let now = Moment::from_millis(10_000);
        let waits = (0..5).filter(|number| admission.ask(device(*number), now).is_err());
        assert_eq!(waits.count(), 3);
        admission.set_rate(AdmissionRate::LIFTED);
        assert!((0..100).all(|number| admission.ask(device(number), now).is_ok()));
    }

    #[test]
    fn who_does_not_come_gives_its_turn_up() {
        let mut admission = at(1);
        let start = Moment::from_millis(10_000);
        for number in 0..10 {
            let _ = admission.ask(device(number), start);
        }
        assert_eq!(admission.queue(start).waiting, 8);
        admission.time_passed(start + ADMISSION_TURN_KEPT);
        assert!(admission.queue(start).waiting > 0, "their turns came later");
        admission.time_passed(start + 2 * ADMISSION_TURN_KEPT);
        assert_eq!(admission.queue(start), Queue::default());
    }

    proptest! {
        /// Everybody comes at once, each then exactly when it was told.
        #[test]
        fn all_are_let_in_at_the_rate_and_none_is_sent_away_twice(
            rate in 1..=300_u32, count in 1..2_000_u32, started in 0..100_000_u64,
        ) {
            let mut admission = at(rate);
            let start = Moment::from_millis(started);
            let mut came = Vec::new();
            for number in 0..count {
                match admission.ask(device(number), start) {
                    Ok(()) => came.push(start),
                    Err(wait) => {
                        let turn = start + wait;
                        prop_assert_eq!(admission.ask(device(number), turn), Ok(()));
                        came.push(turn);
                    }
                }
            }
            came.sort();
            // In no second more than the rate and what a pause before it leaves.
            for (number, moment) in came.iter().enumerate() {
                let within = came[number..]
                    .iter()
                    .take_while(|other| other.since(*moment) < Duration::from_secs(1))
                    .count();
                prop_assert!(within <= 2 * rate as usize + 1, "{within} at {moment:?}");
            }
            let took = came[came.len() - 1].since(start).as_secs_f64();
            prop_assert!(took <= f64::from(count) / f64::from(rate) + 0.002, "{took} s");
        }
    }
}
