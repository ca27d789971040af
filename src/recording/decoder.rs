//! Lines to what happened in a shell.

use std::time::Duration;

use serde::Deserialize;

use super::{ELAPSED_MAX, Happened, Header, Item};
use crate::domain::Stamp;
use crate::domain::limits::TRANSCRIPT_LINE_BYTES_MAX;
use crate::domain::text::label;

/// Why a file is no transcript of ours. `line` counts from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordingError {
    /// A line longer than we write; nothing more of it is held.
    #[error("line {line} is longer than {TRANSCRIPT_LINE_BYTES_MAX} bytes")]
    LineTooLong {
        /// Which.
        line: u64,
    },
    /// Not the JSON that belongs there.
    #[error("line {line} is not understood: {why}")]
    BadLine {
        /// Which.
        line: u64,
        /// The decoder's words.
        why: String,
    },
    /// Another format.
    #[error("format version {found}, 2 expected")]
    Version {
        /// What the header says.
        found: u32,
    },
    /// A kind of event we do not write.
    #[error("line {line} is an event of unknown kind")]
    UnknownEvent {
        /// Which.
        line: u64,
    },
    /// Seconds below zero, beyond any session, or before the line above.
    #[error("line {line} has time {found}, out of range or out of order")]
    BadTime {
        /// Which.
        line: u64,
        /// What it says.
        found: String,
    },
    /// A size that is not `COLUMNSxROWS`.
    #[error("line {line} has no size")]
    BadSize {
        /// Which.
        line: u64,
    },
    /// The file ends inside a line: the appliance was stopped the hard way while writing it.
    #[error("the file ends inside line {line}")]
    CutShort {
        /// Which.
        line: u64,
    },
}

/// Reads a transcript that comes in pieces. Holds one line at most, and the piece last given.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// Bytes of the buffer that were read already.
    read: usize,
    /// Bytes after `read` that were searched for the line's end without finding it.
    searched: usize,
    /// Lines read.
    lines: u64,
    elapsed: Duration,
}

impl Decoder {
    /// Before the first line.
    pub fn new() -> Self {
        Self::default()
    }

    /// More of the file. Take all items before giving more, or the buffer grows.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.read);
        self.read = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next line, or `None` until more has been pushed.
    ///
    /// # Errors
    ///
    /// Any [`RecordingError`]. There is no reading on after one: the same line is refused again.
    pub fn next_item(&mut self) -> Result<Option<Item>, RecordingError> {
        let line = self.lines + 1;
        let rest = &self.buffer[self.read..];
        let end = rest[self.searched..].iter().position(|byte| *byte == b'\n');
        let length = end.map_or(rest.len(), |end| self.searched + end);
        if length > TRANSCRIPT_LINE_BYTES_MAX {
            return Err(RecordingError::LineTooLong { line });
        }
        if end.is_none() {
            self.searched = length;
            return Ok(None);
        }
        let item = match line {
            1 => Item::Header(header(&rest[..length])?),
            _ => event(&rest[..length], line, self.elapsed)?,
        };
        if let Item::Event { elapsed, .. } = item {
            self.elapsed = elapsed;
        }
        self.lines = line;
        self.read += length + 1;
        self.searched = 0;
        Ok(Some(item))
    }

    /// The file ends here.
    ///
    /// # Errors
    ///
    /// [`RecordingError::CutShort`] if a line is incomplete, or the header never came.
    pub fn finish(&self) -> Result<(), RecordingError> {
        let line = self.lines + 1;
        (self.lines > 0 && self.read == self.buffer.len())
            .then_some(())
            .ok_or(RecordingError::CutShort { line })
    }
}

/// What we use of the header; more may be there.
#[derive(Deserialize)]
struct HeaderLine {
    version: u32,
    width: u16,
    height: u16,
    #[serde(default)]
    timestamp: i64,
    #[serde(default)]
    title: String,
}

fn header(line: &[u8]) -> Result<Header, RecordingError> {
    let header: HeaderLine = serde_json::from_slice(line).map_err(|error| bad(1, &error))?;
    if header.version != 2 {
        return Err(RecordingError::Version {
            found: header.version,
        });
    }
    Ok(Header {
        columns: header.width,
        rows: header.height,
        started: Stamp(header.timestamp.saturating_mul(1000)),
        title: label(&header.title),
    })
}

fn event(line: &[u8], number: u64, after: Duration) -> Result<Item, RecordingError> {
    let (seconds, code, text): (f64, String, String) =
        serde_json::from_slice(line).map_err(|error| bad(number, &error))?;
    let elapsed = elapsed(seconds)
        .filter(|elapsed| *elapsed >= after)
        .ok_or_else(|| RecordingError::BadTime {
            line: number,
            found: seconds.to_string(),
        })?;
    let what = match code.as_str() {
        "o" => Happened::Output(text),
        "r" => size(&text).ok_or(RecordingError::BadSize { line: number })?,
        _ => return Err(RecordingError::UnknownEvent { line: number }),
    };
    Ok(Item::Event { elapsed, what })
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Range checked before.
fn elapsed(seconds: f64) -> Option<Duration> {
    (0.0..=ELAPSED_MAX.as_secs_f64())
        .contains(&seconds)
        .then(|| Duration::from_micros((seconds * 1e6).round() as u64))
}

fn size(text: &str) -> Option<Happened> {
    let (columns, rows) = text.split_once('x')?;
    Some(Happened::Resized {
        columns: columns.parse().ok()?,
        rows: rows.parse().ok()?,
    })
}

fn bad(line: u64, error: &serde_json::Error) -> RecordingError {
    RecordingError::BadLine {
        line,
        why: error.to_string(),
    }
}

/// Feeds `data` to the decoder whole and in pieces of the length its first byte gives; both must
/// say the same.
#[cfg(any(test, fuzzing))]
pub fn fuzz(data: &[u8]) {
    let read = |piece: usize| {
        let mut decoder = Decoder::new();
        let mut items = Vec::new();
        for piece in data.chunks(piece) {
            decoder.push(piece);
            loop {
                match decoder.next_item() {
                    Ok(Some(item)) => items.push(item),
                    Ok(None) => break,
                    Err(error) => return (items, Err(error)),
                }
            }
        }
        (items, decoder.finish())
    };
    let piece = data.first().map_or(1, |byte| usize::from(*byte).max(1));
    assert_eq!(read(data.len().max(1)), read(piece));
}
