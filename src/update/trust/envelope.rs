//! What every metadata file consists of: signatures, and what they are below.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER_PERMISSIVE;

use crate::domain::Stamp;
use crate::domain::limits::TRUST_SIGNATURES_MAX;

use super::error::TrustError;
use super::json::Json;
use super::key::{Keys, Role, who_signed};
use super::malformed::{Fields, Malformed, refuse};

/// A file of which nothing is believed yet.
pub struct Envelope {
    signed: Json,
    message: Vec<u8>,
    /// By key id; what is no hexadecimal number is empty, and so is nobody's signature.
    signatures: BTreeMap<String, Vec<u8>>,
}

/// What a role says, beside what every role says.
pub trait Body: Sized {
    /// The field `_type`.
    const TYPE: &'static str;
    fn decode(fields: Fields<'_>) -> Result<Self, Malformed>;
}

/// A file that the right keys signed.
#[derive(Clone, Debug)]
pub struct Metadata<T> {
    pub version: u64,
    pub expires: Stamp,
    pub body: T,
    /// Ids of the keys that signed it.
    pub signed_by: Vec<String>,
}

impl Envelope {
    /// Reads the outer shape of `bytes`; errors call it `file`.
    pub fn decode(file: &str, bytes: &[u8]) -> Result<Self, TrustError> {
        let json = Json::decode(bytes).map_err(|error| TrustError::Json {
            file: file.to_owned(),
            error,
        })?;
        Self::of(json).map_err(|why| TrustError::malformed(file, why))
    }

    fn of(json: Json) -> Result<Self, Malformed> {
        let Json::Object(mut fields) = json else {
            return refuse("metadata", "an object");
        };
        let Some(signed) = fields.remove("signed") else {
            return refuse("signed", "there");
        };
        let Some(Json::List(listed)) = fields.get("signatures") else {
            return refuse("signatures", "a list");
        };
        if listed.len() > TRUST_SIGNATURES_MAX {
            return refuse("signatures", "a list of at most 64 signatures");
        }
        let mut signatures = BTreeMap::new();
        for signature in listed {
            let fields = Fields::of(signature, "signatures")?;
            // Keepers of keys who have not signed yet stand there with an empty text.
            let text = fields.text("sig")?.as_bytes();
            let bytes = HEXLOWER_PERMISSIVE.decode(text).unwrap_or_default();
            let id = fields.text("keyid")?.to_owned();
            if signatures.insert(id, bytes).is_some() {
                return refuse("signatures", "a list of one signature for each key");
            }
        }
        Ok(Self {
            message: signed.canonical(),
            signed,
            signatures,
        })
    }

    /// Ids of the keys of `role` that signed this, at least as many as it takes.
    pub fn signed_by(
        &self,
        file: &str,
        keys: &Keys,
        role: &Role,
    ) -> Result<Vec<String>, TrustError> {
        who_signed(&self.message, &self.signatures, keys, role).map_err(|few| {
            TrustError::Signatures {
                file: file.to_owned(),
                signed: few.signed,
                threshold: few.threshold,
            }
        })
    }

    /// Reads what was signed, after [`Self::signed_by`].
    pub fn read<T: Body>(
        self,
        file: &str,
        signed_by: Vec<String>,
    ) -> Result<Metadata<T>, TrustError> {
        let read = || {
            let fields = Fields::of(&self.signed, "signed")?;
            if fields.text("_type")? != T::TYPE {
                return refuse("_type", T::TYPE);
            }
            // Only another major version means something else (section 4.3, "spec_version").
            if fields.text("spec_version")?.split('.').next() != Some("1") {
                return refuse("spec_version", "1.0");
            }
            Ok(Metadata {
                version: fields.positive("version")?,
                expires: fields.time("expires")?,
                body: T::decode(fields)?,
                signed_by,
            })
        };
        read().map_err(|why| TrustError::malformed(file, why))
    }
}

// A refusal above says it in words.
const _: () = assert!(TRUST_SIGNATURES_MAX == 64);

/// Reads a file that `role` has to have signed.
pub fn open<T: Body>(
    file: &str,
    bytes: &[u8],
    keys: &Keys,
    role: &Role,
) -> Result<Metadata<T>, TrustError> {
    let envelope = Envelope::decode(file, bytes)?;
    let signed_by = envelope.signed_by(file, keys, role)?;
    envelope.read(file, signed_by)
}

/// See [`super::fuzz`].
#[cfg(any(test, fuzzing))]
pub fn fuzz(data: &[u8]) {
    if let Ok(envelope) = Envelope::decode("data", data) {
        assert!(envelope.signatures.len() <= TRUST_SIGNATURES_MAX);
        let _ = envelope.read::<super::roles::Targets>("data", Vec::new());
    }
}
