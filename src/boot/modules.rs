//! Which of the kernel's modules this machine needs.
//!
//! The initramfs holds a list, one line for each purpose, with modules in the order of loading:
//!
//! ```text
//! # The root
//! /lib/modules/dm-bufio.ko /lib/modules/dm-verity.ko
//! pci:v00008086d00001521sv*sd*bc*sc*i* /lib/modules/dca.ko /lib/modules/igb.ko
//! ```
//!
//! A line that begins with a pattern is for machines with a device whose `modalias` matches it; one
//! that begins with a path is for all. Loading every driver there is would take seconds.

use std::collections::BTreeSet;

use crate::domain::limits::MODULE_LIST_BYTES_MAX;

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purpose<'a> {
    /// A device has to match it, if there is one.
    pattern: Option<&'a str>,
    /// Absolute, in the order of loading.
    pub paths: Vec<&'a str>,
}

/// Why bytes are no list.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModulesError {
    /// Longer than any of ours.
    #[error("{found} bytes, {MODULE_LIST_BYTES_MAX} are allowed")]
    TooLong {
        /// What was found.
        found: usize,
    },
    /// Not text.
    #[error("not UTF-8")]
    NotText,
    /// A pattern without a path, or a word behind it that is no absolute path.
    #[error("line {line} names no modules")]
    Line {
        /// Counted from 1.
        line: usize,
    },
}

/// Reads a list.
pub fn purposes(list: &[u8]) -> Result<Vec<Purpose<'_>>, ModulesError> {
    let found = list.len();
    if found > MODULE_LIST_BYTES_MAX {
        return Err(ModulesError::TooLong { found });
    }
    let text = str::from_utf8(list).map_err(|_| ModulesError::NotText)?;
    let lines = (1..).zip(text.lines());
    let lines = lines.filter(|(_, text)| !text.trim().is_empty() && !text.starts_with('#'));
    lines
        .map(|(line, text)| purpose(text).ok_or(ModulesError::Line { line }))
        .collect()
}

fn purpose(line: &str) -> Option<Purpose<'_>> {
    let mut words = line.split_ascii_whitespace().peekable();
    let pattern = words.next_if(|first| !first.starts_with('/'));
    let paths: Vec<&str> = words.collect();
    let named = !paths.is_empty() && paths.iter().all(|path| path.starts_with('/'));
    named.then_some(Purpose { pattern, paths })
}

impl Purpose<'_> {
    /// Whether a machine with these devices needs it.
    pub fn is_needed(&self, modaliases: &BTreeSet<String>) -> bool {
        self.pattern
            .is_none_or(|pattern| modaliases.iter().any(|alias| matches(pattern, alias)))
    }
}

