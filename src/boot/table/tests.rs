use proptest::prelude::*;

use super::*;

const SECTOR: usize = 512;
/// Of the image in these tests: 4 MiB.
const IMAGE_SECTORS: u64 = 8_192;

fn disk(sectors: u64) -> Disk {
    Disk::new(512, sectors).unwrap()
}

fn derived(byte: u8) -> Guid {
    let mut bytes = [byte; 16];
    bytes[7] = 0x80;
    Guid::from_bytes(bytes)
}

/// As an image has it: six partitions, the second one of an even half mebibyte.
fn image() -> Table {
    let mut partitions = vec![None; ENTRIES as usize];
    for (at, place) in Place::ALL.into_iter().enumerate() {
        let first = 2_048 + 1_000 * at as u64;
        partitions[at] = Some(Partition {
            kind: derived(0x77),
            guid: derived(u8::try_from(at).unwrap() + 1),
            first,
            last: first + 999,
            attributes: 0,
            label: label(&place.label()),
        });
    }
    Table {
        guid: derived(0xdd),
        first_usable: 34,
        last_usable: IMAGE_SECTORS - 34,
        last_sector: IMAGE_SECTORS - 1,
        partitions,
    }
}

/// The bytes of a disk of `sectors` onto which the image was flashed.
fn flashed(sectors: u64) -> Vec<u8> {
    let image = image();
    let (made_for, entries) = (
        disk(IMAGE_SECTORS),
        codec::entries(disk(IMAGE_SECTORS), &image),
    );
    let mut bytes = vec![0; usize::try_from(sectors).unwrap() * SECTOR];
    for place in [codec::Place::Primary, codec::Place::Backup] {
        let (header, first_entry) = place.sectors(made_for);
        let header_bytes = codec::header(made_for, place, &image, &entries);
        put(&mut bytes, header, &header_bytes);
        put(&mut bytes, first_entry, &entries);
    }
    bytes
}

fn put(bytes: &mut [u8], sector: u64, what: &[u8]) {
    let at = usize::try_from(sector).unwrap() * SECTOR;
    let end = bytes.len().min(at + what.len());
    if at < end {
        bytes[at..end].copy_from_slice(&what[..end - at]);
    }
}

fn copies(bytes: &[u8]) -> Copies {
    let disk = disk((bytes.len() / SECTOR) as u64);
    let table = usize::try_from(disk.table_sectors()).unwrap() * SECTOR;
    Copies {
        primary: read_primary(disk, &bytes[SECTOR..SECTOR + table]).ok(),
        backup: read_backup(disk, &bytes[bytes.len() - table..]).ok(),
    }
}

/// Random ones, one after the other.
fn fresh() -> impl FnMut() -> Guid {
    let mut next = 0;
    move || {
        next += 1;
        Guid::from_random([next; 16])
    }
}

/// What GRUB takes for the GUID of the EFI partition: it reads the first entry and checks nothing.
fn seen_by_grub(bytes: &[u8]) -> Guid {
    Guid::from_bytes(bytes[2 * SECTOR + 16..2 * SECTOR + 32].try_into().unwrap())
}

fn starts(table: &Table) -> Vec<(u64, [u16; 36])> {
    let partitions = table.partitions.iter().flatten();
    partitions.map(|entry| (entry.first, entry.label)).collect()
}

#[test]
fn both_copies_of_an_image_are_read() {
    let copies = copies(&flashed(IMAGE_SECTORS));
    assert_eq!(copies.primary, Some(image()));
    assert_eq!(copies.backup, Some(image()));
    assert_eq!(image().check(disk(IMAGE_SECTORS), &Place::ALL), Ok(()));
    let (number, state) = copies.table().unwrap().find(Place::State).unwrap();
    assert_eq!((number, state.first, state.sectors()), (5, 6_048, 1_000));
}

#[test]
fn a_flashed_disk_is_filled_and_gets_names_of_its_own() {
    let sectors = 20_000;
    let mut bytes = flashed(sectors);
    let before = copies(&bytes);
    assert_eq!(before.backup, None, "it lies where the image ended");
    let change = change(disk(sectors), &before, &mut fresh()).unwrap();
    for write in &change.writes {
        put(&mut bytes, write.sector, &write.bytes);
    }
    let after = copies(&bytes);
    assert_eq!(after.primary.as_ref(), Some(&change.table));
    assert_eq!(after.backup, after.primary);
    let (_, data) = change.table.find(Place::Data).unwrap();
    // 20,000 sectors less a table end in the tenth mebibyte.
    assert_eq!(data.last, 9 * 2_048 - 1);
    let mut guids: Vec<Guid> = change
        .table
        .partitions
        .iter()
        .flatten()
        .map(|p| p.guid)
        .collect();
    guids.push(change.table.guid);
    assert!(guids.iter().all(|guid| guid.is_random()));
    guids.sort();
    guids.dedup();
    assert_eq!(guids.len(), 7);
    assert_eq!(starts(&change.table), starts(&image()));
    assert_eq!(
        super::change(disk(sectors), &after, &mut fresh()),
        None,
        "nothing more to do"
    );
}

#[test]
fn a_disk_that_grew_later_keeps_its_names() {
    let small = change(
        disk(IMAGE_SECTORS),
        &copies(&flashed(IMAGE_SECTORS)),
        &mut fresh(),
    )
    .unwrap();
    let primary = Some(small.table.clone());
    let backup = None;
    let larger = change(disk(50_000), &Copies { primary, backup }, &mut fresh()).unwrap();
    assert_eq!(larger.table.guid, small.table.guid);
    let end = |table: &Table| table.find(Place::Data).unwrap().1.last;
    assert!(end(&larger.table) > end(&small.table));
}

