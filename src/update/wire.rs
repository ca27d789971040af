//! What the agent's processes say to each other: frames on a socket pair.
//!
//! A frame is a `u32` length (big-endian), a kind, and that many bytes: a message in JSON, or bytes
//! that belong to the message before them. `verify` asks, `write` and `fetch` answer, one after the
//! other; only chunks are not answered, so that the next one comes while one is written.

use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::boot::System;
use crate::control::machine::{Channel, Notice};
use crate::control::update::{Happened, KeyId, News, Phase, Settings, Version, Who};
use crate::domain::limits::{AGENT_FRAME_BYTES_MAX, UPDATE_KEYS_MAX};
use crate::domain::token::Fingerprint;
use crate::domain::{Model, Stamp};

/// Length and kind.
pub const HEADER_BYTES: usize = 5;

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// JSON.
    Message,
    /// What belongs to the message before.
    Bytes,
}

/// Why two of our processes do not understand each other. The connection ends.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The socket.
    #[error("between the agent's processes: {0}")]
    Io(#[from] io::Error),
    /// Nothing was allocated for it.
    #[error("a frame of {bytes} bytes, {most} are allowed")]
    TooLong {
        /// Announced.
        bytes: usize,
        /// What there is room for.
        most: usize,
    },
    /// Neither message nor bytes, or not the one expected.
    #[error("a frame of kind {found} out of turn")]
    Kind {
        /// What was found.
        found: u8,
    },
    /// Not a message of this version.
    #[error("a message is not understood: {0}")]
    Json(#[from] serde_json::Error),
    /// An answer to something else.
    #[error("an answer out of turn")]
    OutOfTurn,
}

/// The header of a frame of `bytes`.
pub fn header(kind: Kind, bytes: usize) -> Result<[u8; HEADER_BYTES], WireError> {
    let length = u32::try_from(bytes).ok();
    let length = length.filter(|_| bytes <= AGENT_FRAME_BYTES_MAX);
    let length = length.ok_or(too_long(bytes))?.to_be_bytes();
    let kind = match kind {
        Kind::Message => 0,
        Kind::Bytes => 1,
    };
    Ok([length[0], length[1], length[2], length[3], kind])
}

fn too_long(bytes: usize) -> WireError {
    let most = AGENT_FRAME_BYTES_MAX;
    WireError::TooLong { bytes, most }
}

/// What a header announces.
pub fn announced(header: [u8; HEADER_BYTES]) -> Result<(Kind, usize), WireError> {
    let [a, b, c, d, kind] = header;
    let bytes = u32::from_be_bytes([a, b, c, d]) as usize;
    if bytes > AGENT_FRAME_BYTES_MAX {
        return Err(too_long(bytes));
    }
    match kind {
        0 => Ok((Kind::Message, bytes)),
        1 => Ok((Kind::Bytes, bytes)),
        found => Err(WireError::Kind { found }),
    }
}

/// A message as a frame.
pub fn message(value: &impl Serialize) -> Result<Vec<u8>, WireError> {
    let mut bytes = vec![0; HEADER_BYTES];
    serde_json::to_writer(&mut bytes, value)?;
    let header = header(Kind::Message, bytes.len() - HEADER_BYTES)?;
    bytes[..HEADER_BYTES].copy_from_slice(&header);
    Ok(bytes)
}

/// Sends a message.
pub fn send(to: &mut impl Write, value: &impl Serialize) -> Result<(), WireError> {
    Ok(to.write_all(&message(value)?)?)
}

/// Sends what belongs to the message before.
pub fn send_bytes(to: &mut impl Write, bytes: &[u8]) -> Result<(), WireError> {
    to.write_all(&header(Kind::Bytes, bytes.len())?)?;
    Ok(to.write_all(bytes)?)
}

/// Receives a frame; `None` if the other side closed between two.
fn receive_frame(from: &mut impl Read, expected: Kind) -> Result<Option<Vec<u8>>, WireError> {
    let mut header = [0; HEADER_BYTES];
    if from.read(&mut header[..1])? == 0 {
        return Ok(None);
    }
    from.read_exact(&mut header[1..])?;
    let (kind, bytes) = announced(header)?;
    if kind != expected {
        return Err(WireError::Kind { found: header[4] });
    }
    let mut body = vec![0; bytes];
    from.read_exact(&mut body)?;
    Ok(Some(body))
}

/// Receives a message; `None` if the other side closed.
pub fn receive<T: DeserializeOwned>(from: &mut impl Read) -> Result<Option<T>, WireError> {
    let body = receive_frame(from, Kind::Message)?;
    Ok(body.map(|body| serde_json::from_slice(&body)).transpose()?)
}

/// Receives what belongs to the message before.
pub fn receive_bytes(from: &mut impl Read) -> Result<Vec<u8>, WireError> {
    let closed = || io::Error::from(io::ErrorKind::UnexpectedEof);
    Ok(receive_frame(from, Kind::Bytes)?.ok_or_else(closed)?)
}

/// What `verify` wants of `write`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case", deny_unknown_fields)]
pub enum Order {
    /// What is known and kept. Answer: [`Answer::Told`], then the trusted metadata as bytes, empty
    /// if there is none yet.
    Tell,
    /// Keep the trusted metadata that follows. Answer: [`Answer::Done`].
    KeepTrust,
    /// Keep these. Answer: [`Answer::Done`].
    KeepSettings {
        /// All of them.
        settings: Settings,
    },
    /// Put on record. Answer: [`Answer::Done`].
    Note {
        /// What.
        happened: Happened,
    },
    /// Make room for the version whose manifest follows. Answer: [`Answer::Missing`].
    Begin {
        /// On whose behalf.
        who: Who,
        /// Who signed for it.
        keys: heapless::Vec<KeyId, UPDATE_KEYS_MAX>,
    },
    /// A chunk follows, by its place in the payload. No answer.
    Chunk {
        /// Counted from 0.
        number: u32,
    },
    /// All missing chunks were sent. Answers: [`Answer::ReadBack`] as it goes on, then
    /// [`Answer::Done`].
    Finish,
    /// The rest does not come. Answer: [`Answer::Done`].
    Stop {
        /// Why.
        why: Notice,
    },
    /// Have everybody told when the machine restarts, or that it does not after all. Answer:
    /// [`Answer::Done`].
    Announce {
        /// When; none takes it back.
        restart: Option<Stamp>,
    },
    /// Restart the machine into the version that is ready. Answer: [`Answer::Done`].
    Restart {
        /// On whose behalf.
        who: Who,
    },
}

/// What `write` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// It is done, and on the disk.
    Done,
    /// To [`Order::Tell`].
    Told(Box<Told>),
    /// To [`Order::Begin`].
    Missing {
        /// Chunks that the slot does not hold yet, ascending.
        chunks: Vec<u32>,
    },
    /// To [`Order::Finish`].
    ReadBack {
        /// Compared so far.
        bytes: u64,
    },
    /// Not done.
    Failed {
        /// For a person.
        why: Notice,
    },
}

