//! The one line that a program says to the supervisor once it serves, or cannot.
//!
//! The supervisor makes a pipe, names its number in [`READY_VARIABLE`] and waits for a line of
//! JSON: `{"ready":true,…facts}` or `{"ready":false,"error":"one clear line"}`.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::fd::RawFd;

use serde::{Deserialize, Serialize};

use crate::domain::Token;
use crate::domain::token::Fingerprint;

/// Environment variable with the pipe's number.
pub const READY_VARIABLE: &str = "JUMPGATE_READY_FD";

/// What a program says when its start is over.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(into = "Line", from = "Line")]
pub struct Ready {
    /// Why it will not serve; it exits after saying so.
    pub error: Option<String>,
    /// The relay's: SHA-256 of the certificate that browsers see.
    pub certificate: Option<Fingerprint>,
    /// The relay's: token of the set-up link, while no administrator exists.
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
    fn from(ready: Ready) -> Self {
        Self {
            ready: ready.error.is_none(),
            error: ready.error,
            certificate: ready.certificate,
            setup: ready.setup,
        }
    }
}

impl From<Line> for Ready {
    fn from(line: Line) -> Self {
        let unexplained = || (!line.ready).then(|| "it did not say why".to_owned());
        Self {
            error: line.error.or_else(unexplained),
            certificate: line.certificate,
            setup: line.setup,
        }
    }
}

impl Ready {
    /// It will not serve, for this reason.
    pub fn failed(error: &dyn std::fmt::Display) -> Self {
        Self {
            error: Some(error.to_string()),
            ..Self::default()
        }
    }

    /// The line, with its end.
    pub fn to_line(&self) -> String {
        let mut line = serde_json::to_string(self).expect("plain fields always have a JSON form");
        line.push('\n');
        line
    }
}

/// Says `ready` on the pipe named by [`READY_VARIABLE`] and closes it. Does nothing when nobody
/// listens: a developer may start a program by hand.
///
/// # Errors
///
/// If the variable names no pipe that can be written.
pub fn announce(ready: &Ready) -> io::Result<()> {
    let Ok(number) = std::env::var(READY_VARIABLE) else {
        return Ok(());
    };
    let number: RawFd = number.parse().map_err(io::Error::other)?;
    // Opening the number anew gives a file that owns itself, which taking over a number that came
    // from outside cannot. It needs the pipe to belong to this program's user; the supervisor
    // hands it over before it changes users.
    let pipe = OpenOptions::new()
        .write(true)
        .open(format!("/proc/self/fd/{number}"));
    let said = pipe.and_then(|mut pipe| pipe.write_all(ready.to_line().as_bytes()));
    // The inherited end too, so that the supervisor sees the end of the line's file.
    nix::unistd::close(number)?;
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serving_is_the_absence_of_an_error() {
        assert_eq!(Ready::default().to_line(), "{\"ready\":true}\n");
        let failed = Ready::failed(&"port 443 is in use");
        let line = "{\"ready\":false,\"error\":\"port 443 is in use\"}\n";
        assert_eq!(failed.to_line(), line);
        for ready in [
            failed,
            Ready {
                certificate: Some(Fingerprint::of(b"certificate")),
                setup: Some(Token::from_random([1; 16])),
                ..Ready::default()
            },
        ] {
            assert_eq!(
                serde_json::from_str::<Ready>(&ready.to_line()).unwrap(),
                ready
            );
        }
    }

    #[test]
    fn not_being_ready_without_a_reason_is_still_an_error() {
        let ready: Ready = serde_json::from_str("{\"ready\":false}").unwrap();
        assert!(ready.error.is_some());
    }
}
