//! What happens in a shell, to lines.

use std::time::Duration;

use ring::digest::{Context, SHA256};
use serde::Serialize;

use super::utf8::Utf8;
use super::{ELAPSED_MAX, Happened, Header, Item};
use crate::domain::limits::TRANSCRIPT_EVENT_BYTES_MAX;
use crate::domain::token::Fingerprint;

/// Encodes one shell. Every function appends whole lines to `out`, which the caller writes to the
/// file in that order.
pub struct Asciicast {
    utf8: Utf8,
    /// Of the last event: time in a transcript does not go back.
    elapsed: Duration,
    bytes: u64,
    hash: Context,
}

/// Where a transcript stands between two programs that write it, besides its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Of the last event.
    pub elapsed: Duration,
    /// The beginning of a character: at most 3 bytes.
    pub carried: Vec<u8>,
}

/// What all lines together come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The file's length.
    pub bytes: u64,
    /// The file's SHA-256.
    pub sha256: Fingerprint,
}

impl Asciicast {
    /// Begins with the header's line.
    pub fn new(header: &Header, out: &mut Vec<u8>) -> Self {
        let mut new = Self {
            utf8: Utf8::default(),
            elapsed: Duration::ZERO,
            bytes: 0,
            hash: Context::new(&SHA256),
        };
        new.append(&Item::Header(header.clone()), out);
        new
    }

    /// The shell wrote these bytes. A character they leave incomplete waits for the rest.
    pub fn output(&mut self, elapsed: Duration, bytes: &[u8], out: &mut Vec<u8>) {
        let text = self.utf8.text(bytes);
        self.text(elapsed, &text, out);
    }

    /// The terminal's size changed.
    pub fn resize(&mut self, elapsed: Duration, columns: u16, rows: u16, out: &mut Vec<u8>) {
        self.event(elapsed, Happened::Resized { columns, rows }, out);
    }

    /// Where it stands, for whoever goes on with it.
    pub fn cut(&self) -> Cut {
        Cut {
            elapsed: self.elapsed,
            carried: self.utf8.carried().to_vec(),
        }
    }

    /// Goes on after the lines that are there.
    pub fn resumed(lines: &[u8], cut: &Cut) -> Self {
        let mut hash = Context::new(&SHA256);
        hash.update(lines);
        Self {
            utf8: Utf8::resumed(&cut.carried),
            elapsed: cut.elapsed.min(ELAPSED_MAX),
            bytes: lines.len() as u64,
            hash,
        }
    }

    /// The shell is over.
    pub fn finish(mut self, elapsed: Duration, out: &mut Vec<u8>) -> Finished {
        let text = std::mem::take(&mut self.utf8).finish();
        self.text(elapsed, text, out);
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(self.hash.finish().as_ref());
        Finished {
            bytes: self.bytes,
            sha256: Fingerprint(sha256),
        }
    }

    /// Bytes appended so far, so that the caller can keep
    /// [`crate::domain::limits::TRANSCRIPT_BYTES_MAX`].
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    fn text(&mut self, elapsed: Duration, mut text: &str, out: &mut Vec<u8>) {
        while !text.is_empty() {
            let end = text.floor_char_boundary(TRANSCRIPT_EVENT_BYTES_MAX);
            let (now, later) = text.split_at(end);
            self.event(elapsed, Happened::Output(now.to_owned()), out);
            text = later;
        }
    }

    fn event(&mut self, elapsed: Duration, what: Happened, out: &mut Vec<u8>) {
        self.elapsed = self.elapsed.max(elapsed.min(ELAPSED_MAX));
        let elapsed = self.elapsed;
        self.append(&Item::Event { elapsed, what }, out);
    }

    fn append(&mut self, item: &Item, out: &mut Vec<u8>) {
        let start = out.len();
        item.encode(out);
        let line = &out[start..];
        self.hash.update(line);
        self.bytes += line.len() as u64;
    }
}

impl Item {
    /// Appends this as one line.
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Header(header) => {
                let line = HeaderLine {
                    version: 2,
                    width: header.columns,
                    height: header.rows,
                    timestamp: header.started.0.div_euclid(1000),
                    title: header.title.as_str(),
                };
                write_json(&line, out);
            }
            Self::Event { elapsed, what } => {
                let (code, text) = match what {
                    Happened::Output(text) => ('o', text),
                    Happened::Resized { columns, rows } => ('r', &format!("{columns}x{rows}")),
                };
                let seconds = elapsed.as_secs();
                let micros = elapsed.subsec_micros();
                let head = format!("[{seconds}.{micros:06}, \"{code}\", ");
                out.extend_from_slice(head.as_bytes());
                write_json(text, out);
                out.push(b']');
            }
        }
        out.push(b'\n');
    }
}

/// In the order in which the format's own examples have it.
#[derive(Serialize)]
struct HeaderLine<'a> {
    version: u32,
    width: u16,
    height: u16,
    timestamp: i64,
    #[serde(skip_serializing_if = "str::is_empty")]
    title: &'a str,
}

fn write_json(value: &(impl Serialize + ?Sized), out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("text and numbers are JSON, and memory takes them");
}
