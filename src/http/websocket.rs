//! WebSocket frames (RFC 6455), the server's side. A link's bytes are a stream, so message
//! boundaries mean nothing here: payload is passed on as it arrives.

use std::ops::Range;

use data_encoding::BASE64;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

/// Longest payload of a control frame (5.5).
const CONTROL_BYTES_MAX: usize = 125;
/// Longest payload a browser's frame may announce: our pages send less by far.
const PAYLOAD_BYTES_MAX: u64 = 1024 * 1024;

/// `Sec-WebSocket-Accept` for a client's key (1.3).
pub fn accept(key: &str) -> String {
    let text = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    BASE64.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()).as_ref())
}

/// Why a WebSocket is closed. Always the peer's doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SocketError {
    /// Clients must mask (5.1).
    #[error("WebSocket frame without a mask")]
    NotMasked,
    /// Text, or a code or bit this protocol does not use.
    #[error("WebSocket frame of a kind that is not used here")]
    NotUsed,
    /// A control frame in pieces or too long (5.5).
    #[error("WebSocket control frame above {CONTROL_BYTES_MAX} bytes or in pieces")]
    BadControl,
    /// Nothing was allocated for it.
    #[error("WebSocket frame announces {bytes} bytes, {PAYLOAD_BYTES_MAX} are allowed")]
    TooLong {
        /// What was announced.
        bytes: u64,
    },
}

/// What arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Payload, unmasked in place, at this range of the input.
    Bytes(Range<usize>),
    /// Send a pong with this payload.
    Ping(heapless::Vec<u8, CONTROL_BYTES_MAX>),
    /// The browser is done.
    Close,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Data,
    Close,
    Ping,
    Pong,
}

/// Reads a client's frames, cut anywhere.
#[derive(Debug, Default)]
pub struct Reader {
    header: heapless::Vec<u8, 14>,
    frame: Option<Open>,
}

/// A frame whose header has been read.
#[derive(Debug)]
struct Open {
    kind: Kind,
    left: u64,
    mask: [u8; 4],
    at: usize,
    control: heapless::Vec<u8, CONTROL_BYTES_MAX>,
}

impl Reader {
    /// Takes `input`, unmasking it in place, and says what it holds.
    pub fn read(&mut self, input: &mut [u8]) -> Result<Vec<Piece>, SocketError> {
        let mut pieces = Vec::new();
        let mut at = 0;
        while at < input.len() {
            if self.frame.is_none() {
                self.frame = self.push_header(input[at])?;
                at += 1;
            }
            let Some(open) = &mut self.frame else {
                continue;
            };
            let left = usize::try_from(open.left).unwrap_or(usize::MAX);
            let end = at.saturating_add(left).min(input.len());
            let taken = &mut input[at..end];
            open.unmask(taken);
            match open.kind {
                Kind::Data if !taken.is_empty() => pieces.push(Piece::Bytes(at..end)),
                Kind::Data => {}
                Kind::Close | Kind::Ping | Kind::Pong => {
                    let fits = open.control.extend_from_slice(taken);
                    fits.map_err(|_| SocketError::BadControl)?;
                }
            }
            at = end;
            if open.left == 0
                && let Some(done) = self.frame.take()
            {
                match done.kind {
                    Kind::Data | Kind::Pong => {}
                    Kind::Close => pieces.push(Piece::Close),
                    Kind::Ping => pieces.push(Piece::Ping(done.control)),
                }
            }
        }
        Ok(pieces)
    }

