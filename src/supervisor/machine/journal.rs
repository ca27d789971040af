//! What the supervisor says on an image: lines with their time, in a log file of its own. The
//! console is for the person in front of it.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use jiff::Timestamp;

use crate::supervisor::log;

/// From now on standard output and error go to `path`.
pub(super) fn write_to(path: &Path) -> io::Result<()> {
    let file: File = log::open(path)?;
    nix::unistd::dup2_stdout(&file)?;
    nix::unistd::dup2_stderr(&file)?;
    Ok(())
}

/// One line.
pub(super) fn note(line: &str) {
    let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ");
    // A full disk is no reason to stop.
    drop(writeln!(io::stderr(), "{now} supervisor: {line}"));
}

/// From now on what is said goes nowhere: the log's disk is about to be unmounted.
pub(super) fn close() {
    if let Ok(nowhere) = File::options().write(true).open("/dev/null") {
        let _ = nix::unistd::dup2_stdout(&nowhere);
        let _ = nix::unistd::dup2_stderr(&nowhere);
    }
}
