//! When a version that is ready is started, and when the source is asked. Pure.

use std::time::Duration;

use crate::control::update::{Automatic, Settings, When, Window};
use crate::domain::Stamp;
use crate::domain::limits::{
    UPDATE_CHECK_AGAIN_AFTER, UPDATE_CHECK_EVERY, UPDATE_RESTART_NOTICE, UPDATE_WINDOW,
    UPDATE_WINDOWS_AHEAD_MAX,
};

const DAY: i64 = 24 * 60 * 60 * 1_000;
const MINUTE: i64 = 60 * 1_000;
/// 1970 began on a Thursday; 0 is Monday.
const FIRST_DAY: i64 = 3;

/// When `window` is open at `now`, or opens next.
pub fn next_window(window: Window, now: Stamp) -> Stamp {
    let today = now.0.div_euclid(DAY);
    let opens = |day: i64| day * DAY + i64::from(window.minute) * MINUTE;
    let length = i64::try_from(UPDATE_WINDOW.as_millis()).unwrap_or(i64::MAX);
    // A window that opened yesterday may be open after midnight.
    let days = (-1..=UPDATE_WINDOWS_AHEAD_MAX).map(|ahead| today + ahead);
    let mut windows = days.filter(|day| {
        let weekday = (day + FIRST_DAY).rem_euclid(7);
        let wanted = window.day.is_none_or(|wanted| i64::from(wanted) == weekday);
        wanted && now.0 < opens(*day) + length
    });
    let day = windows.next().expect("a week has every day");
    Stamp(opens(day).max(now.0))
}

/// When a version that is ready is started; none if somebody has to say.
pub fn restart_at(when: Option<When>, settings: &Settings, now: Stamp) -> Option<Stamp> {
    match when {
        // People see for a moment what is coming.
        Some(When::Now) => Some(now.after(UPDATE_RESTART_NOTICE)),
        Some(When::At { at }) => Some(at.max(now)),
        Some(When::Window) => Some(next_window(settings.window, now)),
        Some(When::Later) => None,
        None => match settings.automatic {
            Automatic::Install => Some(next_window(settings.window, now)),
            Automatic::Off | Automatic::Download => None,
        },
    }
}

/// What is to be done about a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing yet.
    Wait,
    /// Tell everybody that it comes then.
    Announce(Stamp),
    /// It does not come as it was announced.
    TakeBack,
    /// Now.
    Restart,
}

/// What to do at `now`, if the restart is meant to come at `at` and people were told `announced`.
/// Nobody is restarted without having been told [`UPDATE_RESTART_NOTICE`] before.
pub fn step(at: Option<Stamp>, announced: Option<Stamp>, now: Stamp) -> Step {
    let earliest = now.after(UPDATE_RESTART_NOTICE);
    match (at, announced) {
        (None, Some(_)) => Step::TakeBack,
        // The clock was set back while they waited.
        (Some(_), Some(told)) if told > earliest => Step::Announce(earliest),
        (Some(_), Some(told)) if told <= now => Step::Restart,
        (Some(at), None) if at <= earliest => Step::Announce(earliest),
        (None, None) | (Some(_), None | Some(_)) => Step::Wait,
    }
}

