//! What the boot loader tells `init`: the kernel's command line.
//!
//! ```text
//! jumpgate.slot=a jumpgate.root=HASH jumpgate.salt=HEX jumpgate.blocks=N
//! jumpgate.esp=GUID jumpgate.stamp=STAMP
//! ```
//!
//! On an installation stick it is `jumpgate.slot=install`, and the hash is of what it brings.
//!
//! Other words are the kernel's. Other words of ours are those of a newer boot loader, which older
//! slots have to live with.

use crate::domain::limits::COMMAND_LINE_BYTES_MAX;

use super::{BootStamp, Guid, Slot, Verity};

/// How ours begin.
const PREFIX: &str = "jumpgate.";
/// What stands for a stamp that could not be written to the disk.
const NO_STAMP: &str = "none";
/// What stands for a slot on an installation stick.
const INSTALL: &str = "install";

/// What was booted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// What it is.
    pub start: Start,
    /// How its root, or what the stick brings, is checked.
    pub verity: Verity,
    /// The EFI partition that the boot loader came from.
    pub esp: Guid,
    /// What it wrote there, unless it could not.
    pub stamp: Option<BootStamp>,
}

/// What `init` is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Bring this slot up.
    Slot(Slot),
    /// Write the appliance to a disk.
    Install,
}

/// Why a command line does not say what was booted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandLineError {
    /// Longer than the kernel takes.
    #[error("{found} bytes, a command line has up to {COMMAND_LINE_BYTES_MAX}")]
    TooLong {
        /// What was found.
        found: usize,
    },
    /// Not by our boot loader.
    #[error("'{PREFIX}{key}' is missing")]
    Missing {
        /// The rest of the word.
        key: &'static str,
    },
    /// Somebody added to what the boot loader said.
    #[error("'{PREFIX}{key}' stands there twice")]
    Twice {
        /// The rest of the word.
        key: &'static str,
    },
    /// A value that cannot be.
    #[error("'{PREFIX}{key}' cannot be '{value}'")]
    Value {
        /// The rest of the word.
        key: &'static str,
        /// What was found.
        value: String,
    },
}

impl CommandLine {
    /// Reads a command line; a line end is the file's, not the line's.
    pub fn decode(text: &str) -> Result<Self, CommandLineError> {
        let found = text.len();
        if found > COMMAND_LINE_BYTES_MAX {
            return Err(CommandLineError::TooLong { found });
        }
        Ok(Self {
            start: word(text, "slot", |value| match value {
                INSTALL => Some(Start::Install),
                value => value.parse().ok().map(Start::Slot),
            })?,
            verity: Verity {
                root: word(text, "root", |value| value.parse().ok())?,
                salt: word(text, "salt", |value| value.parse().ok())?,
                blocks: word(text, "blocks", Verity::block_count)?,
            },
            esp: word(text, "esp", |value| value.parse().ok())?,
            stamp: word(text, "stamp", |value| match value {
                NO_STAMP => Some(None),
                value => value.parse().ok().map(Some),
            })?,
        })
    }
}

/// What `read` makes of the only word `jumpgate.KEY=VALUE`.
fn word<T>(
    text: &str,
    key: &'static str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<T, CommandLineError> {
    let mut values = text.split_ascii_whitespace().filter_map(|word| {
        let (name, value) = word.strip_prefix(PREFIX)?.split_once('=')?;
        (name == key).then_some(value)
    });
    let value = values.next().ok_or(CommandLineError::Missing { key })?;
    if values.next().is_some() {
        return Err(CommandLineError::Twice { key });
    }
    read(value).ok_or_else(|| CommandLineError::Value {
        key,
        value: value.to_owned(),
    })
}

/// For the fuzzer and the smoke run below: any text ends in a value or an error.
#[cfg(any(test, fuzzing))]
pub fn fuzz(data: &[u8]) {
    if let Ok(text) = str::from_utf8(data) {
        let _ = CommandLine::decode(text);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::System;
    use super::*;

    fn line() -> String {
        format!(
            "BOOT_IMAGE=/jumpgate/b/kernel console=ttyS0,115200 panic=5 jumpgate.slot=b \
             jumpgate.root={} jumpgate.salt=00ff jumpgate.blocks=9000 jumpgate.later=1 \
             jumpgate.esp=2B0B1A9C-55AA-8A11-9C00-0123456789AB jumpgate.stamp=2026-11-22_19:01:07\n",
            "ab".repeat(32)
        )
    }

    fn tampered(from: &str, to: &str) -> Result<CommandLine, CommandLineError> {
        CommandLine::decode(&line().replace(from, to))
    }

    #[test]
    fn what_the_boot_loader_says_is_understood() {
        let read = CommandLine::decode(&line()).unwrap();
        assert_eq!(read.start, Start::Slot(Slot::System(System::B)));
        assert_eq!(read.verity.blocks, 9_000);
        assert_eq!(read.esp.to_string(), "2b0b1a9c-55aa-8a11-9c00-0123456789ab");
        assert_eq!(read.stamp.unwrap().to_string(), "2026-11-22_19:01:07");
        let without = tampered("stamp=2026-11-22_19:01:07", "stamp=none").unwrap();
        assert_eq!(without.stamp, None);
        let stick = tampered("slot=b", "slot=install").unwrap();
        assert_eq!(stick.start, Start::Install);
    }

    #[test]
    fn every_word_is_needed_once_and_has_to_make_sense() {
        use CommandLineError::{Missing, TooLong, Twice, Value};
        for key in ["slot", "root", "salt", "blocks", "esp", "stamp"] {
            let error = tampered(&format!("jumpgate.{key}="), "x.y=");
            assert_eq!(error, Err(Missing { key }));
            let again = format!("jumpgate.{key}=1 jumpgate.{key}=");
            assert_eq!(
                tampered(&format!("jumpgate.{key}="), &again),
                Err(Twice { key })
            );
            let value = String::from("/");
            let wrong = format!("jumpgate.{key}=/ x=");
            let error = tampered(&format!("jumpgate.{key}="), &wrong);
            assert_eq!(error, Err(Value { key, value }));
        }
        let found = COMMAND_LINE_BYTES_MAX + 1;
        assert_eq!(
            CommandLine::decode(&" ".repeat(found)),
            Err(TooLong { found })
        );
    }

    proptest! {
        #[test]
        fn fuzz_smoke(data: Vec<u8>, words in "(jumpgate\\.(slot|root|esp|stamp)=[a-f0-9-]{0,40} ){0,8}") {
            fuzz(&data);
            fuzz(words.as_bytes());
            fuzz(&[line().into_bytes(), data].concat());
        }
    }
}
