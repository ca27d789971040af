//! How long to wait before dialing again. Pure: chance comes in as an argument.

use std::time::Duration;

use crate::domain::limits::{REDIAL_AFTER, REDIAL_AFTER_MAX};

/// Doubling waits from [`REDIAL_AFTER`] to [`REDIAL_AFTER_MAX`], each shortened by up to half, so
/// that customers who lost one appliance do not all come back in the same instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backoff {
    tries: u32,
}

impl Backoff {
    /// The next wait. `chance` is any random number.
    pub fn next_wait(&mut self, chance: u32) -> Duration {
        let doubled = REDIAL_AFTER.saturating_mul(2_u32.saturating_pow(self.tries.min(16)));
        self.tries = self.tries.saturating_add(1);
        jittered(doubled.min(REDIAL_AFTER_MAX), chance)
    }

    /// A dial succeeded: the next loss starts with the shortest wait again.
    pub fn reset(&mut self) {
        self.tries = 0;
    }
}

/// A wait of at most `longest`, and at least half of it.
pub fn jittered(longest: Duration, chance: u32) -> Duration {
    let cut = (longest / 2).mul_f64(f64::from(chance) / f64::from(u32::MAX));
    longest.saturating_sub(cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit_and_start_over_after_success() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..40).map(|_| backoff.next_wait(0)).collect();
        assert_eq!(waits[0], REDIAL_AFTER);
        assert_eq!(waits[1], REDIAL_AFTER * 2);
        assert_eq!(waits[39], REDIAL_AFTER_MAX);
        backoff.reset();
        assert_eq!(backoff.next_wait(0), REDIAL_AFTER);
    }

    #[test]
    fn chance_shortens_a_wait_by_half_at_most() {
        for chance in [0, 1, u32::MAX / 2, u32::MAX] {
            let wait = Backoff::default().next_wait(chance);
            assert!(
                (REDIAL_AFTER / 2..=REDIAL_AFTER).contains(&wait),
                "{wait:?}"
            );
        }
    }
}
