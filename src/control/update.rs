//! What can be asked of the update agent: its own socket, for web and for root.
//!
//! ```text
//! web, appliancectl, supervisor (a stick) ─> Request, then a file's bytes ─> update-agent verify
//!                                         <─ Reply                        <─
//! ```
//!
//! Framed like everything else in [`super`]. Whoever connects can only hand in bytes and ask for what
//! a page offers; what is installed is what was signed.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::machine::{Channel, Notice, System};
use crate::domain::limits::{UPDATE_KEYS_MAX, UPDATE_SOURCE_BYTES_MAX, VERSION_BYTES_MAX};
use crate::domain::token::Fingerprint;
use crate::domain::{AccountName, Model, PeerAddress, Stamp, Text};

/// A version as people read it.
pub type Version = Text<VERSION_BYTES_MAX>;

/// One question or order.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// Where everything stands. Answer: [`Reply::Status`].
    Status,
    /// What would be installed by a file of which the first `bytes` follow (everything before the
    /// payload). Nothing is written. Answer: [`Reply::Verdict`].
    Examine {
        /// That follow.
        bytes: u32,
    },
    /// Install the file of `bytes` that follows. Answer: [`Reply::Done`] when it is ready to be
    /// started; how far it is shows in the status.
    Install {
        /// Who wants it.
        who: Who,
        /// That follow.
        bytes: u64,
        /// What he was told about it.
        #[serde(default)]
        accept: Accept,
    },
    /// Look for a newer version at the source. Answer: [`Reply::Done`] when it is known.
    Check {
        /// Who wants to know.
        who: Who,
    },
    /// Install the version that the last check found. Answer as to [`Request::Install`].
    InstallOffered {
        /// Who wants it.
        who: Who,
    },
    /// When to start the version that is ready. Answer: [`Reply::Done`].
    Restart {
        /// Who decided.
        who: Who,
        /// When.
        when: When,
    },
    /// Keep these settings. Answer: [`Reply::Done`].
    Set {
        /// Who decided.
        who: Who,
        /// All of them.
        settings: Settings,
    },
}

/// One answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "snake_case")]
pub enum Reply {
    /// It is done.
    Done,
    /// To [`Request::Status`].
    Status(Box<Status>),
    /// To [`Request::Examine`].
    Verdict(Box<Verdict>),
    /// Not done; the words are for a person.
    Refused {
        /// What was wrong and what to do about it.
        why: Notice,
    },
}

/// On whose behalf. Web says who signed in from where; at the machine it is whoever stands there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Who {
    /// Who signed in; nobody at the machine, and when the appliance acts on its own.
    pub account: Option<AccountName>,
    /// From where.
    pub address: Option<PeerAddress>,
    /// By which way it came.
    pub way: Way,
}

/// By which way an order or a file came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// The administration pages.
    Page,
    /// `appliancectl`.
    #[default]
    CommandLine,
    /// A stick in the machine, chosen at its console.
    Stick,
    /// The machine's console.
    Console,
    /// The appliance, by its settings.
    Schedule,
}

/// What has to be confirmed before such an update is installed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accept {
    /// An older version than the running one, or the same.
    #[serde(default)]
    pub older: bool,
    /// Metadata whose time is over, or a clock that nobody confirmed.
    #[serde(default)]
    pub expired: bool,
}

impl Accept {
    /// Whether everything that `needed` names is confirmed.
    pub fn covers(self, needed: Self) -> bool {
        (self.older || !needed.older) && (self.expired || !needed.expired)
    }
}

/// What is known of an update before anything of it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// What it brings.
    pub offer: Offer,
    /// What a person has to confirm.
    pub needs: Accept,
    /// Which roles' time is over, and since when.
    pub expired: heapless::Vec<Expired, 4>,
    /// Why it is not installed whatever is confirmed.
    pub refused: Option<Notice>,
}

/// Metadata whose time is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expired {
    /// Which role's.
    pub role: Text<16>,
    /// Since when.
    pub since: Stamp,
}

/// A version that can be installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// As people read it.
    pub version: Version,
    /// Higher is newer.
    pub sequence: u32,
    /// What it runs on.
    pub model: Model,
    /// Whom it is meant for.
    pub channel: Channel,
    /// When it was built.
    pub built: Stamp,
    /// What is new, in lines of plain text.
    pub notes: String,
    /// Of its payload.
    pub bytes: u64,
    /// It was tried before and did not prove itself: never installed without a person.
    pub failed_before: bool,
}

/// When the version that is ready is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "when", rename_all = "snake_case", deny_unknown_fields)]
pub enum When {
    /// At once; sessions are warned a moment before.
    Now,
    /// Then.
    At {
        /// UTC.
        at: Stamp,
    },
    /// When the weekly window opens.
    Window,
    /// Not until somebody says so.
    Later,
}

/// What the appliance does on its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Automatic {
    /// Nothing.
    Off,
    /// It fetches new versions; a person starts them.
    Download,
    /// It fetches new versions and starts them when the window opens.
    #[default]
    Install,
}

