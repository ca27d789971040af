//! Updates in words.

use crate::control::machine::State;
use crate::control::update::{Automatic, Phase, Way, What, Who, Window};
use crate::domain::Stamp;
use crate::metrics::Sessions;
use crate::web::format;
use crate::web::words::{APPLIANCE, plural};

/// Of the week, Monday first, as [`Window`] counts.
pub(crate) const DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

/// What happened to a version, in a table, and whether that is good.
pub(crate) fn happened(what: What) -> (&'static str, &'static str) {
    match what {
        What::Refused => ("warn", "Refused"),
        What::Began => ("", "Writing began"),
        What::Stopped => ("warn", "Writing broke off"),
        What::Ready => ("live", "Ready to start"),
        What::Restarted => ("live", "Restarted into it"),
        What::Proved => ("good", "Proved itself"),
        What::WentBack => ("bad", "Went back"),
        What::Set => ("", "Settings changed"),
    }
}

/// On whose behalf, in a table.
pub(crate) fn who(who: &Who) -> String {
    let way = match who.way {
        Way::Page => "Pages",
        Way::CommandLine => "Command line",
        Way::Stick => "Console, USB stick",
        Way::Console => "Console",
        Way::Schedule => APPLIANCE,
    };
    match (&who.account, &who.address) {
        (Some(account), Some(address)) => format!("{account}, {}", address.ip()),
        (Some(account), None) => account.to_string(),
        (None, _) => way.to_owned(),
    }
}

/// Where a place for a version stands: good or not, and the words.
pub(crate) fn slot(state: State) -> (&'static str, String) {
    let tries = |left: u8| plural(left.into(), "try left", "tries left");
    match state {
        State::Empty => ("", "Empty".to_owned()),
        State::OnTrial { tries_left } => ("live", format!("On trial, {}", tries(tries_left))),
        State::Good { .. } => ("good", "Good".to_owned()),
        State::Untried { tries_left } => ("", format!("Not tried, {}", tries(tries_left))),
        State::Exhausted => ("bad", "Failed to start".to_owned()),
    }
}

/// What goes on, in a word or two and a sentence; nothing if nothing does.
pub(crate) fn phase(phase: &Phase) -> Option<(String, String)> {
    let (title, text) = match phase {
        Phase::Idle => return None,
        Phase::Checking => (
            "Looking for a newer version".to_owned(),
            "The source is asked. This takes a moment.",
        ),
        Phase::Writing { version, .. } => (
            format!("Version {version} is being written"),
            "It goes into the slot that does not run; support sessions are not touched.",
        ),
        Phase::ReadingBack { version, .. } => (
            format!("Version {version} is being checked"),
            "What was written is read back and compared. Support sessions are not touched.",
        ),
        Phase::Ready { version, .. } => (
            format!("Version {version} is ready"),
            "It is complete on the disk and starts with the next restart.",
        ),
        Phase::Proving { version } => (
            format!("Version {version} proves itself"),
            "If it does not within five minutes, the version before starts again by itself. Until \
             then, settings and accounts cannot be changed.",
        ),
    };
    Some((title, text.to_owned()))
}

/// "12.3 MiB of 48.0 MiB, 8.1 MiB/s, 4 s left".
pub(crate) fn progress(bytes: u64, of: u64, millis: u64) -> String {
    let so_far = format!("{} of {}", format::size(bytes), format::size(of));
    // What the first moment says about speed is mostly wrong.
    if millis < 1_000 || bytes == 0 {
        return so_far;
    }
    let speed = u128::from(bytes) * 1_000 / u128::from(millis);
    let speed = u64::try_from(speed).unwrap_or(u64::MAX).max(1);
    let left = format::seconds(of.saturating_sub(bytes).div_ceil(speed));
    format!("{so_far}, {}/s, {left} left", format::size(speed))
}

/// A time of the week: "every day at 02:00 UTC".
pub(crate) fn window(window: Window) -> String {
    let day = window.day.and_then(|day| DAYS.get(usize::from(day)));
    let day = day.copied().unwrap_or("day");
    format!("every {day} at {} UTC", clock(window))
}

/// A window's time of the day.
pub(crate) fn clock(window: Window) -> String {
    format!("{:02}:{:02}", window.minute / 60, window.minute % 60)
}

/// When a version that is ready starts.
pub(crate) fn restart(at: Option<Stamp>, shown: impl Fn(Stamp) -> format::When) -> String {
    at.map_or_else(
        || "It waits until somebody says when to restart.".to_owned(),
        |at| format!("The appliance restarts at {}.", shown(at).exact),
    )
}

/// Who is in the way of a restart; nothing if nobody is.
pub(crate) fn sessions(sessions: &Sessions) -> Option<String> {
    let open = sessions.open();
    if open == 0 {
        return None;
    }
    let all = plural(open, "support session is", "support sessions are");
    let them = if open == 1 { "it" } else { "them" };
    Some(format!(
        "{all} open. A restart interrupts {them} for about a minute; customers and representatives \
         are told before, and find each other again by themselves."
    ))
}

/// What the appliance does on its own.
pub(crate) fn automatic(automatic: Automatic) -> &'static str {
    match automatic {
        Automatic::Off => "Nothing by itself",
        Automatic::Download => "Download new versions, start them when I say so",
        Automatic::Install => "Download new versions and start them in the window",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_has_speed_and_time_left_once_they_mean_something() {
        let mib = 1 << 20;
        assert_eq!(progress(0, 48 * mib, 0), "0 B of 48.0 MiB");
        assert_eq!(progress(mib, 48 * mib, 900), "1.0 MiB of 48.0 MiB");
        assert_eq!(
            progress(16 * mib, 48 * mib, 2_000),
            "16.0 MiB of 48.0 MiB, 8.0 MiB/s, 4 s left"
        );
        assert_eq!(progress(1, 1 << 40, 3_600_000).split(", ").count(), 3);
    }

    #[test]
    fn a_window_is_said_with_its_zone() {
        let nightly = Window::default();
        assert_eq!(window(nightly), "every day at 02:00 UTC");
        let sunday = Window {
            day: Some(6),
            minute: 22 * 60 + 5,
        };
        assert_eq!(window(sunday), "every Sunday at 22:05 UTC");
    }
}