/// What `verify` wants of `fetch`: one file at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "wish", rename_all = "snake_case", deny_unknown_fields)]
pub enum Wish {
    /// A file, which takes the place of the one before. Answer: [`Fetched::Begins`] or
    /// [`Fetched::Missing`].
    Open {
        /// Where it is.
        address: String,
        /// The first byte that is wanted.
        from: u64,
        /// More are an error.
        bytes_max: u64,
    },
    /// More of it. Answer: [`Fetched::Part`], then as many bytes as there are, at most
    /// [`FETCH_PART_BYTES`](crate::domain::limits::FETCH_PART_BYTES); none at its end.
    More,
}

/// What `fetch` says. None of it is believed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fetched", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fetched {
    /// The file comes.
    Begins {
        /// With this byte: 0 where a server cannot go on in the middle.
        from: u64,
    },
    /// There is no such file.
    Missing,
    /// Bytes of it follow.
    Part,
    /// Not this time.
    Failed {
        /// For a person.
        why: Notice,
        /// Another try may help.
        passes: bool,
    },
}

/// What `write` knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// What runs.
    pub running: Running,
    /// What was decided.
    pub settings: Settings,
    /// What happened, newest first, at most [`UPDATE_HISTORY_SHOWN_MAX`](crate::domain::limits::UPDATE_HISTORY_SHOWN_MAX).
    pub history: Vec<Happened>,
    /// Versions that did not prove themselves.
    pub failed: Vec<Fingerprint>,
    /// Where the current update stands: idle, ready or proving.
    pub phase: Phase,
    /// What a version must have at least.
    pub security_epoch: u32,
    /// Why nothing can be written now.
    pub blocked: Option<Notice>,
    /// What is new in the version that runs, if an update brought it.
    pub news: Option<News>,
}

