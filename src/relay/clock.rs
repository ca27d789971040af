//! The two clocks, read in one place.

use std::time::{Instant, SystemTime};

use crate::domain::{Moment, Now, Stamp};

/// Counts moments from when it was made. Copied to every thread.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Starts counting.
    pub fn start() -> Self {
        Self {
            start: Instant::now(),
        }
    }

    /// Both clocks.
    pub fn now(&self) -> Now {
        Now {
            moment: self.moment(),
            stamp: stamp(),
        }
    }

    /// The one for deadlines.
    pub fn moment(&self) -> Moment {
        let millis = self.start.elapsed().as_millis();
        Moment::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
    }
}

/// The calendar.
pub fn stamp() -> Stamp {
    Stamp::of(SystemTime::now())
}
