//! The `.update` file: everything that an appliance without a network needs.
//!
//! ```text
//! magic, 16 bytes │ u32 length │ SHA-256 │ metadata: name, bytes; name, bytes; … │ payload
//! ```
//!
//! Metadata comes first, so that everything is known to be signed before the first byte of the
//! payload is looked at, and no more of the payload has to be kept than a chunk. It holds the files
//! that a server would have in its `metadata` folder, and the manifest's. Which of them are believed
//! is [`super::trust`]'s to say; which bytes follow, [`super::manifest`]'s.
//!
//! The hash is the metadata's. It says nothing about whom to believe; it tells a file that was damaged
//! on its way from one that was made to deceive. Numbers are big-endian. An entry is a `u8` and that much name, then a `u32` and that many bytes.

use std::collections::BTreeMap;

use crate::domain::limits::{BUNDLE_ENTRIES_MAX, BUNDLE_METADATA_BYTES_MAX, BUNDLE_NAME_BYTES_MAX};
use crate::domain::token::Fingerprint;

/// What a file begins with: name and format.
pub const MAGIC: [u8; 16] = *b"JUMPGATE UPDATE1";
/// Magic, and the metadata's length and hash.
pub const HEADER_BYTES: usize = MAGIC.len() + 4 + 32;

/// Why a file is no update. Always the sender's doing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Another kind of file.
    #[error("not an update file: it begins with {found:?}")]
    Magic {
        /// What was found.
        found: String,
    },
    /// Nothing was allocated for it.
    #[error("{announced} bytes of metadata announced, {BUNDLE_METADATA_BYTES_MAX} are allowed")]
    TooLong {
        /// What was announced.
        announced: usize,
    },
    /// Its hash is another one.
    #[error("the file is damaged. Get it again")]
    Damaged,
    /// An entry that does not end within the metadata.
    #[error("metadata ends within an entry, at byte {at} of {bytes}")]
    Torn {
        /// Where the entry begins.
        at: usize,
        /// In all.
        bytes: usize,
    },
    /// A name that could be a path, or is none.
    #[error("an entry cannot be called {found:?}")]
    Name {
        /// What was found.
        found: String,
    },
    /// Which of the two counts would be a guess.
    #[error("'{name}' is in it twice")]
    Twice {
        /// The name.
        name: String,
    },
    /// More than any of ours.
    #[error("more than {BUNDLE_ENTRIES_MAX} entries")]
    TooMany,
}

/// What a file's first bytes announce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Of the metadata, which follows.
    pub bytes: usize,
    sha256: Fingerprint,
}

impl Header {
    /// Reads the first bytes of a file.
    pub fn decode(header: [u8; HEADER_BYTES]) -> Result<Self, BundleError> {
        let (magic, rest) = header.split_at(MAGIC.len());
        if magic != MAGIC {
            let found = String::from_utf8_lossy(magic).into_owned();
            return Err(BundleError::Magic { found });
        }
        let (length, hash) = rest.split_first_chunk().expect("as long as it is");
        let announced = u32::from_be_bytes(*length) as usize;
        if announced > BUNDLE_METADATA_BYTES_MAX {
            return Err(BundleError::TooLong { announced });
        }
        let hash = hash.try_into().expect("what is left are 32 bytes");
        Ok(Self {
            bytes: announced,
            sha256: Fingerprint(hash),
        })
    }
}

/// The metadata's files by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata(BTreeMap<String, Vec<u8>>);

impl Metadata {
    /// Reads what `header` announced, all of it.
    pub fn decode(header: Header, bytes: &[u8]) -> Result<Self, BundleError> {
        if header.sha256 != Fingerprint::of(bytes) {
            return Err(BundleError::Damaged);
        }
        Self::entries(bytes)
    }

    fn entries(bytes: &[u8]) -> Result<Self, BundleError> {
        let mut files = BTreeMap::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let at = bytes.len() - rest.len();
            let torn = BundleError::Torn {
                at,
                bytes: bytes.len(),
            };
            let (name, content, after) = split(rest).ok_or(torn)?;
            rest = after;
            let name = checked(name)?;
            if files.len() == BUNDLE_ENTRIES_MAX {
                return Err(BundleError::TooMany);
            }
            if files.insert(name.clone(), content.to_vec()).is_some() {
                return Err(BundleError::Twice { name });
            }
        }
        Ok(Self(files))
    }

    /// The file of this name.
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(Vec::as_slice)
    }
}

/// Name and content of the first entry, and what follows it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (name, rest) = rest.split_at_checked(usize::from(*length))?;
    let (length, rest) = rest.split_first_chunk()?;
    let (content, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    Some((name, content, rest))
}

