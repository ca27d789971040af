//! What is remembered about updates: trusted metadata, decisions, the version on its way, and what
//! happened to those before it.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::kept::{Kept, KeptError};
use crate::boot::System;
use crate::control::machine::{Notice, notice};
use crate::control::update::{Happened, KeyId, News, Settings, Version, What, Who};
use crate::domain::limits::{FAILED_VERSIONS_MAX, UPDATE_HISTORY_SHOWN_MAX, UPDATE_KEYS_MAX};
use crate::domain::token::Fingerprint;
use crate::domain::{Stamp, Text};

/// A version on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Of its manifest.
    pub manifest: Fingerprint,
    /// As people read it.
    pub version: Version,
    /// Higher is newer.
    pub sequence: u32,
    /// What is new in it.
    #[serde(default)]
    pub notes: String,
    /// Where it goes.
    pub slot: System,
    /// On whose behalf.
    pub who: Who,
    /// Who signed for it.
    pub keys: heapless::Vec<KeyId, UPDATE_KEYS_MAX>,
    /// From which version.
    pub from: Version,
    /// How far it is.
    pub step: Step,
}

impl Attempt {
    /// Something that happened to it.
    pub fn happened(&self, what: What, why: Option<Notice>, at: Stamp) -> Happened {
        Happened {
            at,
            who: self.who.clone(),
            version: Some(self.version.clone()),
            from: self.from.clone(),
            what,
            why,
            manifest: Some(self.manifest),
            keys: self.keys.clone(),
        }
    }
}

/// How far a version is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Its slot is retired; some of it may be written.
    Writing,
    /// All of it is on the disk, and it is marked to be tried, or about to be.
    Ready {
        /// In which boot of the machine that was.
        boot: Text<36>,
    },
}

/// What is kept, as one value: it changes as one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// The version on its way.
    pub attempt: Option<Attempt>,
    /// Manifests of versions that did not prove themselves; the last [`FAILED_VERSIONS_MAX`].
    pub failed: Vec<Fingerprint>,
    /// What a version must have at least.
    pub security_epoch: u32,
    /// What happened, newest first, at most [`UPDATE_HISTORY_SHOWN_MAX`].
    pub history: Vec<Happened>,
    /// How many of them the audit record does not have yet: the newest ones.
    pub unrecorded: usize,
    /// What is new in the last version that proved itself, and its sequence number.
    #[serde(default)]
    pub news: Option<(u32, News)>,
}

impl Journal {
    /// Adds what happened.
    pub fn note(&mut self, happened: Happened) {
        self.history.insert(0, happened);
        self.history.truncate(UPDATE_HISTORY_SHOWN_MAX);
        self.unrecorded = (self.unrecorded + 1).min(self.history.len());
    }

    /// What is new in the version of this sequence number, if that is known.
    pub fn news_of(&self, sequence: u32) -> Option<News> {
        let news = self.news.clone().filter(|(of, _)| *of == sequence);
        news.map(|(_, news)| news)
    }

    /// What happened last.
    pub fn newest(&self) -> Option<What> {
        self.history.first().map(|happened| happened.what)
    }

    /// `attempt` is over.
    fn end(&mut self, attempt: &Attempt, what: What, why: Option<Notice>, at: Stamp) {
        self.attempt = None;
        self.note(attempt.happened(what, why, at));
    }

    /// The version on its way did not prove itself.
    fn fail(&mut self, manifest: Fingerprint) {
        self.failed.retain(|known| *known != manifest);
        self.failed.push(manifest);
        if self.failed.len() > FAILED_VERSIONS_MAX {
            self.failed.remove(0);
        }
    }
}

/// What is known about the machine that decides how an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The system slot that runs; none in recovery.
    pub slot: Option<System>,
    /// The sequence number of what runs.
    pub sequence: u32,
    /// Its security epoch.
    pub security_epoch: u32,
    /// Whether it has proved itself.
    pub proved: bool,
    /// The slot that is marked to be tried, or was when it was left.
    pub marked: Option<System>,
    /// In which boot.
    pub boot: Text<36>,
    /// What the version that was tried said before it gave up.
    pub last_words: Option<Notice>,
    /// Now.
    pub at: Stamp,
}

