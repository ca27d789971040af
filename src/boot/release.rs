//! What the image says of itself, in `/etc/jumpgate/release` of the checked root.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::domain::Text;
use crate::domain::limits::{COMMIT_BYTES_MAX, VERSION_BYTES_MAX};
use crate::domain::sizing::Profile;

use super::pairs::{self, PairsError, decimal, required};

/// Whom an image is meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// For trying out: its keys are anybody's. Marked wherever people see it.
    Development,
    /// For customers.
    Release,
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Development => "development",
            Self::Release => "release",
        })
    }
}

/// A word that names no channel.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown channel '{found}', expected development or release")]
pub struct UnknownChannel {
    /// What was written.
    pub found: String,
}

impl FromStr for Channel {
    type Err = UnknownChannel;
    fn from_str(text: &str) -> Result<Self, UnknownChannel> {
        match text {
            "development" => Ok(Self::Development),
            "release" => Ok(Self::Release),
            _ => Err(UnknownChannel {
                found: text.to_owned(),
            }),
        }
    }
}

/// What made an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// From sources, for customers.
    Buildroot,
    /// From another system's packages, for development.
    Debian,
}

impl fmt::Display for Backend {
    /// As scripts write it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Buildroot => "buildroot",
            Self::Debian => "debian",
        })
    }
}

/// The running image. The file holds more lines than these, for people who report a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// As people read it.
    pub version: Text<VERSION_BYTES_MAX>,
    /// When it was built, in seconds since 1970: no clock is right that is before it.
    pub built: u64,
    /// Whom it is meant for.
    pub channel: Channel,
    /// What it runs on.
    pub profile: Profile,
    /// From which state of the sources, if that is known.
    pub commit: Option<Text<COMMIT_BYTES_MAX>>,
    /// What made it, if that is known.
    pub backend: Option<Backend>,
}

impl Release {
    /// Reads the file.
    pub fn decode(bytes: &[u8]) -> Result<Self, PairsError> {
        let pairs = pairs::decode(bytes)?;
        Ok(Self {
            version: required(&pairs, "version", |text| {
                Text::try_from(text).ok().filter(|text| !text.is_empty())
            })?,
            built: required(&pairs, "built", decimal)?,
            channel: required(&pairs, "channel", |text| text.parse().ok())?,
            profile: required(&pairs, "profile", |text| text.parse().ok())?,
            commit: pairs
                .get("commit")
                .and_then(|text| Text::try_from(*text).ok()),
            backend: pairs.get("backend").and_then(|text| backend(text)),
        })
    }
}

fn backend(text: &str) -> Option<Backend> {
    let all = [Backend::Buildroot, Backend::Debian];
    all.into_iter().find(|backend| backend.to_string() == text)
}

/// For the fuzzer and the smoke run below: any bytes end in a value or an error.
#[cfg(any(test, fuzzing))]
pub fn fuzz(data: &[u8]) {
    let _ = Release::decode(data);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::domain::Model;

    use super::*;

    const FILE: &str = "version=0.3.0\nbuilt=1764000000\nsequence=17\nepoch=1\ncommit=0123abc\n\
        channel=development\nprofile=va-m\nbackend=debian\n";

    #[test]
    fn an_image_says_what_it_is() {
        let release = Release::decode(FILE.as_bytes()).unwrap();
        assert_eq!(release.version.as_str(), "0.3.0");
        assert_eq!(release.built, 1_764_000_000);
        assert_eq!(release.channel, Channel::Development);
        assert_eq!(release.profile, Profile::Virtual(Model::VaM));
    }

    #[test]
    fn an_image_that_says_nonsense_is_not_believed() {
        for (from, to) in [
            ("development", "devel"),
            ("va-m", "b300"),
            ("version=0.3.0\n", ""),
            ("1764000000", "yesterday"),
        ] {
            assert!(
                Release::decode(FILE.replace(from, to).as_bytes()).is_err(),
                "{to}"
            );
        }
    }

    proptest! {
        #[test]
        fn fuzz_smoke(data: Vec<u8>, lines in "((version|built|channel|profile)=[a-z0-9.-]{0,12}\n){0,8}") {
            fuzz(&data);
            fuzz(lines.as_bytes());
        }
    }
}
