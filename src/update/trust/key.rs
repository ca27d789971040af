//! Public keys and the roles that they may sign for.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::HEXLOWER;
use ring::digest::{SHA256, digest};
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey,
};

use crate::domain::limits::TRUST_KEYS_MAX;

use super::malformed::{Fields, Malformed, refuse};
use super::spki::{self, Inside};

/// A public key with the one scheme it is used with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// `ed25519`.
    Ed25519(Vec<u8>),
    /// `ecdsa-sha2-nistp256`; signatures in DER.
    EcdsaP256(Vec<u8>),
    /// `rsassa-pss-sha256`, 2,048 to 8,192 bits.
    RsaPss(Vec<u8>),
    /// Of a kind that we do not know. Other clients may; here nothing it signed counts.
    Unknown,
}

impl Key {
    fn decode(fields: Fields<'_>) -> Result<Self, Malformed> {
        let public = fields.object("keyval")?.text("public")?;
        match (fields.text("keytype")?, fields.text("scheme")?) {
            ("ed25519", "ed25519") => match HEXLOWER.decode(public.as_bytes()) {
                Ok(key) if key.len() == 32 => Ok(Self::Ed25519(key)),
                _ => refuse("public", "an Ed25519 key of 64 hexadecimal digits"),
            },
            // The specification says the first, and its older implementations the second.
            ("ecdsa" | "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256") => {
                match spki::decode(public) {
                    Some(Inside::P256(point)) => Ok(Self::EcdsaP256(point)),
                    _ => refuse("public", "a key on P-256 in PEM"),
                }
            }
            ("rsa", "rsassa-pss-sha256") => match spki::decode(public) {
                Some(Inside::Rsa(key)) => Ok(Self::RsaPss(key)),
                _ => refuse("public", "an RSA key in PEM"),
            },
            _ => Ok(Self::Unknown),
        }
    }

    /// Whether `signature` is this key's below `message`.
    pub fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match self {
            Self::Ed25519(key) => UnparsedPublicKey::new(&ED25519, key).verify(message, signature),
            Self::EcdsaP256(key) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key).verify(message, signature)
            }
            Self::RsaPss(key) => {
                UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, key).verify(message, signature)
            }
            Self::Unknown => return false,
        };
        verified.is_ok()
    }
}

/// Keys by their id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys(BTreeMap<String, Key>);

impl Keys {
    /// Reads the field `keys`. An id is the SHA-256 of the key's canonical form, so nobody can give
    /// two keys one id.
    pub fn decode(parent: Fields<'_>) -> Result<Self, Malformed> {
        let fields = parent.object("keys")?;
        if fields.each().len() > TRUST_KEYS_MAX {
            return refuse("keys", "a list of at most 64 keys");
        }
        let mut keys = BTreeMap::new();
        for (id, json) in fields.each() {
            if *id != HEXLOWER.encode(digest(&SHA256, &json.canonical()).as_ref()) {
                return refuse("keys", "named by the hashes of the keys");
            }
            keys.insert(id.clone(), Key::decode(Fields::of(json, "keys")?)?);
        }
        Ok(Self(keys))
    }
}

/// Who may sign for a role, and how many have to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    key_ids: Vec<String>,
    threshold: u64,
}

impl Role {
    pub fn decode(fields: Fields<'_>) -> Result<Self, Malformed> {
        let key_ids = fields.texts("keyids")?;
        if key_ids.len() > TRUST_KEYS_MAX {
            return refuse("keyids", "a list of at most 64 ids");
        }
        let threshold = fields.positive("threshold")?;
        Ok(Self { key_ids, threshold })
    }

    /// Whether one of these keys may not sign any more by `newer`.
    pub fn lost_a_key(&self, newer: &Self) -> bool {
        let still_there = |id| newer.key_ids.contains(id);
        !self.key_ids.iter().all(still_there)
    }
}

/// Fewer keys than needed signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooFew {
    pub signed: u64,
    pub threshold: u64,
}

/// Ids of the keys of `role` that signed `message`.
///
/// # Errors
///
/// [`TooFew`] if those are fewer different keys than the role's threshold. One key under two ids is
/// one key; what is no signature, or whose key the role does not have, counts for nothing.
pub fn who_signed(
    message: &[u8],
    signatures: &BTreeMap<String, Vec<u8>>,
    keys: &Keys,
    role: &Role,
) -> Result<Vec<String>, TooFew> {
    let mut different = BTreeSet::new();
    let mut ids = Vec::new();
    for id in &role.key_ids {
        if let (Some(key), Some(signature)) = (keys.0.get(id), signatures.get(id))
            && key.verifies(message, signature)
        {
            different.insert(key);
            ids.push(id.clone());
        }
    }
    let (signed, threshold) = (different.len() as u64, role.threshold);
    if signed < threshold {
        return Err(TooFew { signed, threshold });
    }
    Ok(ids)
}

// The refusals above say it in words.
const _: () = assert!(TRUST_KEYS_MAX == 64);
