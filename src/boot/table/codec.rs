//! One copy of a table as bytes.

use super::{Disk, ENTRIES, ENTRIES_BYTES, ENTRY_BYTES, Partition, Table};
use crate::boot::Guid;

const SIGNATURE: &[u8; 8] = b"EFI PART";
const REVISION: u32 = 0x0001_0000;
const HEADER_BYTES: u32 = 92;

/// Why sectors hold no table that we read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// Other bytes than a copy's sectors.
    #[error("{found} bytes, a table takes {expected}")]
    Length {
        /// What was given.
        found: usize,
        /// What it takes.
        expected: usize,
    },
    /// Another kind of disk, or none of any kind.
    #[error("no partition table")]
    Signature,
    /// A checksum is another one: torn by a power cut, or damaged.
    #[error("the checksum of the {what} is wrong")]
    Checksum {
        /// Header or entries.
        what: &'static str,
    },
    /// Right, but not laid out as ours.
    #[error("the header says {value} for its {field}, which no table of ours does")]
    Header {
        /// Which.
        field: &'static str,
        /// What was found.
        value: u64,
    },
    /// Outside of what partitions may take, across another one, or left over.
    #[error("entry {number} makes no sense")]
    Entry {
        /// Counted from 1.
        number: u32,
    },
}

/// Which copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Primary,
    Backup,
}

impl Place {
    /// Where header and entries lie.
    pub(super) fn sectors(self, disk: Disk) -> (u64, u64) {
        match self {
            Self::Primary => (1, 2),
            Self::Backup => (disk.last(), disk.last() - disk.entry_sectors()),
        }
    }
}

/// Reads the copy at the start: the [`Disk::table_sectors`] sectors after the first one.
pub fn read_primary(disk: Disk, sectors: &[u8]) -> Result<Table, TableError> {
    check_length(disk, sectors)?;
    let (header, entries) = sectors.split_at(disk.sector_bytes());
    read(disk, Place::Primary, header, entries)
}

/// Reads the copy at the end: the last [`Disk::table_sectors`] sectors.
pub fn read_backup(disk: Disk, sectors: &[u8]) -> Result<Table, TableError> {
    check_length(disk, sectors)?;
    let (entries, header) = sectors.split_at(sectors.len() - disk.sector_bytes());
    read(disk, Place::Backup, header, entries)
}

fn check_length(disk: Disk, sectors: &[u8]) -> Result<(), TableError> {
    let (found, sector) = (sectors.len(), disk.sector_bytes());
    let expected = sector + ENTRIES_BYTES.next_multiple_of(sector);
    let fits = found == expected;
    fits.then_some(())
        .ok_or(TableError::Length { found, expected })
}

fn read(disk: Disk, place: Place, header: &[u8], entries: &[u8]) -> Result<Table, TableError> {
    let header = &header[..HEADER_BYTES as usize];
    if !header.starts_with(SIGNATURE) {
        return Err(TableError::Signature);
    }
    // Before its checksum, because that covers this many bytes.
    expect(
        "size",
        u64::from(u32_at(header, 12)),
        u64::from(HEADER_BYTES),
    )?;
    let mut blank = [0; HEADER_BYTES as usize];
    blank.copy_from_slice(header);
    blank[16..20].fill(0);
    let entries = &entries[..ENTRIES_BYTES];
    check_sum("header", u32_at(header, 16), &blank)?;

    let (own, first_entry) = place.sectors(disk);
    let long = |field, at, expected| expect(field, u64_at(header, at), expected);
    let short = |field, at, expected| expect(field, u64::from(u32_at(header, at)), expected);
    short("revision", 8, u64::from(REVISION))?;
    short("reserved bytes", 20, 0)?;
    long("own sector", 24, own)?;
    long("first sector of entries", 72, first_entry)?;
    short("count of entries", 80, u64::from(ENTRIES))?;
    short("bytes of an entry", 84, u64::from(ENTRY_BYTES))?;
    check_sum("entries", u32_at(header, 88), entries)?;

    let last_sector = match place {
        Place::Primary => u64_at(header, 32),
        Place::Backup => {
            long("other copy's sector", 32, 1)?;
            disk.last()
        }
    };
    let (first_usable, last_usable) = (u64_at(header, 40), u64_at(header, 48));
    within(
        "first usable sector",
        first_usable,
        1 + disk.table_sectors()..=last_usable,
    )?;
    let end = last_sector.saturating_sub(disk.table_sectors());
    within("last usable sector", last_usable, first_usable..=end)?;
    Ok(Table {
        guid: guid_at(header, 56),
        first_usable,
        last_usable,
        last_sector,
        partitions: partitions(entries, first_usable..=last_usable)?,
    })
}

