//! The journal's text. Format 1:
//!
//! ```text
//! ["SUM",{"format":1,"generation":7,"from":6,"at":1700000000000}]      the first line
//! ["SUM",{"n":1,"row":{"row":"session",…}}]                            a row of transaction 1
//! ["SUM",{"n":1,"row":{"row":"audit",…}}]                              another
//! ["SUM",{"n":1,"rows":2}]                                             transaction 1 is whole
//! ["SUM",{"n":9,"ended":true}]                                         nothing was kept from here
//! ```
//!
//! Every line is JSON. SUM is the first half of the SHA-256 of the bytes between its comma and the
//! last bracket, in hexadecimal digits: it tells a torn or changed line. Lines end with a newline;
//! what follows the last one is a line that was being written. A transaction whose last line is
//! missing at the end of the file was never acknowledged. Pure.

use std::io::{self, BufRead, BufReader, Read};

use serde::{Deserialize, Serialize};

use super::row::Row;
use crate::domain::Stamp;
use crate::domain::limits::JOURNAL_LINE_BYTES_MAX;
use crate::domain::token::Fingerprint;

/// What this release writes, and the latest that it reads. Raised only when a reader of the old one
/// would do harm: whatever else is new, it leaves out.
pub const FORMAT: u32 = 1;

/// Hexadecimal digits of a line's sum.
const SUM_DIGITS: usize = 32;

/// What one line says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Line {
    /// The first one.
    Head(Head),
    /// One row of a transaction.
    Row {
        /// The transaction's number, counted from 1.
        n: u64,
        /// The row.
        row: Row,
    },
    /// The last line of a transaction.
    End {
        /// Which.
        n: u64,
        /// How many rows it has.
        rows: u64,
    },
    /// The journal reached its limit.
    Ended {
        /// The next transaction's number.
        n: u64,
        /// True.
        ended: bool,
    },
}

/// Whose journal it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// [`FORMAT`] of whoever wrote it.
    pub format: u32,
    /// The generation that wrote it.
    pub generation: u32,
    /// The generation it was copied from; none is `appliance.db`.
    pub from: Option<u32>,
    /// When.
    pub at: Stamp,
}

impl Line {
    /// As it stands in the file, with its newline.
    pub fn encode(&self) -> String {
        encode(&serde_json::to_string(self).expect("only text keys"))
    }

    /// Reads one line, without its newline.
    pub fn decode(line: &[u8]) -> Option<Self> {
        let rest = line.strip_prefix(b"[\"")?;
        let (sum, rest) = rest.split_at_checked(SUM_DIGITS)?;
        let said = rest.strip_prefix(b"\",")?.strip_suffix(b"]")?;
        (sum == sum_of(said).as_bytes()).then_some(())?;
        serde_json::from_slice(said).ok()
    }
}

/// A row of transaction `n`, whose JSON is `row`.
pub(super) fn row(n: u64, row: &str) -> String {
    encode(&format!("{{\"n\":{n},\"row\":{row}}}"))
}

fn encode(said: &str) -> String {
    format!("[\"{}\",{said}]\n", sum_of(said.as_bytes()))
}

fn sum_of(said: &[u8]) -> String {
    let mut sum = Fingerprint::of(said).to_string();
    sum.truncate(SUM_DIGITS);
    sum
}

/// A line that is not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the journal is damaged")]
pub struct Damaged {
    /// Counted from 1.
    pub line: u64,
}

/// Reads a journal line by line, and holds one at a time.
#[derive(Debug)]
pub struct Reader<R> {
    from: BufReader<R>,
    line: u64,
    buffer: Vec<u8>,
}

impl<R: Read> Reader<R> {
    /// From its beginning.
    pub fn new(from: R) -> Self {
        Self {
            from: BufReader::new(from),
            line: 0,
            buffer: Vec::new(),
        }
    }

    /// The next line; `None` at the end, and at a last line that was never finished.
    ///
    /// # Errors
    ///
    /// The file's. A damaged line is none of those: the next one may be good.
    pub fn line(&mut self) -> io::Result<Option<Result<Line, Damaged>>> {
        self.buffer.clear();
        let most = JOURNAL_LINE_BYTES_MAX as u64 + 1;
        (&mut self.from)
            .take(most)
            .read_until(b'\n', &mut self.buffer)?;
        self.line += 1;
        let damaged = Damaged { line: self.line };
        if let Some(line) = self.buffer.strip_suffix(b"\n") {
            return Ok(Some(Line::decode(line).ok_or(damaged)));
        }
        if self.buffer.len() <= JOURNAL_LINE_BYTES_MAX {
            return Ok(None);
        }
        self.from.skip_until(b'\n')?;
        Ok(Some(Err(damaged)))
    }

    /// The fingerprint of the line that was read last.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.buffer)
    }
}

