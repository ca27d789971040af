//! What a connection consists of after its handshake, as bytes, for the process that goes on with it.
//!
//! ```text
//! cipher (1) ─ incoming: secret (48), records (8) ─ outgoing: secret (48), records (8)
//! ```
//!
//! Whoever has handed these bytes on must seal nothing more: two records with one nonce would give the
//! key away.

use ring::aead::{AES_128_GCM, AES_256_GCM, Algorithm, CHACHA20_POLY1305};

use super::configs::Caller;
use super::keys::Keys;
use super::pipe::Pipe;
use super::records::Records;
use super::secrets::{SECRET_BYTES_MAX, Secret};

const KEYS_BYTES: usize = SECRET_BYTES_MAX + 8;

/// Bytes of a connection.
pub const ESTATE_BYTES: usize = 1 + 2 * KEYS_BYTES;

/// By the number that stands for them.
static CIPHERS: [&Algorithm; 3] = [&AES_128_GCM, &AES_256_GCM, &CHACHA20_POLY1305];

impl Pipe {
    /// Appends what the connection consists of. Returns false, appending nothing, unless it is
    /// open, by TLS 1.3, between two records and with nothing left to say.
    pub fn bequeath(&self, estate: &mut Vec<u8>) -> bool {
        let Some(records) = self.records().filter(|records| records.is_at_rest()) else {
            return false;
        };
        let (incoming, outgoing) = records.keys();
        let cipher = CIPHERS.iter().position(|one| *one == incoming.algorithm());
        let Some(cipher) = cipher.and_then(|number| u8::try_from(number).ok()) else {
            return false;
        };
        estate.push(cipher);
        for keys in [incoming, outgoing] {
            estate.extend_from_slice(keys.secret().bytes());
            estate.extend_from_slice(&keys.sequence().to_be_bytes());
        }
        true
    }

    /// The connection of a machine that [`Self::bequeath`] wrote down, `None` if it did not write
    /// that.
    pub fn inherit(estate: &[u8; ESTATE_BYTES]) -> Option<Self> {
        let (cipher, keys) = estate.split_first()?;
        let algorithm = *CIPHERS.get(usize::from(*cipher))?;
        let keys = |place: usize| {
            let keys = &keys[place * KEYS_BYTES..][..KEYS_BYTES];
            let (secret, sequence) = keys.split_last_chunk()?;
            let sequence = u64::from_be_bytes(*sequence);
            Some(Keys::new(algorithm, Secret::of(secret)?, sequence))
        };
        let records = Records::of(keys(0)?, keys(1)?);
        Some(Self::of(records, Caller::Device))
    }
}
