//! How a started program tells the supervisor that it serves, or why it never will.
//!
//! One line of JSON on the pipe whose number is in [`READY_FD`], then the pipe is closed:
//! `{"ready":true,"certificate":"…","setup":"…"}` or `{"ready":false,"error":"one clear line"}`.

use std::fs::OpenOptions;
use std::io::{self, Write as _};

use serde::{Deserialize, Serialize};

use crate::domain::Token;
use crate::domain::token::Fingerprint;

/// The environment variable with the pipe's number.
pub const READY_FD: &str = "JUMPGATE_READY_FD";

/// What a program says of itself, once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Line", into = "Line")]
pub struct Ready {
    /// Why it does not serve and is about to end; it serves if absent.
    pub error: Option<String>,
    /// SHA-256 of the certificate that browsers see (relay).
    pub certificate: Option<Fingerprint>,
    /// Of the set-up link, while no administrator exists (relay).
    pub setup: Option<Token>,
}

/// As it is written.
#[derive(Serialize, Deserialize)]
struct Line {
    ready: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate: Option<Fingerprint>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    setup: Option<Token>,
}

impl From<Ready> for Line {
    fn from(said: Ready) -> Self {
        Self {
            ready: said.error.is_none(),
            error: said.error,
            certificate: said.certificate,
            setup: said.setup,
        }
    }
}

impl From<Line> for Ready {
    fn from(line: Line) -> Self {
        let unnamed = || "it does not say why".to_owned();
        Self {
            error: (!line.ready).then(|| line.error.unwrap_or_else(unnamed)),
            certificate: line.certificate,
            setup: line.setup,
        }
    }
}

impl Ready {
    /// It will not serve, because of `error` (one line).
    pub fn failed(error: String) -> Self {
        Self {
            error: Some(error),
            ..Self::default()
        }
    }
}

/// Tells the supervisor, if there is one: a program started by hand has nobody to tell. Call it
/// before the sandbox, which puts `/proc` out of reach, or keep the opened [`pipe`].
pub fn announce(said: &Ready) -> io::Result<()> {
    pipe()?.map_or(Ok(()), |pipe| announce_on(pipe, said))
}

/// The pipe to the supervisor, for a program that has more to do in its sandbox before it serves.
/// The second call finds none.
pub fn pipe() -> io::Result<Option<std::fs::File>> {
    let number = std::env::var(READY_FD).ok();
    let Some(number) = number.and_then(|text| text.parse::<i32>().ok()) else {
        return Ok(None);
    };
    // Opening by name gives a descriptor of our own without `unsafe`; the supervisor makes us the
    // pipe's owner so that this is permitted. Then the inherited one is closed: the reader shall
    // see the end when we do.
    let path = format!("/proc/self/fd/{number}");
    let opened = OpenOptions::new().write(true).open(path);
    let closed = nix::unistd::close(number);
    match (opened, closed) {
        (Ok(pipe), Ok(())) => Ok(Some(pipe)),
        (_, Err(nix::errno::Errno::EBADF)) => Ok(None),
        (Err(error), _) => Err(error),
        (_, Err(errno)) => Err(errno.into()),
    }
}

/// Writes the line and closes the pipe.
pub fn announce_on(mut pipe: std::fs::File, said: &Ready) -> io::Result<()> {
    let mut line = serde_json::to_vec(said)?;
    line.push(b'\n');
    pipe.write_all(&line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serving_and_failing_are_written_as_documented() {
        let serves = Ready {
            setup: Some(Token::from_random([1; 16])),
            ..Ready::default()
        };
        let setup = "01".repeat(16);
        let line = serde_json::to_string(&serves).unwrap();
        assert_eq!(line, format!(r#"{{"ready":true,"setup":"{setup}"}}"#));
        assert_eq!(serde_json::from_str::<Ready>(&line).unwrap(), serves);

        let failed = Ready::failed("store is newer".into());
        let line = serde_json::to_string(&failed).unwrap();
        assert_eq!(line, r#"{"ready":false,"error":"store is newer"}"#);
        assert_eq!(serde_json::from_str::<Ready>(&line).unwrap(), failed);
    }

    #[test]
    fn a_failure_without_a_reason_is_still_a_failure() {
        let said: Ready = serde_json::from_str(r#"{"ready":false}"#).unwrap();
        assert!(said.error.is_some());
    }
}
