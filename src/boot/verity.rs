//! A root file system of which every block is checked when it is read (dm-verity).
//!
//! ```text
//! partition: data blocks | levels of the hash tree, top first | unused
//! ```
//!
//! Without a superblock: everything that one would say comes signed, from the boot loader.

use std::fmt::Write as _;
use std::str::FromStr;

use data_encoding::HEXLOWER;

use crate::domain::limits::{VERITY_BLOCK_BYTES, VERITY_SALT_BYTES_MAX};

use super::pairs::decimal;

/// A SHA-256 hash in the tree.
const HASH_BYTES: u64 = 32;

/// What it takes to check a root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verity {
    /// Of the tree's top block.
    pub root: RootHash,
    /// What is hashed before each block; not secret.
    pub salt: Salt,
    /// Of the file system, in blocks of [`VERITY_BLOCK_BYTES`].
    pub blocks: u64,
}

/// What becomes of a block that is not as it was signed, before anything uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangedBlock {
    /// The machine starts anew, at once: nothing that runs could go on without it.
    Restarts,
    /// Whoever reads it gets an error, and can say so.
    IsAnError,
}

/// SHA-256 of the hash tree's top block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RootHash(pub [u8; 32]);

/// 1 to [`VERITY_SALT_BYTES_MAX`] bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Salt(Vec<u8>);

/// Text that is not what it takes.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerityError {
    /// Not a SHA-256.
    #[error("not a root hash: 64 lower-case hexadecimal digits expected")]
    RootHash,
    /// Not a salt.
    #[error(
        "not a salt: 1 to {VERITY_SALT_BYTES_MAX} bytes in lower-case hexadecimal digits expected"
    )]
    Salt,
}

impl FromStr for RootHash {
    type Err = VerityError;
    fn from_str(text: &str) -> Result<Self, VerityError> {
        let bytes = HEXLOWER.decode(text.as_bytes()).ok();
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or(VerityError::RootHash)
    }
}

impl FromStr for Salt {
    type Err = VerityError;
    fn from_str(text: &str) -> Result<Self, VerityError> {
        let bytes = HEXLOWER.decode(text.as_bytes()).ok();
        let fits = |bytes: &Vec<u8>| (1..=VERITY_SALT_BYTES_MAX).contains(&bytes.len());
        bytes.filter(fits).map(Self).ok_or(VerityError::Salt)
    }
}

impl Verity {
    /// Reads a count of data blocks. Over one block there is no tree; below the upper end nothing
    /// that follows from the count overflows.
    pub fn block_count(text: &str) -> Option<u64> {
        decimal(text).filter(|blocks| (2..=1 << 32).contains(blocks))
    }

    /// Bytes of file system and tree together; the partition has at least these.
    pub fn bytes(&self) -> u64 {
        let per_block = VERITY_BLOCK_BYTES / HASH_BYTES;
        let mut level = self.blocks;
        let mut all = level;
        loop {
            level = level.div_ceil(per_block);
            all += level;
            if level == 1 {
                return all * VERITY_BLOCK_BYTES;
            }
        }
    }

    /// The sectors of 512 bytes of the checked device.
    pub fn sectors(&self) -> u64 {
        self.blocks * (VERITY_BLOCK_BYTES / 512)
    }

    /// The parameters of the kernel's `verity` target over `device`
    /// (Documentation/admin-guide/device-mapper/verity.rst).
    pub fn parameters(&self, device: &str, changed: ChangedBlock) -> String {
        let Self { root, salt, blocks } = self;
        let (root, salt) = (HEXLOWER.encode(&root.0), HEXLOWER.encode(&salt.0));
        let size = VERITY_BLOCK_BYTES;
        let mut line = format!("1 {device} {device} {size} {size} {blocks} {blocks} ");
        let _ = write!(line, "sha256 {root} {salt}");
        line.push_str(match changed {
            ChangedBlock::Restarts => " 1 restart_on_corruption",
            ChangedBlock::IsAnError => "",
        });
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verity(blocks: u64) -> Verity {
        let (root, salt) = ("ab".repeat(32).parse().unwrap(), "0c".parse().unwrap());
        Verity { root, salt, blocks }
    }

    #[test]
    fn the_kernel_is_told_to_restart_on_a_changed_block() {
        let root = "ab".repeat(32);
        let expected =
            format!("1 254:2 254:2 4096 4096 300 300 sha256 {root} 0c 1 restart_on_corruption");
        let verity = verity(300);
        assert_eq!(verity.parameters("254:2", ChangedBlock::Restarts), expected);
        let error = verity.parameters("254:2", ChangedBlock::IsAnError);
        assert_eq!(format!("{error} 1 restart_on_corruption"), expected);
        assert_eq!(verity.sectors(), 2_400);
    }

    /// As `veritysetup format --no-superblock` makes it.
    #[test]
    fn the_tree_is_counted_to_its_top() {
        for (blocks, tree) in [(2, 1), (128, 1), (129, 3), (16_384, 129), (16_385, 132)] {
            assert_eq!(verity(blocks).bytes(), (blocks + tree) * 4_096, "{blocks}");
        }
    }

    #[test]
    fn hashes_are_written_in_one_way() {
        for bad in ["", "ab", &"AB".repeat(32), &"ab".repeat(33)] {
            assert_eq!(bad.parse::<RootHash>(), Err(VerityError::RootHash), "{bad}");
        }
        for bad in ["", "-", "a", "AB", &"ab".repeat(33)] {
            assert_eq!(bad.parse::<Salt>(), Err(VerityError::Salt), "{bad}");
        }
    }

    #[test]
    fn no_count_of_blocks_overflows() {
        for odd in ["", "0", "1", "02", "4294967297"] {
            assert_eq!(Verity::block_count(odd), None, "{odd:?}");
        }
        assert_eq!(Verity::block_count("4294967296"), Some(1 << 32));
        assert!(verity(1 << 32).bytes() > 1 << 44);
    }
}
