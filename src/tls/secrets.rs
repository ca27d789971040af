//! Traffic secrets, and the keys that follow from them (RFC 8446, 7.1 to 7.3).
//!
//! A connection has to follow key updates as long as it lives. What rustls keeps for that, after it has
//! handed over the first keys, is more than a kilobyte for each; its traffic secrets are 80 bytes.
//! They are to be had as a key log only, so [`Collector`] is one: it keeps the secrets of the handshake
//! that this thread is in, until [`take`] moves them to their connection.

use std::cell::RefCell;

use ring::aead::{AES_128_GCM, AES_256_GCM, Algorithm, CHACHA20_POLY1305};
use ring::hkdf::{self, HKDF_SHA256, HKDF_SHA384, Prk};
use rustls::{ConnectionTrafficSecrets, KeyLog};
use zeroize::Zeroizing;

/// The longer of the two hashes' output.
pub(super) const SECRET_BYTES_MAX: usize = 48;
const KEY_BYTES_MAX: usize = 32;
pub(super) const IV_BYTES: usize = 12;

/// Names in a key log.
const OF_CLIENT: &str = "CLIENT_TRAFFIC_SECRET_0";
const OF_SERVER: &str = "SERVER_TRAFFIC_SECRET_0";

/// One direction's secret. Shorter ones are followed by zeros.
pub(super) struct Secret(Zeroizing<[u8; SECRET_BYTES_MAX]>);

/// Those of both directions of one connection.
pub(super) struct Secrets {
    pub client: Secret,
    pub server: Secret,
}

thread_local! {
    static LATEST: RefCell<Option<Secrets>> = const { RefCell::new(None) };
}

/// What the handshake that was just processed on this thread has come to, if it has.
pub(super) fn take() -> Option<Secrets> {
    LATEST.take()
}

/// See the module.
#[derive(Debug)]
pub(super) struct Collector;

impl KeyLog for Collector {
    fn will_log(&self, label: &str) -> bool {
        label == OF_CLIENT || label == OF_SERVER
    }

    fn log(&self, label: &str, _client_random: &[u8], secret: &[u8]) {
        let Some(secret) = Secret::of(secret) else {
            return;
        };
        LATEST.with_borrow_mut(|latest| {
            let secrets = latest.get_or_insert_with(|| Secrets {
                client: Secret::zero(),
                server: Secret::zero(),
            });
            match label {
                OF_CLIENT => secrets.client = secret,
                OF_SERVER => secrets.server = secret,
                _ => {}
            }
        });
    }
}

/// A cipher suite's AEAD.
pub(super) fn algorithm(keys: &ConnectionTrafficSecrets) -> &'static Algorithm {
    match keys {
        ConnectionTrafficSecrets::Aes128Gcm { .. } => &AES_128_GCM,
        ConnectionTrafficSecrets::Aes256Gcm { .. } => &AES_256_GCM,
        ConnectionTrafficSecrets::Chacha20Poly1305 { .. } => &CHACHA20_POLY1305,
        _ => unreachable!("ring's provider has these three"),
    }
}

/// A key and an IV as rustls hands them over.
#[cfg(any(test, fuzzing))]
pub(super) fn given(keys: &ConnectionTrafficSecrets) -> (&[u8], [u8; IV_BYTES]) {
    let (ConnectionTrafficSecrets::Aes128Gcm { key, iv }
    | ConnectionTrafficSecrets::Aes256Gcm { key, iv }
    | ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv }) = keys
    else {
        unreachable!("ring's provider has these three");
    };
    let mut own = [0; IV_BYTES];
    own.copy_from_slice(iv.as_ref());
    (key.as_ref(), own)
}

/// By cipher suite (RFC 8446, B.4).
fn hash(algorithm: &'static Algorithm) -> hkdf::Algorithm {
    if algorithm == &AES_256_GCM {
        HKDF_SHA384
    } else {
        HKDF_SHA256
    }
}

impl Secret {
    /// `None` if it is longer than any.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let mut secret = Self::zero();
        secret.0.get_mut(..bytes.len())?.copy_from_slice(bytes);
        Some(secret)
    }

    /// As long as the longest; a shorter one is followed by zeros.
    pub fn bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// Opens nothing.
    pub fn zero() -> Self {
        Self(Zeroizing::new([0; SECRET_BYTES_MAX]))
    }

    /// What follows it at a key update (RFC 8446, 7.2).
    pub fn next(&self, algorithm: &'static Algorithm) -> Self {
        let mut next = Self::zero();
        let length = hash(algorithm)
            .hmac_algorithm()
            .digest_algorithm()
            .output_len();
        self.expand(algorithm, b"tls13 traffic upd", &mut next.0[..length]);
        next
    }

    /// Its key and IV (RFC 8446, 7.3).
    pub fn keys(&self, algorithm: &'static Algorithm) -> (Zeroizing<Vec<u8>>, [u8; IV_BYTES]) {
        let mut key = Zeroizing::new(vec![0; algorithm.key_len().min(KEY_BYTES_MAX)]);
        let mut iv = [0; IV_BYTES];
        self.expand(algorithm, b"tls13 key", &mut key);
        self.expand(algorithm, b"tls13 iv", &mut iv);
        (key, iv)
    }

    /// HKDF-Expand-Label with an empty context (RFC 8446, 7.1).
    fn expand(&self, algorithm: &'static Algorithm, label: &[u8], output: &mut [u8]) {
        let hash = hash(algorithm);
        let length = hash.hmac_algorithm().digest_algorithm().output_len();
        let of = |length: usize| u8::try_from(length).expect("shorter than any hash");
        let info: [&[u8]; 4] = [&[0, of(output.len())], &[of(label.len())], label, &[0]];
        Prk::new_less_safe(hash, &self.0[..length])
            .expand(&info, Length(output.len()))
            .and_then(|okm| okm.fill(output))
            .expect("less than 255 hashes");
    }
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;

    use super::*;

    /// RFC 8448, 3: the server's first traffic secret of the simple handshake.
    #[test]
    fn keys_follow_from_a_secret_as_the_standard_says() {
        let hex = |text: &str| HEXLOWER.decode(text.as_bytes()).unwrap();
        let secret = "a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643";
        let secret = Secret::of(&hex(secret)).unwrap();
        let (key, iv) = secret.keys(&AES_128_GCM);
        assert_eq!(*key, hex("9f02283b6c9c07efc26bb9f2ac92e356"));
        assert_eq!(iv.to_vec(), hex("cf782b88dd83549aadf1e984"));
    }

    #[test]
    fn what_is_longer_than_a_secret_is_none() {
        assert!(Secret::of(&[1; SECRET_BYTES_MAX + 1]).is_none());
    }
}
