//! From a verdict to a slot: every chunk is compared with the manifest before it is handed over.

use std::io::{self, Read};
use std::time::Instant;

use super::judge::Judged;
use super::link::{Conversation, LinkError};
use crate::control::machine::notice;
use crate::control::update::{Phase, Who};
use crate::update::manifest::Chunk;
use crate::update::wire::Order;

/// Why an update did not get to the disk. The words are for a person.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// It ended, or nothing came any more.
    #[error(
        "the update broke off after {received} of {of} bytes ({error}). Send it again: what has \
         arrived is not written twice"
    )]
    BrokeOff {
        /// Of the payload.
        received: u64,
        /// In all.
        of: u64,
        /// The system's word.
        error: io::Error,
    },
    /// A chunk is not the one that was signed.
    #[error("the update is damaged at byte {at} of its payload. Get it again")]
    Damaged {
        /// Where.
        at: u64,
    },
    /// The hands.
    #[error(transparent)]
    Link(#[from] LinkError),
}

/// Where the payload comes from.
pub trait Payload {
    /// Fills `into` with the bytes of `chunk`; they are asked for in order. What is not `wanted` may
    /// be skipped. Returns whether they are there.
    fn chunk(&mut self, chunk: &Chunk, wanted: bool, into: &mut Vec<u8>) -> io::Result<bool>;
}

/// A payload that comes byte after byte and cannot be asked for a part.
pub struct Stream<R>(pub R);

impl<R: Read> Payload for Stream<R> {
    fn chunk(&mut self, chunk: &Chunk, wanted: bool, into: &mut Vec<u8>) -> io::Result<bool> {
        into.resize(chunk.bytes, 0);
        self.0.read_exact(into)?;
        Ok(wanted)
    }
}

/// Writes what was judged into the other slot and has it marked to be tried. `show` hears how far it
/// is.
pub fn install(
    judged: &Judged,
    who: &Who,
    hands: &mut Conversation<'_>,
    payload: &mut impl Payload,
    mut show: impl FnMut(Phase),
) -> Result<(), InstallError> {
    let begin = Order::Begin {
        who: who.clone(),
        keys: judged.keys(),
    };
    let missing = hands.begin(&begin, &judged.manifest_bytes)?;
    if let Err(error) = transfer(judged, &missing, hands, payload, &mut show) {
        let why = notice(&error.to_string());
        // Told twice is told once: here, and to whoever asked.
        let _ = hands.order(&Order::Stop { why });
        return Err(error);
    }
    let (version, of) = (&judged.manifest.version, judged.manifest.payload_bytes());
    let began = Instant::now();
    hands.finish(|bytes| {
        show(Phase::ReadingBack {
            version: version.clone(),
            bytes,
            of,
            millis: millis(began),
        });
    })?;
    Ok(())
}

fn transfer(
    judged: &Judged,
    missing: &[u32],
    hands: &mut Conversation<'_>,
    payload: &mut impl Payload,
    show: &mut impl FnMut(Phase),
) -> Result<(), InstallError> {
    let of = judged.manifest.payload_bytes();
    let began = Instant::now();
    let mut missing = missing.iter().peekable();
    // The same for all of them: memory that was never touched is slow.
    let mut bytes = Vec::new();
    for (number, chunk) in (0..).zip(judged.manifest.chunks()) {
        let wanted = missing.next_if(|wanted| **wanted == number).is_some();
        let broke_off = |error| InstallError::BrokeOff {
            received: chunk.at,
            of,
            error,
        };
        if payload
            .chunk(&chunk, wanted, &mut bytes)
            .map_err(broke_off)?
        {
            if !chunk.is(&bytes) {
                return Err(InstallError::Damaged { at: chunk.at });
            }
            hands.chunk(number, &bytes)?;
        }
        show(Phase::Writing {
            version: judged.manifest.version.clone(),
            bytes: chunk.at + chunk.bytes as u64,
            of,
            millis: millis(began),
        });
    }
    Ok(())
}

fn millis(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}
