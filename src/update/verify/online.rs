//! What is new at the source of versions, and having it installed; by itself, if that is wanted.

use std::time::{Duration, Instant};

use super::install::install;
use super::judge::{Judged, Kind, Situation, Unfit, believe};
use super::remote::Remote;
use super::schedule;
use super::serve::{Head, Refusal, check};
use crate::control::machine::notice;
use crate::control::update::{Accept, Automatic, Checked, Phase, Way, Who};
use crate::domain::limits::MANIFEST_BYTES_MAX;
use crate::update::now;
use crate::update::trust::TrustedSet;
use crate::update::wire::Told;

/// The newest version of the source.
struct Found {
    judged: Judged,
    /// Where its bytes are.
    payload: String,
}

/// When the source was asked, and how that ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    at: Instant,
    failed: bool,
}

impl Asked {
    pub(super) fn since(self) -> (Duration, bool) {
        (self.at.elapsed(), self.failed)
    }
}

impl Head {
    /// Asks the source what is new.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        let _one = self.alone()?;
        let (told, _) = self.ask(&mut self.link.take())?;
        self.find(&told, &self.base(&told)?).map(drop)
    }

    /// Installs what is new at the source.
    pub(super) fn install_offered(&self, who: &Who) -> Result<(), Refusal> {
        let _one = self.alone()?;
        let (told, _) = self.ask(&mut self.link.take())?;
        let base = self.base(&told)?;
        let found = self.find(&told, &base)?.ok_or_else(|| {
            let why = "The source has no newer version than the one that runs.";
            Refusal::Judged(why.into())
        })?;
        self.fetch(who, &base, found)
    }

    /// Asks the source if it is time to, and has what is new installed if that is wanted. To be
    /// called now and then.
    pub fn look(&self) {
        let told = match self.link.try_take() {
            Some(mut hands) => self.ask(&mut hands),
            None => return,
        };
        let Ok((told, _)) = told else {
            return;
        };
        let asked = self.shared().asked.map(Asked::since);
        let is_proving = matches!(told.phase, Phase::Proving { .. });
        let base = self.base(&told);
        if is_proving || base.is_err() || !schedule::is_check_due(&told.settings, asked) {
            return;
        }
        if let Err(error) = base.and_then(|base| self.follow(&told, &base)) {
            tracing::info!(%error, "no_version_fetched");
        }
    }

    /// What the source has is on the disk afterwards, unless a person has to see it first.
    fn follow(&self, told: &Told, base: &str) -> Result<(), Refusal> {
        let _one = self.alone()?;
        let Some(found) = self.find(told, base)? else {
            return Ok(());
        };
        let wanted = told.settings.automatic != Automatic::Off && told.phase == Phase::Idle;
        let verdict = &found.judged.verdict;
        if !wanted || verdict.offer.failed_before || verdict.needs != Accept::default() {
            return Ok(());
        }
        let who = Who {
            way: Way::Schedule,
            ..Who::default()
        };
        let fetched = self.fetch(&who, base, found);
        if fetched.is_err() {
            // It is taken up again sooner than tomorrow.
            self.asked(true);
        }
        fetched
    }

    /// Where versions come from.
    fn base(&self, told: &Told) -> Result<String, Refusal> {
        let chosen = told.settings.source.as_ref().or(self.source.as_ref());
        let base = chosen.ok_or_else(|| {
            let why =
                "No source of versions is set. Set one under Updates, or install from a file.";
            Refusal::Judged(why.into())
        })?;
        Ok(format!("{}/", base.trim_end_matches('/')))
    }

    fn asked(&self, failed: bool) {
        let at = Instant::now();
        self.shared().asked = Some(Asked { at, failed });
    }

    /// Looks at the source, and lets everybody know what was seen.
    fn find(&self, told: &Told, base: &str) -> Result<Option<Found>, Refusal> {
        self.shared().phase = Phase::Checking;
        let found = self.newest(told, base);
        let trouble = match &found {
            Ok(Some(Found { judged, .. })) => judged.verdict.refused.clone(),
            Ok(None) => None,
            Err(error) => Some(notice(&error.to_string())),
        };
        self.asked(found.is_err());
        let newer = |found: &Found| {
            let verdict = &found.judged.verdict;
            verdict.refused.is_none() && verdict.offer.sequence > told.running.sequence
        };
        let found = found.map(|found| found.filter(newer));
        let mut shared = self.shared();
        shared.phase = Phase::Idle;
        shared.checked = Some(Checked { at: now(), trouble });
        if let Ok(found) = &found {
            let offer = found.as_ref().map(|found| &found.judged.verdict.offer);
            shared.offer = offer.cloned();
        }
        found
    }

    /// The newest version for this appliance, whatever it is worth.
    fn newest(&self, told: &Told, base: &str) -> Result<Option<Found>, Refusal> {
        let (_, kept) = self.ask(&mut self.link.take())?;
        let mut newest = kept.clone();
        let found = newest_of(told, &kept, &mut self.fetcher.take(base), &mut newest);
        if newest != kept {
            self.link.take().keep_trust(&newest)?;
        }
        found
    }

    fn fetch(&self, who: &Who, base: &str, found: Found) -> Result<(), Refusal> {
        let Found { judged, payload } = found;
        let judged = check(judged, Accept::default())?;
        let bytes = judged.manifest.payload_bytes();
        let mut payload = self.fetcher.take(base).payload(&payload, bytes);
        let mut hands = self.link.take();
        let show = |phase| self.shared().phase = phase;
        let done = install(&judged, who, &mut hands, &mut payload, show);
        self.shared().phase = Phase::Idle;
        self.ask(&mut hands)?;
        Ok(done?)
    }
}

fn newest_of(
    told: &Told,
    kept: &TrustedSet,
    remote: &mut Remote<'_>,
    newest: &mut TrustedSet,
) -> Result<Option<Found>, Refusal> {
    let situation = Situation {
        told,
        kept,
        now: now(),
        online: true,
    };
    let (line, model) = (told.settings.line, told.running.model);
    let mut believed = believe(situation, remote, newest)?;
    let Some(manifest) = believed.path(remote, line, model, Kind::Manifest)? else {
        return Ok(None);
    };
    let payload = believed.path(remote, line, model, Kind::Payload)?;
    let payload = payload.ok_or(Unfit::NoPayload)?;
    let manifest = remote.target(&manifest, MANIFEST_BYTES_MAX as u64)?;
    let judged = believed.judge(situation, remote, manifest)?;
    Ok(Some(Found { judged, payload }))
}
