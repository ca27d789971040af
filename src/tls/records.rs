//! A TLS 1.3 connection after its handshake: records, and key updates.
//!
//! ```text
//! bytes ─> whole records, each opened where it lies ─┬─ application data ─> moved together
//!          the last one's beginning is kept          ├─ key update ───────> new keys
//!                                                    └─ alert ────────────> ended, or an error
//! ```

use std::ops::Range;

use rustls::server::UnbufferedServerConnection;
use rustls::{AlertDescription, ExtractedSecrets};

use super::TlsError;
use super::keys::{
    ALERT, APPLICATION_DATA, HANDSHAKE, HEADER_BYTES, Keys, OVERHEAD_BYTES, PLAINTEXT_BYTES_MAX,
    record_bytes,
};
use super::secrets::{self, Secrets};
use crate::domain::limits::EMPTY_RECORDS_MAX;

/// `KeyUpdate`, its length of one byte, and whether an answer is wanted (RFC 8446, 4.6.3).
const KEY_UPDATE: u8 = 24;
const UPDATE_NOT_REQUESTED: u8 = 0;
const UPDATE_REQUESTED: u8 = 1;
/// Alert levels (RFC 8446, 6).
const WARNING: u8 = 1;
const FATAL: u8 = 2;

/// See the module. An idle one keeps no buffer, see [`Self::rest`].
pub(super) struct Records {
    incoming: Keys,
    outgoing: Keys,
    /// The beginning of a record whose end has not come.
    partial: Vec<u8>,
    /// Since the last one that carried something.
    empty: u32,
    /// The peer changed its keys and asked us to change ours.
    owes_update: bool,
    /// The peer said that nothing more will come.
    pub ended: bool,
}

impl Records {
    /// Takes over from a handshake that is over and has nothing left to send.
    pub fn new(connection: UnbufferedServerConnection, secrets: Secrets) -> Result<Self, TlsError> {
        // What would follow key updates for us is ten times as large as what does.
        let (ExtractedSecrets { tx, rx }, _) = connection.dangerous_into_kernel_connection()?;
        let keys = |(sequence, keys): (u64, _), secret| {
            Keys::new(secrets::algorithm(&keys), secret, sequence)
        };
        let (incoming, outgoing) = (keys(rx, secrets.client), keys(tx, secrets.server));
        Ok(Self::of(incoming, outgoing))
    }

    /// Between two records, with these keys.
    pub fn of(incoming: Keys, outgoing: Keys) -> Self {
        Self {
            incoming,
            outgoing,
            partial: Vec::new(),
            empty: 0,
            owes_update: false,
            ended: false,
        }
    }

    /// Incoming and outgoing ones.
    pub fn keys(&self) -> (&Keys, &Keys) {
        (&self.incoming, &self.outgoing)
    }

    /// Whether it is between two records, owes no answer and has not ended: its keys are all there
    /// is to it.
    pub fn is_at_rest(&self) -> bool {
        self.partial.is_empty() && !self.owes_update && !self.ended
    }

    /// Opens what is in `bytes`. The plaintext is what is appended to `side`, then what lies in the
    /// range returned: a record that began in the bytes before cannot be opened in these.
    pub fn receive(
        &mut self,
        bytes: &mut [u8],
        side: &mut Vec<u8>,
    ) -> Result<Range<usize>, TlsError> {
        let mut at = self.complete_partial(bytes, side)?;
        // The first content stays where it is, and what follows is moved up to it.
        let mut plain = at..at;
        while !self.ended
            && let Some(length) = record_bytes(&bytes[at..])?
            && let Some(record) = bytes[at..].get_mut(..length)
        {
            let content = self.open(record)?;
            let content = at + content.start..at + content.end;
            if plain.is_empty() {
                plain = content;
            } else {
                let end = plain.end + content.len();
                bytes.copy_within(content, plain.end);
                plain.end = end;
            }
            at += length;
        }
        if !self.ended {
            self.partial.extend_from_slice(&bytes[at..]);
        }
        Ok(plain)
    }

    /// Adds to the record that has begun; returns how many bytes that took.
    fn complete_partial(&mut self, bytes: &[u8], side: &mut Vec<u8>) -> Result<usize, TlsError> {
        let mut taken = 0;
        while !self.partial.is_empty() {
            let known = record_bytes(&self.partial)?;
            // Without a length there is a header to complete first.
            let missing = known.unwrap_or(HEADER_BYTES) - self.partial.len();
            let more = missing.min(bytes.len() - taken);
            self.partial.extend_from_slice(&bytes[taken..taken + more]);
            taken += more;
            if more < missing {
                break;
            }
            if known == Some(self.partial.len()) {
                let mut record = std::mem::take(&mut self.partial);
                let content = self.open(&mut record)?;
                side.extend_from_slice(&record[content]);
                record.clear();
                self.partial = record;
            }
        }
        Ok(taken)
    }

