//! Ours and a peer's figure, measured in turns: neighbours that come and go disturb both.

use crate::row::{Row, percentile};

/// What each round gave: ours, the peer's.
#[derive(Default)]
pub struct Rounds(Vec<(f64, f64)>);

impl Rounds {
    /// One more.
    pub fn add(&mut self, ours: f64, peer: f64) {
        self.0.push((ours, peer));
    }

    /// The row by the median of the rounds' ratios.
    pub fn row(&self, name: &str, unit: &'static str, limit: f64) -> Row {
        let (ours, peer) = (self.median(|pair| pair.0), self.median(|pair| pair.1));
        Row::against(name, unit, (ours, peer), self.ratio(), limit)
    }

    /// The median of the rounds' ratios.
    pub fn ratio(&self) -> f64 {
        self.median(|(ours, peer)| ours / peer)
    }

    fn median(&self, of: fn(&(f64, f64)) -> f64) -> f64 {
        let mut values: Vec<f64> = self.0.iter().map(of).collect();
        percentile(&mut values, 50)
    }
}
