//! What each program may still do once it runs.
//!
//! ```text
//! supervisor ─> users (ids, folders), mount (a view of its own), starts a program
//! program    ─> tie_to_parent ─> handed (its sockets) ─> enter(profile): files, calls
//! ```
//!
//! A program that serves strangers gives up, before the first of them connects, everything that
//! it does not need: starting processes, opening ports, reaching files of others. Start at
//! [`enter`]. Not here: who starts what ([`crate::supervisor`]).
//!
//! Operations on an io_uring ring pass by the system call filter; what a ring may do is restricted
//! where the ring is made. Landlock and file ownership hold for rings too.

mod calls;
mod files;
mod handed;
pub mod mount;
mod sys;
pub mod users;

use std::io;
use std::path::PathBuf;

use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};

use crate::domain::limits::SOCKETS_PER_RING_MAX;

pub use handed::{Handed, HandedError};
pub use sys::keep_descriptors_from_children;

/// What one program needs.
#[derive(Clone, Debug)]
pub struct Profile {
    calls: calls::Set,
    /// Files and folders (with everything below) that it may read.
    pub read: Vec<PathBuf>,
    /// Folders in which it may also write, make and remove.
    pub write: Vec<PathBuf>,
}

impl Profile {
    /// The relay: io_uring, SQLite, threads, connections from listeners it was handed.
    pub fn relay(read: Vec<PathBuf>, write: Vec<PathBuf>) -> Self {
        let calls = calls::Set::Relay;
        Self { calls, read, write }
    }

    /// The web side: epoll, SQLite, threads, local sockets.
    pub fn web(read: Vec<PathBuf>, write: Vec<PathBuf>) -> Self {
        let calls = calls::Set::Web;
        Self { calls, read, write }
    }
}

impl Profile {
    /// The update agent's verifier: threads, the sockets that it has and what they accept. No files,
    /// no network, nobody else's socket.
    pub fn update_verifier() -> Self {
        let calls = calls::Set::Verifier;
        let (read, write) = (vec![], vec![]);
        Self { calls, read, write }
    }

    /// The update agent's fetcher: connections to anybody, and the files that names are resolved by.
    pub fn update_fetcher(read: Vec<PathBuf>) -> Self {
        let calls = calls::Set::Fetcher;
        let write = vec![];
        Self { calls, read, write }
    }
}

/// What holds from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// The process runs under one of [`users`]' ids.
    pub own_user: bool,
    /// System calls are filtered. Always, or [`enter`] fails.
    pub seccomp: bool,
    /// Files are out of reach but for the profile's; false where the kernel has no Landlock.
    pub landlock: bool,
}

/// Why a program is not locked in. It must not serve then.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// Landlock before Linux 7.0 locks in only the calling thread, so there must be no other.
    #[error("{count} threads run, the sandbox is entered while there is one")]
    ThreadsRunning {
        /// How many there are.
        count: usize,
    },
    /// Descriptors, core dumps, privileges.
    #[error("cannot set {what}: {errno}")]
    Process {
        /// Which property.
        what: &'static str,
        /// The system's word.
        errno: nix::Error,
    },
    /// The kernel knows Landlock and refused.
    #[error("cannot restrict files: {0}")]
    Landlock(#[from] landlock::RulesetError),
    /// A folder of the profile cannot be opened.
    #[error("cannot restrict files: {0}")]
    Folder(#[from] landlock::PathFdError),
    /// The filter was refused.
    #[error("cannot filter system calls: {0}")]
    Seccomp(#[from] seccompiler::Error),
    /// The filter could not be written.
    #[error("cannot filter system calls: {0}")]
    Filter(#[from] seccompiler::BackendError),
    /// `/proc` does not say how many threads run.
    #[error("cannot read /proc/self/task: {0}")]
    Proc(#[from] io::Error),
}

/// The first act of a program that the supervisor starts: it dies with its parent, and what it
/// makes may be used by the programs of its group and by nobody else.
pub fn tie_to_parent() -> Result<(), SandboxError> {
    // SIGKILL, for an orphan that hangs would keep the ports.
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(process("the signal of a parent's death"))?;
    umask(Mode::S_IRWXO);
    Ok(())
}

/// Locks this process in, for good. Call it while there is one thread and before anything was
/// read from a stranger; open what lies outside the profile before.
pub fn enter(profile: &Profile) -> Result<Report, SandboxError> {
    let count = std::fs::read_dir("/proc/self/task")?.count();
    if count != 1 {
        return Err(SandboxError::ThreadsRunning { count });
    }
    lock_in(profile)
}

fn lock_in(profile: &Profile) -> Result<Report, SandboxError> {
    allow_many_descriptors()?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(process("the size of core dumps"))?;
    // Neither another process of this user nor a dump may read keys out of our memory.
    prctl::set_dumpable(false).map_err(process("who may look into the process"))?;
    prctl::set_no_new_privs().map_err(process("that privileges never grow"))?;
    let dials = profile.calls == calls::Set::Fetcher;
    let landlock = files::restrict(&profile.read, &profile.write, dials)?;
    calls::restrict(profile.calls)?;
    Ok(Report {
        own_user: users::is_own(nix::unistd::geteuid().as_raw()),
        seccomp: true,
        landlock,
    })
}

/// Locks in the update agent's writer, which is root and mounts a partition, so that Landlock, which
/// forbids that, is not for it: no network, no other program, no code but its own.
pub fn enter_writer() -> Result<(), SandboxError> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(process("the size of core dumps"))?;
    prctl::set_dumpable(false).map_err(process("who may look into the process"))?;
    prctl::set_no_new_privs().map_err(process("that privileges never grow"))?;
    calls::restrict(calls::Set::Writer)
}

/// Raises the number of open descriptors to [`SOCKETS_PER_RING_MAX`], or to what the system allows
/// this process. A kernel starts with 4,096, which also limits a ring's table of sockets.
pub fn allow_many_descriptors() -> Result<(), SandboxError> {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, hard)| {
        let wanted = hard.max(SOCKETS_PER_RING_MAX.into());
        // Only root may go beyond what it was given.
        setrlimit(Resource::RLIMIT_NOFILE, wanted, wanted)
            .or_else(|_| setrlimit(Resource::RLIMIT_NOFILE, hard, hard))
    });
    raised.map_err(process("the number of open descriptors"))
}

fn process(what: &'static str) -> impl Fn(nix::Error) -> SandboxError {
    move |errno| SandboxError::Process { what, errno }
}

#[cfg(test)]
mod tests;
