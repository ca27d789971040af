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
    turns: HashMap<Fingerprint, Turn>,
    /// Turns of new machines, by what lets them in: whoever can make keys must not fill the list.
    promised: HashMap<Fingerprint, u32>,
}

#[derive(Clone, Copy, Debug)]
struct Turn {
    at: Moment,
    deployment: Option<Fingerprint>,
}

/// What lets a machine in that nobody knows.
#[derive(Clone, Copy, Debug)]
pub struct Newcomer {
    /// Of its deployment's token.
    pub deployment: Fingerprint,
    /// How many that still lets in.
    pub left: u32,
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
    pub fn ask(
        &mut self,
        device: Fingerprint,
        newcomer: Option<Newcomer>,
        now: Moment,
    ) -> Result<(), Duration> {
        let Some(spacing) = self.rate.spacing() else {
            self.used(&device);
            return Ok(());
        };
        if let Some(turn) = self.turns.get(&device) {
            if turn.at > now {
                return Err(turn.at.since(now));
            }
            self.used(&device);
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
        let at = Moment::from_millis(next.div_ceil(1_000));
        if self.has_place(newcomer) {
            let deployment = newcomer.map(|one| one.deployment);
            self.turns.insert(device, Turn { at, deployment });
            if let Some(deployment) = deployment {
                *self.promised.entry(deployment).or_default() += 1;
            }
            self.given = next + spacing;
        }
        Err(at.since(now))
    }

    fn has_place(&self, newcomer: Option<Newcomer>) -> bool {
        let promised = |one: &Newcomer| self.promised.get(&one.deployment).copied();
        let is_one_of_them =
            newcomer.is_none_or(|one| promised(&one).unwrap_or_default() < one.left);
        is_one_of_them && self.turns.len() < ADMISSION_TURNS_MAX
    }

    fn used(&mut self, device: &Fingerprint) {
        if let Some(turn) = self.turns.remove(device) {
            forget(&mut self.promised, turn);
        }
    }

    /// Forgets the turns of those who did not come.
    pub fn time_passed(&mut self, now: Moment) {
        let promised = &mut self.promised;
        self.turns.retain(|_, turn| {
            let kept = now.since(turn.at) < ADMISSION_TURN_KEPT;
            if !kept {
                forget(promised, *turn);
            }
            kept
        });
    }

    /// Who is waiting.
    pub fn queue(&self, now: Moment) -> Queue {
        let last = self.turns.values().map(|turn| turn.at).max();
        let last = last.unwrap_or_default();
        Queue {
            waiting: self.turns.len(),
            done_in: last.since(now),
        }
    }
}

/// One promise less.
fn forget(promised: &mut HashMap<Fingerprint, u32>, turn: Turn) {
    if let Some(deployment) = turn.deployment
        && let Some(count) = promised.get_mut(&deployment)
    {
        *count -= 1;
        if *count == 0 {
            promised.remove(&deployment);
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
                assert_eq!(admission.ask(device(number), None, now), Ok(()));
            }
        }
    }

    #[test]
    fn a_rate_that_is_lifted_lets_everybody_in_also_who_has_a_turn() {
        let mut admission = at(1);
        let now = Moment::from_millis(10_000);
        let waits = (0..5).filter(|number| admission.ask(device(*number), None, now).is_err());
        assert_eq!(waits.count(), 3);
        admission.set_rate(AdmissionRate::LIFTED);
        assert!((0..100).all(|number| admission.ask(device(number), None, now).is_ok()));
    }

    #[test]
    fn who_does_not_come_gives_its_turn_up() {
        let mut admission = at(1);
        let start = Moment::from_millis(10_000);
        for number in 0..10 {
            let _ = admission.ask(device(number), None, start);
        }
        assert_eq!(admission.queue(start).waiting, 8);
        admission.time_passed(start + ADMISSION_TURN_KEPT);
        assert!(admission.queue(start).waiting > 0, "their turns came later");
        admission.time_passed(start + 2 * ADMISSION_TURN_KEPT);
        assert_eq!(admission.queue(start), Queue::default());
    }

    #[test]
    fn whoever_makes_keys_for_a_deployment_of_two_delays_nobody_by_more_than_two_turns() {
        let mut admission = at(1);
        let start = Moment::from_millis(10_000);
        let newcomer = Some(Newcomer {
            deployment: device(0),
            left: 2,
        });
        for number in 1..1_000 {
            let _ = admission.ask(device(number), newcomer, start);
        }
        assert_eq!(admission.queue(start).waiting, 2);
        let known = admission.ask(device(5_000), None, start).unwrap_err();
        assert!(known <= Duration::from_secs(3), "{known:?}");
        // Turns that nobody used are there for others again.
        let later = start + 2 * ADMISSION_TURN_KEPT;
        admission.time_passed(later);
        assert!(admission.promised.is_empty());
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
                match admission.ask(device(number), None, start) {
                    Ok(()) => came.push(start),
                    Err(wait) => {
                        let turn = start + wait;
                        prop_assert_eq!(admission.ask(device(number), None, turn), Ok(()));
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
