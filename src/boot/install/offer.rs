//! A disk as people are offered it.

use std::fmt;

use crate::domain::limits::DISK_WORDS_MAX;

/// The sectors that an image is made for: the partition table counts in them.
const SECTOR_BYTES: u64 = 512;

/// A disk of this machine that is not the stick it was booted from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// As the kernel calls it.
    pub name: String,
    /// As its maker calls it; empty if it does not say.
    pub model: String,
    /// Empty if it does not say.
    pub serial: String,
    /// Its size.
    pub bytes: u64,
    /// Of one sector.
    pub sector_bytes: u64,
    /// A stick or card.
    pub is_removable: bool,
    /// By a switch, or for good.
    pub is_read_only: bool,
    /// What would be lost.
    pub holds: Holds,
}

/// What is on a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holds {
    /// Zeros, as far as was looked.
    Nothing,
    /// One of ours.
    Appliance {
        /// Whether it was ever started there.
        is_in_use: bool,
    },
    /// Another installation stick.
    Stick,
    /// Partitions of somebody else, by their names; not all have one.
    Partitions {
        /// How many.
        count: usize,
        /// Of those that have one.
        names: Vec<String>,
    },
    /// Data, but no partitions.
    Data,
    /// It cannot be read.
    Unreadable,
}

/// Why a disk cannot take the appliance.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsuitable {
    /// The image does not fit.
    #[error("too small: the appliance takes {}", Size(*needs))]
    TooSmall {
        /// Bytes of the image.
        needs: u64,
    },
    /// The firmware would not find the partitions.
    #[error("sectors of {found} bytes: the appliance takes {SECTOR_BYTES}")]
    Sectors {
        /// What it has.
        found: u64,
    },
    /// It cannot be written.
    #[error("write-protected")]
    ReadOnly,
    /// Somebody left a second one in.
    #[error("an installation stick")]
    Stick,
    /// It would not get better.
    #[error("it cannot be read")]
    Unreadable,
}

impl Offer {
    /// Whether an image of `needs` bytes can be written to it and started from it.
    pub fn check(&self, needs: u64) -> Result<(), Unsuitable> {
        let found = self.sector_bytes;
        match &self.holds {
            Holds::Stick => Err(Unsuitable::Stick),
            Holds::Unreadable => Err(Unsuitable::Unreadable),
            _ if self.is_read_only => Err(Unsuitable::ReadOnly),
            _ if found != SECTOR_BYTES => Err(Unsuitable::Sectors { found }),
            _ if self.bytes < needs => Err(Unsuitable::TooSmall { needs }),
            Holds::Nothing | Holds::Appliance { .. } | Holds::Partitions { .. } | Holds::Data => {
                Ok(())
            }
        }
    }
}

impl fmt::Display for Offer {
    /// One line, of which 80 columns hold the most.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.name, Size(self.bytes))?;
        if !self.model.is_empty() {
            write!(f, ", {}", self.model)?;
        }
        if !self.serial.is_empty() {
            write!(f, ", serial number {}", self.serial)?;
        }
        if self.is_removable {
            f.write_str(", removable")?;
        }
        Ok(())
    }
}

impl fmt::Display for Holds {
    /// What stands after "holds".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing at its start"),
            Self::Appliance { is_in_use: true } => f.write_str("a Jumpgate appliance in use"),
            Self::Appliance { is_in_use: false } => {
                f.write_str("a Jumpgate appliance that was never started")
            }
            Self::Stick => f.write_str("a Jumpgate installation stick"),
            Self::Partitions { count, names } => {
                let plural = if *count == 1 { "" } else { "s" };
                write!(f, "{count} partition{plural}")?;
                if !names.is_empty() {
                    write!(f, " ({})", plain(&names.join(", ")))?;
                }
                Ok(())
            }
            Self::Data => f.write_str("data without partitions"),
            Self::Unreadable => f.write_str("what cannot be read"),
        }
    }
}