/// A name as a server has them: no folder, nothing hidden.
fn checked(name: &[u8]) -> Result<String, BundleError> {
    let allowed = |b: &u8| b.is_ascii_alphanumeric() || b"._-".contains(b);
    let is_name = (1..=BUNDLE_NAME_BYTES_MAX).contains(&name.len())
        && name.iter().all(allowed)
        && !name.starts_with(b".");
    let text = String::from_utf8_lossy(name).into_owned();
    if is_name {
        Ok(text)
    } else {
        Err(BundleError::Name { found: text })
    }
}

/// For the fuzzer and the smoke run below: any bytes end in files or an error.
#[cfg(any(test, fuzzing))]
pub fn fuzz(data: &[u8]) {
    if let Some(header) = data.first_chunk() {
        let _ = Header::decode(*header);
    }
    if let Ok(metadata) = Metadata::entries(data) {
        let bytes: usize = metadata
            .0
            .iter()
            .map(|(name, file)| 5 + name.len() + file.len())
            .sum();
        assert_eq!(bytes, data.len());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, file) in files {
            bytes.push(u8::try_from(name.len()).unwrap());
            bytes.extend(name.as_bytes());
            bytes.extend(u32::try_from(file.len()).unwrap().to_be_bytes());
            bytes.extend(*file);
        }
        bytes
    }

    fn header(magic: &[u8], length: u32) -> [u8; HEADER_BYTES] {
        let hash = Fingerprint::of(b"1234567").0;
        [magic, &length.to_be_bytes(), &hash]
            .concat()
            .try_into()
            .unwrap()
    }

    #[test]
    fn files_are_found_by_name() {
        let bytes = encoded(&[("1.root.json", b"{}"), ("b400.json", b"")]);
        let metadata = Metadata::entries(&bytes).unwrap();
        assert_eq!(metadata.file("1.root.json"), Some(&b"{}"[..]));
        assert_eq!(metadata.file("b400.json"), Some(&b""[..]));
        assert_eq!(metadata.file("2.root.json"), None);
    }

    #[test]
    fn another_kind_of_file_is_told_at_its_first_bytes() {
        let refused = Header::decode(header(b"PK\x03\x04 a zip file.", 7));
        assert!(matches!(refused, Err(BundleError::Magic { .. })));
        let header = Header::decode(header(&MAGIC, 7)).unwrap();
        assert_eq!(header.bytes, 7);
        assert_eq!(
            Metadata::decode(header, b"1234568"),
            Err(BundleError::Damaged)
        );
        assert!(matches!(
            Metadata::decode(header, b"1234567"),
            Err(BundleError::Torn { .. })
        ));
    }

    #[test]
    fn a_hostile_length_is_refused_before_anything_is_allocated() {
        let announced = BUNDLE_METADATA_BYTES_MAX + 1;
        let header = header(&MAGIC, u32::try_from(announced).unwrap());
        assert_eq!(
            Header::decode(header),
            Err(BundleError::TooLong { announced })
        );
    }

    #[test]
    fn metadata_cut_off_anywhere_is_refused() {
        let bytes = encoded(&[("a", b"123"), ("b", b"4")]);
        let ends = [0, 9];
        for cut in (0..bytes.len()).filter(|cut| !ends.contains(cut)) {
            let refused = Metadata::entries(&bytes[..cut]);
            assert!(
                matches!(refused, Err(BundleError::Torn { .. })),
                "{cut}: {refused:?}"
            );
        }
    }

    #[test]
    fn a_name_is_never_a_path() {
        for name in [
            "",
            "../a",
            "a/b",
            ".hidden",
            "a b",
            "ü",
            "a\0",
            &"x".repeat(200),
        ] {
            let refused = Metadata::entries(&encoded(&[(name, b"")]));
            assert!(matches!(refused, Err(BundleError::Name { .. })), "{name:?}");
        }
        let twice = Metadata::entries(&encoded(&[("a", b"1"), ("a", b"2")]));
        assert_eq!(twice, Err(BundleError::Twice { name: "a".into() }));
        let many: Vec<String> = (0..=BUNDLE_ENTRIES_MAX).map(|n| n.to_string()).collect();
        let many: Vec<(&str, &[u8])> = many.iter().map(|name| (name.as_str(), &b""[..])).collect();
        assert_eq!(
            Metadata::entries(&encoded(&many)),
            Err(BundleError::TooMany)
        );
    }

    proptest! {
        #[test]
        fn fuzz_smoke(data: Vec<u8>, name in "[a-z.]{1,9}", cut in 0_usize..40) {
            fuzz(&data);
            let mut bytes = encoded(&[(&name, &data), ("z", b"1")]);
            fuzz(&bytes);
            bytes.truncate(bytes.len().saturating_sub(cut));
            fuzz(&bytes);
        }
    }
}