    /// Opens a record and does what it says; returns where its plaintext lies.
    fn open(&mut self, record: &mut [u8]) -> Result<Range<usize>, TlsError> {
        let opened = self.incoming.open(record)?;
        let content = &record[opened.content.clone()];
        match opened.kind {
            APPLICATION_DATA if !content.is_empty() => {
                self.empty = 0;
                return Ok(opened.content);
            }
            APPLICATION_DATA => {}
            HANDSHAKE => self.key_update(content)?,
            ALERT => self.alert(content)?,
            // A change of cipher spec too: it is for middle boxes, during a handshake (RFC 8446, 5).
            kind => return Err(TlsError::OutOfTurn { kind }),
        }
        self.empty += 1;
        if self.empty > EMPTY_RECORDS_MAX {
            return Err(TlsError::NothingButEmpty);
        }
        Ok(0..0)
    }

    /// A key update has to be a record's whole content: what follows it is sealed with other keys
    /// (RFC 8446, 5.1). One that is cut into several records would be allowed; nobody does that.
    fn key_update(&mut self, message: &[u8]) -> Result<(), TlsError> {
        let &[KEY_UPDATE, 0, 0, 1, request] = message else {
            return Err(TlsError::NoKeyUpdate {
                kind: message.first().copied().unwrap_or(0),
                length: message.len(),
            });
        };
        match request {
            UPDATE_NOT_REQUESTED => {}
            // However often it asks before we next send: one answer is enough.
            UPDATE_REQUESTED => self.owes_update = true,
            _ => {
                return Err(TlsError::NoKeyUpdate {
                    kind: KEY_UPDATE,
                    length: message.len(),
                });
            }
        }
        self.incoming.update();
        Ok(())
    }

    fn alert(&mut self, alert: &[u8]) -> Result<(), TlsError> {
        let &[_, description] = alert else {
            return Err(TlsError::OutOfTurn { kind: ALERT });
        };
        match AlertDescription::from(description) {
            AlertDescription::CloseNotify => self.ended = true,
            // Only a hint that a close follows (RFC 8446, 6.1).
            AlertDescription::UserCanceled => {}
            other => return Err(rustls::Error::AlertReceived(other).into()),
        }
        Ok(())
    }

    /// Appends `plaintext` to `output` in as few records as possible.
    pub fn send(&mut self, plaintext: &[u8], output: &mut Vec<u8>) {
        let records = plaintext.len().div_ceil(PLAINTEXT_BYTES_MAX);
        output.reserve(plaintext.len() + records * OVERHEAD_BYTES);
        for content in plaintext.chunks(PLAINTEXT_BYTES_MAX) {
            if self.outgoing.are_worn() {
                self.update_outgoing(output);
            }
            self.outgoing.seal(APPLICATION_DATA, content, output);
        }
    }

    /// Appends what is owed to the peer whether or not there is something to send.
    pub fn answer(&mut self, output: &mut Vec<u8>) {
        if std::mem::take(&mut self.owes_update) {
            self.update_outgoing(output);
        }
    }

    /// Says that nothing more will come.
    pub fn end(&mut self, output: &mut Vec<u8>) {
        let close_notify = u8::from(AlertDescription::CloseNotify);
        self.outgoing.seal(ALERT, &[WARNING, close_notify], output);
    }

    /// Says what the peer did wrong, if there is a word for it.
    pub fn complain(&mut self, error: &TlsError, output: &mut Vec<u8>) {
        if let Some(description) = error.alert() {
            let alert = [FATAL, u8::from(description)];
            self.outgoing.seal(ALERT, &alert, output);
        }
    }

    /// Bytes of a record that has begun.
    pub fn kept(&self) -> usize {
        self.partial.len()
    }

    /// Gives up what costs memory and can be made again: called when nothing moved for a while.
    pub fn rest(&mut self) {
        self.incoming.rest();
        self.outgoing.rest();
        self.partial.shrink_to_fit();
    }

    fn update_outgoing(&mut self, output: &mut Vec<u8>) {
        let update = [KEY_UPDATE, 0, 0, 1, UPDATE_NOT_REQUESTED];
        self.outgoing.seal(HANDSHAKE, &update, output);
        self.outgoing.update();
    }

    /// So that a test need not seal millions.
    #[cfg(test)]
    pub fn wear_after(&mut self, records: u64) {
        self.outgoing.wear_after(records);
    }
}
