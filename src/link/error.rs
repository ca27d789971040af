//! Why a link is closed.

use crate::domain::limits::{
    CHANNELS_PER_LINK_MAX, CONTROL_BACKLOG_BYTES_MAX, FRAME_BYTES_MAX, HELLO_WITHIN,
    MESSAGES_BURST_MAX, MESSAGES_PER_SECOND_MAX, SILENCE_MAX,
};

/// Why we close a link. Always the peer's doing, so never retried on the same connection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Nothing was allocated for the announced length.
    #[error("frame announces {length} payload bytes, a frame holds {FRAME_BYTES_MAX} in all")]
    FrameTooLong {
        /// Payload bytes announced.
        length: u32,
    },
    /// A kind this version does not know.
    #[error("frame kind {kind} is unknown")]
    UnknownKind {
        /// What was found.
        kind: u16,
    },
    /// Control, ping and pong live on channel 0, everything else does not.
    #[error("frame kind {kind} on channel {channel}")]
    WrongChannel {
        /// What was found.
        kind: u16,
        /// Where.
        channel: u16,
    },
    /// A payload whose size its kind does not allow.
    #[error("frame kind {kind} with {length} payload bytes")]
    WrongLength {
        /// What was found.
        kind: u16,
        /// How long.
        length: usize,
    },
    /// Not a message of this protocol version.
    #[error("message not understood: {why}")]
    BadMessage {
        /// The decoder's words; never the peer's text.
        why: String,
    },
    /// Well formed, but not now.
    #[error("received {got} while waiting for {expected}")]
    OutOfTurn {
        /// What came.
        got: &'static str,
        /// What should have come.
        expected: &'static str,
    },
    /// A channel that was never opened.
    #[error("channel {channel} was never opened (links open at most {CHANNELS_PER_LINK_MAX})")]
    UnknownChannel {
        /// Which.
        channel: u16,
    },
    /// More data than the receiver allowed.
    #[error("channel {channel} received up to byte {reached}, credit ends at {allowed}")]
    CreditExceeded {
        /// Which.
        channel: u16,
        /// Where the data ended.
        reached: u64,
        /// Where it had to end.
        allowed: u64,
    },
    /// Credit beyond a window past what was sent.
    #[error("channel {channel} granted credit up to {granted}, sensible is up to {highest}")]
    BadCredit {
        /// Which.
        channel: u16,
        /// What was granted.
        granted: u64,
        /// Bytes sent, and a window more.
        highest: u64,
    },
    /// More messages than anybody types.
    #[error("more than {MESSAGES_PER_SECOND_MAX} messages a second, after {MESSAGES_BURST_MAX}")]
    TooManyMessages,
    /// No finished hello in time.
    #[error("no hello within {} s", HELLO_WITHIN.as_secs())]
    NoHello,
    /// Nothing came, not even an answer to a ping.
    #[error("silent for {} s", SILENCE_MAX.as_secs())]
    Silent,
    /// The peer does not read what it is sent.
    #[error("{CONTROL_BACKLOG_BYTES_MAX} bytes of messages wait for a peer that does not read")]
    DoesNotRead,
    /// The connection ended inside a frame.
    #[error("connection ended inside a frame")]
    CutShort,
}
