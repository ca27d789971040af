//! How many messages a peer may send: a token bucket.

use crate::domain::Moment;
use crate::domain::limits::{MESSAGES_BURST_MAX, MESSAGES_PER_SECOND_MAX};

/// What is left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    /// Thousandths of a message.
    left: u64,
    at: Moment,
}

const ONE: u64 = 1_000;

impl Budget {
    pub fn new(now: Moment) -> Self {
        Self {
            left: u64::from(MESSAGES_BURST_MAX) * ONE,
            at: now,
        }
    }

    /// Takes one message's worth, if there is that much.
    pub fn take(&mut self, now: Moment) -> bool {
        let millis = u64::try_from(now.since(self.at).as_millis()).unwrap_or(u64::MAX);
        let earned = millis.saturating_mul(u64::from(MESSAGES_PER_SECOND_MAX));
        self.left = self
            .left
            .saturating_add(earned)
            .min(u64::from(MESSAGES_BURST_MAX) * ONE);
        self.at = now;
        if self.left < ONE {
            return false;
        }
        self.left -= ONE;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_taken_and_then_only_the_rate() {
        let start = Moment::default();
        let mut budget = Budget::new(start);
        for _ in 0..MESSAGES_BURST_MAX {
            assert!(budget.take(start));
        }
        assert!(!budget.take(start));
        assert!(budget.take(start + std::time::Duration::from_millis(10)));
        assert!(!budget.take(start + std::time::Duration::from_millis(10)));
    }
}
