//! The places on the disk that can be booted.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One of the two places that updates write, in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum System {
    /// The first.
    A,
    /// The second.
    B,
}

impl System {
    /// Both.
    pub const ALL: [Self; 2] = [Self::A, Self::B];

    /// The other place.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// As in the keys of the environment block and in file names.
    pub fn letter(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.letter())
    }
}

/// What was or can be booted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Slot {
    /// A place that updates write.
    System(System),
    /// What the factory put there; never written afterwards.
    Recovery,
}

impl Slot {
    /// All three.
    pub const ALL: [Self; 3] = [
        Self::System(System::A),
        Self::System(System::B),
        Self::Recovery,
    ];

    /// As on the kernel command line and in the folders of the EFI partition.
    pub fn letter(self) -> &'static str {
        match self {
            Self::System(system) => system.letter(),
            Self::Recovery => "r",
        }
    }
}

impl fmt::Display for Slot {
    /// As people read it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::System(System::A) => "A",
            Self::System(System::B) => "B",
            Self::Recovery => "recovery",
        })
    }
}

/// A word that names no slot.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown slot '{found}', expected a, b or r")]
pub struct UnknownSlot {
    /// What was written.
    pub found: String,
}

impl FromStr for Slot {
    type Err = UnknownSlot;
    fn from_str(text: &str) -> Result<Self, UnknownSlot> {
        let known = Self::ALL.into_iter().find(|slot| slot.letter() == text);
        known.ok_or_else(|| UnknownSlot {
            found: text.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_is_found_by_its_letter() {
        for slot in Slot::ALL {
            assert_eq!(slot.letter().parse(), Ok(slot));
        }
        assert!("A".parse::<Slot>().is_err());
    }
}
