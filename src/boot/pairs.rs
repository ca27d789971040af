//! Short texts of `key=value` lines, as boot loader and programs hand them on.

use std::collections::BTreeMap;

use crate::domain::limits::PAIRS_BYTES_MAX;

/// Keys and what they say.
pub type Pairs<'a> = BTreeMap<&'a str, &'a str>;

/// Why a text does not consist of such lines.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PairsError {
    /// Longer than any of ours.
    #[error("{found} bytes, {PAIRS_BYTES_MAX} are allowed")]
    TooLong {
        /// What was found.
        found: usize,
    },
    /// Not UTF-8, a control character, no `=`, or a key that is no word.
    #[error("line {line} is no 'key=value'")]
    Line {
        /// Counted from 1.
        line: usize,
    },
    /// Which of the two counts would be a guess.
    #[error("line {line} says '{key}' again")]
    Twice {
        /// Counted from 1.
        line: usize,
        /// The key.
        key: String,
    },
    /// Something that has to be said is not.
    #[error("'{key}' is missing")]
    Missing {
        /// The key.
        key: &'static str,
    },
    /// A value that cannot be.
    #[error("'{key}' cannot be '{value}'")]
    Value {
        /// The key.
        key: &'static str,
        /// What was found.
        value: String,
    },
}

/// Reads a text. Empty lines and those that begin with `#` say nothing.
pub fn decode(bytes: &[u8]) -> Result<Pairs<'_>, PairsError> {
    let text = limited(bytes)?;
    let mut pairs = Pairs::new();
    for (line, text) in (1..).zip(text.lines()) {
        if is_silent(text) {
            continue;
        }
        let pair = text.split_once('=').ok_or(PairsError::Line { line })?;
        add(&mut pairs, line, pair)?;
    }
    Ok(pairs)
}

/// `bytes` as text, if they are that and not too many.
pub(super) fn limited(bytes: &[u8]) -> Result<&str, PairsError> {
    let found = bytes.len();
    if found > PAIRS_BYTES_MAX {
        return Err(PairsError::TooLong { found });
    }
    str::from_utf8(bytes).map_err(|error| {
        let good = &bytes[..error.valid_up_to()];
        let line = good.split(|byte| *byte == b'\n').count();
        PairsError::Line { line }
    })
}

/// Whether a line says nothing.
pub(super) fn is_silent(line: &str) -> bool {
    line.is_empty() || line.starts_with('#')
}

/// Adds what one line says.
pub(super) fn add<'a>(
    pairs: &mut Pairs<'a>,
    line: usize,
    (key, value): (&'a str, &'a str),
) -> Result<(), PairsError> {
    let is_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if key.is_empty() || !key.bytes().all(is_word) || value.contains(char::is_control) {
        return Err(PairsError::Line { line });
    }
    if pairs.insert(key, value).is_some() {
        let key = key.to_owned();
        return Err(PairsError::Twice { line, key });
    }
    Ok(())
}

/// What `read` makes of the value of `key`, which has to be there.
pub(super) fn required<T>(
    pairs: &Pairs<'_>,
    key: &'static str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<T, PairsError> {
    let value = pairs.get(key).ok_or(PairsError::Missing { key })?;
    read(value).ok_or_else(|| PairsError::Value {
        key,
        value: (*value).to_owned(),
    })
}

/// A decimal number without sign or leading zeros, which GRUB would take as octal.
pub(super) fn decimal(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit());
    let plain = plain && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_apart() {
        let pairs = decode(b"# why\n\nversion=1.2\nnotes=a = b\nempty=\n").unwrap();
        let pairs: Vec<_> = pairs.into_iter().collect();
        assert_eq!(
            pairs,
            [("empty", ""), ("notes", "a = b"), ("version", "1.2")]
        );
    }

    #[test]
    fn what_cannot_be_read_says_where() {
        use PairsError::{Line, TooLong, Twice};
        let (line, key) = (3, "a".to_owned());
        for (text, error) in [
            (b"a=1\nb".as_slice(), Line { line: 2 }),
            (b"=1", Line { line: 1 }),
            (b"A=1", Line { line: 1 }),
            (b"a=\x07", Line { line: 1 }),
            (b"a=1\n\xff=1", Line { line: 2 }),
            (b"a=1\nb=2\na=3", Twice { line, key }),
            (&[b'#'; 4097], TooLong { found: 4097 }),
        ] {
            assert_eq!(decode(text), Err(error));
        }
    }

    #[test]
    fn a_number_is_written_in_one_way() {
        assert_eq!(decimal("0"), Some(0));
        assert_eq!(decimal("1764000000"), Some(1_764_000_000));
        for odd in ["", "-1", "+1", "01", "0x1", "1 ", "18446744073709551616"] {
            assert_eq!(decimal(odd), None, "{odd:?}");
        }
    }
}