/// Whether `text` is what `pattern` describes: `*` is anything, `?` one character, `[0-9a]` one of
/// these (glob(7), as far as `depmod` writes it).
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut from) = (0, 0);
    // Where to go on if what follows the latest star does not fit: one character further.
    let mut star = None;
    while from < text.len() {
        match one(&pattern[at..], text[from]) {
            One::Star => {
                at += 1;
                star = Some((at, from));
            }
            One::Fits(length) => {
                at += length;
                from += 1;
            }
            One::Differs => {
                let Some((after, taken)) = star else {
                    return false;
                };
                star = Some((after, taken + 1));
                (at, from) = (after, taken + 1);
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

/// How the start of a pattern compares with one character.
enum One {
    /// It is a star.
    Star,
    /// It fits, and takes this much of the pattern.
    Fits(usize),
    Differs,
}

fn one(pattern: &[u8], byte: u8) -> One {
    let fits = |fits: bool, length| {
        if fits {
            One::Fits(length)
        } else {
            One::Differs
        }
    };
    match pattern {
        [] => One::Differs,
        [b'*', ..] => One::Star,
        [b'?', ..] => One::Fits(1),
        [b'[', rest @ ..] => match rest.iter().position(|byte| *byte == b']') {
            Some(end) => fits(is_in(&rest[..end], byte), end + 2),
            None => One::Differs,
        },
        [first, ..] => fits(*first == byte, 1),
    }
}

/// Whether `byte` is in a set of single characters and ranges.
fn is_in(mut set: &[u8], byte: u8) -> bool {
    loop {
        set = match set {
            [] => return false,
            [low, b'-', high, ..] if (*low..=*high).contains(&byte) => return true,
            [_, b'-', _, rest @ ..] => rest,
            [only, ..] if *only == byte => return true,
            [_, rest @ ..] => rest,
        }
    }
}

/// For the fuzzer and the smoke run below: any list ends in purposes or an error, any pattern in
/// an answer, and in no more steps than pattern times text.
#[cfg(any(test, fuzzing))]
pub fn fuzz(data: &[u8]) {
    for purpose in purposes(data).into_iter().flatten() {
        assert!(purpose.paths.iter().all(|path| path.starts_with('/')));
        let alias = String::from_utf8_lossy(data).into_owned();
        let _ = purpose.is_needed(&BTreeSet::from([alias]));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_list_says_what_each_machine_needs() {
        let list = b"# root\n/m/a.ko /m/b.ko\n\npci:v00008086d*  /m/dca.ko /m/igb.ko\n";
        let purposes = purposes(list).unwrap();
        assert_eq!(purposes[0].paths, ["/m/a.ko", "/m/b.ko"]);
        assert_eq!(purposes[1].paths, ["/m/dca.ko", "/m/igb.ko"]);
        let machine = |devices: &[&str]| devices.iter().map(|&device| device.into()).collect();
        for (devices, network) in [
            (&[][..], false),
            (&["acpi:X"], false),
            (&["acpi:X", "pci:v00008086d00001521sv0"], true),
        ] {
            assert!(purposes[0].is_needed(&machine(devices)));
            assert_eq!(purposes[1].is_needed(&machine(devices)), network);
        }
    }

    #[test]
    fn what_is_no_list_is_refused() {
        use ModulesError::{Line, NotText, TooLong};
        let found = MODULE_LIST_BYTES_MAX + 1;
        for (list, error) in [
            (b"/m/a.ko\npci:v1".as_slice(), Line { line: 2 }),
            (b"pci:v1 m/a.ko", Line { line: 1 }),
            (b"/m/a.ko b.ko", Line { line: 1 }),
            (b"/\xff", NotText),
            (&vec![b'\n'; found], TooLong { found }),
        ] {
            assert_eq!(purposes(list), Err(error));
        }
    }

    #[test]
    fn patterns_match_as_a_shell_matches_them() {
        let virtio = "pci:v00001AF4d00001042sv00001AF4sd00001100bc01sc00i00";
        for (pattern, text, expected) in [
            ("pci:v00001AF4d*sv*sd*bc*sc*i*", virtio, true),
            ("pci:v00001AF5d*sv*sd*bc*sc*i*", virtio, false),
            ("pci:v*d*sv*sd*bc01sc00i*", virtio, true),
            ("pci:v*d*sv*sd*bc01sc06i01*", virtio, false),
            ("*", "", true),
            ("", "", true),
            ("", "x", false),
            ("a*b*c", "abbc", true),
            ("a*b*c", "abbcd", false),
            ("usb:d[0-9][0-9A]?", "usb:d1Ax", true),
            ("usb:d[0-9]", "usb:dA", false),
            ("usb:d[0-9", "usb:d0", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    proptest! {
        #[test]
        fn a_text_matches_itself_and_itself_with_holes(
            text in "[a-zA-Z0-9:]{1,30}", holes in proptest::collection::vec(0_usize..30, 0..4)
        ) {
            prop_assert!(matches(&text, &text));
            let mut pattern: Vec<char> = text.chars().collect();
            for hole in holes {
                let at = hole % pattern.len();
                pattern[at] = '*';
            }
            let pattern: String = pattern.into_iter().collect();
            prop_assert!(matches(&pattern, &text), "{}", pattern);
        }

        #[test]
        fn fuzz_smoke(data: Vec<u8>, lines in "([a-c*?\\[\\]-]{0,8} ?/[/a-z.# ]{0,12}\n){0,9}") {
            fuzz(&data);
            fuzz(lines.as_bytes());
        }
    }
}