#[test]
fn a_disk_smaller_than_its_image_is_told_from_others() {
    let bytes = flashed(4_096);
    let table = copies(&bytes)
        .primary
        .expect("the copy at the start is whole");
    let error = table.check(disk(4_096), &Place::ALL).unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("disk too small: it has 2 MiB, this image takes 4 MiB"),
        "{text}"
    );
    // To the last sector: the copy of the table behind the last partition has to fit.
    assert!(table.check(disk(8_048 + 33), &Place::ALL).is_ok());
    assert!(table.check(disk(8_048 + 32), &Place::ALL).is_err());
}

#[test]
fn a_disk_without_our_partitions_is_none_of_ours() {
    let mut table = image();
    for entry in table.partitions.iter_mut().flatten() {
        entry.label = label("data");
    }
    assert!(!table.is_ours());
    let place = Place::Esp;
    assert_eq!(
        table.check(disk(IMAGE_SECTORS), &Place::ALL),
        Err(LayoutError::Missing { place })
    );
    let mut twice = image();
    twice.partitions[7] = twice.partitions[0];
    assert_eq!(
        twice.check(disk(IMAGE_SECTORS), &Place::ALL),
        Err(LayoutError::Twice { place })
    );
}

/// Lays `bytes` over the header of the primary, with or without putting its checksum right.
fn tampered(at: usize, bytes: &[u8]) -> Result<Table, TableError> {
    let mut image = flashed(IMAGE_SECTORS);
    image[SECTOR + at..SECTOR + at + bytes.len()].copy_from_slice(bytes);
    read_primary(disk(IMAGE_SECTORS), &image[SECTOR..34 * SECTOR])
}

#[test]
fn every_changed_byte_of_a_table_is_noticed() {
    let good = flashed(IMAGE_SECTORS);
    let whole = copies(&good);
    let end = good.len();
    for at in (SECTOR..SECTOR + 92).chain((2 * SECTOR..34 * SECTOR).step_by(37)) {
        let mut damaged = good.clone();
        damaged[at] ^= 0x10;
        assert_eq!(copies(&damaged).primary, None, "byte {at}");
        assert_eq!(copies(&damaged).backup, whole.backup);
    }
    for at in (end - SECTOR..end - SECTOR + 92).chain((end - 33 * SECTOR..end - SECTOR).step_by(37))
    {
        let mut damaged = good.clone();
        damaged[at] ^= 0x10;
        assert_eq!(copies(&damaged).backup, None, "byte {at}");
        assert_eq!(copies(&damaged).table(), whole.primary.as_ref());
    }
    assert_eq!(tampered(0, b"x"), Err(TableError::Signature));
    assert_eq!(
        tampered(24, b"x"),
        Err(TableError::Checksum { what: "header" })
    );
    let (field, value) = ("size", 93);
    assert_eq!(
        tampered(12, &[93]),
        Err(TableError::Header { field, value })
    );
}

#[test]
fn odd_disks_are_refused() {
    for (sector_bytes, sectors) in [
        (512, 2_047),
        (1_024, 1 << 20),
        (0, 1 << 20),
        (4_096, u64::MAX),
    ] {
        assert!(Disk::new(sector_bytes, sectors).is_err());
    }
    assert_eq!(Disk::new(4_096, 1 << 20).unwrap().table_sectors(), 5);
}

proptest! {
    /// Each sector is written whole or not at all, in any order within one write; writes before it
    /// are complete, later ones have not begun.
    #[test]
    fn a_power_cut_at_any_sector_leaves_a_disk_that_boots_and_is_finished_later(
        sectors in IMAGE_SECTORS..20_000, cut in 0_usize..40, subset: u64
    ) {
        let mut bytes = flashed(sectors);
        let first = change(disk(sectors), &copies(&bytes), &mut fresh()).unwrap();
        let cut = cut.min(first.writes.len());
        for write in &first.writes[..cut] {
            put(&mut bytes, write.sector, &write.bytes);
        }
        if let Some(torn) = first.writes.get(cut) {
            for (at, sector) in torn.bytes.chunks_exact(SECTOR).enumerate() {
                if subset >> at & 1 == 1 {
                    put(&mut bytes, torn.sector + at as u64, sector);
                }
            }
        }

        let left = copies(&bytes);
        let table = left.table().expect("one copy is whole");
        prop_assert_eq!(table.check(disk(sectors), &Place::ALL), Ok(()));
        prop_assert_eq!(starts(table), starts(&image()));
        prop_assert!(left.esps().contains(&seen_by_grub(&bytes)), "cut before write {}", cut);

        let mut more = fresh();
        if let Some(again) = change(disk(sectors), &left, &mut more) {
            for write in &again.writes {
                put(&mut bytes, write.sector, &write.bytes);
            }
        }
        let done = copies(&bytes);
        prop_assert!(done.primary.is_some() && done.primary == done.backup);
        prop_assert!(done.table().unwrap().guid.is_random());
        prop_assert_eq!(change(disk(sectors), &done, &mut more), None);
    }

    #[test]
    fn fuzz_smoke(data in proptest::collection::vec(any::<u8>(), 0..400), at in 0_usize..2_000) {
        fuzz(&data);
        // An entry that is nearly right.
        let image = codec::entries(disk(IMAGE_SECTORS), &image());
        let mut mixed = [vec![0; 92], image].concat();
        let at = at.min(mixed.len() - data.len());
        mixed[at..at + data.len()].copy_from_slice(&data);
        fuzz(&mixed);
    }
}
