//! Calls without a safe form.
#![allow(unsafe_code)]

use std::os::fd::{FromRawFd as _, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::libc;

/// Takes the `count` descriptors from `first` on that the parent left open for us; later calls
/// get nothing. From now on they stay out of started programs.
///
/// Returns the first number that is not open as the error.
pub(super) fn take_once(first: RawFd, count: usize) -> Result<Vec<OwnedFd>, RawFd> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Ordering::AcqRel) {
        return Ok(Vec::new());
    }
    let fds = (first..).take(count);
    for fd in fds.clone() {
        // SAFETY: setting a flag touches no memory; on a number that is not open it fails.
        if unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) } == -1 {
            return Err(fd);
        }
    }
    // SAFETY:
    // - Open: the loop above set a flag on each.
    // - Ours alone: the parent placed them in these numbers for this program (the LISTEN_FDS
    //   protocol), nothing of ours opened them, and `TAKEN` lets only one caller come here.
    Ok(fds.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }).collect())
}

/// Marks every open descriptor but the standard three as not for started programs, whoever left
/// them open for us. What a program shall have is passed on by name.
pub fn keep_descriptors_from_children() -> nix::Result<()> {
    // SAFETY: sets a flag on whatever is open and touches no memory.
    let done = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            3,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
    nix::errno::Errno::result(done).map(drop)
}

/// Tries to map a page of executable memory, for a test.
#[cfg(test)]
pub(super) fn make_executable_memory() -> nix::Result<()> {
    let rights = libc::PROT_READ | libc::PROT_EXEC;
    let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping at an address of the kernel's choice; nothing refers to it.
    let at = unsafe { libc::mmap(std::ptr::null_mut(), 4096, rights, kind, -1, 0) };
    nix::errno::Errno::result(at as isize).map(drop)
}
