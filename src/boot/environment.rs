//! GRUB's environment block: what boot loader and running system tell each other.
//!
//! A file of exactly [`ENVIRONMENT_BYTES`]: a first line that names it, `key=value` lines, and `#`
//! up to the end (GRUB 2.12, `grub-core/lib/envblk.c`). It can neither grow nor shrink, because the
//! boot loader writes it sector by sector where it lies.
//!
//! The keys that this appliance uses: `a_left`, `b_left` (tries of a slot; absent counts as
//! [`TRIES`]), `a_good`, `b_good` (`1` once a health gate passed), `trial` (`a` or `b`: goes first
//! while it has tries) and `stamp`. Others are kept as they are.

use crate::domain::limits::{ENVIRONMENT_BYTES, ENVIRONMENT_USED_BYTES_MAX, TRIES};

use super::{BootStamp, System};

const SIGNATURE: &str = "# GRUB Environment Block\n";
const PADDING: u8 = b'#';

/// Keys and values, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    values: Vec<(String, String)>,
}

/// Why bytes are no environment block, or values do not fit into one.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvironmentError {
    /// Cut off, or another file.
    #[error("{found} bytes, an environment block has {ENVIRONMENT_BYTES}")]
    Length {
        /// What was found.
        found: usize,
    },
    /// The first line is not the one that names the format.
    #[error("no environment block: the first line is another one")]
    Signature,
    /// A line without an end, without `=`, or with a character that we never write.
    #[error("no 'key=value' at byte {at}")]
    Line {
        /// Where the line begins.
        at: usize,
    },
    /// Which of the two counts would be a guess.
    #[error("'{key}' stands there twice")]
    Twice {
        /// The key.
        key: String,
    },
    /// A key or value that cannot be told from the file's own marks.
    #[error("'{key}={value}' cannot be written")]
    Unwritable {
        /// The key.
        key: String,
        /// The value.
        value: String,
    },
    /// One sector is written whole or not at all; what is longer could be torn by a power cut.
    #[error("{bytes} bytes of values, {ENVIRONMENT_USED_BYTES_MAX} fit the first sector")]
    Full {
        /// What it would take.
        bytes: usize,
    },
}

impl Environment {
    /// Reads a file.
    pub fn decode(bytes: &[u8]) -> Result<Self, EnvironmentError> {
        let found = bytes.len();
        if found != ENVIRONMENT_BYTES {
            return Err(EnvironmentError::Length { found });
        }
        let signature = SIGNATURE.as_bytes();
        let Some(mut rest) = bytes.strip_prefix(signature) else {
            return Err(EnvironmentError::Signature);
        };
        let mut environment = Self::default();
        while rest.iter().any(|byte| *byte != PADDING) {
            let at = ENVIRONMENT_BYTES - rest.len();
            let end = rest.iter().position(|byte| *byte == b'\n');
            let (line, after) = rest.split_at(end.ok_or(EnvironmentError::Line { at })?);
            rest = &after[1..];
            // GRUB's own tool warns in a comment not to edit the file.
            if line.first() != Some(&PADDING) {
                environment.take_line(line, at)?;
            }
        }
        Ok(environment)
    }

    fn take_line(&mut self, line: &[u8], at: usize) -> Result<(), EnvironmentError> {
        let text = str::from_utf8(line).ok();
        let (key, value) = text
            .and_then(|text| text.split_once('='))
            .filter(|(key, value)| is_key(key) && is_value(value))
            .ok_or(EnvironmentError::Line { at })?;
        if self.value(key).is_some() {
            return Err(EnvironmentError::Twice { key: key.into() });
        }
        self.values.push((key.into(), value.into()));
        Ok(())
    }

