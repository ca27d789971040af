//! One file of a slot.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::ManifestError;
use crate::domain::limits::{
    BOOT_FILE_BYTES_MAX, CHUNK_BYTES, ROOT_BYTES_MAX, SLOT_TEXT_BYTES_MAX, VERITY_BLOCK_BYTES,
};
use crate::domain::token::Fingerprint;

/// What a slot consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Name {
    /// File system and hash tree, for the slot's partition.
    #[serde(rename = "root.img")]
    Root,
    /// With the program that opens the root.
    #[serde(rename = "initramfs")]
    Initramfs,
    /// For the boot loader.
    #[serde(rename = "initramfs.sig")]
    InitramfsSignature,
    /// Also signed for the firmware.
    #[serde(rename = "kernel")]
    Kernel,
    /// For the boot loader.
    #[serde(rename = "kernel.sig")]
    KernelSignature,
    /// For the boot loader.
    #[serde(rename = "slot.cfg.sig")]
    DescriptionSignature,
    /// [`crate::boot::Description`].
    #[serde(rename = "slot.cfg")]
    Description,
}

impl Name {
    /// In the order of the payload, which is the order in which they reach the disk: what makes a
    /// slot startable comes last.
    pub const ALL: [Self; 7] = [
        Self::Root,
        Self::Initramfs,
        Self::InitramfsSignature,
        Self::Kernel,
        Self::KernelSignature,
        Self::DescriptionSignature,
        Self::Description,
    ];

    /// As it is called on the disk.
    pub fn text(self) -> &'static str {
        match self {
            Self::Root => "root.img",
            Self::Initramfs => "initramfs",
            Self::InitramfsSignature => "initramfs.sig",
            Self::Kernel => "kernel",
            Self::KernelSignature => "kernel.sig",
            Self::DescriptionSignature => "slot.cfg.sig",
            Self::Description => "slot.cfg",
        }
    }

    /// The longest that this file can be.
    fn bytes_max(self) -> u64 {
        match self {
            Self::Root => ROOT_BYTES_MAX,
            Self::Initramfs | Self::Kernel => BOOT_FILE_BYTES_MAX,
            Self::InitramfsSignature
            | Self::KernelSignature
            | Self::Description
            | Self::DescriptionSignature => SLOT_TEXT_BYTES_MAX,
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// A file, cut into chunks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Which.
    pub name: Name,
    /// Its length: at least one, and of a root whole blocks.
    pub bytes: u64,
    /// SHA-256 of each [`CHUNK_BYTES`], the last one shorter.
    pub chunks: Vec<Fingerprint>,
}

impl File {
    /// Whether lengths and chunks fit each other and the disk.
    pub(super) fn check(&self) -> Result<(), ManifestError> {
        let (name, bytes, most) = (self.name, self.bytes, self.name.bytes_max());
        if bytes > most {
            return Err(ManifestError::FileTooLong { name, bytes, most });
        }
        let chunks = self.chunks.len();
        let whole = name != Name::Root || bytes.is_multiple_of(VERITY_BLOCK_BYTES);
        if bytes == 0 || !whole || chunks as u64 != bytes.div_ceil(CHUNK_BYTES as u64) {
            return Err(ManifestError::Chunks {
                name,
                bytes,
                chunks,
            });
        }
        Ok(())
    }
}
