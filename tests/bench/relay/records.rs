//! TLS 1.3 records of one direction, sealed and opened by ring (RFC 8446, 5.2 and 5.3): what the load
//! needs so that it can seal before the time is taken.

use std::ops::Range;

use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use rustls::ConnectionTrafficSecrets;

/// Type, version and length of what follows.
const HEADER_BYTES: usize = 5;
/// The content's type, and the tag.
const TAIL_BYTES: usize = 17;
/// Content of one record (RFC 8446, 5.1).
pub const CONTENT_BYTES_MAX: usize = 1 << 14;
/// What sealing adds.
pub const OVERHEAD_BYTES: usize = HEADER_BYTES + TAIL_BYTES;

/// Content types (RFC 8446, B.1).
const ALERT: u8 = 21;
const APPLICATION_DATA: u8 = 23;

/// The keys of one direction.
pub struct Keys {
    key: LessSafeKey,
    iv: [u8; 12],
    sequence: u64,
}

impl Keys {
    /// As rustls hands them over: the next record's number, and the secrets.
    ///
    /// # Panics
    ///
    /// If anything but AES-128-GCM was agreed on: figures would not compare.
    pub fn new((sequence, secrets): (u64, ConnectionTrafficSecrets)) -> Self {
        let ConnectionTrafficSecrets::Aes128Gcm { key, iv } = secrets else {
            panic!("AES-128-GCM was all that was offered");
        };
        let key = UnboundKey::new(&AES_128_GCM, key.as_ref()).unwrap();
        Self {
            key: LessSafeKey::new(key),
            iv: iv.as_ref().try_into().unwrap(),
            sequence,
        }
    }

    /// Appends one record.
    pub fn seal(&mut self, content: &[u8], output: &mut Vec<u8>) {
        assert!(content.len() <= CONTENT_BYTES_MAX);
        let length = u16::try_from(content.len() + TAIL_BYTES).unwrap();
        let [high, low] = length.to_be_bytes();
        let header = [APPLICATION_DATA, 3, 3, high, low];
        output.extend_from_slice(&header);
        let start = output.len();
        output.extend_from_slice(content);
        output.push(APPLICATION_DATA);
        let nonce = self.nonce();
        let aad = Aad::from(header);
        let sealed = &mut output[start..];
        let tag = self.key.seal_in_place_separate_tag(nonce, aad, sealed);
        output.extend_from_slice(tag.unwrap().as_ref());
    }

    /// Opens a whole record where it lies. What is in the range returned is application data; it is
    /// empty for anything else, such as a session ticket.
    ///
    /// # Panics
    ///
    /// If the record is not authentic, or says that the connection is over.
    pub fn open(&mut self, record: &mut [u8]) -> Range<usize> {
        let (header, body) = record.split_first_chunk_mut::<HEADER_BYTES>().unwrap();
        let nonce = self.nonce();
        let opened = self.key.open_in_place(nonce, Aad::from(*header), body);
        let opened = opened.expect("an authentic record");
        let end = opened.iter().rposition(|byte| *byte != 0).unwrap();
        match opened[end] {
            APPLICATION_DATA => HEADER_BYTES..HEADER_BYTES + end,
            ALERT => panic!("the other side closed: alert {:?}", &opened[..end]),
            _ => 0..0,
        }
    }

    fn nonce(&mut self) -> Nonce {
        let mut nonce = self.iv;
        for (byte, count) in nonce[4..].iter_mut().zip(self.sequence.to_be_bytes()) {
            *byte ^= count;
        }
        self.sequence += 1;
        Nonce::assume_unique_for_key(nonce)
    }
}

/// How long the record is that `bytes` begins with, once it is whole.
pub fn whole_record(bytes: &[u8]) -> Option<usize> {
    let &[_, _, _, high, low] = bytes.first_chunk()?;
    let length = HEADER_BYTES + usize::from(u16::from_be_bytes([high, low]));
    (bytes.len() >= length).then_some(length)
}
