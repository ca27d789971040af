//! The device that checks every block of the root, or of what an installation stick brings
//! (dm-verity), by the device mapper's own calls.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::PathBuf;

use crate::boot::Verity;
use crate::boot::verity::ChangedBlock;

use super::sys;

const CONTROL: &str = "/dev/mapper/control";
/// As `dmsetup` and the kernel's messages call the device.
const NAME: &str = "jumpgate-root";

// <linux/dm-ioctl.h>
const DEV_CREATE: u8 = 3;
const DEV_SUSPEND: u8 = 6;
const TABLE_LOAD: u8 = 9;
const READ_ONLY: u32 = 1;
const HEADER_BYTES: u32 = 312;
const TARGET_BYTES: usize = 40;

/// Sets the device up over `device` (`major:minor`) and returns its path.
pub(super) fn open(verity: &Verity, device: &str, changed: ChangedBlock) -> io::Result<PathBuf> {
    let control = OpenOptions::new().read(true).write(true).open(CONTROL)?;
    let call = |command, mut message: Vec<u8>| -> io::Result<Vec<u8>> {
        sys::device_mapper(&control, command, &mut message)?;
        Ok(message)
    };
    call(DEV_CREATE, message(READ_ONLY, &[]))?;
    let target = target(
        verity.sectors(),
        "verity",
        &verity.parameters(device, changed),
    );
    call(TABLE_LOAD, message(READ_ONLY, &target))?;
    // Of a device that was only just made, this is the end of its suspension.
    let answer = call(DEV_SUSPEND, message(0, &[]))?;
    let path = PathBuf::from(format!("/dev/dm-{}", minor(&answer)));
    File::open(&path)?;
    Ok(path)
}

/// A `struct dm_ioctl`, and behind it what it brings.
fn message(flags: u32, data: &[u8]) -> Vec<u8> {
    let length = HEADER_BYTES as usize + data.len();
    let bytes = u32::try_from(length).expect("a table of one line");
    let targets = u32::from(!data.is_empty());
    let mut message = Vec::with_capacity(length);
    // version (3 words), data_size, data_start, target_count, open_count, flags, event_nr, padding
    let words = [4, 0, 0, bytes, HEADER_BYTES, targets, 0, flags, 0, 0];
    message.extend(words.into_iter().flat_map(u32::to_ne_bytes));
    message.extend([0; 8]); // dev
    message.extend(NAME.as_bytes());
    message.resize(HEADER_BYTES as usize, 0); // rest of the name, uuid, padding
    message.extend(data);
    message
}

/// A `struct dm_target_spec` over the whole device, and its parameters.
fn target(sectors: u64, kind: &str, parameters: &str) -> Vec<u8> {
    let mut target = Vec::with_capacity(TARGET_BYTES + parameters.len() + 8);
    target.extend(0_u64.to_ne_bytes()); // sector_start
    target.extend(sectors.to_ne_bytes());
    target.extend([0; 8]); // status, next
    target.extend(kind.as_bytes());
    target.resize(TARGET_BYTES, 0);
    target.extend(parameters.as_bytes());
    target.push(0);
    target.resize(target.len().next_multiple_of(8), 0);
    target
}

/// The minor number in an answer's `dev`, which has it in two pieces (`huge_encode_dev`).
fn minor(answer: &[u8]) -> u64 {
    let mut dev = [0; 8];
    dev.copy_from_slice(&answer[40..48]);
    let dev = u64::from_ne_bytes(dev);
    (dev & 0xff) | ((dev >> 12) & 0xf_ff00)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_its_length_and_what_it_brings() {
        let target = target(2_400, "verity", "1 254:2");
        assert_eq!(target.len(), 48);
        assert_eq!(&target[24..31], b"verity\0");
        assert_eq!(&target[40..], b"1 254:2\0");
        let message = message(READ_ONLY, &target);
        assert_eq!(message.len(), 360);
        assert_eq!(message[12..16], 360_u32.to_ne_bytes());
        assert_eq!(&message[48..62], b"jumpgate-root\0");
    }

    #[test]
    fn a_minor_number_is_put_together_from_its_pieces() {
        let mut answer = vec![0; HEADER_BYTES as usize];
        answer[40..48].copy_from_slice(&(254_u64 << 8 | 3).to_ne_bytes());
        assert_eq!(minor(&answer), 3);
        answer[40..48].copy_from_slice(&(0x12_u64 << 20 | 254 << 8 | 0x34).to_ne_bytes());
        assert_eq!(minor(&answer), 0x1234);
    }
}