fn expect(field: &'static str, value: u64, expected: u64) -> Result<(), TableError> {
    within(field, value, expected..=expected)
}

fn within(
    field: &'static str,
    value: u64,
    allowed: std::ops::RangeInclusive<u64>,
) -> Result<(), TableError> {
    let fits = allowed.contains(&value);
    fits.then_some(())
        .ok_or(TableError::Header { field, value })
}

fn check_sum(what: &'static str, sum: u32, bytes: &[u8]) -> Result<(), TableError> {
    let right = crc32(bytes) == sum;
    right.then_some(()).ok_or(TableError::Checksum { what })
}

fn partitions(
    entries: &[u8],
    usable: std::ops::RangeInclusive<u64>,
) -> Result<Vec<Option<Partition>>, TableError> {
    let mut partitions: Vec<Option<Partition>> = Vec::with_capacity(ENTRIES as usize);
    for (number, entry) in (1..).zip(entries.chunks_exact(ENTRY_BYTES as usize)) {
        let partition = partition(entry).map_err(|()| TableError::Entry { number })?;
        if let Some(new) = &partition {
            let inside = usable.contains(&new.first) && usable.contains(&new.last);
            let mut others = partitions.iter().flatten();
            let across = others.any(|old| new.first <= old.last && old.first <= new.last);
            if !inside || new.first > new.last || across {
                return Err(TableError::Entry { number });
            }
        }
        partitions.push(partition);
    }
    Ok(partitions)
}

fn partition(entry: &[u8]) -> Result<Option<Partition>, ()> {
    let kind = guid_at(entry, 0);
    if kind == Guid::from_bytes([0; 16]) {
        let unused = entry.iter().all(|byte| *byte == 0);
        return unused.then_some(None).ok_or(());
    }
    let mut label = [0; 36];
    for (unit, bytes) in label.iter_mut().zip(entry[56..].chunks_exact(2)) {
        *unit = u16::from_le_bytes([bytes[0], bytes[1]]);
    }
    Ok(Some(Partition {
        kind,
        guid: guid_at(entry, 16),
        first: u64_at(entry, 32),
        last: u64_at(entry, 40),
        attributes: u64_at(entry, 48),
        label,
    }))
}

/// The entries of either copy, filled up to whole sectors.
pub(super) fn entries(disk: Disk, table: &Table) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ENTRIES_BYTES);
    for entry in &table.partitions {
        let Some(partition) = entry else {
            bytes.resize(bytes.len() + ENTRY_BYTES as usize, 0);
            continue;
        };
        bytes.extend(partition.kind.to_bytes());
        bytes.extend(partition.guid.to_bytes());
        bytes.extend(partition.first.to_le_bytes());
        bytes.extend(partition.last.to_le_bytes());
        bytes.extend(partition.attributes.to_le_bytes());
        bytes.extend(partition.label.iter().flat_map(|unit| unit.to_le_bytes()));
    }
    bytes.resize(bytes.len().next_multiple_of(disk.sector_bytes()), 0);
    bytes
}

