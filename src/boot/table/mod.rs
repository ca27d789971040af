//! The partition table of an appliance's disk (GPT; UEFI specification 2.10, chapter 5).
//!
//! ```text
//! sector 0   1        2 ..           ..                last
//! old table  header   entries   partitions   entries   header      the same twice: primary, backup
//! ```
//!
//! Only the layout that our images have is read: 128 entries of 128 bytes next to their header, and
//! every checksum right. A disk of anybody else is none of ours and left alone, whatever is wrong
//! with it.
//!
//! [`read_primary`] and [`read_backup`] take the first and last sectors; [`change()`] says which
//! sectors to write, and in which order, to fill a larger disk and to give it names of its own.

mod change;
mod codec;
#[cfg(test)]
mod tests;

use std::fmt;

use super::Guid;

pub use change::{Change, Copies, Write, change};
#[cfg(any(test, fuzzing))]
pub use codec::fuzz;
pub use codec::{TableError, read_backup, read_primary};

/// Entries of a table; the least that the specification allows, and what every tool makes.
pub const ENTRIES: u32 = 128;
/// Bytes of an entry.
pub const ENTRY_BYTES: u32 = 128;
/// Bytes of all of them.
const ENTRIES_BYTES: usize = (ENTRIES * ENTRY_BYTES) as usize;

/// A disk as its driver describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    sector_bytes: u32,
    sectors: u64,
}

/// A disk too odd to hold a table.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("a disk of {sectors} sectors of {sector_bytes} bytes holds no partition table")]
pub struct OddDisk {
    /// What was found.
    pub sector_bytes: u32,
    /// What was found.
    pub sectors: u64,
}

impl Disk {
    /// Accepts sectors of 512 and of 4,096 bytes, and room for two copies of a table between 1 MiB
    /// and 8 EiB.
    pub fn new(sector_bytes: u32, sectors: u64) -> Result<Self, OddDisk> {
        let bytes = sectors.checked_mul(u64::from(sector_bytes));
        let fits = matches!(sector_bytes, 512 | 4_096)
            && bytes.is_some_and(|bytes| (1 << 20..=1 << 63).contains(&bytes));
        fits.then_some(Self {
            sector_bytes,
            sectors,
        })
        .ok_or(OddDisk {
            sector_bytes,
            sectors,
        })
    }

    /// Bytes of a sector.
    pub fn sector_bytes(self) -> usize {
        self.sector_bytes as usize
    }

    /// Sectors in all.
    pub fn sectors(self) -> u64 {
        self.sectors
    }

    /// The last sector.
    pub fn last(self) -> u64 {
        self.sectors - 1
    }

    /// Sectors that the entries of one copy take.
    pub fn entry_sectors(self) -> u64 {
        ENTRIES_BYTES.div_ceil(self.sector_bytes()) as u64
    }

    /// Sectors at each end that a table takes, without the old table in the first one.
    pub fn table_sectors(self) -> u64 {
        1 + self.entry_sectors()
    }

    /// Sectors of a mebibyte, to which partitions are aligned.
    fn alignment(self) -> u64 {
        (1 << 20) / u64::from(self.sector_bytes)
    }
}

/// What a table says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Of the disk.
    pub guid: Guid,
    /// The first sector that partitions may take.
    pub first_usable: u64,
    /// The last one.
    pub last_usable: u64,
    /// The last sector of the disk that the table was made for.
    pub last_sector: u64,
    /// By number less one.
    pub partitions: Vec<Option<Partition>>,
}

/// One entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Partition {
    /// What it is for.
    pub kind: Guid,
    /// Its own.
    pub guid: Guid,
    /// Its first sector.
    pub first: u64,
    /// Its last one.
    pub last: u64,
    /// As found; nothing of ours depends on them.
    pub attributes: u64,
    /// UTF-16, filled up with zeros.
    pub label: [u16; 36],
}

impl Partition {
    /// Its size.
    pub fn sectors(&self) -> u64 {
        self.last - self.first + 1
    }
}

/// The partitions of an appliance, and of a stick that installs one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// Boot loader, kernels, environment block.
    Esp,
    /// Root of a slot.
    A,
    /// Root of a slot.
    B,
    /// Root from the factory.
    Recovery,
    /// What the machine is: its id, network settings, clock.
    State,
    /// What it keeps for people: store, keys, recordings, logs.
    Data,
    /// On a stick: the image of an appliance's disk.
    Installer,
}

impl Place {
    /// Those of an appliance, in the order of the disk.
    pub const ALL: [Self; 6] = [
        Self::Esp,
        Self::A,
        Self::B,
        Self::Recovery,
        Self::State,
        Self::Data,
    ];
    /// Those of an installation stick.
    pub const STICK: [Self; 2] = [Self::Esp, Self::Installer];

    /// In [`super::facts::PLACES_FOLDER`].
    pub fn name(self) -> &'static str {
        match self {
            Self::Esp => "esp",
            Self::A => "a",
            Self::B => "b",
            Self::Recovery => "recovery",
            Self::State => "state",
            Self::Data => "data",
            Self::Installer => "installer",
        }
    }

    /// In the table.
    pub fn label(self) -> String {
        format!("jumpgate-{}", self.name())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a table is not an appliance's.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum LayoutError {
    /// Another system's disk, or one of another version.
    #[error("partition jumpgate-{place} is missing")]
    Missing {
        /// Which.
        place: Place,
    },
    /// Which of the two counts would be a guess.
    #[error("partition jumpgate-{place} is there twice")]
    Twice {
        /// Which.
        place: Place,
    },
    /// The image does not fit.
    #[error(
        "disk too small: it has {has_mib} MiB, this image takes {needs_mib} MiB. \
        Use a larger disk and flash it anew"
    )]
    DiskTooSmall {
        /// The disk.
        has_mib: u64,
        /// The table.
        needs_mib: u64,
    },
}

impl Table {
    /// Whether any partition is called as one of ours.
    pub fn is_ours(&self) -> bool {
        Place::ALL.into_iter().any(|place| self.find(place).is_ok())
    }

    /// The number of the partition of `place`, counted from 1, and what the table says of it.
    pub fn find(&self, place: Place) -> Result<(u32, &Partition), LayoutError> {
        let label = label(&place.label());
        let mut found = (1..).zip(&self.partitions).filter_map(|(number, entry)| {
            let partition = entry.as_ref()?;
            (partition.label == label).then_some((number, partition))
        });
        let first = found.next().ok_or(LayoutError::Missing { place })?;
        match found.next() {
            Some(_) => Err(LayoutError::Twice { place }),
            None => Ok(first),
        }
    }

    /// Whether every partition of `places` is there, and `disk` is large enough for all there are.
    pub fn check(&self, disk: Disk, places: &[Place]) -> Result<(), LayoutError> {
        for place in places {
            self.find(*place)?;
        }
        let end = self.partitions.iter().flatten().map(|entry| entry.last);
        let needed = end.max().unwrap_or_default() + disk.table_sectors() + 1;
        if needed > disk.sectors() {
            let mib = |sectors: u64| sectors / disk.alignment();
            return Err(LayoutError::DiskTooSmall {
                has_mib: mib(disk.sectors()),
                needs_mib: mib(needed) + 1,
            });
        }
        Ok(())
    }
}

/// A label as an entry holds it.
///
/// # Panics
///
/// If it has more than 35 characters: all of ours are shorter.
pub fn label(text: &str) -> [u16; 36] {
    let mut label = [0; 36];
    let units: Vec<u16> = text.encode_utf16().collect();
    assert!(units.len() < label.len());
    label[..units.len()].copy_from_slice(&units);
    label
}
