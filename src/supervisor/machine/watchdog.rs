//! The hardware's watchdogs, which `init` has started: whoever hangs is restarted.
//!
//! Only the main loop feeds them, so they also watch over that. They are never stopped: at the end
//! of our life they give the rest of the shutdown as long as their time lasts.

use std::fs::{File, OpenOptions, read_dir};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use super::places::Places;
use crate::domain::limits::WATCHDOG_FED_EVERY;

/// Those of this machine.
#[derive(Debug, Default)]
pub(super) struct Watchdogs {
    open: Vec<File>,
    fed: Option<Instant>,
}

impl Watchdogs {
    /// Takes over every watchdog there is. One that cannot be opened is left out and told of: it
    /// bites, or belongs to nobody.
    pub(super) fn open(places: &Places, mut tell: impl FnMut(&str)) -> Self {
        let mut watchdogs = Self::default();
        for path in names(&places.path("dev")) {
            match OpenOptions::new().write(true).open(&path) {
                Ok(file) => watchdogs.open.push(file),
                Err(error) => tell(&format!("{} is not fed: {error}", path.display())),
            }
        }
        watchdogs.feed();
        watchdogs
    }

    /// How many watch over us.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.open.len()).unwrap_or(u32::MAX)
    }

    /// All is well. To be called at least every [`WATCHDOG_FED_EVERY`]; does nothing in between.
    pub(super) fn feed(&mut self) {
        let lately = |fed: Instant| fed.elapsed() + Duration::from_millis(500) < WATCHDOG_FED_EVERY;
        if self.fed.is_some_and(lately) {
            return;
        }
        self.fed = Some(Instant::now());
        for watchdog in &mut self.open {
            // Anything but a `V`, which would stop one that knows a way out. If it fails, the
            // watchdog says so in its own way.
            let _ = watchdog.write_all(&[0]);
        }
    }
}

/// `watchdog0` and so on; plain `watchdog` is the first of them once more.
fn names(devices: &Path) -> Vec<std::path::PathBuf> {
    let listed = read_dir(devices).into_iter().flatten().flatten();
    let mut found: Vec<_> = listed
        .map(|entry| entry.path())
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            let number = name.and_then(|name| name.strip_prefix("watchdog"));
            number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
        })
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_watchdog_is_opened_once_and_hears_that_all_is_well() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places::below(folder.path());
        std::fs::create_dir(places.path("dev")).unwrap();
        for name in ["watchdog", "watchdog0", "watchdog1", "watchdogs", "null"] {
            std::fs::write(places.path("dev").join(name), "").unwrap();
        }
        let mut told = Vec::new();
        let mut watchdogs = Watchdogs::open(&places, |line| told.push(line.to_owned()));
        assert_eq!(watchdogs.count(), 2);
        assert!(told.is_empty(), "{told:?}");
        for _ in 0..3 {
            watchdogs.feed();
        }
        let length = |name: &str| places.path("dev").join(name).metadata().unwrap().len();
        assert_eq!((length("watchdog0"), length("watchdog1")), (1, 1));
        assert_eq!((length("watchdog"), length("watchdogs")), (0, 0));
    }
}