/// Bytes as makers of disks count them.
#[derive(Clone, Copy, Debug)]
pub struct Size(pub u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let megabytes = self.0 / 1_000_000;
        match megabytes {
            0..1_000 => write!(f, "{megabytes} MB"),
            1_000..1_000_000 => write!(f, "{}.{} GB", megabytes / 1_000, megabytes / 100 % 10),
            _ => write!(
                f,
                "{}.{} TB",
                megabytes / 1_000_000,
                megabytes / 100_000 % 10
            ),
        }
    }
}

/// Text of a stranger as a console may show it: printable ASCII without repeated blanks, at most
/// [`DISK_WORDS_MAX`] of it.
pub fn plain(text: &str) -> String {
    let shown = |c: char| if c.is_ascii_graphic() { c } else { ' ' };
    let text: String = text.chars().map(shown).collect();
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut words = words.join(" ");
    words.truncate(DISK_WORDS_MAX);
    words.trim_end().to_owned()
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(in crate::boot::install) const IMAGE: u64 = 1 << 30;

    pub(in crate::boot::install) fn disk(name: &str) -> Offer {
        Offer {
            name: name.into(),
            model: "Fast 100".into(),
            serial: format!("SN-{name}"),
            bytes: 32_000_000_000,
            sector_bytes: 512,
            is_removable: false,
            is_read_only: false,
            holds: Holds::Nothing,
        }
    }

    #[test]
    fn a_disk_is_described_in_a_line() {
        let mut offer = disk("sda");
        let text = "sda, 32.0 GB, Fast 100, serial number SN-sda";
        assert_eq!(offer.to_string(), text);
        (offer.model, offer.serial) = (String::new(), String::new());
        offer.is_removable = true;
        assert_eq!(offer.to_string(), "sda, 32.0 GB, removable");
        for (bytes, text) in [
            (999_999_999, "999 MB"),
            (1_210_056_704, "1.2 GB"),
            (4_000_787_030_016, "4.0 TB"),
        ] {
            assert_eq!(Size(bytes).to_string(), text);
        }
    }

    #[test]
    fn what_would_be_lost_is_named() {
        let partitions = |count, names: &[&str]| {
            let names = names.iter().map(|name| (*name).into()).collect();
            Holds::Partitions { count, names }.to_string()
        };
        assert_eq!(partitions(1, &[]), "1 partition");
        assert_eq!(
            partitions(3, &["boot", "my data"]),
            "3 partitions (boot, my data)"
        );
        let used = Holds::Appliance { is_in_use: true };
        assert_eq!(used.to_string(), "a Jumpgate appliance in use");
    }

    #[test]
    fn a_disk_that_cannot_take_the_image_says_why() {
        let with = |change: fn(&mut Offer)| {
            let mut offer = disk("sda");
            change(&mut offer);
            offer.check(IMAGE).map_err(|error| error.to_string())
        };
        assert_eq!(with(|_| ()), Ok(()));
        assert_eq!(with(|disk| disk.bytes = IMAGE), Ok(()));
        assert_eq!(with(|disk| disk.holds = Holds::Data), Ok(()));
        for (change, why) in [
            (
                (|disk| disk.bytes = IMAGE - 1) as fn(&mut Offer),
                "too small: the appliance takes 1.0 GB",
            ),
            (
                |disk| disk.sector_bytes = 4_096,
                "sectors of 4096 bytes: the appliance takes 512",
            ),
            (|disk| disk.is_read_only = true, "write-protected"),
            (|disk| disk.holds = Holds::Stick, "an installation stick"),
            (|disk| disk.holds = Holds::Unreadable, "it cannot be read"),
        ] {
            assert_eq!(with(change), Err(why.into()));
        }
    }

    proptest! {
        #[test]
        fn nothing_a_disk_says_moves_a_cursor(text in any::<String>()) {
            let shown = plain(&text);
            prop_assert!(shown.len() <= DISK_WORDS_MAX);
            prop_assert!(shown.chars().all(|c| c == ' ' || c.is_ascii_graphic()));
            prop_assert_eq!(plain(&shown), shown);
        }
    }
}