/// What becomes of the version on its way, given what runs. Pure; may be asked again and again.
/// Returns whether anything changed.
pub fn settle(journal: &mut Journal, seen: &Seen) -> bool {
    let before = journal.clone();
    // Only what proved itself raises it: else a way back would be shut before it is known to be
    // unneeded.
    if seen.proved {
        journal.security_epoch = journal.security_epoch.max(seen.security_epoch);
    }
    if let Some(attempt) = journal.attempt.clone()
        && let Step::Ready { boot } = &attempt.step
    {
        let runs = seen.slot == Some(attempt.slot) && seen.sequence == attempt.sequence;
        match (runs, seen.proved, seen.marked == Some(attempt.slot)) {
            (true, true, _) => {
                let news = News {
                    version: attempt.version.clone(),
                    notes: attempt.notes.clone(),
                };
                journal.news = Some((attempt.sequence, news));
                journal.end(&attempt, What::Proved, None, seen.at);
            }
            // Not proved itself yet.
            (true, false, _) => {}
            // Not started yet.
            (false, _, true) if *boot == seen.boot => {}
            (false, _, true) => {
                journal.fail(attempt.manifest);
                let why = seen.last_words.clone().unwrap_or_else(silent);
                journal.end(&attempt, What::WentBack, Some(why), seen.at);
            }
            // A power cut came between saying so and doing so.
            (false, _, false) => {
                let step = Step::Writing;
                journal.attempt = Some(Attempt { step, ..attempt });
            }
        }
    }
    *journal != before
}

fn silent() -> Notice {
    notice(
        "It did not start, or stopped without a word: the machine fell back after its last try. Have \
         a look at the console while it is tried again, or wait for the next version.",
    )
}

/// Everything that is kept, in one folder.
#[derive(Debug)]
pub struct Record {
    trust: Kept,
    settings: Kept,
    journal: Kept,
}

impl Record {
    /// Below `folder`, which is there.
    pub fn new(folder: &Path) -> Self {
        Self {
            trust: Kept::new(folder, "trust"),
            settings: Kept::new(folder, "settings"),
            journal: Kept::new(folder, "journal"),
        }
    }

    /// The trusted metadata; empty if none was kept yet.
    pub fn trust(&self) -> Result<Vec<u8>, KeptError> {
        Ok(self.trust.read()?.unwrap_or_default())
    }

    /// Keeps trusted metadata.
    pub fn keep_trust(&self, bytes: &[u8]) -> Result<(), KeptError> {
        self.trust.write(bytes)
    }

    /// What was decided; the defaults if nobody decided anything, or if that cannot be read: it
    /// decides about times, not about trust.
    pub fn settings(&self) -> Settings {
        read(&self.settings).ok().flatten().unwrap_or_default()
    }

    /// Keeps what was decided.
    pub fn keep_settings(&self, settings: &Settings) -> Result<(), KeptError> {
        write(&self.settings, settings)
    }

    /// What happened.
    pub fn journal(&self) -> Result<Journal, KeptError> {
        Ok(read(&self.journal)?.unwrap_or_default())
    }

    /// Keeps what happened.
    pub fn keep_journal(&self, journal: &Journal) -> Result<(), KeptError> {
        write(&self.journal, journal)
    }
}

fn read<T: DeserializeOwned>(kept: &Kept) -> Result<Option<T>, KeptError> {
    let bytes = kept.read()?;
    let read = bytes.map(|bytes| serde_json::from_slice(&bytes));
    // Whole, and yet not understood: written by a later version that was left since.
    read.transpose()
        .map_err(|error| kept.misunderstood(io::Error::other(error)))
}