/// What runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Running {
    /// What it is sized as.
    pub model: Model,
    /// As people read it.
    pub version: Version,
    /// Higher is newer.
    pub sequence: u32,
    /// Whom it is meant for.
    pub channel: Channel,
    /// When a time server last agreed in this boot; none if none did.
    pub clock_confirmed: bool,
    /// When it was built: no clock is right that is before it.
    pub built: Stamp,
    /// Where a new version goes.
    pub target: System,
}

/// For the fuzzer and the smoke run below: any bytes end in messages or an error, and what was
/// understood can be said again.
#[cfg(any(test, fuzzing))]
pub fn fuzz(data: &[u8]) {
    fn said_again<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(mut from: &[u8]) {
        while let Ok(Some(value)) = receive::<T>(&mut from) {
            let again = message(&value).expect("it was in a frame");
            let read = receive(&mut &again[..]).expect("what we write is understood");
            assert_eq!(read, Some(value));
        }
    }
    said_again::<Order>(data);
    said_again::<Answer>(data);
    said_again::<Wish>(data);
    said_again::<Fetched>(data);
    if let Ok(bytes) = receive_bytes(&mut &data[..]) {
        assert_eq!(bytes, data[HEADER_BYTES..][..bytes.len()]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_message_and_its_bytes_arrive_as_they_were_sent() {
        let mut socket = Vec::new();
        send(&mut socket, &Order::Chunk { number: 7 }).unwrap();
        send_bytes(&mut socket, b"payload").unwrap();
        let from = &mut socket.as_slice();
        assert_eq!(receive(from).unwrap(), Some(Order::Chunk { number: 7 }));
        assert_eq!(receive_bytes(from).unwrap(), b"payload");
        assert_eq!(receive::<Order>(from).unwrap(), None);
    }

    #[test]
    fn a_hostile_length_is_refused_before_anything_is_allocated() {
        let refused = receive::<Order>(&mut &[0xff, 0xff, 0xff, 0xff, 0][..]);
        assert!(matches!(refused, Err(WireError::TooLong { .. })));
        let refused = receive::<Order>(&mut &[0, 0, 0, 1, 1, 0][..]);
        assert!(matches!(refused, Err(WireError::Kind { found: 1 })));
    }

    proptest! {
        #[test]
        fn fuzz_smoke(data: Vec<u8>, number: u32, chunks: Vec<u32>, at: prop::sample::Index, byte: u8) {
            fuzz(&data);
            let mut said = message(&Order::Chunk { number }).unwrap();
            said.extend(message(&Answer::Missing { chunks }).unwrap());
            send_bytes(&mut said, &data).unwrap();
            fuzz(&said);
            let at = at.index(said.len());
            said[at] = byte;
            fuzz(&said);
            fuzz(&said[at..]);
        }
    }
}
