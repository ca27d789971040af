//! How often the supervisor itself was started in this boot.
//!
//! The base system starts it again whenever it ends. That it fed a watchdog each time must not hide
//! that it never got anywhere: its starts are counted like a program's crashes.

use std::fs;

use super::health::Crashes;
use super::places::{self, Places};
use crate::domain::Moment;
use crate::domain::limits::CRASHES_MAX;

/// In memory: a restart of the machine forgets it.
const FILE: &str = "starts";

/// Counts this start. Returns whether there were too many lately.
pub(super) fn too_many(places: &Places, at: Moment) -> bool {
    let path = places.run(FILE);
    let text = places::text(&path).unwrap_or_default();
    let before: Vec<u64> = text.lines().filter_map(|line| line.parse().ok()).collect();
    let mut crashes = Crashes::default();
    // The first start is no crash.
    let times = before.iter().copied().map(Moment::from_millis).chain([at]);
    let too_many = times
        .skip(1)
        .fold(false, |_, at| crashes.add("supervisor", at));
    let recent = before.len().saturating_sub(CRASHES_MAX);
    let mut text = String::new();
    for millis in before[recent..].iter().copied().chain([at.millis()]) {
        text.extend([&millis.to_string(), "\n"]);
    }
    drop(fs::write(path, text));
    too_many
}

/// This one ends because it was told to.
pub(super) fn ended(places: &Places) {
    drop(fs::remove_file(places.run(FILE)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_crashes_of_the_supervisor_are_too_many() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::below(folder.path());
        fs::create_dir_all(places.run("")).unwrap();
        let start = |second: u64| too_many(&places, Moment::from_millis(second * 1_000));
        let told: Vec<_> = (0..8).map(|number| start(10 + number)).collect();
        assert_eq!(told, [false, false, false, false, false, true, true, true]);
        ended(&places);
        assert!(!start(20));
        let rare: Vec<_> = (1..20).map(|number| start(20 + number * 200)).collect();
        assert!(rare.iter().all(|told| !told));
    }
}
