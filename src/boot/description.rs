//! A slot's description: what the boot loader knows of it before it starts anything.
//!
//! `slot.cfg` lies signed beside kernel and initramfs. GRUB runs it as a script, so it consists of
//! `set` lines only:
//!
//! ```text
//! set slot_version="0.3.0"
//! set slot_built=1764000000
//! set slot_sequence=17
//! set slot_epoch=1
//! set slot_root=64 hexadecimal digits
//! set slot_salt=2 to 64 hexadecimal digits
//! set slot_blocks=9000
//! set slot_channel=release
//! set slot_profile=hardware
//! ```
//!
//! Further keys that begin with `slot_` are those of a newer version, and left alone.

use crate::domain::Text;
use crate::domain::limits::{SEQUENCE_MAX, VERSION_BYTES_MAX};
use crate::domain::sizing::Profile;

use super::pairs::{self, Pairs, PairsError, decimal, required};
use super::release::Channel;
use super::verity::Verity;

/// What a slot holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// As people read it.
    pub version: Text<VERSION_BYTES_MAX>,
    /// When it was built, in seconds since 1970.
    pub built: u64,
    /// Higher is newer; up to [`SEQUENCE_MAX`].
    pub sequence: u32,
    /// An appliance that confirmed a higher one does not go back to this.
    pub security_epoch: u32,
    /// How its root is checked.
    pub verity: Verity,
    /// Whom it is meant for.
    pub channel: Channel,
    /// What it runs on.
    pub profile: Profile,
}

impl Description {
    /// Reads a file.
    pub fn decode(bytes: &[u8]) -> Result<Self, PairsError> {
        let mut pairs = Pairs::new();
        for (line, text) in (1..).zip(pairs::limited(bytes)?.lines()) {
            if pairs::is_silent(text) {
                continue;
            }
            let pair = setting(text).ok_or(PairsError::Line { line })?;
            pairs::add(&mut pairs, line, pair)?;
        }
        let number = |text: &str| {
            decimal(text)?
                .try_into()
                .ok()
                .filter(|n| *n <= SEQUENCE_MAX)
        };
        let text = |text: &str| Text::try_from(text).ok().filter(|text| !text.is_empty());
        Ok(Self {
            version: required(&pairs, "slot_version", text)?,
            built: required(&pairs, "slot_built", decimal)?,
            sequence: required(&pairs, "slot_sequence", number)?,
            security_epoch: required(&pairs, "slot_epoch", number)?,
            verity: Verity {
                root: required(&pairs, "slot_root", |text| text.parse().ok())?,
                salt: required(&pairs, "slot_salt", |text| text.parse().ok())?,
                blocks: required(&pairs, "slot_blocks", Verity::block_count)?,
            },
            channel: required(&pairs, "slot_channel", |text| text.parse().ok())?,
            profile: required(&pairs, "slot_profile", |text| text.parse().ok())?,
        })
    }
}

/// Key and value of a `set` line that means the same to GRUB's shell.
fn setting(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.strip_prefix("set ")?.split_once('=')?;
    let bare = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(value);
    // Nothing that a shell would take apart or put something in the place of.
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._:+~-".contains(&b);
    (key.starts_with("slot_") && bare.bytes().all(plain)).then_some((key, bare))
}

/// For the fuzzer and the smoke run below: what was read keeps to its limits.
#[cfg(any(test, fuzzing))]
pub fn fuzz(data: &[u8]) {
    if let Ok(description) = Description::decode(data) {
        assert!(description.sequence <= SEQUENCE_MAX && description.security_epoch <= SEQUENCE_MAX);
        assert!(description.verity.bytes() > description.verity.blocks);
        assert!(!description.version.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file() -> String {
        format!(
            "# Slot A\nset slot_version=\"0.3.0\"\nset slot_built=1764000000\nset slot_sequence=17\n\
             set slot_epoch=1\nset slot_root={}\nset slot_salt=00ff\nset slot_blocks=9000\n\
             set slot_channel=development\nset slot_profile=va-s\nset slot_later=1\n",
            "ab".repeat(32)
        )
    }

    fn tampered(from: &str, to: &str) -> Result<Description, PairsError> {
        Description::decode(file().replace(from, to).as_bytes())
    }

    #[test]
    fn a_description_is_read_whole() {
        let read = Description::decode(file().as_bytes()).unwrap();
        assert_eq!(read.version.as_str(), "0.3.0");
        assert_eq!(
            (read.built, read.sequence, read.security_epoch),
            (1_764_000_000, 17, 1)
        );
        assert_eq!(read.verity.blocks, 9_000);
        assert_eq!(read.channel, Channel::Development);
        assert_eq!(read.profile.to_string(), "va-s");
    }

    #[test]
    fn every_line_is_needed() {
        for key in [
            "version", "built", "sequence", "epoch", "root", "salt", "blocks", "channel", "profile",
        ] {
            let error = tampered(&format!("set slot_{key}="), "set slot_x=");
            assert!(
                matches!(error, Err(PairsError::Missing { .. })),
                "{key}: {error:?}"
            );
        }
    }

    #[test]
    fn a_line_that_grub_would_take_otherwise_is_refused() {
        for line in [
            "slot_version=1",
            "set slot_version=$x",
            "set slot_version=1; reboot",
            "set slot_version='1'",
            "set slot_version=\"1",
            "set root=hd1",
            "insmod x",
            " set slot_version=1",
        ] {
            let error = tampered("set slot_version=\"0.3.0\"", line);
            assert_eq!(error, Err(PairsError::Line { line: 2 }), "{line}");
        }
        for (from, to) in [
            ("=17", "=017"),
            ("=17", "=2147483648"),
            ("=9000", "=1"),
            ("=va-s", "=va"),
            ("\"0.3.0\"", ""),
        ] {
            let error = tampered(from, to);
            assert!(
                matches!(error, Err(PairsError::Value { .. })),
                "{to}: {error:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn fuzz_smoke(data: Vec<u8>, at in 0_usize..500, lines in "(set slot_[a-z]{0,8}=[\" a-z0-9]{0,9}\n){0,9}") {
            fuzz(&data);
            fuzz(lines.as_bytes());
            let mut mixed = file().into_bytes();
            let at = at.min(mixed.len());
            mixed.splice(at..at, data);
            fuzz(&mixed);
        }
    }
}
