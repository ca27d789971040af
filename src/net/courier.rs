//! Carries messages, and sockets with them, to another process (`SCM_RIGHTS`, unix(7)).

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd as _, AsRawFd, FromRawFd as _, OwnedFd, RawFd};
use std::time::Duration;

use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg, setsockopt, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike as _};

/// Sockets that go with one message.
pub const SOCKETS_PER_MESSAGE_MAX: usize = 32;

/// One end. Messages arrive whole and in order, or not at all.
#[derive(Debug)]
pub struct Courier(OwnedFd);

impl Courier {
    /// Two ends, as the supervisor makes them.
    #[cfg(test)]
    pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
        use nix::sys::socket::{AddressFamily, SockFlag, SockType, socketpair};
        let (domain, kind) = (AddressFamily::Unix, SockType::SeqPacket);
        Ok(socketpair(domain, kind, None, SockFlag::SOCK_CLOEXEC)?)
    }

    /// An end that was handed over. Sending to somebody who takes nothing fails after `patience`.
    pub fn new(end: OwnedFd, patience: Duration) -> io::Result<Self> {
        setsockopt(&end, sockopt::SendTimeout, &timeval(patience))?;
        Ok(Self(end))
    }

    /// Sends one message and at most [`SOCKETS_PER_MESSAGE_MAX`] sockets, which stay open here.
    pub fn send(&self, message: &[u8], sockets: &[OwnedFd]) -> io::Result<()> {
        let numbers: Vec<RawFd> = sockets.iter().map(AsRawFd::as_raw_fd).collect();
        let rights = [ControlMessage::ScmRights(&numbers)];
        let with = if numbers.is_empty() { &[] } else { &rights[..] };
        let to = self.0.as_raw_fd();
        let parts = [IoSlice::new(message)];
        sendmsg::<()>(to, &parts, with, MsgFlags::MSG_NOSIGNAL, None)?;
        Ok(())
    }

    /// Waits for the next message, for ever without a limit. It lies at the beginning of `buffer`;
    /// `None` if the other end is gone.
    ///
    /// # Errors
    ///
    /// Nothing came in time, or more than fits.
    pub fn receive(
        &self,
        buffer: &mut [u8],
        within: Option<Duration>,
    ) -> io::Result<Option<(usize, Vec<OwnedFd>)>> {
        let within = timeval(within.unwrap_or_default());
        setsockopt(&self.0.as_fd(), sockopt::ReceiveTimeout, &within)?;
        let mut space = nix::cmsg_space!([RawFd; SOCKETS_PER_MESSAGE_MAX]);
        let mut parts = [IoSliceMut::new(buffer)];
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        let from = self.0.as_raw_fd();
        let message = recvmsg::<()>(from, &mut parts, Some(&mut space), flags)?;
        let mut sockets = Vec::new();
        for control in message.cmsgs()? {
            if let ControlMessageOwned::ScmRights(numbers) = control {
                // SAFETY: the kernel has just made these descriptors for us, and nobody else knows
                // them.
                let owned = |number| unsafe { OwnedFd::from_raw_fd(number) };
                sockets.extend(numbers.into_iter().map(owned));
            }
        }
        let cut = MsgFlags::MSG_TRUNC | MsgFlags::MSG_CTRUNC;
        if message.flags.intersects(cut) {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok((message.bytes > 0).then_some((message.bytes, sockets)))
    }
}

/// Zero waits for ever.
fn timeval(limit: Duration) -> TimeVal {
    TimeVal::microseconds(i64::try_from(limit.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixStream;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn ends() -> (Courier, Courier) {
        let (one, other) = Courier::pair().unwrap();
        let end = |end| Courier::new(end, PATIENCE).unwrap();
        (end(one), end(other))
    }

    #[test]
    fn sockets_arrive_with_their_message_and_work_there() {
        let (from, to) = ends();
        let pairs = [(); SOCKETS_PER_MESSAGE_MAX].map(|()| UnixStream::pair().unwrap());
        let (near, far): (Vec<UnixStream>, Vec<UnixStream>) = pairs.into_iter().unzip();
        let far: Vec<OwnedFd> = far.into_iter().map(OwnedFd::from).collect();
        from.send(b"all of them", &far).unwrap();
        from.send(b"none", &[]).unwrap();
        drop((from, far));
        let mut buffer = [0; 64];
        let (length, sockets) = to.receive(&mut buffer, Some(PATIENCE)).unwrap().unwrap();
        assert_eq!(&buffer[..length], b"all of them");
        assert_eq!(sockets.len(), near.len());
        for (number, (mut near, far)) in (0_u8..).zip(near.into_iter().zip(sockets)) {
            UnixStream::from(far).write_all(&[number]).unwrap();
            let mut heard = [0];
            near.read_exact(&mut heard).unwrap();
            assert_eq!(heard, [number]);
        }
        let (length, sockets) = to.receive(&mut buffer, Some(PATIENCE)).unwrap().unwrap();
        assert_eq!((&buffer[..length], sockets.len()), (&b"none"[..], 0));
        assert!(to.receive(&mut buffer, Some(PATIENCE)).unwrap().is_none());
    }

    #[test]
    fn who_takes_nothing_and_who_says_nothing_is_not_waited_for_longer_than_was_said() {
        let (one, _other) = Courier::pair().unwrap();
        let short = Duration::from_millis(20);
        let one = Courier::new(one, short).unwrap();
        assert!(one.receive(&mut [0; 8], Some(short)).is_err());
        // The kernel keeps some; then nobody takes the next.
        assert!((0..100_000).any(|_| one.send(&[0; 4_096], &[]).is_err()));
    }

    #[test]
    fn a_message_that_does_not_fit_is_refused() {
        let (from, to) = ends();
        from.send(&[1; 100], &[]).unwrap();
        assert!(to.receive(&mut [0; 64], Some(PATIENCE)).is_err());
    }
}
