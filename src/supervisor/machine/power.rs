//! Restarting and switching off.
//!
//! The base system's first program does it: it runs its shutdown entries (which unmount
//! everything), ends what is left and tells the firmware. We have stopped our programs by then.

use std::thread::park;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// What the machine is to do once nothing of ours runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::supervisor) enum Power {
    /// Through the firmware, so that the boot loader chooses again.
    Restart,
    /// Until somebody presses the button.
    Off,
}

impl Power {
    /// What the first program understands (`BusyBox`, `init/init.c`).
    fn signal(self) -> Signal {
        match self {
            Self::Restart => Signal::SIGTERM,
            Self::Off => Signal::SIGUSR2,
        }
    }

    /// Asks the first program and waits for its end of us. Files of ours have to be closed.
    pub(super) fn ask_init(self) -> Result<std::convert::Infallible, nix::Error> {
        nix::unistd::sync();
        kill(Pid::from_raw(1), self.signal())?;
        loop {
            // If we ended it would start us again. If it hangs, the watchdog bites.
            park();
        }
    }
}
