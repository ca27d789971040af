//! A length and that much JSON.

use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::domain::limits::CONTROL_BYTES_MAX;

/// Why the other program was not understood.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The socket failed.
    #[error("control socket: {0}")]
    Io(#[from] io::Error),
    /// Nothing was allocated for the announced length.
    #[error("control message announces {bytes} bytes, {CONTROL_BYTES_MAX} are allowed")]
    TooLong {
        /// What was announced.
        bytes: usize,
    },
    /// Not the JSON that this version speaks.
    #[error("control message not understood: {0}")]
    BadJson(#[from] serde_json::Error),
}

/// `value` with its length in front.
pub fn encode(value: &impl Serialize) -> Result<Vec<u8>, WireError> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, value)?;
    let length = bytes.len() - 4;
    if length > CONTROL_BYTES_MAX {
        return Err(WireError::TooLong { bytes: length });
    }
    let length = u32::try_from(length).expect("checked against a limit below 2^32");
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    Ok(bytes)
}

/// The length in front of a message, checked.
pub fn body_bytes(header: [u8; 4]) -> Result<usize, WireError> {
    let bytes = u32::from_be_bytes(header) as usize;
    if bytes > CONTROL_BYTES_MAX {
        Err(WireError::TooLong { bytes })
    } else {
        Ok(bytes)
    }
}

/// Reads one message; `None` if the other side closed between two.
pub fn read<T: DeserializeOwned>(from: &mut impl Read) -> Result<Option<T>, WireError> {
    let mut header = [0; 4];
    if from.read(&mut header[..1])? == 0 {
        return Ok(None);
    }
    from.read_exact(&mut header[1..])?;
    let mut body = vec![0; body_bytes(header)?];
    from.read_exact(&mut body)?;
    Ok(Some(serde_json::from_slice(&body)?))
}

/// Writes one message.
pub fn write(to: &mut impl Write, value: &impl Serialize) -> Result<(), WireError> {
    Ok(to.write_all(&encode(value)?)?)
}
