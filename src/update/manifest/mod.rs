//! What an update consists of: the one signed file that says it.
//!
//! A target of the update repository, JSON, at most [`MANIFEST_BYTES_MAX`] long:
//!
//! ```text
//! { "format": 1, "product": "jumpgate", "model": "b400", "profile": "hardware",
//!   "channel": "release", "version": "0.3.0", "sequence": 17, "epoch": 1, "built": 1764000000,
//!   "schema": 2, "notes": "…",
//!   "files": [ { "name": "root.img", "bytes": 16773120, "chunks": [64 digits, …] }, … ] }
//! ```
//!
//! The payload is the files, one behind the other. Each is cut into chunks of [`CHUNK_BYTES`], the
//! last one shorter, and every chunk's SHA-256 stands here: a chunk is written or thrown away, and
//! nobody has to have all of a file before he knows. Nothing is packed: what is in it is packed
//! already, and what need not be unpacked cannot burst.

mod file;

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::boot::release::Channel;
use crate::domain::limits::{
    CHUNK_BYTES, MANIFEST_BYTES_MAX, NOTES_BYTES_MAX, SEQUENCE_MAX, VERSION_BYTES_MAX,
};
use crate::domain::sizing::Profile;
use crate::domain::token::Fingerprint;
use crate::domain::{Model, Text};

pub use file::{File, Name};

/// The only format so far.
const FORMAT: u32 = 1;
/// Nothing else is ours.
const PRODUCT: &str = "jumpgate";

/// An update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// What it runs on.
    pub model: Model,
    /// Whom it is meant for.
    pub channel: Channel,
    /// As people read it.
    pub version: Text<VERSION_BYTES_MAX>,
    /// Higher is newer; up to [`SEQUENCE_MAX`].
    pub sequence: u32,
    /// An appliance that confirmed a higher one does not go back to this.
    pub security_epoch: u32,
    /// When it was built, in seconds since 1970.
    pub built: u64,
    /// The store's schema that it writes.
    pub schema: u32,
    /// What is new, for people: lines of plain text.
    pub notes: String,
    /// What a slot holds, in the order of the payload: one of each [`Name`], the root first.
    pub files: Vec<File>,
}

/// Why a manifest is none.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Longer than any of ours.
    #[error("a manifest of {found} bytes, {MANIFEST_BYTES_MAX} are allowed")]
    TooLong {
        /// What was found.
        found: usize,
    },
    /// Not the JSON that this version reads.
    #[error("the manifest is not understood: {0}")]
    Json(#[from] serde_json::Error),
    /// Made for a later agent.
    #[error("a manifest of format {found}, this version reads format {FORMAT}")]
    Format {
        /// What was found.
        found: u32,
    },
    /// Another maker's.
    #[error("an update for '{found}', not for {PRODUCT}")]
    Product {
        /// What was found.
        found: String,
    },
    /// A value that cannot be.
    #[error("the manifest's '{key}' cannot be {value}")]
    Value {
        /// The key.
        key: &'static str,
        /// What was found.
        value: String,
    },
    /// A file is missing, there twice, or not in its place.
    #[error("the manifest lists {found}, expected {expected}")]
    Files {
        /// Names.
        found: String,
        /// Names.
        expected: String,
    },
    /// Lengths and chunks do not fit each other.
    #[error("{name} has {bytes} bytes in {chunks} chunks")]
    Chunks {
        /// Which file.
        name: Name,
        /// In all.
        bytes: u64,
        /// Listed.
        chunks: usize,
    },
    /// More than a slot's place for it.
    #[error("{name} has {bytes} bytes, {most} are allowed")]
    FileTooLong {
        /// Which file.
        name: Name,
        /// What was found.
        bytes: u64,
        /// The limit.
        most: u64,
    },
}

/// As it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: u32,
    product: String,
    model: Model,
    profile: String,
    channel: Channel,
    version: Text<VERSION_BYTES_MAX>,
    sequence: u32,
    epoch: u32,
    built: u64,
    schema: u32,
    notes: String,
    files: Vec<File>,
}

/// What every format says first: enough to tell that it is one that comes later.
#[derive(Deserialize)]
struct Format {
    format: u32,
    product: String,
}

