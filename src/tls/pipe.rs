//! One TLS connection, server side, without its socket.

use std::ops::Range;

use rustls::server::Acceptor;

use super::configs::Caller;
use super::handshake::Handshake;
use super::records::Records;
use super::{Configs, TlsError, device};
use crate::domain::token::Fingerprint;

/// What is known after receiving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The handshake is under way.
    Handshaking,
    /// Plaintext may have come.
    Open,
    /// The peer said that nothing more will come.
    Ended,
}

/// One connection. It moves down the list of its states only.
pub struct Pipe {
    state: State,
    caller: Caller,
    device: Option<Box<Fingerprint>>,
}

// Records lie in it and not in a box: thousands of connections rest in that state, and what stays of
// each must not lie between what handshakes need for a moment.
#[allow(clippy::large_enum_variant)]
enum State {
    /// No whole `ClientHello` yet. Its bytes are kept: the acceptor tells by them which
    /// configuration to use, and the connection wants them again.
    Hello(Box<Acceptor>, Vec<u8>),
    /// Or TLS 1.2, for good.
    Handshake(Box<Handshake>),
    Records(Records),
    Refused,
}

impl Default for Pipe {
    fn default() -> Self {
        Self {
            state: State::Hello(Box::default(), Vec::new()),
            caller: Caller::Browser,
            device: None,
        }
    }
}

impl Pipe {
    /// One whose handshake was over long ago.
    pub(super) fn of(records: Records, caller: Caller) -> Self {
        Self {
            state: State::Records(records),
            caller,
            device: None,
        }
    }

    /// Its records, once its handshake is over; `None` also for TLS 1.2.
    pub(super) fn records(&self) -> Option<&Records> {
        match &self.state {
            State::Records(records) => Some(records),
            State::Hello(..) | State::Handshake(_) | State::Refused => None,
        }
    }

    /// Takes ciphertext, and decrypts where it lies. The plaintext is what is appended to `side`,
    /// followed by what lies in the range returned. What has to be sent is appended to `output`,
    /// also after an error (an alert): send it, and close.
    pub fn receive(
        &mut self,
        ciphertext: &mut [u8],
        configs: &Configs,
        side: &mut Vec<u8>,
        output: &mut Vec<u8>,
    ) -> Result<(Progress, Range<usize>), TlsError> {
        let plain = match &mut self.state {
            State::Records(records) => records_receive(records, ciphertext, side, output)?,
            State::Refused => 0..0,
            State::Hello(..) | State::Handshake(_) => {
                self.hello_and_handshake(ciphertext, configs, side, output)?;
                0..0
            }
        };
        Ok((self.progress(), plain))
    }

    /// Until the handshake is over, everything is copied.
    fn hello_and_handshake(
        &mut self,
        ciphertext: &[u8],
        configs: &Configs,
        side: &mut Vec<u8>,
        output: &mut Vec<u8>,
    ) -> Result<(), TlsError> {
        let kept;
        let mut bytes = ciphertext;
        if let State::Hello(acceptor, so_far) = &mut self.state {
            so_far.extend_from_slice(ciphertext);
            match hello(acceptor, ciphertext, configs, output) {
                Ok(None) => return Ok(()),
                Ok(Some((handshake, caller))) => {
                    kept = std::mem::take(so_far);
                    bytes = &kept;
                    self.caller = caller;
                    self.state = State::Handshake(Box::new(handshake));
                }
                Err(error) => {
                    self.state = State::Refused;
                    return Err(error);
                }
            }
        }
        let State::Handshake(handshake) = &mut self.state else {
            return Ok(());
        };
        if let Err(error) = handshake.receive(bytes, side, output) {
            // rustls must not be asked anything after an error.
            self.state = State::Refused;
            return Err(error);
        }
        if handshake.is_for_records()
            && let State::Handshake(handshake) = std::mem::replace(&mut self.state, State::Refused)
        {
            let (connection, secrets, mut rest) =
                handshake.into_parts().expect("TLS 1.3 logs its secrets");
            if let Some([certificate]) = connection.peer_certificates() {
                self.device = Some(Box::new(device::key_of(certificate)?));
            }
            let mut records = Records::new(connection, secrets)?;
            let plain = records_receive(&mut records, &mut rest, side, output)?;
            side.extend_from_slice(&rest[plain]);
            self.state = State::Records(records);
        }
        Ok(())
    }

