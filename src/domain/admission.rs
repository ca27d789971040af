//! How many Jump Clients an appliance lets in each second (GX-14).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::limits::{ADMISSION_RATE_DEFAULT, ADMISSION_RATE_MAX};

/// So many a second, or as many as come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Option<u32>", into = "Option<u32>")]
pub struct AdmissionRate(Option<u32>);

/// A rate that cannot be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a rate of {found} a second, 1 to {ADMISSION_RATE_MAX} can be set, or none")]
pub struct RateOutOfRange {
    /// What was asked for.
    pub found: u32,
}

impl AdmissionRate {
    /// As many as come.
    pub const LIFTED: Self = Self(None);

    /// 1 to [`ADMISSION_RATE_MAX`] a second.
    pub fn per_second(rate: u32) -> Result<Self, RateOutOfRange> {
        let fits = (1..=ADMISSION_RATE_MAX).contains(&rate);
        fits.then_some(Self(Some(rate)))
            .ok_or(RateOutOfRange { found: rate })
    }

    /// A second's; `None` if there is no limit.
    pub fn limit(self) -> Option<u32> {
        self.0
    }

    /// From one to the next; `None` if there is no limit.
    pub fn spacing(self) -> Option<Duration> {
        self.0.map(|rate| Duration::from_secs(1) / rate.max(1))
    }
}

impl Default for AdmissionRate {
    fn default() -> Self {
        Self(Some(ADMISSION_RATE_DEFAULT))
    }
}

impl TryFrom<Option<u32>> for AdmissionRate {
    type Error = RateOutOfRange;
    fn try_from(rate: Option<u32>) -> Result<Self, RateOutOfRange> {
        rate.map_or(Ok(Self::LIFTED), Self::per_second)
    }
}

impl From<AdmissionRate> for Option<u32> {
    fn from(rate: AdmissionRate) -> Self {
        rate.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rates_that_make_sense_can_be_set() {
        for found in [0, ADMISSION_RATE_MAX + 1] {
            assert_eq!(
                AdmissionRate::per_second(found),
                Err(RateOutOfRange { found })
            );
        }
        let slowest = AdmissionRate::per_second(1).unwrap();
        assert_eq!(slowest.spacing(), Some(Duration::from_secs(1)));
        assert_eq!(AdmissionRate::LIFTED.spacing(), None);
    }
}
