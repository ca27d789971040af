//! WebSocket messages (RFC 6455) as a browser sends and gets them.

use ring::rand::{SecureRandom as _, SystemRandom};

use super::records::CONTENT_BYTES_MAX;

/// What is in front of a long frame: kind, length in two bytes, and the mask.
pub const HEADER_BYTES: usize = 2 + 2 + 4;
/// Final and binary.
const BINARY: u8 = 0x82;
const MASKED: u8 = 0x80;
/// The length is in the next two bytes, or in the next eight.
const TWO_BYTES: u8 = 126;
const EIGHT_BYTES: u8 = 127;

const _: () = assert!(CONTENT_BYTES_MAX <= u16::MAX as usize);

/// Makes one masked message of a frame. Every message has a mask of its own, which nobody else can
/// foresee.
pub fn wrap(frame: &mut Vec<u8>) {
    let mut mask = [0; 4];
    SystemRandom::new().fill(&mut mask).unwrap();
    for (byte, mask) in frame.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
    let length = u16::try_from(frame.len()).unwrap();
    let mut header = vec![BINARY];
    match u8::try_from(length) {
        Ok(short) if short < TWO_BYTES => header.push(MASKED | short),
        _ => {
            header.push(MASKED | TWO_BYTES);
            header.extend(length.to_be_bytes());
        }
    }
    header.extend(mask);
    frame.splice(0..0, header);
}

/// What the relay sends: its messages' headers are taken out.
#[derive(Default)]
pub struct Messages {
    kept: Vec<u8>,
}

impl Messages {
    /// Hands what whole messages carry to `each`.
    pub fn take(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) {
        self.kept.extend_from_slice(bytes);
        let mut rest = &self.kept[..];
        while let Some((content, behind)) = split(rest) {
            each(content);
            rest = behind;
        }
        let taken = self.kept.len() - rest.len();
        self.kept.drain(..taken);
    }
}

/// The first message's content, and what follows it.
fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[kind, short], rest) = bytes.split_first_chunk()?;
    assert_eq!(
        kind, BINARY,
        "whole binary messages are all the relay sends"
    );
    let (length, rest) = match short {
        TWO_BYTES => {
            let (length, rest) = rest.split_first_chunk()?;
            (u64::from(u16::from_be_bytes(*length)), rest)
        }
        EIGHT_BYTES => {
            let (length, rest) = rest.split_first_chunk()?;
            (u64::from_be_bytes(*length), rest)
        }
        short => (u64::from(short), rest),
    };
    rest.split_at_checked(usize::try_from(length).unwrap())
}