    /// The bytes of a file.
    ///
    /// # Errors
    ///
    /// [`EnvironmentError::Full`] above [`ENVIRONMENT_USED_BYTES_MAX`].
    pub fn encode(&self) -> Result<[u8; ENVIRONMENT_BYTES], EnvironmentError> {
        let mut text = String::from(SIGNATURE);
        for (key, value) in &self.values {
            text.extend([key, "=", value, "\n"]);
        }
        let bytes = text.len();
        if bytes > ENVIRONMENT_USED_BYTES_MAX {
            return Err(EnvironmentError::Full { bytes });
        }
        let mut block = [PADDING; ENVIRONMENT_BYTES];
        block[..bytes].copy_from_slice(text.as_bytes());
        Ok(block)
    }

    /// The value of `key`.
    pub fn value(&self, key: &str) -> Option<&str> {
        let found = self.values.iter().find(|(known, _)| known == key);
        found.map(|(_, value)| value.as_str())
    }

    /// Replaces or adds a value.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), EnvironmentError> {
        if !is_key(key) || !is_value(value) {
            let (key, value) = (key.into(), value.into());
            return Err(EnvironmentError::Unwritable { key, value });
        }
        match self.values.iter_mut().find(|(known, _)| known == key) {
            Some((_, old)) => value.clone_into(old),
            None => self.values.push((key.into(), value.into())),
        }
        Ok(())
    }

    /// Takes a value away.
    pub fn unset(&mut self, key: &str) {
        self.values.retain(|(known, _)| known != key);
    }

    /// Tries that `system` has left. What is absent or makes no sense counts as [`TRIES`]: a slot
    /// is not given up because of a damaged file.
    pub fn tries_left(&self, system: System) -> u8 {
        let value = self.value(&format!("{system}_left"));
        let left = value.and_then(|value| value.parse().ok());
        left.filter(|left| *left <= TRIES).unwrap_or(TRIES)
    }

    /// Whether `system` once passed its health gate.
    pub fn is_good(&self, system: System) -> bool {
        self.value(&format!("{system}_good")) == Some("1")
    }

    /// The slot that an update asked to be tried.
    pub fn trial(&self) -> Option<System> {
        let value = self.value("trial")?;
        System::ALL
            .into_iter()
            .find(|system| system.letter() == value)
    }

    /// What the boot loader left when it last booted from this disk.
    pub fn stamp(&self) -> Option<BootStamp> {
        self.value("stamp")?.parse().ok()
    }

    /// What the health gate says of the running `system`: all its tries are back, it is good, and
    /// no longer on trial.
    pub fn confirm(&mut self, system: System) -> Result<(), EnvironmentError> {
        self.set(&format!("{system}_left"), &TRIES.to_string())?;
        self.set(&format!("{system}_good"), "1")?;
        if self.trial() == Some(system) {
            self.unset("trial");
        }
        Ok(())
    }
}

