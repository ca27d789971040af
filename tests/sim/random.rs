//! Chance that a seed repeats.

use std::time::{SystemTime, UNIX_EPOCH};

/// Where one run's chance begins.
#[derive(Clone, Copy, Debug)]
pub struct Seed(pub u64);

impl Seed {
    /// `SIM_SEED`, or another one every time.
    pub fn from_env_or_random() -> Self {
        Self::from_env().unwrap_or_else(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            Self(u64::from(since.subsec_nanos()) << 20 ^ since.as_secs())
        })
    }

    /// `SIM_SEED`, if it is set.
    pub fn from_env() -> Option<Self> {
        let text = std::env::var("SIM_SEED").ok()?;
        Some(Self(text.parse().expect("SIM_SEED is a number")))
    }
}

/// Prints the seed if the test that holds it fails, also by a panic deep in the code under test.
pub struct PrintsOnFailure(pub Seed);

impl Drop for PrintsOnFailure {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("replay this failure with SIM_SEED={}", self.0.0);
        }
    }
}

/// Splitmix64 (Steele, Lea, Flood 2014): one addition and a mix, good enough for choosing.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: Seed) -> Self {
        Self(seed.0)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// 0 up to but not including `end`; 0 if that is empty.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap();
        usize::try_from(self.next() % end).unwrap()
    }

    /// Happens so many times in a hundred.
    pub fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }

    pub fn fill(&mut self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            let bytes = self.next().to_be_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}
