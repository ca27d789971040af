//! The few calls that have no safe form.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nix::libc;
use nix::pty::PtyMaster;
use nix::sys::signal::{SigHandler, Signal, signal};

use tokio::io::unix::AsyncFd;

use crate::domain::Stamp;

/// Signals somebody may have ignored before starting us; a shell's programs expect the defaults.
const SIGNALS_RESET: [Signal; 7] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGTSTP,
    Signal::SIGTTIN,
    Signal::SIGTTOU,
];

/// Has `command` start in a session of its own whose controlling terminal is its standard input.
pub(super) fn lead_session(command: &mut Command) {
    let prepare = || {
        for name in SIGNALS_RESET {
            // SAFETY: the default action runs no code of ours.
            unsafe { signal(name, SigHandler::SigDfl) }?;
        }
        nix::unistd::setsid()?;
        // SAFETY: TIOCSCTTY takes a number by value and touches no memory of ours; descriptor 0
        // is open, since `Command` has placed the standard input there before.
        let made = unsafe { libc::ioctl(0, libc::TIOCSCTTY, 0) };
        nix::errno::Errno::result(made)?;
        Ok(())
    };
    // SAFETY: between fork and exec only async-signal-safe calls may run. `prepare` makes three
    // kinds of system call (sigaction, setsid, ioctl), allocates nothing and takes no lock; an
    // error is a number without allocation.
    unsafe { command.pre_exec(prepare) };
}

/// Our end of a pseudo-terminal, for the event loop to wait on. It has to be non-blocking.
pub(super) fn watched(master: PtyMaster) -> io::Result<AsyncFd<PtyMaster>> {
    // SAFETY: a `PtyMaster` owns its open descriptor and closes it only when dropped, and `AsyncFd`
    // deregisters before it drops what it owns. Nobody gets it by `&mut` to put another in its
    // place: it goes behind an `Arc` at once.
    let watched = unsafe { AsyncFd::register(master) };
    watched.map_err(io::Error::from)
}

/// Tells a terminal its size; the programs in it get SIGWINCH.
pub(super) fn set_size(terminal: BorrowedFd<'_>, columns: u16, rows: u16) -> io::Result<()> {
    let size = libc::winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: TIOCSWINSZ reads one `winsize`, which lives until the call returns.
    let done = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
    nix::errno::Errno::result(done)?;
    Ok(())
}

/// A terminal's width, if it knows one.
pub(super) fn columns(terminal: BorrowedFd<'_>) -> Option<u16> {
    let mut size = libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: TIOCGWINSZ writes one `winsize`, which is ours alone until the call returns.
    let done = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
    (done == 0 && size.ws_col > 0).then_some(size.ws_col)
}

/// Hour and minute on the clock of this computer's time zone.
pub(super) fn hour_and_minute(at: Stamp) -> (i32, i32) {
    let seconds: libc::time_t = at.0.div_euclid(1_000);
    // SAFETY: all-zero is a valid `tm`: it is made of numbers and one pointer that may be null.
    let mut parts: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: reads one `time_t` and writes one `tm`, both ours until the call returns. It reads
    // the environment (TZ), which nothing in this program changes once it runs.
    let done = unsafe { libc::localtime_r(&raw const seconds, &raw mut parts) };
    if done.is_null() {
        return (0, 0);
    }
    (parts.tm_hour, parts.tm_min)
}
