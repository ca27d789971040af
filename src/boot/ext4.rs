//! How large a file system says that it is: two numbers of an ext4 superblock.

use crate::domain::limits::EXT4_SUPERBLOCK_BYTES;

/// Where the superblock begins in its partition.
pub const SUPERBLOCK_AT: u64 = 1_024;

const MAGIC: u16 = 0xef53;
/// `s_feature_incompat`: counts of blocks have 64 bits.
const INCOMPAT_64BIT: u32 = 0x80;
/// ext4 has blocks of 1 to 64 KiB.
const BLOCK_SHIFT_MAX: u32 = 6;

/// The size of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Of a block.
    pub block_bytes: u64,
    /// Blocks in all.
    pub blocks: u64,
}

/// The size that a superblock of [`EXT4_SUPERBLOCK_BYTES`] gives; `None` if it is none.
pub fn size(superblock: &[u8; EXT4_SUPERBLOCK_BYTES]) -> Option<Size> {
    let half = |at: usize| u16::from_le_bytes([superblock[at], superblock[at + 1]]);
    let word = |at: usize| u32::from(half(at)) | u32::from(half(at + 2)) << 16;
    let shift = word(0x18);
    if half(0x38) != MAGIC || shift > BLOCK_SHIFT_MAX {
        return None;
    }
    let has_high = word(0x60) & INCOMPAT_64BIT != 0;
    let high = if has_high { word(0x150) } else { 0 };
    Some(Size {
        block_bytes: 1_024 << shift,
        blocks: u64::from(high) << 32 | u64::from(word(0x04)),
    })
}

/// For the fuzzer and the smoke run below: any superblock ends in a size or in none.
#[cfg(any(test, fuzzing))]
pub fn fuzz(data: &[u8]) {
    let mut superblock = [0; EXT4_SUPERBLOCK_BYTES];
    let length = data.len().min(superblock.len());
    superblock[..length].copy_from_slice(&data[..length]);
    let _ = size(&superblock);
    superblock[0x38..0x3a].copy_from_slice(&MAGIC.to_le_bytes());
    if let Some(size) = size(&superblock) {
        assert!(size.block_bytes.is_power_of_two());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_size_is_read_with_and_without_its_upper_half() {
        let mut superblock = [0; EXT4_SUPERBLOCK_BYTES];
        superblock[0x04..0x08].copy_from_slice(&16_384_u32.to_le_bytes());
        superblock[0x18] = 2;
        assert_eq!(size(&superblock), None, "no magic number");
        superblock[0x38..0x3a].copy_from_slice(&MAGIC.to_le_bytes());
        superblock[0x150] = 1;
        let (block_bytes, blocks) = (4_096, 16_384);
        let small = Size {
            block_bytes,
            blocks,
        };
        assert_eq!(size(&superblock), Some(small));
        superblock[0x60] = 0x80;
        assert_eq!(size(&superblock).unwrap().blocks, (1 << 32) + 16_384);
        superblock[0x18] = 7;
        assert_eq!(size(&superblock), None);
    }

    proptest! {
        #[test]
        fn fuzz_smoke(data in proptest::collection::vec(any::<u8>(), 0..1_100)) {
            fuzz(&data);
        }
    }
}
