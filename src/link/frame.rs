//! Frames: what a link's bytes are made of.
//!
//! An 8-byte header (`kind: u16`, `channel: u16`, `length: u32`, all big-endian), then `length`
//! payload bytes. See "Link protocol" in README.md.

use super::LinkError;
use crate::domain::limits::{FRAME_HEADER_BYTES, PAYLOAD_BYTES_MAX};

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// A JSON message; channel 0.
    Control,
    /// Bytes of a tool; its channel.
    Data,
    /// 8 bytes: the receiver takes this channel's data up to this byte, counted from the tool's
    /// first.
    Credit,
    /// 8 bytes to send back; channel 0.
    Ping,
    /// The 8 bytes of a ping; channel 0.
    Pong,
}

impl FrameKind {
    const ALL: [Self; 5] = [
        Self::Control,
        Self::Data,
        Self::Credit,
        Self::Ping,
        Self::Pong,
    ];

    /// On the wire.
    pub fn code(self) -> u16 {
        match self {
            Self::Control => 1,
            Self::Data => 2,
            Self::Credit => 3,
            Self::Ping => 4,
            Self::Pong => 5,
        }
    }

    fn from_code(code: u16) -> Result<Self, LinkError> {
        let known = Self::ALL.into_iter().find(|kind| kind.code() == code);
        known.ok_or(LinkError::UnknownKind { kind: code })
    }

    /// Refuses a channel or payload length that the kind does not allow.
    fn check(self, channel: u16, length: usize) -> Result<(), LinkError> {
        let kind = self.code();
        let on_zero = matches!(self, Self::Control | Self::Ping | Self::Pong);
        if on_zero != (channel == 0) {
            return Err(LinkError::WrongChannel { kind, channel });
        }
        let fits = match self {
            Self::Control | Self::Data => length > 0,
            Self::Credit | Self::Ping | Self::Pong => length == 8,
        };
        if fits {
            Ok(())
        } else {
            Err(LinkError::WrongLength { kind, length })
        }
    }
}

/// One frame; the payload borrows the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What it carries.
    pub kind: FrameKind,
    /// 0, or a channel.
    pub channel: u16,
    /// At most [`PAYLOAD_BYTES_MAX`].
    pub payload: &'a [u8],
}

/// Splits the first frame off `input`.
///
/// Returns the frame and the bytes it took, or `None` if `input` ends inside the frame: call again
/// once more bytes have arrived.
///
/// # Errors
///
/// [`LinkError::FrameTooLong`], [`LinkError::UnknownKind`], [`LinkError::WrongChannel`] and
/// [`LinkError::WrongLength`] as soon as the header is there, so that a hostile length is refused
/// before any payload is awaited.
pub fn split_frame(input: &[u8]) -> Result<Option<(Frame<'_>, usize)>, LinkError> {
    let Some((header, rest)) = input.split_first_chunk::<FRAME_HEADER_BYTES>() else {
        return Ok(None);
    };
    let [k0, k1, c0, c1, l0, l1, l2, l3] = *header;
    let kind = FrameKind::from_code(u16::from_be_bytes([k0, k1]))?;
    let channel = u16::from_be_bytes([c0, c1]);
    let announced = u32::from_be_bytes([l0, l1, l2, l3]);
    let length = announced as usize;
    if length > PAYLOAD_BYTES_MAX {
        return Err(LinkError::FrameTooLong { length: announced });
    }
    kind.check(channel, length)?;
    let taken = FRAME_HEADER_BYTES + length;
    Ok(rest.get(..length).map(|payload| {
        (
            Frame {
                kind,
                channel,
                payload,
            },
            taken,
        )
    }))
}

/// Appends a frame to `output`.
///
/// # Panics
///
/// If the payload does not fit a frame: whoever made it has to split it.
pub fn push_frame(output: &mut Vec<u8>, kind: FrameKind, channel: u16, payload: &[u8]) {
    assert!(
        payload.len() <= PAYLOAD_BYTES_MAX,
        "{} payload bytes",
        payload.len()
    );
    let length = u32::try_from(payload.len()).expect("checked above");
    output.reserve(FRAME_HEADER_BYTES + payload.len());
    output.extend_from_slice(&kind.code().to_be_bytes());
    output.extend_from_slice(&channel.to_be_bytes());
    output.extend_from_slice(&length.to_be_bytes());
    output.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_proper_prefix_of_a_frame_asks_for_more() {
        let whole = [0, 1, 0, 0, 0, 0, 0, 2, b'h', b'i'];
        for end in 0..whole.len() {
            assert_eq!(
                split_frame(&whole[..end]),
                Ok(None),
                "prefix of {end} bytes"
            );
        }
        let frame = Frame {
            kind: FrameKind::Control,
            channel: 0,
            payload: b"hi",
        };
        assert_eq!(split_frame(&whole), Ok(Some((frame, 10))));
    }

    #[test]
    fn a_hostile_header_is_refused_before_its_payload() {
        let too_long = [0, 2, 0, 1, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(
            split_frame(&too_long),
            Err(LinkError::FrameTooLong { length: u32::MAX })
        );
        let unknown = [0, 9, 0, 0, 0, 0, 0, 0];
        assert_eq!(
            split_frame(&unknown),
            Err(LinkError::UnknownKind { kind: 9 })
        );
        let astray = [0, 1, 0, 7, 0, 0, 0, 1];
        assert_eq!(
            split_frame(&astray),
            Err(LinkError::WrongChannel {
                kind: 1,
                channel: 7
            })
        );
        let short = [0, 3, 0, 1, 0, 0, 0, 4];
        assert_eq!(
            split_frame(&short),
            Err(LinkError::WrongLength { kind: 3, length: 4 })
        );
    }

    proptest! {
        #[test]
        fn what_is_pushed_is_split_off_again(
            payload in proptest::collection::vec(any::<u8>(), 1..2_000), channel in 1_u16..
        ) {
            let mut bytes = Vec::new();
            push_frame(&mut bytes, FrameKind::Data, channel, &payload);
            let frame = Frame { kind: FrameKind::Data, channel, payload: &payload };
            prop_assert_eq!(split_frame(&bytes), Ok(Some((frame, bytes.len()))));
        }

        #[test]
        fn any_bytes_end_in_a_frame_or_an_error(
            bytes in proptest::collection::vec(any::<u8>(), 0..64)
        ) {
            if let Ok(Some((frame, taken))) = split_frame(&bytes) {
                prop_assert_eq!(taken, FRAME_HEADER_BYTES + frame.payload.len());
            }
        }
    }
}