/// What GRUB takes as a variable's name.
fn is_key(key: &str) -> bool {
    let starts = key
        .bytes()
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_');
    starts && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Printable, and nothing that GRUB escapes by a backslash.
fn is_value(value: &str) -> bool {
    value
        .bytes()
        .all(|b| (b.is_ascii_graphic() || b == b' ') && b != b'\\')
}

/// For the fuzzer and the smoke run below: what was read can be asked, and is read again after it
/// was written.
#[cfg(any(test, fuzzing))]
pub fn fuzz(data: &[u8]) {
    let Ok(environment) = Environment::decode(data) else {
        return;
    };
    for system in System::ALL {
        assert!(environment.tries_left(system) <= TRIES);
    }
    if let Ok(block) = environment.encode() {
        assert_eq!(Environment::decode(&block), Ok(environment));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn block(lines: &str) -> Vec<u8> {
        let mut block = format!("{SIGNATURE}{lines}").into_bytes();
        block.resize(ENVIRONMENT_BYTES, PADDING);
        block
    }

    #[test]
    fn a_block_as_grub_writes_it_is_understood() {
        let made_by_grub = block(
            "# WARNING: Do not edit this file by tools other than grub-editenv!!!\n\
             a_left=2\nb_left=0\na_good=1\ntrial=b\nstamp=2026-11-22_19:01:07\nother=kept as it is\n",
        );
        let environment = Environment::decode(&made_by_grub).unwrap();
        assert_eq!(environment.tries_left(System::A), 2);
        assert_eq!(environment.tries_left(System::B), 0);
        assert!(environment.is_good(System::A) && !environment.is_good(System::B));
        assert_eq!(environment.trial(), Some(System::B));
        assert_eq!(
            environment.stamp().unwrap().to_string(),
            "2026-11-22_19:01:07"
        );
        assert_eq!(environment.value("other"), Some("kept as it is"));
        assert_eq!(Environment::decode(&block("")), Ok(Environment::default()));
    }

    #[test]
    fn what_is_damaged_is_refused_and_says_where() {
        use EnvironmentError::{Length, Line, Signature, Twice};
        let at = SIGNATURE.len();
        for (damaged, error) in [
            (vec![], Length { found: 0 }),
            (block("")[..1023].to_vec(), Length { found: 1023 }),
            (vec![0; ENVIRONMENT_BYTES], Signature),
            (block("a_left"), Line { at }),
            (block("a_left=2"), Line { at }),
            (block("a_good=1\n=2\n"), Line { at: at + 9 }),
            (block("1a=2\n"), Line { at }),
            (block("a=\u{fc}\n"), Line { at }),
            (block("a=\\\\\n"), Line { at }),
            (block("a=1\nb=2\na=3\n"), Twice { key: "a".into() }),
        ] {
            assert_eq!(Environment::decode(&damaged), Err(error));
        }
    }

    #[test]
    fn a_count_that_makes_no_sense_gives_no_slot_up() {
        for odd in ["", "4", "-1", "x", "00000000000000000000"] {
            let mut environment = Environment::default();
            environment.set("a_left", odd).unwrap();
            let expected = if odd.starts_with("00") { 0 } else { TRIES };
            assert_eq!(environment.tries_left(System::A), expected, "{odd:?}");
        }
        assert_eq!(Environment::default().tries_left(System::B), TRIES);
    }

    #[test]
    fn a_slot_that_passed_its_gate_has_all_tries_and_is_no_trial() {
        let mut environment =
            Environment::decode(&block("a_left=0\nb_left=1\ntrial=b\nstamp=1\n")).unwrap();
        environment.confirm(System::B).unwrap();
        assert_eq!(environment.tries_left(System::B), TRIES);
        assert!(environment.is_good(System::B));
        assert_eq!(environment.trial(), None);
        assert_eq!(environment.tries_left(System::A), 0);
        assert_eq!(environment.value("stamp"), Some("1"));
    }

    #[test]
    fn only_what_fits_one_sector_is_written() {
        let mut environment = Environment::default();
        let room = ENVIRONMENT_USED_BYTES_MAX - SIGNATURE.len() - "k=\n".len();
        environment.set("k", &"v".repeat(room)).unwrap();
        assert!(environment.encode().is_ok());
        environment.set("k", &"v".repeat(room + 1)).unwrap();
        let bytes = ENVIRONMENT_USED_BYTES_MAX + 1;
        assert_eq!(environment.encode(), Err(EnvironmentError::Full { bytes }));
        for (key, value) in [
            ("a b", "1"),
            ("", "1"),
            ("#", "1"),
            ("a", "1\n2"),
            ("a", "\\"),
        ] {
            assert!(environment.set(key, value).is_err(), "{key}={value}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            values in proptest::collection::btree_map("[a-z_][a-z0-9_]{0,8}", "[ -\\[\\]-~]{0,20}", 0..12)
        ) {
            let mut environment = Environment::default();
            for (key, value) in &values {
                environment.set(key, value).unwrap();
            }
            prop_assert_eq!(Environment::decode(&environment.encode().unwrap()), Ok(environment));
        }

        #[test]
        fn fuzz_smoke(
            lines in "([a-z_=0-9#]{0,12}\n){0,8}", data: Vec<u8>, at in 0..ENVIRONMENT_BYTES, flip: u8
        ) {
            fuzz(&data);
            let mut damaged = block(&lines);
            fuzz(&damaged);
            damaged[at] ^= flip;
            fuzz(&damaged);
        }
    }
}
