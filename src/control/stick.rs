//! Updates on the USB sticks in a machine, as the supervisor finds them and the update agent judges
//! them. What is on a stick may be anything: names are shown, and nothing else of a file is believed.

use serde::{Deserialize, Serialize};

use super::machine::Notice;
use super::update::Verdict;
use crate::domain::limits::{STICK_UPDATES_MAX, STICKS_MAX};
use crate::domain::{Label, Text};

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sticks {
    /// Every stick that could be looked at, in plain words.
    pub sticks: heapless::Vec<Label, STICKS_MAX>,
    /// The updates on them, newest first.
    pub updates: heapless::Vec<StickUpdate, STICK_UPDATES_MAX>,
    /// What could not be looked at, and why.
    pub trouble: Option<Notice>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StickUpdate {
    /// Which.
    pub file: StickFile,
    /// Its length.
    pub bytes: u64,
    /// What installing it would mean.
    pub worth: Worth,
}

/// Where a file is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StickFile {
    /// The stick's partition, as the kernel calls it.
    pub device: Text<16>,
    /// In its first folder.
    pub name: Label,
}

/// What installing a file would mean.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "worth", rename_all = "snake_case", deny_unknown_fields)]
pub enum Worth {
    /// The update agent believes it. Of its notes, the first line is here.
    Judged {
        /// The agent's word.
        verdict: Box<Verdict>,
    },
    /// It is no update for this appliance.
    Unfit {
        /// Why not.
        why: Notice,
    },
}

impl Worth {
    /// Higher is newer; nothing for what cannot be told.
    pub fn sequence(&self) -> Option<u32> {
        match self {
            Self::Judged { verdict } => Some(verdict.offer.sequence),
            Self::Unfit { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::machine::{Channel, Reply, notice};
    use super::super::update::{Accept, Expired, Offer};
    use super::super::wire;
    use super::*;
    use crate::domain::limits::NOTES_LINE_CHARS_MAX;
    use crate::domain::text::label;
    use crate::domain::{Model, Stamp};

    #[test]
    fn the_longest_list_fits_a_message_and_is_read_as_it_was_written() {
        // What JSON takes most bytes for.
        let long = "\u{1f980}".repeat(200);
        let role = Text::try_from("r".repeat(16).as_str()).unwrap();
        let since = Stamp(i64::MIN);
        let verdict = Verdict {
            offer: Offer {
                version: Text::try_from("v".repeat(32).as_str()).unwrap(),
                sequence: u32::MAX,
                model: Model::B200,
                channel: Channel::Development,
                built: since,
                notes: "\u{1}".repeat(NOTES_LINE_CHARS_MAX),
                bytes: u64::MAX,
                failed_before: false,
            },
            needs: Accept::default(),
            expired: (0..4)
                .map(|_| Expired {
                    role: role.clone(),
                    since,
                })
                .collect(),
            refused: Some(notice(&long)),
        };
        let update = StickUpdate {
            file: StickFile {
                device: role,
                name: label(&long),
            },
            bytes: u64::MAX,
            worth: Worth::Judged {
                verdict: Box::new(verdict),
            },
        };
        let found = Sticks {
            sticks: (0..STICKS_MAX).map(|_| label(&long)).collect(),
            updates: (0..STICK_UPDATES_MAX).map(|_| update.clone()).collect(),
            trouble: Some(notice(&long)),
        };
        let said = wire::encode(&Reply::Sticks(Box::new(found.clone()))).unwrap();
        let Ok(Some(Reply::Sticks(read))) = wire::read(&mut &said[..]) else {
            panic!("another answer");
        };
        assert_eq!(*read, found);
    }
}
