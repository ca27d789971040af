//! What time it cannot be, and whom to believe.
//!
//! A machine's own clock may say anything: 1970 with an empty battery, 2040 after a slip in the
//! firmware's menu. No time before the [`Clock::floor`] is right: when the running version was
//! built, or when a time server last agreed. What nobody but the machine's own clock says is never
//! written down, so a wrong clock is wrong until a time server answers and no longer. A server that
//! agrees on a time before the floor is believed too (what was written down then came from one that
//! lied), unless that is before the version was built, which nobody can be right about.
//!
//! Pure but for [`set`] and the two that read and write the file.

use std::io;

use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_settime};

use super::places::{self, Places};
use crate::control::machine::{Clock as Facts, ClockEvent, ClockSource};
use crate::domain::limits::CLOCK_KEPT_EVERY;
use crate::domain::{Now, Stamp};

/// Holds what time servers last agreed on, in seconds since 1970.
const FILE: &str = "clock";
/// Nowhere (RFC 5905, 7.3).
const UNSYNCHRONISED: u8 = 16;

/// How far the machine's clock can be trusted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    built: Stamp,
    confirmed: Option<Stamp>,
    source: ClockSource,
    /// When `confirmed` was last written down.
    kept: Option<Now>,
}

/// What to do about the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// All is well.
    Nothing,
    /// Write this down: time servers agree on it.
    Keep(Stamp),
    /// It cannot be earlier than this, and it is.
    Set(Stamp),
    /// The same, and time servers say so: ask them again, but later.
    SetAndWait(Stamp),
}

impl Clock {
    /// At the start, for a version that was `built` then.
    pub(super) fn new(built: Stamp, confirmed: Option<Stamp>, now: Stamp) -> (Self, Action) {
        let mut clock = Self {
            built,
            confirmed,
            source: ClockSource::Hardware,
            kept: None,
        };
        if now >= clock.floor() {
            return (clock, Action::Nothing);
        }
        clock.source = ClockSource::Floor;
        (clock, Action::Set(clock.floor()))
    }

    /// No time before this is right.
    fn floor(&self) -> Stamp {
        self.confirmed
            .map_or(self.built, |confirmed| confirmed.max(self.built))
    }

    /// What the NTP client tells, at `now` by the clock that it looks after.
    pub(super) fn hear(&mut self, event: ClockEvent, stratum: u8, now: Now) -> Action {
        let agrees = match event {
            // Said right after it set the clock, when it does not know the distance yet.
            ClockEvent::Step => true,
            ClockEvent::Stratum | ClockEvent::Periodic => stratum < UNSYNCHRONISED,
            ClockEvent::Unsync => false,
        };
        if !agrees {
            return Action::Nothing;
        }
        if now.stamp < self.built {
            self.source = ClockSource::Floor;
            return Action::SetAndWait(self.floor());
        }
        self.source = ClockSource::Ntp;
        let went_back = self.confirmed.is_some_and(|before| now.stamp < before);
        let long_ago = self.kept.is_none_or(|kept| {
            now.moment.since(kept.moment) >= CLOCK_KEPT_EVERY || now.stamp < kept.stamp
        });
        self.confirmed = Some(now.stamp);
        if went_back || long_ago || event == ClockEvent::Step {
            self.kept = Some(now);
            Action::Keep(now.stamp)
        } else {
            Action::Nothing
        }
    }

    /// For the console and pages.
    pub(super) fn facts(&self) -> Facts {
        Facts {
            source: self.source,
            confirmed: self.confirmed,
            floor: self.floor(),
        }
    }
}

/// What time servers last agreed on, as it was written down.
pub(super) fn kept(places: &Places) -> Option<Stamp> {
    let text = places::line(&places.state(FILE))?;
    let seconds: i64 = text.parse().ok().filter(|seconds| *seconds > 0)?;
    seconds.checked_mul(1_000).map(Stamp)
}

/// Writes it down.
pub(super) fn keep(places: &Places, confirmed: Stamp) -> io::Result<()> {
    let seconds = confirmed.0 / 1_000;
    places::replace(&places.state(FILE), &format!("{seconds}\n"))
}

