//! What time it cannot be, and whom to believe.
//!
//! A machine's own clock may say anything: 1970 with an empty battery, 2040 after a slip in the
//! firmware's menu. No time before the [`Clock::floor`] is right: when the running version was
//! built, or when a time server last agreed; and none more than [`CLOCK_AHEAD_MAX`] after it, which is
//! how firmware shows a year that it does not have. What nobody but the machine's own clock says is
//! never written down, so a wrong clock is wrong until a time server answers and no longer. A server that
//! agrees on a time before the floor is believed too (what was written down then came from one that
//! lied), unless that is before the version was built, which nobody can be right about.
//!
//! Pure but for [`set`], [`set_by`] and the two that read and write the file.

use std::io;

use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_settime};

use super::places::{self, Places};
use crate::control::machine::{Clock as Facts, ClockSource};
use crate::domain::limits::{CLOCK_KEPT_EVERY, CLOCK_OFF_MILLIS_MAX};
use crate::domain::{Moment, Now, Stamp};

/// Holds what time servers last agreed on, in seconds since 1970.
const FILE: &str = "clock";
const DECADE_SECONDS: i64 = 10 * 365 * 24 * 60 * 60;
/// In milliseconds.
const CLOCK_AHEAD_MAX: i64 = DECADE_SECONDS * 1_000;

/// How far the machine's clock can be trusted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    built: Stamp,
    confirmed: Option<Stamp>,
    source: ClockSource,
    /// When `confirmed` was last written down.
    kept: Option<Moment>,
}

/// What to do about what time servers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// That cannot be.
    Absurd,
    /// They are believed.
    Agreed {
        /// Set the clock forward by so many milliseconds, if it is off by enough.
        set_by: Option<i64>,
        /// Write this down.
        keep: Option<Stamp>,
    },
}

impl Clock {
    /// At the start, for a version that was `built` then; and what to set the machine's clock to,
    /// if it cannot be right.
    pub(super) fn new(built: Stamp, confirmed: Option<Stamp>, now: Stamp) -> (Self, Option<Stamp>) {
        let mut clock = Self {
            built,
            confirmed,
            source: ClockSource::Hardware,
            kept: None,
        };
        let ahead = now.0.saturating_sub(clock.floor().0);
        // Without a build time nothing is far ahead of it.
        let is_known = clock.floor() > Stamp(0);
        if ahead >= 0 && (ahead <= CLOCK_AHEAD_MAX || !is_known) {
            return (clock, None);
        }
        clock.source = ClockSource::Floor;
        (clock, Some(clock.floor()))
    }

    /// No time before this is right.
    fn floor(&self) -> Stamp {
        self.confirmed
            .map_or(self.built, |confirmed| confirmed.max(self.built))
    }

    /// The earliest time that a server's answer can mean, in seconds since 1970: early enough to
    /// tell one that is a little before the build from one that is 136 years after.
    pub(super) fn since(&self) -> i64 {
        self.built.0 / 1_000 - DECADE_SECONDS
    }