/// Whether the source is to be asked now; how long ago it was asked last, and whether that failed.
pub fn is_check_due(settings: &Settings, asked: Option<(Duration, bool)>) -> bool {
    let late = asked.is_none_or(|(since, failed)| {
        let every = if failed {
            UPDATE_CHECK_AGAIN_AFTER
        } else {
            UPDATE_CHECK_EVERY
        };
        since >= every
    });
    settings.automatic != Automatic::Off && late
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 2026-11-23, a Monday, 05:00 UTC.
    const MONDAY: Stamp = Stamp(1_795_410_000_000);
    const HOUR: i64 = 60 * MINUTE;

    fn window(day: Option<u8>, hour: u16) -> Window {
        let minute = hour * 60;
        Window { day, minute }
    }

    #[test]
    fn the_next_window_is_the_one_that_people_mean() {
        let midnight = MONDAY.0 - 5 * HOUR;
        for (window, opens) in [
            // Tomorrow: today's has been over for an hour.
            (window(None, 2), midnight + DAY + 2 * HOUR),
            (window(None, 22), midnight + 22 * HOUR),
            // It is open.
            (window(None, 4), MONDAY.0),
            (window(Some(0), 4), MONDAY.0),
            (window(Some(0), 2), midnight + 7 * DAY + 2 * HOUR),
            (window(Some(6), 2), midnight + 6 * DAY + 2 * HOUR),
            (window(Some(1), 0), midnight + DAY),
        ] {
            assert_eq!(next_window(window, MONDAY).0, opens, "{window:?}");
        }
        let past_midnight = Stamp(midnight + HOUR / 2);
        assert_eq!(next_window(window(None, 23), past_midnight), past_midnight);
        assert_eq!(
            next_window(window(Some(6), 23), past_midnight),
            past_midnight
        );
    }

    #[test]
    fn a_version_is_started_when_somebody_says_or_by_the_settings() {
        let mut settings = Settings::default();
        let tonight = next_window(settings.window, MONDAY);
        let at = |when, settings: &Settings| restart_at(when, settings, MONDAY);
        assert_eq!(at(None, &settings), Some(tonight));
        assert_eq!(at(Some(When::Later), &settings), None);
        assert_eq!(
            at(Some(When::Now), &settings),
            Some(MONDAY.after(UPDATE_RESTART_NOTICE))
        );
        // A time that has passed meanwhile is now.
        assert_eq!(at(Some(When::At { at: Stamp(1) }), &settings), Some(MONDAY));
        settings.automatic = Automatic::Download;
        assert_eq!(at(None, &settings), None);
        assert_eq!(at(Some(When::Window), &settings), Some(tonight));
    }

    #[test]
    fn nobody_is_restarted_who_was_not_told_a_moment_before() {
        let told = MONDAY.after(UPDATE_RESTART_NOTICE);
        let later = |seconds| MONDAY.after(Duration::from_secs(seconds));
        // However late it is noticed.
        for at in [MONDAY, Stamp(1), told] {
            assert_eq!(step(Some(at), None, MONDAY), Step::Announce(told));
        }
        assert_eq!(step(Some(later(60)), None, MONDAY), Step::Wait);
        // A window that is open is always now; what was said stands.
        for (seconds, expected) in [(5, Step::Wait), (14, Step::Wait), (15, Step::Restart)] {
            let now = later(seconds);
            assert_eq!(step(Some(now), Some(told), now), expected, "{seconds}");
        }
        assert_eq!(step(None, Some(told), later(5)), Step::TakeBack);
        assert_eq!(step(None, None, MONDAY), Step::Wait);
        // The clock was an hour ahead when it was said.
        let told = later(3_600);
        let expected = Step::Announce(later(15));
        assert_eq!(step(Some(MONDAY), Some(told), MONDAY), expected);
    }

    #[test]
    fn the_source_is_asked_once_a_day_sooner_after_trouble_unless_that_is_off() {
        let mut settings = Settings::default();
        assert!(is_check_due(&settings, None));
        let due = |since, failed| is_check_due(&settings, Some((since, failed)));
        assert!(!due(UPDATE_CHECK_EVERY / 2, false));
        assert!(due(UPDATE_CHECK_EVERY, false));
        assert!(!due(UPDATE_CHECK_AGAIN_AFTER / 2, true));
        assert!(due(UPDATE_CHECK_AGAIN_AFTER, true));
        settings.automatic = Automatic::Off;
        assert!(!is_check_due(&settings, None));
    }

    proptest! {
        #[test]
        fn there_is_always_a_next_window(
            now in -DAY * 400_000..DAY * 400_000, day in proptest::option::of(0_u8..7), minute in 0_u16..1440
        ) {
            let opens = next_window(Window { day, minute }, Stamp(now));
            prop_assert!(opens.0 >= now && opens.0 <= now + 8 * DAY);
        }
    }
}