impl Manifest {
    /// Reads one whose bytes are known to be those that were signed.
    pub fn decode(bytes: &[u8]) -> Result<Self, ManifestError> {
        let found = bytes.len();
        if found > MANIFEST_BYTES_MAX {
            return Err(ManifestError::TooLong { found });
        }
        let Format { format, product } = serde_json::from_slice(bytes)?;
        if product != PRODUCT {
            return Err(ManifestError::Product { found: product });
        }
        if format != FORMAT {
            return Err(ManifestError::Format { found: format });
        }
        let written: Written = serde_json::from_slice(bytes)?;
        debug_assert_eq!((written.format, &*written.product), (FORMAT, PRODUCT));
        written.checked()
    }

    /// Bytes of the payload.
    pub fn payload_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// Chunks of the payload.
    pub fn chunk_count(&self) -> usize {
        self.files.iter().map(|file| file.chunks.len()).sum()
    }

    /// The file of this name.
    pub fn file(&self, name: Name) -> &File {
        let mut files = self.files.iter();
        files.find(|file| file.name == name).expect("one of each")
    }

    /// Every chunk, in the order of the payload.
    pub fn chunks(&self) -> impl Iterator<Item = Chunk> + '_ {
        let mut at = 0;
        self.files.iter().flat_map(move |file| {
            let begin = at;
            at += file.bytes;
            (0..).zip(&file.chunks).map(move |(number, sha256)| {
                let within = number * CHUNK_BYTES as u64;
                Chunk {
                    file: file.name,
                    within,
                    at: begin + within,
                    bytes: usize::try_from(file.bytes - within)
                        .map_or(CHUNK_BYTES, |left| left.min(CHUNK_BYTES)),
                    sha256: *sha256,
                }
            })
        })
    }
}

/// A piece of the payload that is checked as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Whose.
    pub file: Name,
    /// Where it begins in its file.
    pub within: u64,
    /// Where it begins in the payload.
    pub at: u64,
    /// Its length, 1 to [`CHUNK_BYTES`].
    pub bytes: usize,
    /// What it hashes to.
    pub sha256: Fingerprint,
}

impl Chunk {
    /// Whether these are its bytes.
    pub fn is(&self, bytes: &[u8]) -> bool {
        bytes.len() == self.bytes && Fingerprint::of(bytes) == self.sha256
    }
}

impl Written {
    fn checked(self) -> Result<Manifest, ManifestError> {
        let refused = |key, value: &dyn std::fmt::Debug| ManifestError::Value {
            key,
            value: format!("{value:?}"),
        };
        if self.profile != Profile::of(self.model).to_string() {
            return Err(refused("profile", &self.profile));
        }
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._:+~-".contains(&b);
        if self.version.is_empty() || !self.version.bytes().all(plain) {
            return Err(refused("version", &self.version));
        }
        for (key, value) in [("sequence", self.sequence), ("epoch", self.epoch)] {
            if value > SEQUENCE_MAX {
                return Err(refused(key, &value));
            }
        }
        let is_text = |c: char| !c.is_control() || c == '\n';
        if self.notes.len() > NOTES_BYTES_MAX || !self.notes.chars().all(is_text) {
            return Err(refused("notes", &self.notes.len()));
        }
        let names: Vec<Name> = self.files.iter().map(|file| file.name).collect();
        if names != Name::ALL {
            let list = |names: &[Name]| {
                let names: BTreeSet<String> = names.iter().map(Name::to_string).collect();
                names.into_iter().collect::<Vec<_>>().join(", ")
            };
            return Err(ManifestError::Files {
                found: list(&names),
                expected: list(&Name::ALL),
            });
        }
        self.files.iter().try_for_each(File::check)?;
        Ok(Manifest {
            model: self.model,
            channel: self.channel,
            version: self.version,
            sequence: self.sequence,
            security_epoch: self.epoch,
            built: self.built,
            schema: self.schema,
            notes: self.notes,
            files: self.files,
        })
    }
}

/// For the fuzzer and the smoke run below: what was read keeps to its limits.
#[cfg(any(test, fuzzing))]
pub fn fuzz(data: &[u8]) {
    if let Ok(manifest) = Manifest::decode(data) {
        let mut at = 0;
        for chunk in manifest.chunks() {
            assert!(chunk.at == at && (1..=CHUNK_BYTES).contains(&chunk.bytes));
            at += chunk.bytes as u64;
        }
        assert_eq!(at, manifest.payload_bytes());
        assert_eq!(manifest.chunks().count(), manifest.chunk_count());
    }
}

#[cfg(test)]
mod tests;
