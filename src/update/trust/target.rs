//! One file that one may trust: how long it is, and what it hashes to.

use data_encoding::HEXLOWER;
use ring::digest::{Context, SHA256, SHA512};

use crate::domain::limits::TRUST_TARGET_NAME_BYTES_MAX;

use super::error::TrustError;
use super::json::Json;
use super::malformed::{Fields, Malformed, refuse};

/// A file as signed metadata describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its path within the repository, at most [`TRUST_TARGET_NAME_BYTES_MAX`] bytes.
    pub name: String,
    /// In bytes.
    pub length: u64,
    /// What they hash to.
    pub hashes: Hashes,
    /// The publisher's own words.
    pub custom: Option<Json>,
}

impl Target {
    pub(super) fn decode(name: &str, fields: Fields<'_>) -> Result<Self, Malformed> {
        if name.is_empty() || name.len() > TRUST_TARGET_NAME_BYTES_MAX {
            return refuse("targets", "named in 1 to 512 bytes");
        }
        Ok(Self {
            name: name.to_owned(),
            length: fields.count("length")?,
            hashes: Hashes::decode(fields)?,
            custom: fields.maybe("custom").cloned(),
        })
    }

    /// Where the repository has it: with a hash in front of the file's name where it keeps every
    /// version (section 6.2).
    pub fn path(&self, consistent: bool) -> String {
        if !consistent {
            return self.name.clone();
        }
        let hash = self.hashes.in_names();
        match self.name.rsplit_once('/') {
            Some((folder, name)) => format!("{folder}/{hash}.{name}"),
            None => format!("{hash}.{}", self.name),
        }
    }
}

// A refusal above says it in words.
const _: () = assert!(TRUST_TARGET_NAME_BYTES_MAX == 512);

/// SHA-256, SHA-512, or both; never none. Further ones that come with these are left alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hashes {
    sha256: Option<[u8; 32]>,
    sha512: Option<[u8; 64]>,
}

impl Hashes {
    /// Reads the field `hashes`.
    pub(super) fn decode(parent: Fields<'_>) -> Result<Self, Malformed> {
        let fields = parent.object("hashes")?;
        let hashes = Self {
            sha256: digits(fields, "sha256")?,
            sha512: digits(fields, "sha512")?,
        };
        if hashes.sha256.is_none() && hashes.sha512.is_none() {
            return refuse("hashes", "a list with sha256 or sha512");
        }
        Ok(hashes)
    }

    /// SHA-256 of the file, if it is named.
    pub fn sha256(&self) -> Option<&[u8; 32]> {
        self.sha256.as_ref()
    }

    /// The hash that stands in file names.
    fn in_names(&self) -> String {
        match (self.sha256, self.sha512) {
            (Some(hash), _) => HEXLOWER.encode(&hash),
            (None, Some(hash)) => HEXLOWER.encode(&hash),
            (None, None) => String::new(),
        }
    }
}

fn digits<const N: usize>(
    fields: Fields<'_>,
    field: &'static str,
) -> Result<Option<[u8; N]>, Malformed> {
    if fields.maybe(field).is_none() {
        return Ok(None);
    }
    let digits = HEXLOWER.decode(fields.text(field)?.as_bytes());
    match digits.ok().and_then(|bytes| bytes.try_into().ok()) {
        Some(hash) => Ok(Some(hash)),
        None => refuse(field, "a hash in lower-case hexadecimal digits"),
    }
}

/// Compares bytes, as they come, with what is known of a file.
pub struct Check {
    file: String,
    length: Option<u64>,
    seen: u64,
    sha256: Option<([u8; 32], Context)>,
    sha512: Option<([u8; 64], Context)>,
}

impl Check {
    /// Begins with the first byte of a target.
    pub fn of(target: &Target) -> Self {
        Self::new(&target.name, Some(target.length), Some(&target.hashes))
    }

    pub(super) fn new(file: &str, length: Option<u64>, hashes: Option<&Hashes>) -> Self {
        let sha256 = hashes.and_then(|hashes| hashes.sha256);
        let sha512 = hashes.and_then(|hashes| hashes.sha512);
        Self {
            file: file.to_owned(),
            length,
            seen: 0,
            sha256: sha256.map(|hash| (hash, Context::new(&SHA256))),
            sha512: sha512.map(|hash| (hash, Context::new(&SHA512))),
        }
    }

    /// The next bytes.
    ///
    /// # Errors
    ///
    /// [`TrustError::Length`] as soon as there are more than the file has.
    pub fn update(&mut self, bytes: &[u8]) -> Result<(), TrustError> {
        self.seen = self.seen.saturating_add(bytes.len() as u64);
        if self.length.is_some_and(|length| self.seen > length) {
            return self.wrong_length();
        }
        if let Some((_, context)) = &mut self.sha256 {
            context.update(bytes);
        }
        if let Some((_, context)) = &mut self.sha512 {
            context.update(bytes);
        }
        Ok(())
    }

    /// After the last byte: whether those were all, and the right ones.
    pub fn finish(self) -> Result<(), TrustError> {
        if self.length.is_some_and(|length| self.seen != length) {
            return self.wrong_length();
        }
        let same256 = self
            .sha256
            .is_none_or(|(hash, context)| context.finish().as_ref() == hash);
        let same512 = self
            .sha512
            .is_none_or(|(hash, context)| context.finish().as_ref() == hash);
        if same256 && same512 {
            return Ok(());
        }
        Err(TrustError::Hash { file: self.file })
    }

    fn wrong_length(&self) -> Result<(), TrustError> {
        Err(TrustError::Length {
            file: self.file.clone(),
            found: self.seen,
            expected: self.length.unwrap_or_default(),
        })
    }
}
