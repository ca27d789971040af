//! A connection that rustls carries: its handshake, and of TLS 1.2 also what follows.

use std::sync::Arc;

use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, InsufficientSizeError,
};
use rustls::{ProtocolVersion, ServerConfig};

use super::TlsError;
use super::keys::PLAINTEXT_BYTES_MAX;
use super::secrets::{self, Secrets};
use crate::domain::limits::HANDSHAKE_BYTES_MAX;

pub(super) struct Handshake {
    connection: UnbufferedServerConnection,
    /// What rustls has not taken yet.
    input: Vec<u8>,
    /// Once they are known.
    secrets: Option<Secrets>,
    /// The peer said that nothing more will come.
    pub ended: bool,
}

impl Handshake {
    /// A connection whose first bytes are still to come.
    pub fn new(config: Arc<ServerConfig>) -> Result<Self, TlsError> {
        Ok(Self {
            connection: UnbufferedServerConnection::new(config)?,
            input: Vec::new(),
            secrets: None,
            ended: false,
        })
    }

    /// Takes ciphertext; appends what it held to `plaintext`, and what it calls for to `output`,
    /// after an error an alert.
    pub fn receive(
        &mut self,
        bytes: &[u8],
        plaintext: &mut Vec<u8>,
        output: &mut Vec<u8>,
    ) -> Result<(), TlsError> {
        self.input.extend_from_slice(bytes);
        let result = self.turn(plaintext, output);
        if result.is_err() {
            self.say_why(output);
        }
        let found = self.input.len();
        if result.is_ok() && found > HANDSHAKE_BYTES_MAX {
            return Err(TlsError::HandshakeTooLong { found });
        }
        result
    }

    /// Until rustls needs more bytes or has nothing to do.
    fn turn(&mut self, plaintext: &mut Vec<u8>, output: &mut Vec<u8>) -> Result<(), TlsError> {
        loop {
            let status = self.connection.process_tls_records(&mut self.input);
            if let Some(secrets) = secrets::take() {
                self.secrets = Some(secrets);
            }
            let mut discard = status.discard;
            let mut rests = false;
            match status.state? {
                ConnectionState::EncodeTlsData(data) => encode(data, output),
                ConnectionState::TransmitTlsData(data) => data.done(),
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        discard += record.discard;
                        plaintext.extend_from_slice(record.payload);
                    }
                }
                ConnectionState::PeerClosed => self.ended = true,
                ConnectionState::Closed => {
                    self.ended = true;
                    rests = true;
                }
                // Early data is switched off. Whatever a later rustls adds, waiting is safe.
                ConnectionState::BlockedHandshake | ConnectionState::WriteTraffic(_) | _ => {
                    rests = true;
                }
            }
            self.input.drain(..discard);
            if rests {
                return Ok(());
            }
        }
    }

    /// What rustls has to say about an error. Asked for more than that it would go on where it was,
    /// behind the message that it refused.
    fn say_why(&mut self, output: &mut Vec<u8>) {
        while self.connection.wants_write()
            && let Ok(ConnectionState::EncodeTlsData(data)) =
                self.connection.process_tls_records(&mut []).state
        {
            encode(data, output);
        }
    }

    /// Whether the handshake is over.
    pub fn is_open(&self) -> bool {
        !self.connection.is_handshaking()
    }

    /// Whether [`super::records`] can go on from here.
    pub fn is_for_records(&self) -> bool {
        self.is_open()
            && !self.ended
            && self.connection.protocol_version() == Some(ProtocolVersion::TLSv1_3)
    }

    /// The connection, its secrets, and the bytes that are not part of its handshake any more;
    /// `None` if it has no secrets, which no handshake of TLS 1.3 ends without.
    pub fn into_parts(self) -> Option<(UnbufferedServerConnection, Secrets, Vec<u8>)> {
        Some((self.connection, self.secrets?, self.input))
    }

    /// Appends `plaintext` to `output`, encrypted; nothing before the handshake is over.
    pub fn send(&mut self, plaintext: &[u8], output: &mut Vec<u8>) -> Result<(), TlsError> {
        for content in plaintext.chunks(PLAINTEXT_BYTES_MAX) {
            let status = self.connection.process_tls_records(&mut self.input);
            let discard = status.discard;
            if let ConnectionState::WriteTraffic(mut traffic) = status.state? {
                fill(output, |space| traffic.encrypt(content, space))?;
            }
            self.input.drain(..discard);
        }
        Ok(())
    }

    /// Says that nothing more will come.
    pub fn end(&mut self, output: &mut Vec<u8>) -> Result<(), TlsError> {
        let status = self.connection.process_tls_records(&mut self.input);
        let discard = status.discard;
        if let ConnectionState::WriteTraffic(mut traffic) = status.state? {
            fill(output, |space| traffic.queue_close_notify(space))?;
        }
        self.input.drain(..discard);
        Ok(())
    }
}

fn encode(mut data: EncodeTlsData<'_, ServerConnectionData>, output: &mut Vec<u8>) {
    let start = output.len();
    let mut room = 0;
    // The first try only says how much it is.
    loop {
        output.resize(start + room, 0);
        match data.encode(&mut output[start..]) {
            Ok(written) => return output.truncate(start + written),
            Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) => {
                room = required_size;
            }
            Err(EncodeError::AlreadyEncoded) => return output.truncate(start),
        }
    }
}

/// Appends what `write` makes, which is asked first how much that is.
fn fill(
    output: &mut Vec<u8>,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, EncryptError>,
) -> Result<(), TlsError> {
    let start = output.len();
    let mut room = 0;
    loop {
        output.resize(start + room, 0);
        match write(&mut output[start..]) {
            Ok(written) => {
                output.truncate(start + written);
                return Ok(());
            }
            Err(EncryptError::InsufficientSize(InsufficientSizeError { required_size })) => {
                room = required_size;
            }
            Err(EncryptError::EncryptExhausted) => {
                output.truncate(start);
                return Err(rustls::Error::EncryptError.into());
            }
        }
    }
}
