//! One direction's keys: seals records and opens them where they lie (RFC 8446, 5.2 and 5.3).

use std::ops::Range;

use ring::aead::{Aad, Algorithm, LessSafeKey, Nonce, UnboundKey};
#[cfg(any(test, fuzzing))]
use rustls::ConnectionTrafficSecrets;

use super::TlsError;
use super::secrets::{IV_BYTES, Secret};

/// Type, version and length of what follows.
pub(super) const HEADER_BYTES: usize = 5;
/// Content of one record (RFC 8446, 5.1).
pub(super) const PLAINTEXT_BYTES_MAX: usize = 1 << 14;
/// What follows a header (RFC 8446, 5.2).
pub(super) const CIPHERTEXT_BYTES_MAX: usize = PLAINTEXT_BYTES_MAX + 256;
/// Behind the content: its type, and the tag.
const TAIL_BYTES: usize = 1 + TAG_BYTES;
const TAG_BYTES: usize = 16;
/// What sealing adds to a record's content.
pub(super) const OVERHEAD_BYTES: usize = HEADER_BYTES + TAIL_BYTES;
/// Records sealed with one key before it is changed: half of what AES-GCM allows for (RFC 8446,
/// 5.5: 2^24.5 full records).
pub(super) const RECORDS_PER_KEY_MAX: u64 = 1 << 23;

/// Content types (RFC 8446, B.1).
pub(super) const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const APPLICATION_DATA: u8 = 23;

/// A record that was opened.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Opened {
    /// Its content type (RFC 8446, B.1).
    pub kind: u8,
    /// Its content, within the record's bytes.
    pub content: Range<usize>,
}

/// One direction of a connection. 80 bytes, and about 560 more while bytes flow.
pub(super) struct Keys {
    algorithm: &'static Algorithm,
    secret: Secret,
    /// Records so far, and the next one's number.
    sequence: u64,
    /// Made from the secret when it is needed; see [`Self::rest`].
    schedule: Option<Box<Schedule>>,
    records_max: u64,
}

struct Schedule {
    key: LessSafeKey,
    iv: [u8; IV_BYTES],
}

impl Keys {
    /// Those of a traffic secret, by which so many records were sealed.
    pub fn new(algorithm: &'static Algorithm, secret: Secret, sequence: u64) -> Self {
        Self {
            algorithm,
            secret,
            sequence,
            schedule: None,
            records_max: RECORDS_PER_KEY_MAX,
        }
    }

    /// As rustls hands them over, for a stand-in whose updates rustls does.
    #[cfg(any(test, fuzzing))]
    pub fn given((sequence, keys): (u64, ConnectionTrafficSecrets)) -> Self {
        let (key, iv) = super::secrets::given(&keys);
        let algorithm = super::secrets::algorithm(&keys);
        Self {
            schedule: Some(Box::new(Schedule::new(algorithm, key, iv))),
            ..Self::new(algorithm, Secret::zero(), sequence)
        }
    }

    /// Which AEAD they are for.
    pub fn algorithm(&self) -> &'static Algorithm {
        self.algorithm
    }

    /// What they are made from.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// Records so far.
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Those that follow at a key update (RFC 8446, 4.6.3).
    pub fn update(&mut self) {
        let next = self.secret.next(self.algorithm);
        *self = Self::new(self.algorithm, next, 0);
    }

    /// Appends one record with at most [`PLAINTEXT_BYTES_MAX`] bytes of content.
    pub fn seal(&mut self, kind: u8, content: &[u8], output: &mut Vec<u8>) {
        assert!(content.len() <= PLAINTEXT_BYTES_MAX);
        let length = content.len() + TAIL_BYTES;
        let header = header(length);
        output.reserve(HEADER_BYTES + length);
        output.extend_from_slice(&header);
        let start = output.len();
        output.extend_from_slice(content);
        output.push(kind);
        let nonce = self.next_nonce();
        let tag = self
            .schedule()
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(header), &mut output[start..])
            .expect("a record is far below what an AEAD takes");
        output.extend_from_slice(tag.as_ref());
    }

    /// Opens a whole record, header included, where it lies.
    pub fn open(&mut self, record: &mut [u8]) -> Result<Opened, TlsError> {
        let (header, body) = record
            .split_first_chunk_mut::<HEADER_BYTES>()
            .expect("whoever measured a record has read its header");
        if header[0] != APPLICATION_DATA {
            return Err(TlsError::OutOfTurn { kind: header[0] });
        }
        let sequence = self.sequence;
        let nonce = self.next_nonce();
        let inner = self
            .schedule()
            .key
            .open_in_place(nonce, Aad::from(*header), body)
            .map_err(|_| TlsError::NotAuthentic { sequence })?;
        // Zeros behind the type are padding.
        let last = inner.iter().rposition(|&byte| byte != 0);
        let end = last.ok_or(TlsError::OutOfTurn { kind: 0 })?;
        if end > PLAINTEXT_BYTES_MAX {
            return Err(TlsError::ContentTooLong { found: end });
        }
        Ok(Opened {
            kind: inner[end],
            content: HEADER_BYTES..HEADER_BYTES + end,
        })
    }

    /// Whether these keys have sealed enough.
    pub fn are_worn(&self) -> bool {
        self.sequence >= self.records_max
    }

    /// Keeps the secrets only: a connection without traffic is one of thousands.
    pub fn rest(&mut self) {
        self.schedule = None;
    }

    /// Fewer, so that a test need not seal millions.
    #[cfg(test)]
    pub fn wear_after(&mut self, records: u64) {
        self.records_max = records;
    }

    fn schedule(&mut self) -> &Schedule {
        let (algorithm, secret) = (self.algorithm, &self.secret);
        self.schedule.get_or_insert_with(|| {
            let (key, iv) = secret.keys(algorithm);
            Box::new(Schedule::new(algorithm, &key, iv))
        })
    }

    fn next_nonce(&mut self) -> Nonce {
        let mut nonce = self.schedule().iv;
        for (byte, count) in nonce[4..].iter_mut().zip(self.sequence.to_be_bytes()) {
            *byte ^= count;
        }
        // Keys are changed long before this comes near its end; a peer's own never can.
        self.sequence = self.sequence.checked_add(1).expect("2^64 records");
        Nonce::assume_unique_for_key(nonce)
    }
}

/// How long the record that `input` begins with is, header included; `None` if its header is not
/// whole.
///
/// # Errors
///
/// [`TlsError::RecordTooLong`] by the header alone, before anything is awaited.
pub(super) fn record_bytes(input: &[u8]) -> Result<Option<usize>, TlsError> {
    let Some(&[_, _, _, high, low]) = input.first_chunk() else {
        return Ok(None);
    };
    let found = usize::from(u16::from_be_bytes([high, low]));
    if found > CIPHERTEXT_BYTES_MAX {
        return Err(TlsError::RecordTooLong { found });
    }
    Ok(Some(HEADER_BYTES + found))
}

/// What every sealed record begins with: the version is what TLS 1.2 had (RFC 8446, 5.2).
fn header(length: usize) -> [u8; HEADER_BYTES] {
    let [high, low] = u16::try_from(length)
        .expect("a record's length was checked")
        .to_be_bytes();
    [APPLICATION_DATA, 3, 3, high, low]
}

impl Schedule {
    fn new(algorithm: &'static Algorithm, key: &[u8], iv: [u8; IV_BYTES]) -> Self {
        let key = UnboundKey::new(algorithm, key).expect("a key of its algorithm's length");
        let key = LessSafeKey::new(key);
        Self { key, iv }
    }
}
