//! Wakes a ring thread from another thread.

use std::os::fd::AsFd;
use std::sync::Arc;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};

/// A handle to wake one ring. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Waker(pub(super) Arc<EventFd>);

impl Waker {
    /// A waker for a ring still to be made.
    pub fn new() -> nix::Result<Self> {
        EventFd::from_value_and_flags(0, EfdFlags::EFD_CLOEXEC).map(|fd| Self(Arc::new(fd)))
    }

    /// For a thread without a ring: waits until `other` can be read. Returns false once woken.
    pub fn await_or_readable(&self, other: &impl AsFd) -> bool {
        let readable = |fd| PollFd::new(fd, PollFlags::POLLIN);
        let mut fds = [readable(self.0.as_fd()), readable(other.as_fd())];
        // What a failure means for `other` is seen by whoever reads it.
        let _ = poll(&mut fds, PollTimeout::NONE);
        !fds[0].any().unwrap_or(false)
    }

    /// Ends the ring's wait, now or the next one.
    pub fn wake(&self) {
        // Fails only when the counter is at its end, that is, when the ring is being woken already.
        let _ = nix::unistd::write(self.0.as_fd(), &1_u64.to_ne_bytes());
    }
}
