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

/// For `tests/fuzz` and the smoke run below: any bytes end in a message or an error, and what was
/// understood can be said again.
#[cfg(any(test, fuzzing))]
pub fn fuzz(data: &[u8]) {
    fuzz_message::<super::Request>(data);
    fuzz_message::<super::Reply>(data);
}

/// The same for messages of one kind.
#[cfg(any(test, fuzzing))]
pub fn fuzz_message<T: Serialize + DeserializeOwned>(data: &[u8]) {
    // What was left out is written in full, which may be too long.
    if let Ok(Some(message)) = read::<T>(&mut &data[..])
        && let Ok(again) = encode(&message)
    {
        read::<T>(&mut &again[..]).expect("what we write is understood");
    }
}

/// Writes one message.
pub fn write(to: &mut impl Write, value: &impl Serialize) -> Result<(), WireError> {
    Ok(to.write_all(&encode(value)?)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::request::TicketHolder;
    use super::super::{Reply, Request};
    use super::*;
    use crate::domain::token::Fingerprint;
    use crate::domain::turned::{PuzzleAnswer, TurnedReason};
    use crate::domain::{AccountId, Label, Stamp, Text, Token};

    /// Some of each kind, as they cross the socket.
    fn messages() -> Vec<Vec<u8>> {
        let token = Token::from_random([7; 16]);
        let puzzle = PuzzleAnswer {
            challenge: token.clone(),
            answer: 9,
        };
        let holder = TicketHolder::Console {
            account: AccountId(3),
            name: Label::try_from("Ann").unwrap(),
            sign_in: Fingerprint::of(b"sign-in"),
        };
        let requests = [
            Request::Status,
            Request::LookUpKey {
                key: Text::try_from("8964548").unwrap(),
                address: crate::domain::PeerAddress::new("192.0.2.7:40000".parse().unwrap()),
                puzzle: Some(puzzle),
            },
            Request::IssueTicket { holder },
            Request::SignOut {
                account: AccountId(3),
                sign_in: None,
            },
            Request::Proven,
            Request::BackUp {
                label: Label::try_from("0.2.0").unwrap(),
            },
        ];
        let replies = [
            Reply::Done,
            Reply::BackedUp { bytes: 4_096 },
            Reply::Turned(TurnedReason::Puzzle {
                challenge: token.clone(),
                bits: 16,
            }),
            Reply::Key {
                key: Text::try_from("8964548").unwrap(),
                ak: token,
                url: "https://example.com/?ak=0".to_owned(),
                expires: Stamp(1),
            },
            Reply::Refused {
                why: "\"no\"".to_owned(),
            },
        ];
        let requests = requests.iter().map(|request| encode(request).unwrap());
        requests
            .chain(replies.iter().map(|reply| encode(reply).unwrap()))
            .collect()
    }

    #[test]
    fn a_hostile_length_is_refused_before_anything_is_allocated() {
        let announced = read::<Request>(&mut &[0xff, 0xff, 0xff, 0xff][..]);
        assert!(matches!(announced, Err(WireError::TooLong { .. })));
    }

    proptest! {
        #[test]
        fn fuzz_smoke(
            which in any::<prop::sample::Index>(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut data = which.get(&messages()).clone();
            fuzz(&data);
            for (at, byte) in changes {
                let at = at.index(data.len());
                data[at] = byte;
            }
            fuzz(&data);
            fuzz(&data[..cut.index(data.len())]);
        }
    }
}
