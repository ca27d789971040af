//! What people read while the machine starts: lines in the kernel's log, which every console shows.

use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::Write as _;

/// How urgent a line is (`<linux/kern_levels.h>`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    Error = 3,
    Notice = 5,
}

/// Something went as it should.
pub(super) fn say(text: impl Display) {
    write(Level::Notice, &text);
}

/// Something did not; shown on a quiet console as well.
pub(super) fn complain(text: impl Display) {
    write(Level::Error, &text);
}

fn write(level: Level, text: &dyn Display) {
    let line = format!("<{}>init: {text}\n", level as u8);
    // Opened for each line: the kernel counts lines per opening, and drops what is too much.
    let log = OpenOptions::new().write(true).open("/dev/kmsg");
    if log
        .and_then(|mut log| log.write_all(line.as_bytes()))
        .is_err()
    {
        // Before /dev is there; the kernel gave us its console.
        let _ = writeln!(std::io::stderr(), "init: {text}");
    }
}