    /// Adds a byte of the header; the frame, once the header is whole.
    fn push_header(&mut self, byte: u8) -> Result<Option<Open>, SocketError> {
        self.header
            .push(byte)
            .expect("a header has at most 14 bytes and is taken when whole");
        let [first, second, rest @ ..] = &self.header[..] else {
            return Ok(None);
        };
        let (last, reserved) = (first & 0x80 != 0, first & 0x70);
        let kind = match (first & 0x0f, reserved) {
            (0 | 2, 0) => Kind::Data,
            (8, 0) => Kind::Close,
            (9, 0) => Kind::Ping,
            (10, 0) => Kind::Pong,
            _ => return Err(SocketError::NotUsed),
        };
        if second & 0x80 == 0 {
            return Err(SocketError::NotMasked);
        }
        let short = second & 0x7f;
        if kind != Kind::Data && (short > 125 || !last) {
            return Err(SocketError::BadControl);
        }
        let length_bytes = match short {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        if rest.len() < length_bytes + 4 {
            return Ok(None);
        }
        let (length, mask) = rest.split_at(length_bytes);
        let left = match length_bytes {
            0 => u64::from(short),
            _ => length
                .iter()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        };
        if left > PAYLOAD_BYTES_MAX {
            return Err(SocketError::TooLong { bytes: left });
        }
        let mask = mask.try_into().expect("counted above");
        self.header.clear();
        Ok(Some(Open {
            kind,
            left,
            mask,
            at: 0,
            control: heapless::Vec::new(),
        }))
    }
}

/// Repeats 32 bits four times.
const FOUR_TIMES: u128 = 0x0000_0001_0000_0001_0000_0001_0000_0001;

impl Open {
    fn unmask(&mut self, bytes: &mut [u8]) {
        let mut mask = self.mask;
        mask.rotate_left(self.at & 3);
        let mask = u128::from(u32::from_ne_bytes(mask)) * FOUR_TIMES;
        // By sixteen: byte by byte it costs as much as decryption.
        let (wide, rest) = bytes.as_chunks_mut::<16>();
        for chunk in wide {
            *chunk = (u128::from_ne_bytes(*chunk) ^ mask).to_ne_bytes();
        }
        for (byte, key) in rest.iter_mut().zip(mask.to_ne_bytes()) {
            *byte ^= key;
        }
        self.at += bytes.len();
        self.left -= bytes.len() as u64;
    }
}

/// Appends a binary message.
pub fn push_binary(output: &mut Vec<u8>, payload: &[u8]) {
    push(output, 2, payload);
}

/// Appends a pong.
pub fn push_pong(output: &mut Vec<u8>, payload: &[u8]) {
    push(output, 10, payload);
}

/// Appends a close with status 1000.
pub fn push_close(output: &mut Vec<u8>) {
    push(output, 8, &1000_u16.to_be_bytes());
}

fn push(output: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    output.push(0x80 | opcode);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short @ 0..=125), _) => output.push(short),
        (_, Ok(medium)) => {
            output.push(126);
            output.extend(medium.to_be_bytes());
        }
        _ => {
            output.push(127);
            output.extend((payload.len() as u64).to_be_bytes());
        }
    }
    output.extend_from_slice(payload);
}

/// For the fuzzer and the smoke run below.
#[cfg(any(test, fuzzing))]
pub fn fuzz(data: &[u8]) {
    let mut reader = Reader::default();
    let cut = usize::from(data.first().copied().unwrap_or(0)).max(1);
    for chunk in data.to_vec().chunks_mut(cut) {
        let length = chunk.len();
        let Ok(pieces) = reader.read(chunk) else {
            return;
        };
        for piece in pieces {
            if let Piece::Bytes(range) = piece {
                assert!(range.end <= length);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        push(&mut bytes, opcode, payload);
        let start = bytes.len() - payload.len();
        bytes[1] |= 0x80;
        let mask = [1, 2, 3, 4];
        for (at, byte) in bytes[start..].iter_mut().enumerate() {
            *byte ^= mask[at & 3];
        }
        bytes.splice(start..start, mask);
        bytes
    }

    #[test]
    fn the_key_of_the_rfc_is_accepted_as_there() {
        assert_eq!(
            accept("dGhlIHNhbXBsZSBub25jZQ=="),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
    }

    #[test]
    fn what_browsers_must_not_send_is_refused() {
        let read = |bytes: &[u8]| Reader::default().read(&mut bytes.to_vec());
        assert_eq!(read(&[0x82, 0x01, 0]), Err(SocketError::NotMasked));
        assert_eq!(read(&masked(1, b"text")), Err(SocketError::NotUsed));
        assert_eq!(read(&[0x09, 0x80]), Err(SocketError::BadControl));
        let huge = [0x82, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert!(matches!(read(&huge), Err(SocketError::TooLong { .. })));
    }

    proptest! {
        #[test]
        fn frames_cut_anywhere_give_the_same_bytes(
            payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..5),
            cut in 1_usize..50
        ) {
            let mut stream = Vec::new();
            for payload in &payloads {
                stream.extend(masked(2, payload));
                stream.extend(masked(9, b"ping"));
            }
            let (mut reader, mut bytes, mut pings) = (Reader::default(), Vec::new(), 0);
            for chunk in stream.chunks_mut(cut) {
                for piece in reader.read(chunk).unwrap() {
                    match piece {
                        Piece::Bytes(range) => bytes.extend_from_slice(&chunk[range]),
                        Piece::Ping(payload) => { prop_assert_eq!(&payload[..], b"ping"); pings += 1 }
                        Piece::Close => prop_assert!(false),
                    }
                }
            }
            prop_assert_eq!(bytes, payloads.concat());
            prop_assert_eq!(pings, payloads.len());
        }

        #[test]
        fn any_bytes_end_in_pieces_or_an_error(data in proptest::collection::vec(any::<u8>(), 0..200)) {
            fuzz(&data);
        }
    }
}
