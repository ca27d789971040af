//! The wire to the hands.

use std::os::unix::net::UnixStream;
use std::sync::{Mutex, MutexGuard};

use crate::control::update::Happened;
use crate::update::trust::{BadSet, TrustedSet};
use crate::update::wire::{self, Answer, Order, Told, WireError};

/// Why the hands did not do what they were told.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// They are gone, or speak another language: the supervisor starts both again.
    #[error("the update agent is being restarted ({0}); try again in a minute")]
    Wire(#[from] WireError),
    /// They say why.
    #[error("{0}")]
    Failed(String),
    /// What they keep is not what was kept.
    #[error(transparent)]
    Trust(#[from] BadSet),
}

/// One order at a time; an installation keeps it to itself until it is over.
#[derive(Debug)]
pub struct Link(Mutex<UnixStream>);

impl Link {
    /// Over this socket.
    pub fn new(socket: UnixStream) -> Self {
        Self(Mutex::new(socket))
    }

    /// For one conversation. Waits for others.
    pub fn take(&self) -> Conversation<'_> {
        Conversation(self.0.lock().expect("nobody panics while he talks"))
    }

    /// For one conversation, unless somebody else is at it.
    pub fn try_take(&self) -> Option<Conversation<'_>> {
        self.0.try_lock().ok().map(Conversation)
    }
}

/// Orders and answers that belong together.
pub struct Conversation<'a>(MutexGuard<'a, UnixStream>);

impl Conversation<'_> {
    fn answer(&mut self) -> Result<Answer, LinkError> {
        let answer = wire::receive(&mut *self.0)?;
        match answer.ok_or(WireError::OutOfTurn)? {
            Answer::Failed { why } => Err(LinkError::Failed(why.to_string())),
            answer => Ok(answer),
        }
    }

    fn done(&mut self) -> Result<(), LinkError> {
        match self.answer()? {
            Answer::Done => Ok(()),
            _ => Err(WireError::OutOfTurn.into()),
        }
    }

    /// An order that is only done.
    pub fn order(&mut self, order: &Order) -> Result<(), LinkError> {
        wire::send(&mut *self.0, order)?;
        self.done()
    }

    /// What is known, and what is trusted; nothing if this appliance never saw an update.
    pub fn tell(&mut self) -> Result<(Told, Option<TrustedSet>), LinkError> {
        wire::send(&mut *self.0, &Order::Tell)?;
        let Answer::Told(told) = self.answer()? else {
            return Err(WireError::OutOfTurn.into());
        };
        let trust = wire::receive_bytes(&mut *self.0)?;
        let set = (!trust.is_empty()).then(|| TrustedSet::decode(&trust));
        Ok((*told, set.transpose()?))
    }

    /// Keeps what is trusted from now on.
    pub fn keep_trust(&mut self, set: &TrustedSet) -> Result<(), LinkError> {
        wire::send(&mut *self.0, &Order::KeepTrust)?;
        wire::send_bytes(&mut *self.0, &set.encode())?;
        self.done()
    }

    /// Puts on record.
    pub fn note(&mut self, happened: Happened) -> Result<(), LinkError> {
        self.order(&Order::Note { happened })
    }

    /// Makes room. Returns the chunks that are not there yet.
    pub fn begin(&mut self, begin: &Order, manifest: &[u8]) -> Result<Vec<u32>, LinkError> {
        wire::send(&mut *self.0, begin)?;
        wire::send_bytes(&mut *self.0, manifest)?;
        match self.answer()? {
            Answer::Missing { chunks } => Ok(chunks),
            _ => Err(WireError::OutOfTurn.into()),
        }
    }

    /// Hands over a chunk. What goes wrong with it is heard at the end.
    pub fn chunk(&mut self, number: u32, bytes: &[u8]) -> Result<(), LinkError> {
        wire::send(&mut *self.0, &Order::Chunk { number })?;
        Ok(wire::send_bytes(&mut *self.0, bytes)?)
    }

    /// Everything is there. `tell` hears how much was read back.
    pub fn finish(&mut self, mut tell: impl FnMut(u64)) -> Result<(), LinkError> {
        wire::send(&mut *self.0, &Order::Finish)?;
        loop {
            match self.answer()? {
                Answer::ReadBack { bytes } => tell(bytes),
                Answer::Done => return Ok(()),
                _ => return Err(WireError::OutOfTurn.into()),
            }
        }
    }
}