    fn progress(&self) -> Progress {
        match &self.state {
            State::Hello(..) | State::Refused => Progress::Handshaking,
            State::Handshake(handshake) if handshake.ended => Progress::Ended,
            State::Handshake(handshake) if handshake.is_open() => Progress::Open,
            State::Handshake(_) => Progress::Handshaking,
            State::Records(records) if records.ended => Progress::Ended,
            State::Records(_) => Progress::Open,
        }
    }

    /// Who connects; a browser until something else was offered.
    pub fn caller(&self) -> Caller {
        self.caller
    }

    /// The device key that a [`Caller::Device`] has proved, once after the connection opened: SHA-256
    /// of its `SubjectPublicKeyInfo`.
    pub fn take_device_key(&mut self) -> Option<Fingerprint> {
        self.device.take().map(|key| *key)
    }

    /// Whether the handshake is over.
    pub fn is_open(&self) -> bool {
        self.progress() != Progress::Handshaking
    }

    /// Appends `plaintext` to `output`, encrypted, in as few records as possible; nothing before
    /// the handshake is over.
    pub fn send(&mut self, plaintext: &[u8], output: &mut Vec<u8>) -> Result<(), TlsError> {
        match &mut self.state {
            State::Hello(..) | State::Refused => Ok(()),
            State::Handshake(handshake) => handshake.send(plaintext, output),
            State::Records(records) => {
                records.send(plaintext, output);
                Ok(())
            }
        }
    }

    /// Appends what is owed to the peer whether or not there is something to send.
    pub fn answer(&mut self, output: &mut Vec<u8>) {
        if let State::Records(records) = &mut self.state {
            records.answer(output);
        }
    }

    /// Says that nothing more will come.
    pub fn end(&mut self, output: &mut Vec<u8>) -> Result<(), TlsError> {
        match &mut self.state {
            State::Hello(..) | State::Refused => Ok(()),
            State::Handshake(handshake) => handshake.end(output),
            State::Records(records) => {
                records.end(output);
                Ok(())
            }
        }
    }

    /// Bytes of a record that has begun.
    pub fn kept(&self) -> usize {
        match &self.state {
            State::Records(records) => records.kept(),
            // Bounded by themselves, and there are few of them at once.
            State::Hello(..) | State::Handshake(_) | State::Refused => 0,
        }
    }

    /// Gives up what costs memory and can be made again: for when nothing moved for a while.
    pub fn rest(&mut self) {
        if let State::Records(records) = &mut self.state {
            records.rest();
        }
    }

    /// So that a test need not seal millions of records.
    #[cfg(test)]
    pub(super) fn wear_after(&mut self, count: u64) {
        if let State::Records(records) = &mut self.state {
            records.wear_after(count);
        }
    }
}

/// Looks for a whole `ClientHello`; chooses the configuration by what it offers.
fn hello(
    acceptor: &mut Acceptor,
    mut bytes: &[u8],
    configs: &Configs,
    output: &mut Vec<u8>,
) -> Result<Option<(Handshake, Caller)>, TlsError> {
    while !bytes.is_empty() {
        acceptor.read_tls(&mut bytes)?;
        match acceptor.accept() {
            Ok(None) => {}
            Ok(Some(accepted)) => {
                let (config, caller) = configs.choose(&accepted.client_hello());
                return Ok(Some((Handshake::new(config)?, caller)));
            }
            Err((error, mut alert)) => {
                alert.write_all(output)?;
                return Err(error.into());
            }
        }
    }
    Ok(None)
}

fn records_receive(
    records: &mut Records,
    ciphertext: &mut [u8],
    side: &mut Vec<u8>,
    output: &mut Vec<u8>,
) -> Result<Range<usize>, TlsError> {
    let plain = records.receive(ciphertext, side);
    if let Err(error) = &plain {
        records.complain(error, output);
    }
    plain
}

#[cfg(test)]
mod tests;