/// For `tests/fuzz` and the smoke run below: any bytes end in lines or damaged ones, and what was
/// understood can be said again.
#[cfg(any(test, fuzzing))]
pub fn fuzz(data: &[u8]) {
    let mut reader = Reader::new(data);
    let mut lines = 0;
    while let Some(line) = reader.line().expect("bytes in memory can be read") {
        lines += 1;
        if let Ok(line) = line {
            let again = line.encode();
            let decoded = Line::decode(again.trim_end_matches('\n').as_bytes());
            assert_eq!(decoded, Some(line), "what we write is understood");
        }
    }
    let most = data.split(|byte| *byte == b'\n').count();
    assert!(lines <= most, "{lines} lines of {most}");
    // The sum keeps most inputs out: what is behind it is tried without.
    let _ = serde_json::from_slice::<Line>(data);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::row::{AuditRow, EntryRow};
    use super::*;
    use crate::domain::SessionId;

    fn journal() -> Vec<Line> {
        let head = Head {
            format: FORMAT,
            generation: 7,
            from: None,
            at: Stamp(1),
        };
        let session = SessionId::from_random([9; 8]);
        let rows = [
            Row::Entry(EntryRow {
                session,
                number: 1,
                at: Stamp(-2),
                author: "{\"role\":\"appliance\"}".into(),
                what: "\"ä\n\u{0}\"".into(),
            }),
            Row::Audit(AuditRow {
                number: u64::MAX,
                at: Stamp(i64::MAX),
                actor: "{}".into(),
                event: String::new(),
                hash: Fingerprint::of(b""),
            }),
        ];
        let mut lines = vec![Line::Head(head)];
        lines.extend(rows.map(|row| Line::Row { n: 1, row }));
        lines.push(Line::End { n: 1, rows: 2 });
        lines.push(Line::Ended { n: 2, ended: true });
        lines
    }

    fn text(lines: &[Line]) -> Vec<u8> {
        lines.iter().map(Line::encode).collect::<String>().into()
    }

    fn read(bytes: &[u8]) -> Vec<Result<Line, Damaged>> {
        let mut reader = Reader::new(bytes);
        std::iter::from_fn(|| reader.line().unwrap()).collect()
    }

    #[test]
    fn what_is_written_is_read_again() {
        let lines = journal();
        let found: Vec<_> = read(&text(&lines))
            .into_iter()
            .map(Result::unwrap)
            .collect();
        assert_eq!(found, lines);
    }

    #[test]
    fn an_outsider_gets_the_same_line() {
        // Computed with Python's hashlib from the description above.
        assert_eq!(
            Line::End { n: 1, rows: 2 }.encode(),
            "[\"09e5dfa9e2457efeaab59d8d1940a54c\",{\"n\":1,\"rows\":2}]\n"
        );
    }

    #[test]
    fn a_journal_cut_anywhere_gives_the_whole_lines_before_the_cut() {
        let lines = journal();
        let whole = text(&lines);
        for end in 0..whole.len() {
            let expected = whole[..end].split(|byte| *byte == b'\n').count() - 1;
            let found = read(&whole[..end]);
            assert_eq!(found.len(), expected, "cut at {end}");
            assert!(found.iter().zip(&lines).all(|(a, b)| a.as_ref() == Ok(b)));
        }
    }

    #[test]
    fn a_changed_byte_costs_its_line_alone() {
        let lines = journal();
        let whole = text(&lines);
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            let good = read(&changed).into_iter().flatten().count();
            // A changed newline joins two lines; one that appears makes two halves of one.
            assert!(good >= lines.len() - 2, "byte {at}: {good}");
            assert!(good < lines.len(), "byte {at} changed unseen");
        }
    }

    #[test]
    fn a_line_without_end_costs_no_memory_and_the_next_one_is_read() {
        let mut bytes = vec![b'x'; JOURNAL_LINE_BYTES_MAX * 2];
        bytes.push(b'\n');
        bytes.extend(text(&journal()));
        let found = read(&bytes);
        assert_eq!(found[0], Err(Damaged { line: 1 }));
        assert_eq!(found.len(), journal().len() + 1);
        assert!(found[1..].iter().all(Result::is_ok));
    }

    #[test]
    fn kinds_and_fields_of_a_later_version_are_no_damage() {
        let later = "{\"n\":1,\"row\":{\"row\":\"jump_item\",\"name\":\"x\"},\"colour\":3}";
        let line = encode(later);
        let row = Row::Later;
        assert_eq!(read(line.as_bytes()), [Ok(Line::Row { n: 1, row })]);
    }

    proptest! {
        #[test]
        fn fuzz_smoke(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            cut in any::<prop::sample::Index>(),
            noise in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut data = text(&journal());
            fuzz(&data);
            for (at, byte) in changes {
                let at = at.index(data.len());
                data[at] = byte;
            }
            fuzz(&data);
            fuzz(&data[..cut.index(data.len())]);
            fuzz(&noise);
        }
    }
}