fn write<T: Serialize>(kept: &Kept, value: &T) -> Result<(), KeptError> {
    kept.write(&serde_json::to_vec(value).expect("plain data"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Stamp = Stamp(7);

    fn text<const N: usize>(text: &str) -> Text<N> {
        Text::try_from(text).unwrap()
    }

    fn on_its_way(step: Step) -> Journal {
        Journal {
            attempt: Some(Attempt {
                manifest: Fingerprint::of(b"new"),
                version: text("2"),
                sequence: 2,
                notes: "Sessions go on.".into(),
                slot: System::B,
                who: Who::default(),
                keys: heapless::Vec::new(),
                from: text("1"),
                step,
            }),
            security_epoch: 1,
            ..Journal::default()
        }
    }

    fn ready() -> Journal {
        on_its_way(Step::Ready { boot: text("one") })
    }

    /// Slot, sequence and whether it proved itself, in this boot.
    fn seen(slot: System, sequence: u32, proved: bool, boot: &str) -> Seen {
        Seen {
            slot: Some(slot),
            sequence,
            security_epoch: sequence,
            proved,
            marked: Some(System::B),
            boot: text(boot),
            last_words: None,
            at: AT,
        }
    }

    #[test]
    fn a_version_that_is_ready_waits_for_its_start_and_its_proof() {
        for seen in [
            seen(System::A, 1, true, "one"),
            seen(System::B, 2, false, "two"),
        ] {
            let mut journal = ready();
            assert!(!settle(&mut journal, &seen), "{seen:?}");
            assert!(journal.attempt.is_some());
        }
    }

    #[test]
    fn a_version_that_proved_itself_is_on_record_once_and_raises_the_epoch() {
        let mut journal = ready();
        let seen = seen(System::B, 2, true, "two");
        assert!(settle(&mut journal, &seen));
        assert_eq!(
            (journal.attempt.as_ref(), journal.security_epoch),
            (None, 2)
        );
        assert_eq!(journal.history[0].what, What::Proved);
        assert_eq!((journal.failed.len(), journal.unrecorded), (0, 1));
        assert_eq!(journal.news_of(2).unwrap().notes, "Sessions go on.");
        assert_eq!(journal.news_of(1), None);
        assert!(!settle(&mut journal, &seen));
    }

    #[test]
    fn a_version_left_behind_is_remembered_with_its_last_words_and_raises_nothing() {
        let mut journal = ready();
        let mut back = seen(System::A, 1, true, "five");
        back.last_words = Some(notice("no page was served"));
        assert!(settle(&mut journal, &back));
        assert_eq!(journal.failed, [Fingerprint::of(b"new")]);
        assert_eq!(journal.history[0].what, What::WentBack);
        assert_eq!(journal.history[0].why, back.last_words);
        assert_eq!(journal.security_epoch, 1);
        let mut journal = ready();
        back.last_words = None;
        settle(&mut journal, &back);
        assert!(
            journal.history[0]
                .why
                .as_ref()
                .unwrap()
                .starts_with("It did not start")
        );
    }

    #[test]
    fn a_version_that_was_never_marked_to_be_tried_is_taken_up_again() {
        let mut journal = ready();
        let mut cut = seen(System::A, 1, true, "two");
        cut.marked = None;
        assert!(settle(&mut journal, &cut));
        assert_eq!(journal.attempt.unwrap().step, Step::Writing);
        assert_eq!(journal.failed, []);
    }

    #[test]
    fn a_version_half_written_waits_to_be_taken_up_again() {
        let mut journal = on_its_way(Step::Writing);
        assert!(!settle(&mut journal, &seen(System::A, 1, true, "two")));
        assert!(journal.attempt.is_some());
    }

    #[test]
    fn the_history_keeps_its_newest_entries() {
        let mut journal = Journal::default();
        for at in 0..i64::try_from(UPDATE_HISTORY_SHOWN_MAX).unwrap() + 9 {
            journal.note(Happened {
                at: Stamp(at),
                who: Who::default(),
                version: None,
                from: text("1"),
                what: What::Set,
                why: None,
                manifest: None,
                keys: heapless::Vec::new(),
            });
        }
        assert_eq!(journal.history.len(), UPDATE_HISTORY_SHOWN_MAX);
        assert_eq!(journal.history[0].at.0 - journal.history[1].at.0, 1);
        assert_eq!(journal.unrecorded, UPDATE_HISTORY_SHOWN_MAX);
    }

    #[test]
    fn only_the_last_failed_versions_are_remembered() {
        let mut journal = Journal::default();
        for number in 0..=FAILED_VERSIONS_MAX {
            journal.fail(Fingerprint::of(&number.to_be_bytes()));
        }
        assert_eq!(journal.failed.len(), FAILED_VERSIONS_MAX);
        assert!(
            !journal
                .failed
                .contains(&Fingerprint::of(&0_usize.to_be_bytes()))
        );
    }

    #[test]
    fn what_is_kept_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let record = Record::new(folder.path());
        assert_eq!(record.settings(), Settings::default());
        assert_eq!(record.journal().unwrap(), Journal::default());
        assert!(record.trust().unwrap().is_empty());
        let journal = ready();
        record.keep_journal(&journal).unwrap();
        assert_eq!(record.journal().unwrap(), journal);
        record.keep_trust(b"roots").unwrap();
        assert_eq!(record.trust().unwrap(), b"roots");
    }
}