/// Sets the machine's clock.
pub(super) fn set(to: Stamp) -> io::Result<()> {
    let (seconds, rest) = (to.0.div_euclid(1_000), to.0.rem_euclid(1_000));
    let time = TimeSpec::new(seconds, rest * 1_000_000);
    Ok(clock_settime(ClockId::CLOCK_REALTIME, time)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Moment;

    const YEAR: i64 = 365 * 24 * 60 * 60 * 1_000;
    const BUILT: Stamp = Stamp(1_764_000_000_000);
    const LATER: Stamp = Stamp(BUILT.0 + YEAR);
    const Y2040: Stamp = Stamp(2_208_988_800_000);

    fn now(stamp: Stamp, seconds: u64) -> Now {
        Now {
            stamp,
            moment: Moment::from_millis(seconds * 1_000),
        }
    }

    #[test]
    fn a_clock_before_the_floor_is_set_to_it() {
        for (confirmed, floor) in [(None, BUILT), (Some(LATER), LATER), (Some(Stamp(1)), BUILT)] {
            let (clock, action) = Clock::new(BUILT, confirmed, Stamp(0));
            assert_eq!(action, Action::Set(floor));
            assert_eq!(clock.facts().source, ClockSource::Floor);
            assert_eq!(clock.facts().floor, floor);
        }
        let (clock, action) = Clock::new(BUILT, None, LATER);
        assert_eq!(action, Action::Nothing);
        assert_eq!(clock.facts().source, ClockSource::Hardware);
    }

    #[test]
    fn a_wrong_clock_once_does_not_poison_the_floor() {
        // The machine thinks it is 2040 for a day; nobody confirms it.
        let (clock, _) = Clock::new(BUILT, None, Y2040);
        assert_eq!(clock.facts().floor, BUILT);
        // A time server answers.
        let (mut clock, _) = Clock::new(BUILT, None, Y2040);
        let action = clock.hear(ClockEvent::Step, 16, now(LATER, 60));
        assert_eq!(action, Action::Keep(LATER));
        assert_eq!(clock.facts().floor, LATER);
    }

    #[test]
    fn a_floor_from_a_lying_server_gives_way_to_one_that_agrees_on_less() {
        let (mut clock, action) = Clock::new(BUILT, Some(Y2040), LATER);
        assert_eq!(action, Action::Set(Y2040));
        let heard = clock.hear(ClockEvent::Step, 16, now(LATER, 60));
        assert_eq!(heard, Action::Keep(LATER));
        assert_eq!(clock.facts().floor, LATER);
    }

    #[test]
    fn nobody_is_right_about_a_time_before_the_build() {
        let (mut clock, _) = Clock::new(BUILT, Some(LATER), LATER);
        let heard = clock.hear(ClockEvent::Step, 3, now(Stamp(BUILT.0 - 1), 60));
        assert_eq!(heard, Action::SetAndWait(LATER));
        assert_eq!(clock.facts().source, ClockSource::Floor);
        assert_eq!(clock.facts().confirmed, Some(LATER));
    }

    #[test]
    fn servers_that_are_lost_confirm_nothing() {
        let (mut clock, _) = Clock::new(BUILT, None, LATER);
        for (event, stratum) in [
            (ClockEvent::Unsync, 16),
            (ClockEvent::Stratum, 16),
            (ClockEvent::Periodic, 16),
        ] {
            assert_eq!(clock.hear(event, stratum, now(LATER, 1)), Action::Nothing);
        }
        assert_eq!(clock.facts().confirmed, None);
    }

    #[test]
    fn an_agreement_is_written_down_once_an_hour() {
        let (mut clock, _) = Clock::new(BUILT, None, LATER);
        let mut written = 0;
        // Twelve a day's hour, for two hours and a bit.
        for minute in (0..=130).step_by(11) {
            let stamp = Stamp(LATER.0 + minute * 60_000);
            let at = now(stamp, minute.unsigned_abs() * 60);
            if clock.hear(ClockEvent::Periodic, 3, at) != Action::Nothing {
                written += 1;
            }
        }
        assert_eq!(written, 2);
    }

    #[test]
    fn what_is_written_down_is_read_again_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::below(folder.path());
        std::fs::create_dir(places.state("")).unwrap();
        assert_eq!(kept(&places), None);
        keep(&places, LATER).unwrap();
        assert_eq!(kept(&places), Some(LATER));
        for damage in ["", "-1", "x", "99999999999999999999"] {
            std::fs::write(places.state(FILE), damage).unwrap();
            assert_eq!(kept(&places), None, "{damage}");
        }
    }
}
