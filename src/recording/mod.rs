//! The recorded shell's format: asciicast v2, as
//! <https://docs.asciinema.org/manual/asciicast/v2/> describes it.
//!
//! ```text
//! (elapsed, output bytes | size) ─> Asciicast ─> lines of JSON ─> a file ─> Decoder ─> Item
//! ```
//!
//! The first line is an object, the header; every other line is `[seconds, "o", text]` for output
//! or `[seconds, "r", "COLUMNSxROWS"]` for a new size. Seconds count from the start, have six
//! decimals and never go back. Input is not recorded: what a person types and the shell does not
//! echo is a password.
//!
//! Pure: whoever writes the file keeps time and does the writing. Start at [`Asciicast`].

mod decoder;
mod encoder;
mod utf8;

#[cfg(any(test, fuzzing))]
pub use decoder::fuzz;
pub use decoder::{Decoder, RecordingError};
pub use encoder::{Asciicast, Cut, Finished};

use std::time::Duration;

use crate::domain::{Label, Stamp};

/// Longest time in a transcript, about 30 years: up to here microseconds are exact in the double
/// that JSON's readers use. Later events are written with this time.
const ELAPSED_MAX: Duration = Duration::from_secs(1_000_000_000);

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Of the terminal when it opened.
    pub columns: u16,
    /// Of the terminal when it opened.
    pub rows: u16,
    /// When the shell opened. The format keeps whole seconds.
    pub started: Stamp,
    /// What a player calls it; left out if empty.
    pub title: Label,
}

/// What is read from a transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// Always first, and only then.
    Header(Header),
    /// A later line.
    Event {
        /// Since the start, in whole microseconds.
        elapsed: Duration,
        /// What happened.
        what: Happened,
    },
}

/// What happened in a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// The terminal was given this to show.
    Output(String),
    /// The terminal has another size.
    Resized {
        /// From now on.
        columns: u16,
        /// From now on.
        rows: u16,
    },
}

#[cfg(test)]
mod tests;