/// What an administrator decides about updates.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What happens without anybody.
    pub automatic: Automatic,
    /// When versions are started without anybody.
    pub window: Window,
    /// Which line of versions.
    pub line: Line,
    /// Where versions come from, `https://…/`; the image's own source if absent.
    pub source: Option<Text<UPDATE_SOURCE_BYTES_MAX>>,
}

/// Which line of versions an appliance follows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// Proven elsewhere before.
    #[default]
    Stable,
    /// As soon as they are there.
    Early,
}

impl fmt::Display for Line {
    /// As the repository calls it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stable => "stable",
            Self::Early => "early",
        })
    }
}

/// A time of the week, every week, for two hours. UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// 0 is Monday, 6 Sunday; every day if absent.
    pub day: Option<u8>,
    /// Minutes after midnight at which it opens.
    pub minute: u16,
}

impl Default for Window {
    /// Every night at 02:00.
    fn default() -> Self {
        Self {
            day: None,
            minute: 120,
        }
    }
}

/// Where everything stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// What goes on.
    pub phase: Phase,
    /// What the last check found that is newer.
    pub offer: Option<Offer>,
    /// The last look at the source.
    pub checked: Option<Checked>,
    /// What was decided.
    pub settings: Settings,
    /// Where versions come from now; none if nobody said.
    pub source: Option<Text<UPDATE_SOURCE_BYTES_MAX>>,
    /// What happened, newest first, at most [`UPDATE_HISTORY_SHOWN_MAX`](crate::domain::limits::UPDATE_HISTORY_SHOWN_MAX).
    pub history: Vec<Happened>,
    /// Version of the root of trust.
    pub root_version: u64,
    /// What a version must have at least.
    pub security_epoch: u32,
    /// Why no update can be installed now, and what to do about it.
    pub blocked: Option<Notice>,
    /// What is new in the version that runs, if an update brought it and it proved itself.
    #[serde(default)]
    pub news: Option<News>,
}

/// What is new in a version, as its signed manifest says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct News {
    /// Which.
    pub version: Version,
    /// In lines of plain text.
    pub notes: String,
}

/// A look at the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checked {
    /// When.
    pub at: Stamp,
    /// What went wrong, if it did.
    pub trouble: Option<Notice>,
}

/// What goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case", deny_unknown_fields)]
pub enum Phase {
    /// Nothing.
    Idle,
    /// The source is asked.
    Checking,
    /// A version comes in and is written as it comes.
    Writing {
        /// Which.
        version: Version,
        /// Of the payload, so far.
        bytes: u64,
        /// In all.
        of: u64,
        /// Since it began.
        millis: u64,
    },
    /// What was written is read back and compared.
    ReadingBack {
        /// Which.
        version: Version,
        /// So far.
        bytes: u64,
        /// In all.
        of: u64,
        /// Since that began.
        millis: u64,
    },
    /// A version is complete on the disk, and goes first from the next start on.
    Ready {
        /// Which.
        version: Version,
        /// Where.
        slot: System,
        /// When it is started; none if somebody has to say.
        restart: Option<Stamp>,
    },
    /// It runs and has not proved itself yet.
    Proving {
        /// Which.
        version: Version,
    },
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Happened {
    /// When, by a clock that may have been wrong.
    pub at: Stamp,
    /// On whose behalf.
    pub who: Who,
    /// To which version, if to one.
    pub version: Option<Version>,
    /// From which version.
    pub from: Version,
    /// What.
    pub what: What,
    /// More words, if there are any.
    pub why: Option<Notice>,
    /// SHA-256 of the manifest, which pins every byte of the version.
    pub manifest: Option<Fingerprint>,
    /// Ids of the keys that signed for it.
    pub keys: heapless::Vec<KeyId, UPDATE_KEYS_MAX>,
}

/// Of a key that signs for versions: SHA-256 in digits.
pub type KeyId = Text<64>;

/// What happened to a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// It was refused.
    Refused,
    /// It began to be written.
    Began,
    /// Writing ended early; it can be taken up again.
    Stopped,
    /// It is complete and goes first from the next start on.
    Ready,
    /// The machine restarts into it.
    Restarted,
    /// It proved itself.
    Proved,
    /// It did not, and the version before runs again.
    WentBack,
    /// Settings were changed.
    Set,
}

/// For `tests/fuzz` and the smoke run below: any bytes end in a message or an error, and what was
/// understood can be said again.
#[cfg(any(test, fuzzing))]
pub fn fuzz(data: &[u8]) {
    super::wire::fuzz_message::<Request>(data);
    super::wire::fuzz_message::<Reply>(data);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::control::wire;

    proptest! {
        #[test]
        fn fuzz_smoke(data: Vec<u8>, at: prop::sample::Index, byte: u8, bytes: u64) {
            fuzz(&data);
            let request = Request::Install {
                who: Who::default(),
                bytes,
                accept: Accept::default(),
            };
            let mut said = wire::encode(&request).unwrap();
            fuzz(&said);
            let at = at.index(said.len());
            said[at] = byte;
            fuzz(&said);
            fuzz(&said[..at]);
        }
    }
}