/// The header's sector of one copy, in front of or behind `entries`.
pub(super) fn header(disk: Disk, place: Place, table: &Table, entries: &[u8]) -> Vec<u8> {
    let (own, first_entry) = place.sectors(disk);
    let other = match place {
        Place::Primary => table.last_sector,
        Place::Backup => 1,
    };
    let mut bytes = Vec::with_capacity(disk.sector_bytes());
    bytes.extend(SIGNATURE);
    bytes.extend(REVISION.to_le_bytes());
    bytes.extend(HEADER_BYTES.to_le_bytes());
    bytes.extend([0; 8]); // Own checksum, filled in below, and reserved bytes.
    for sector in [own, other, table.first_usable, table.last_usable] {
        bytes.extend(sector.to_le_bytes());
    }
    bytes.extend(table.guid.to_bytes());
    bytes.extend(first_entry.to_le_bytes());
    bytes.extend(ENTRIES.to_le_bytes());
    bytes.extend(ENTRY_BYTES.to_le_bytes());
    bytes.extend(crc32(&entries[..ENTRIES_BYTES]).to_le_bytes());
    let sum = crc32(&bytes);
    bytes[16..20].copy_from_slice(&sum.to_le_bytes());
    bytes.resize(disk.sector_bytes(), 0);
    bytes
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut value = [0; 4];
    value.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(value)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut value = [0; 8];
    value.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(value)
}

fn guid_at(bytes: &[u8], at: usize) -> Guid {
    let mut value = [0; 16];
    value.copy_from_slice(&bytes[at..at + 16]);
    Guid::from_bytes(value)
}

/// The checksum of the specification: CRC-32 with the polynomial of Ethernet, bits reversed.
fn crc32(bytes: &[u8]) -> u32 {
    let step =
        |sum: u32, byte: &u8| (sum >> 8) ^ CRC_OF_BYTE[usize::from(sum.to_le_bytes()[0] ^ byte)];
    !bytes.iter().fold(u32::MAX, step)
}

const CRC_OF_BYTE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0_u32;
    while byte < 256 {
        let mut sum = byte;
        let mut bit = 0;
        while bit < 8 {
            sum = (sum >> 1) ^ ((sum & 1) * 0xedb8_8320);
            bit += 1;
        }
        table[byte as usize] = sum;
        byte += 1;
    }
    table
};

/// For the fuzzer and the smoke runs beside: sectors that are a table are written as they were
/// read, but for bytes that mean nothing. `data` is laid over a table that is right, checksums
/// included, so that what lies behind them is reached too.
#[cfg(any(test, fuzzing))]
pub fn fuzz(data: &[u8]) {
    let _ = (
        read_primary(disk_of(40_960), data),
        read_backup(disk_of(40_960), data),
    );
    let disk = disk_of(40_960);
    let table = Table {
        guid: Guid::from_bytes([7; 16]),
        first_usable: 34,
        last_usable: 40_926,
        last_sector: 40_959,
        partitions: vec![None; ENTRIES as usize],
    };
    let mut rest = entries(disk, &table);
    let (head, body) = data.split_at(data.len().min(HEADER_BYTES as usize));
    let laid = body.len().min(rest.len());
    rest[..laid].copy_from_slice(&body[..laid]);
    for place in [Place::Primary, Place::Backup] {
        let mut first = header(disk, place, &table, &rest);
        for (byte, mask) in first[20..HEADER_BYTES as usize - 4].iter_mut().zip(head) {
            *byte ^= mask;
        }
        first[16..20].fill(0);
        let sum = crc32(&first[..HEADER_BYTES as usize]);
        first[16..20].copy_from_slice(&sum.to_le_bytes());
        if let Ok(read_table) = read(disk, place, &first, &rest) {
            assert_eq!(entries(disk, &read_table), rest);
            assert_eq!(header(disk, place, &read_table, &rest), first);
        }
    }
}

#[cfg(any(test, fuzzing))]
fn disk_of(sectors: u64) -> Disk {
    Disk::new(512, sectors).expect("large enough for a table")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check value of every list of checksums.
    #[test]
    fn the_checksum_is_the_one_of_the_specification() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }
}
