//! What has to be written so that a flashed disk becomes this machine's own.

use super::codec::{self, Place as Copy};
use super::{Disk, Place, Table};
use crate::boot::Guid;

/// The two copies of a disk's table, as far as they could be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Copies {
    /// At the start. It counts if it can be read.
    pub primary: Option<Table>,
    /// At the end of the disk, wherever the primary says that it is.
    pub backup: Option<Table>,
}

impl Copies {
    /// The copy that counts.
    pub fn table(&self) -> Option<&Table> {
        self.primary.as_ref().or(self.backup.as_ref())
    }

    /// What the EFI partition is called in either copy.
    pub fn esps(&self) -> Vec<Guid> {
        let tables = self.primary.iter().chain(&self.backup);
        let esps = tables.filter_map(|table| Some(table.find(Place::Esp).ok()?.1.guid));
        esps.collect()
    }
}

/// Sectors to write, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What the table says afterwards.
    pub table: Table,
    /// Each has to be on the disk before the next one is begun.
    pub writes: Vec<Write>,
}

/// Bytes for the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The first sector.
    pub sector: u64,
    /// Whole sectors.
    pub bytes: Vec<u8>,
}

/// What to write so that both copies are whole, the backup lies at the end of the disk, the data
/// partition reaches up to it, and disk and partitions have GUIDs of their own from `fresh`; `None`
/// if all of that is so.
///
/// Power may go at any sector: the backup is complete before the first byte of the primary changes,
/// and a copy that is torn fails its checksum. The primary's entries are written one sector after
/// the other and its header last, because GRUB looks at neither checksum nor backup: so whatever it
/// finds there, the EFI partition's GUID is one of [`Copies::esps`].
///
/// `disk` passed [`Table::check`] for an appliance with the copy that counts.
pub fn change(disk: Disk, copies: &Copies, fresh: &mut dyn FnMut() -> Guid) -> Option<Change> {
    let mut table = copies.table()?.clone();
    if !table.guid.is_random() {
        table.guid = fresh();
        for partition in table.partitions.iter_mut().flatten() {
            partition.guid = fresh();
        }
    }
    table.last_sector = disk.last();
    table.last_usable = disk.last() - disk.table_sectors();
    grow(disk, &mut table);

    let mut writes = Vec::new();
    let entries = codec::entries(disk, &table);
    if copies.backup.as_ref() != Some(&table) {
        let (header, first_entry) = Copy::Backup.sectors(disk);
        writes.push(Write {
            sector: first_entry,
            bytes: entries.clone(),
        });
        writes.push(Write {
            sector: header,
            bytes: codec::header(disk, Copy::Backup, &table, &entries),
        });
    }
    if copies.primary.as_ref() != Some(&table) {
        let (header, first_entry) = Copy::Primary.sectors(disk);
        let sectors = entries.chunks_exact(disk.sector_bytes());
        writes.extend((first_entry..).zip(sectors).map(|(sector, bytes)| Write {
            sector,
            bytes: bytes.to_vec(),
        }));
        writes.push(Write {
            sector: header,
            bytes: codec::header(disk, Copy::Primary, &table, &entries),
        });
    }
    (!writes.is_empty()).then_some(Change { table, writes })
}

/// Lets the data partition reach to the last whole mebibyte, if it is the last one. It never
/// shrinks.
fn grow(disk: Disk, table: &mut Table) {
    let end = (table.last_usable + 1) / disk.alignment() * disk.alignment();
    let Ok((number, data)) = table.find(Place::Data) else {
        return;
    };
    let (first, last) = (data.first, data.last);
    let mut others = table.partitions.iter().flatten();
    if others.any(|other| other.first > first) || last + 1 >= end {
        return;
    }
    if let Some(data) = &mut table.partitions[number as usize - 1] {
        data.last = end - 1;
    }
}
