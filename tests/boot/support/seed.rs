//! Chance that a seed repeats.

use std::time::SystemTime;

/// Gives the same numbers again.
#[derive(Clone, Copy, Debug)]
pub struct Seed(pub u64);

impl Seed {
    /// The one in `CRASH_SEED`, or any. Printed, to repeat a failure by.
    pub fn from_env_or_any() -> Self {
        let given = std::env::var("CRASH_SEED").ok();
        let seed = given.map_or_else(
            || SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs(),
            |seed| seed.parse().unwrap(),
        );
        eprintln!("CRASH_SEED={seed}");
        Self(seed)
    }

    /// The draw of this number, below `below` (`SplitMix64`).
    pub fn draw(self, number: usize, below: u64) -> u64 {
        let step = 0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(number as u64 + 1);
        let mut mixed = self.0.wrapping_add(step);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % below
    }
}
