//! How long to wait before a program is started again.

use std::time::Duration;

use crate::domain::limits::{HEALTHY_AFTER, RESTART_AFTER, RESTART_AFTER_MAX};

/// Doubles from [`RESTART_AFTER`] to [`RESTART_AFTER_MAX`] while a program keeps crashing.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            next: RESTART_AFTER,
        }
    }
}

impl Backoff {
    /// The wait after a program that served for `served` (zero if it never did).
    pub(super) fn wait(&mut self, served: Duration) -> Duration {
        if served >= HEALTHY_AFTER {
            self.next = RESTART_AFTER;
        }
        let wait = self.next;
        self.next = (wait * 2).min(RESTART_AFTER_MAX);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..12).map(|_| backoff.wait(Duration::ZERO)).collect();
        assert_eq!(waits[0], RESTART_AFTER);
        for pair in waits.windows(2) {
            assert_eq!(pair[1], (pair[0] * 2).min(RESTART_AFTER_MAX));
        }
        assert_eq!(waits[11], RESTART_AFTER_MAX);
    }

    #[test]
    fn a_program_that_was_healthy_is_back_soon() {
        let mut backoff = Backoff::default();
        for _ in 0..8 {
            backoff.wait(HEALTHY_AFTER / 2);
        }
        assert_eq!(backoff.wait(HEALTHY_AFTER), RESTART_AFTER);
    }
}
