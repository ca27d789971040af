//! Times, durations, sizes and counts as people read them.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::words;
use crate::domain::Stamp;

/// A point in time for a page: short words, the whole truth on hover, and for machines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct When {
    /// "just now", "3 min ago", "14:03" today, else with its date.
    pub(crate) words: String,
    /// Weekday, date, time with seconds, zone.
    pub(crate) exact: String,
    /// For `datetime`.
    pub(crate) iso: String,
}

impl When {
    /// `at`, as read at `now` in `zone`.
    pub(crate) fn new(at: Stamp, now: Stamp, zone: &TimeZone) -> Self {
        let local = local(at, zone);
        let age = Duration::from_millis(u64::try_from(now.0.saturating_sub(at.0)).unwrap_or(0));
        let today = local.date() == self::local(now, zone).date();
        let words = match age.as_secs() / 60 {
            _ if at > now => local.strftime("%-d %b %Y, %H:%M").to_string(),
            0 => words::JUST_NOW.to_owned(),
            minutes @ 1..60 => words::minutes_ago(minutes),
            _ if today => local.strftime("%H:%M").to_string(),
            _ => local.strftime("%-d %b %Y, %H:%M").to_string(),
        };
        Self {
            words,
            ..Self::of_day(at, zone)
        }
    }

    /// `at` as a line of a log shows it: the time of day with seconds.
    pub(crate) fn of_day(at: Stamp, zone: &TimeZone) -> Self {
        let local = local(at, zone);
        Self {
            words: local.strftime("%H:%M:%S").to_string(),
            exact: local.strftime("%A %-d %B %Y, %H:%M:%S %Z").to_string(),
            iso: local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        }
    }

    /// `at` with its date, however long ago: for records.
    pub(crate) fn on_record(at: Stamp, zone: &TimeZone) -> Self {
        let local = local(at, zone);
        Self {
            words: local.strftime("%-d %b %Y, %H:%M:%S").to_string(),
            ..Self::of_day(at, zone)
        }
    }
}

/// Out of the calendar's range only if somebody wrote into the store; then 1970.
fn local(at: Stamp, zone: &TimeZone) -> jiff::Zoned {
    Timestamp::from_millisecond(at.0)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .to_zoned(zone.clone())
}

/// Time between two stamps, "0 s", "42 s", "3 min 5 s", "2 h 10 min", "5 d 3 h".
pub(crate) fn between(from: Stamp, to: Stamp) -> String {
    seconds(u64::try_from(to.0.saturating_sub(from.0)).unwrap_or(0) / 1_000)
}

/// The same for a number of seconds: its two largest units.
pub(crate) fn seconds(all: u64) -> String {
    let (d, h, m, s) = (all / 86_400, all / 3_600 % 24, all / 60 % 60, all % 60);
    match (d, h, m) {
        (0, 0, 0) => format!("{s} s"),
        (0, 0, _) => format!("{m} min {s} s"),
        (0, _, _) => format!("{h} h {m} min"),
        _ => format!("{} d {h} h", count(d)),
    }
}

/// Binary units with one decimal: "12.3 MiB".
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1_024 {
        return format!("{bytes} B");
    }
    // Tenths of the unit, in integers: a page should not round 1,023.99 KiB to 1,024.0.
    let mut tenths = u128::from(bytes) * 10 / 1_024;
    let mut unit = 0;
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1_024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// Digits in groups of three: "25,000".
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Stamp = Stamp(1_787_313_600_000); // 21 August 2026, 12:00 UTC

    fn when(ago_seconds: i64) -> When {
        When::new(Stamp(NOON.0 - ago_seconds * 1_000), NOON, &TimeZone::UTC)
    }

    #[test]
    fn the_last_hour_is_relative_and_the_rest_absolute() {
        assert_eq!(when(0).words, "just now");
        assert_eq!(when(60).words, "1 min ago");
        assert_eq!(when(3_599).words, "59 min ago");
        assert_eq!(when(3_600).words, "11:00");
        assert_eq!(when(86_400).words, "20 Aug 2026, 12:00");
        assert_eq!(when(-60).words, "21 Aug 2026, 12:01");
        assert_eq!(when(0).exact, "Friday 21 August 2026, 12:00:00 UTC");
        assert_eq!(when(0).iso, "2026-08-21T12:00:00+00:00");
    }

    #[test]
    fn a_stamp_beyond_the_calendar_is_no_reason_to_panic() {
        for at in [i64::MIN, i64::MAX] {
            When::new(Stamp(at), NOON, &TimeZone::UTC);
            between(Stamp(at), NOON);
        }
    }

    #[test]
    fn durations_show_their_two_largest_units() {
        for (all, words) in [
            (0, "0 s"),
            (59, "59 s"),
            (185, "3 min 5 s"),
            (7_800, "2 h 10 min"),
            (442_800, "5 d 3 h"),
        ] {
            assert_eq!(seconds(all), words);
        }
    }

    #[test]
    fn sizes_are_binary_with_one_decimal() {
        for (bytes, words) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1.0 KiB"),
            (1_536, "1.5 KiB"),
            (1_048_575, "1023.9 KiB"),
            (12_897_484, "12.2 MiB"),
            (u64::MAX, "16383.9 PiB"),
        ] {
            assert_eq!(size(bytes), words);
        }
    }

    #[test]
    fn counts_are_grouped() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(12_345_678), "12,345,678");
    }
}