    /// Time servers say that the clock, which says `now`, has to be set forward by `offset`
    /// milliseconds.
    pub(super) fn hear(&mut self, offset: i64, now: Now) -> Heard {
        let right = Stamp(now.stamp.0.saturating_add(offset));
        if right < self.built {
            return Heard::Absurd;
        }
        let set_by = (offset.unsigned_abs() > CLOCK_OFF_MILLIS_MAX).then_some(offset);
        let went_back = self.confirmed.is_some_and(|before| right < before);
        let long_ago = self
            .kept
            .is_none_or(|kept| now.moment.since(kept) >= CLOCK_KEPT_EVERY);
        self.source = ClockSource::Ntp;
        self.confirmed = Some(right);
        let is_news = went_back || long_ago;
        if is_news {
            self.kept = Some(now.moment);
        }
        let keep = is_news.then_some(right);
        Heard::Agreed { set_by, keep }
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

/// Sets it forward.
pub(super) fn set_by(millis: i64) -> io::Result<()> {
    set(Stamp(super::now().stamp.0.saturating_add(millis)))
}

#[cfg(test)]
mod tests {
    use super::*;

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

    /// Time servers say that it is `right`, to a clock that says `wrong`.
    fn told(clock: &mut Clock, right: Stamp, wrong: Stamp) -> Heard {
        clock.hear(right.0 - wrong.0, now(wrong, 60))
    }

    fn set_and_kept(right: Stamp, wrong: Stamp) -> Heard {
        Heard::Agreed {
            set_by: Some(right.0 - wrong.0),
            keep: Some(right),
        }
    }

    #[test]
    fn a_clock_before_the_floor_is_set_to_it() {
        for (confirmed, floor) in [(None, BUILT), (Some(LATER), LATER), (Some(Stamp(1)), BUILT)] {
            let (clock, set) = Clock::new(BUILT, confirmed, Stamp(0));
            assert_eq!(set, Some(floor));
            assert_eq!(clock.facts().source, ClockSource::Floor);
            assert_eq!(clock.facts().floor, floor);
        }
        let (clock, set) = Clock::new(BUILT, None, LATER);
        assert_eq!(set, None);
        assert_eq!(clock.facts().source, ClockSource::Hardware);
    }

    #[test]
    fn a_clock_a_decade_ahead_of_the_floor_is_set_to_it() {
        for (ahead, set) in [(10 * YEAR, None), (10 * YEAR + 1, Some(BUILT))] {
            let (clock, found) = Clock::new(BUILT, None, Stamp(BUILT.0 + ahead));
            assert_eq!(found, set);
            let is_guess = clock.facts().source == ClockSource::Floor;
            assert_eq!(is_guess, set.is_some());
        }
        let (_, set) = Clock::new(BUILT, Some(LATER), Y2040);
        assert_eq!(set, Some(LATER));
        // An image that does not say when it was built.
        let (_, set) = Clock::new(Stamp(0), None, LATER);
        assert_eq!(set, None);
    }

    #[test]
    fn a_wrong_clock_once_does_not_poison_the_floor() {
        // The machine thinks it is six years later, and nobody confirms it.
        let wrong = Stamp(BUILT.0 + 6 * YEAR);
        let (mut clock, set) = Clock::new(BUILT, None, wrong);
        assert_eq!((set, clock.facts().floor), (None, BUILT));
        // A time server answers.
        let heard = told(&mut clock, LATER, wrong);
        assert_eq!(heard, set_and_kept(LATER, wrong));
        assert_eq!(clock.facts().floor, LATER);
    }

    #[test]
    fn a_floor_from_a_lying_server_gives_way_to_one_that_agrees_on_less() {
        let (mut clock, set) = Clock::new(BUILT, Some(Y2040), LATER);
        assert_eq!(set, Some(Y2040));
        let heard = told(&mut clock, LATER, Y2040);
        assert_eq!(heard, set_and_kept(LATER, Y2040));
        assert_eq!(clock.facts().floor, LATER);
    }

    #[test]
    fn nobody_is_right_about_a_time_before_the_build() {
        let (mut clock, _) = Clock::new(BUILT, Some(LATER), LATER);
        let before = Stamp(BUILT.0 - 1);
        assert_eq!(told(&mut clock, before, LATER), Heard::Absurd);
        assert_eq!(clock.facts().source, ClockSource::Hardware);
        assert_eq!(clock.facts().confirmed, Some(LATER));
        assert!(clock.since() * 1_000 < before.0);
    }

    #[test]
    fn a_clock_that_is_nearly_right_is_left_alone() {
        let (mut clock, _) = Clock::new(BUILT, None, LATER);
        for (offset, sets) in [
            (0, false),
            (50, false),
            (-50, false),
            (51, true),
            (-51, true),
        ] {
            let Heard::Agreed { set_by, .. } = clock.hear(offset, now(LATER, 60)) else {
                panic!("absurd");
            };
            assert_eq!(set_by.is_some(), sets, "{offset}");
        }
    }

    #[test]
    fn an_agreement_is_written_down_about_once_an_hour() {
        let (mut clock, _) = Clock::new(BUILT, None, LATER);
        let mut written = 0;
        for minute in (0..=180).step_by(17) {
            let stamp = Stamp(LATER.0 + minute * 60_000);
            let heard = clock.hear(1, now(stamp, minute.unsigned_abs() * 60));
            if let Heard::Agreed { keep: Some(_), .. } = heard {
                written += 1;
            }
        }
        assert_eq!(written, 3);
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
