//! What `init` knows and leaves to later programs in `/run/jumpgate/boot`.

use std::fmt::Write as _;

use super::Slot;
use super::pairs::{self, PairsError, required};

/// Where [`Facts`] are left.
pub const FACTS_FILE: &str = "/run/jumpgate/boot";
/// The partitions of the booted disk, as links named by [`super::table::Place::name`].
pub const PLACES_FOLDER: &str = "/dev/jumpgate";

/// What a version that gives itself up says before it restarts the machine, for the one that runs
/// then.
pub const LAST_WORDS_FILE: &str = "/state/update/last-words";

/// How this machine came up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What runs.
    pub slot: Slot,
    /// The disk that was booted, as the kernel calls it.
    pub disk: String,
    /// Watchdogs that run and have to be kept from barking.
    pub watchdogs: u32,
}

impl Facts {
    /// As a file.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "slot={}", self.slot.letter());
        let _ = writeln!(text, "disk={}", self.disk);
        let _ = writeln!(text, "watchdogs={}", self.watchdogs);
        text
    }

    /// Reads a file.
    pub fn decode(bytes: &[u8]) -> Result<Self, PairsError> {
        let pairs = pairs::decode(bytes)?;
        // A name goes into a path below /sys or /dev.
        let is_name = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let name = |text: &str| {
            let fits = !text.is_empty() && text.bytes().all(is_name);
            fits.then(|| text.to_owned())
        };
        Ok(Self {
            slot: required(&pairs, "slot", |text| text.parse().ok())?,
            disk: required(&pairs, "disk", name)?,
            watchdogs: required(&pairs, "watchdogs", |text| text.parse().ok())?,
        })
    }
}

/// For the fuzzer and the smoke run below: what was read is read again after it was written.
#[cfg(any(test, fuzzing))]
pub fn fuzz(data: &[u8]) {
    if let Ok(facts) = Facts::decode(data) {
        assert_eq!(Facts::decode(facts.encode().as_bytes()), Ok(facts));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_left_is_read_again(
            slot in proptest::sample::select(Slot::ALL.to_vec()), disk in "[a-z][a-z0-9]{0,12}", watchdogs: u32
        ) {
            let facts = Facts { slot, disk, watchdogs };
            prop_assert_eq!(Facts::decode(facts.encode().as_bytes()), Ok(facts));
        }

        #[test]
        fn fuzz_smoke(data: Vec<u8>, lines in "((slot|disk|watchdogs)=[a-z0-9./]{0,5}\n){0,5}") {
            fuzz(&data);
            fuzz(lines.as_bytes());
        }
    }

    #[test]
    fn a_disk_cannot_name_a_path() {
        for name in ["../sda", "", "a b"] {
            let text = format!("slot=a\ndisk={name}\nwatchdogs=0\n");
            assert!(Facts::decode(text.as_bytes()).is_err(), "{name}");
        }
    }
}
