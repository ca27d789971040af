//! The hardware's watchdogs: whoever hangs from here on is restarted.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions, read_dir, write};
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use crate::domain::limits::{WATCHDOG_FED_EVERY, WATCHDOG_TIMEOUT};

use super::console::complain;
use super::sys;

/// Those of this machine, running.
#[derive(Default)]
pub(super) struct Watchdogs {
    open: Vec<File>,
    seen: BTreeSet<String>,
    fed: Option<Instant>,
}

impl Watchdogs {
    /// Starts every watchdog that got a driver since.
    ///
    /// Each is told first that there is no way out, so closing it at the hand-over does not stop it:
    /// until somebody opens it again and feeds it, its time runs.
    pub fn arm(&mut self) {
        let listed = read_dir("/sys/class/watchdog").into_iter().flatten();
        for entry in listed.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !self.seen.insert(name.clone()) {
                continue;
            }
            if let Err(error) = write(entry.path().join("nowayout"), "1") {
                complain(format_args!(
                    "{name} may stop when it is handed over: {error}"
                ));
            }
            match arm(&name) {
                Ok(watchdog) => self.open.push(watchdog),
                Err(error) => complain(format_args!("{name} does not run: {error}")),
            }
        }
    }

    /// How many run.
    pub fn count(&self) -> usize {
        self.open.len()
    }

    /// All is well. To be called in every loop that waits for something.
    pub fn feed(&mut self) {
        if self
            .fed
            .is_some_and(|fed| fed.elapsed() < WATCHDOG_FED_EVERY)
        {
            return;
        }
        self.fed = Some(Instant::now());
        for watchdog in &mut self.open {
            // If it fails, the watchdog says so in its own way.
            let _ = watchdog.write_all(&[0]);
        }
    }
}

fn arm(name: &str) -> std::io::Result<File> {
    let path = Path::new("/dev").join(name);
    let watchdog = OpenOptions::new().write(true).open(path)?;
    let seconds = u32::try_from(WATCHDOG_TIMEOUT.as_secs()).unwrap_or(u32::MAX);
    // A driver that cannot be told keeps its own time, which is commonly the same.
    if let Err(error) = sys::set_watchdog_timeout(&watchdog, seconds) {
        complain(format_args!("{name} keeps its own time: {error}"));
    }
    Ok(watchdog)
}
