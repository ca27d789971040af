//! Why a TLS connection is closed.

use std::io;

use rustls::AlertDescription;

use super::keys::{CIPHERTEXT_BYTES_MAX, PLAINTEXT_BYTES_MAX};
use crate::domain::limits::{EMPTY_RECORDS_MAX, HANDSHAKE_BYTES_MAX};

/// Why a TLS connection is closed. Mostly the peer's doing.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A handshake or record that rustls refuses, or an alert.
    #[error("TLS: {0}")]
    Refused(#[from] rustls::Error),
    /// A write to memory failed: cannot happen as we use it.
    #[error("TLS buffers: {0}")]
    Buffers(#[from] io::Error),
    /// Bytes of a handshake that never comes to an end.
    #[error("TLS handshake of {found} bytes without an end, the limit is {HANDSHAKE_BYTES_MAX}")]
    HandshakeTooLong {
        /// So far.
        found: usize,
    },
    /// A record's header announces more than RFC 8446, 5.2 allows. Nothing was awaited for it.
    #[error("TLS record of {found} bytes, the limit is {CIPHERTEXT_BYTES_MAX}")]
    RecordTooLong {
        /// Announced.
        found: usize,
    },
    /// A record's content is longer than RFC 8446, 5.1 allows.
    #[error("TLS record with {found} bytes of content, the limit is {PLAINTEXT_BYTES_MAX}")]
    ContentTooLong {
        /// Found.
        found: usize,
    },
    /// A record that cannot come now.
    #[error("TLS record of type {kind} after the handshake")]
    OutOfTurn {
        /// The content type (RFC 8446, B.1).
        kind: u8,
    },
    /// A message other than a whole key update (RFC 8446, 4.6): none other comes from a client.
    #[error("TLS handshake message of type {kind} and {length} bytes after the handshake")]
    NoKeyUpdate {
        /// The message's type; 0 if there was none.
        kind: u8,
        /// Of the record's content.
        length: usize,
    },
    /// A record that was changed on its way, or sealed with another key.
    #[error("TLS record {sequence} is not what its sender sealed")]
    NotAuthentic {
        /// Records opened with this key before it.
        sequence: u64,
    },
    /// Records that carry nothing cost us work and the peer hardly any.
    #[error("more than {EMPTY_RECORDS_MAX} TLS records in a row that carry nothing")]
    NothingButEmpty,
}

impl TlsError {
    /// Whether the peer only said that it goes: a browser does so when it does not know the
    /// certificate yet, or changed its mind. It broke no rule.
    pub fn is_farewell(&self) -> bool {
        match self {
            Self::Refused(error) => matches!(error, rustls::Error::AlertReceived(_)),
            Self::Buffers(error) => error.kind() == io::ErrorKind::UnexpectedEof,
            _ => false,
        }
    }

    /// What a peer is told about a record (RFC 8446, 6.2); `None` where rustls says it, or it was
    /// the peer who spoke.
    pub(super) fn alert(&self) -> Option<AlertDescription> {
        match self {
            Self::Refused(_) | Self::Buffers(_) | Self::HandshakeTooLong { .. } => None,
            Self::RecordTooLong { .. } | Self::ContentTooLong { .. } => {
                Some(AlertDescription::RecordOverflow)
            }
            Self::OutOfTurn { .. } | Self::NoKeyUpdate { .. } | Self::NothingButEmpty => {
                Some(AlertDescription::UnexpectedMessage)
            }
            Self::NotAuthentic { .. } => Some(AlertDescription::BadRecordMac),
        }
    }
}
