//! A stream's socket: one that the kernel accepted into the ring's own table, or one of the process.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};

use io_uring::types::{DestinationSlot, Fd, Fixed};
use io_uring::{Submitter, opcode, squeue};
use nix::libc;
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::socket::{self, SockaddrLike as _, SockaddrStorage, sockopt};

use super::buffer_ring::{BUFFER_BYTES, GROUP};
use crate::domain::limits::ACCEPTS_AT_ONCE;

/// A stream's socket.
pub(super) enum Socket {
    /// Accepted, at this place of the ring's table. It is none of the process's descriptors, of
    /// which there are fewer than an appliance has clients.
    Direct(u32),
    /// Made elsewhere.
    Owned(OwnedFd),
    /// On its way into the table. The kernel writes its place there over its number.
    Entering(OwnedFd, Box<i32>),
}

impl Socket {
    /// For the kernel to fill one of the ring's buffers.
    pub fn receive(&self) -> squeue::Entry {
        let null = std::ptr::null_mut();
        let entry = match self {
            Self::Direct(place) => opcode::Recv::new(Fixed(*place), null, BUFFER_BYTES),
            Self::Owned(fd) | Self::Entering(fd, _) => {
                opcode::Recv::new(Fd(fd.as_raw_fd()), null, BUFFER_BYTES)
            }
        };
        let entry = entry.buf_group(GROUP).build();
        entry.flags(squeue::Flags::BUFFER_SELECT)
    }

    /// For the kernel to send all of `bytes`; it gathers short writes itself, so a completion
    /// nearly always ends the send. They have to stay where they are until then.
    pub fn send(&self, bytes: &[u8]) -> squeue::Entry {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let entry = match self {
            Self::Direct(place) => opcode::Send::new(Fixed(*place), bytes.as_ptr(), length),
            Self::Owned(fd) | Self::Entering(fd, _) => {
                opcode::Send::new(Fd(fd.as_raw_fd()), bytes.as_ptr(), length)
            }
        };
        entry.flags(libc::MSG_NOSIGNAL | libc::MSG_WAITALL).build()
    }

    /// For the kernel to tell the peer that nothing more will come.
    pub fn finish(&self) -> squeue::Entry {
        match self {
            Self::Direct(place) => opcode::Shutdown::new(Fixed(*place), libc::SHUT_WR).build(),
            Self::Owned(fd) | Self::Entering(fd, _) => {
                opcode::Shutdown::new(Fd(fd.as_raw_fd()), libc::SHUT_WR).build()
            }
        }
    }

    /// For the kernel to forget it; `None` if dropping it does that.
    pub fn close(&self) -> Option<squeue::Entry> {
        match self {
            Self::Direct(place) => Some(opcode::Close::new(Fixed(*place)).build()),
            Self::Owned(_) | Self::Entering(..) => None,
        }
    }
}

/// Makes room for so many direct sockets, or for as many as the kernel allows (`RLIMIT_NOFILE`, though
/// they do not count towards it).
pub(super) fn register_table(submitter: &Submitter<'_>, sockets_max: u32) -> io::Result<u32> {
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let places = u32::try_from(soft).unwrap_or(u32::MAX);
    let places = places.min(sockets_max);
    submitter.register_files_sparse(places)?;
    Ok(places)
}

/// A listener, and where the kernel writes peers' addresses.
pub(super) struct Listener {
    socket: TcpListener,
    local: SocketAddr,
    callers: Vec<Caller>,
}

struct Caller {
    address: Box<libc::sockaddr_storage>,
    length: Box<libc::socklen_t>,
    /// Not asked for again yet.
    rests: bool,
}

impl Listener {
    pub fn new(socket: TcpListener) -> io::Result<Self> {
        // What is accepted inherits it. Frames are small and already gathered: waiting for more
        // only delays them.
        socket::setsockopt(&socket.as_fd(), sockopt::TcpNoDelay, &true)?;
        let local = socket.local_addr()?;
        let callers = (0..ACCEPTS_AT_ONCE).map(|_| Caller {
            // SAFETY: all-zero is a valid sockaddr_storage: it is plain numbers.
            address: Box::new(unsafe { std::mem::zeroed() }),
            length: Box::new(0),
            rests: true,
        });
        Ok(Self {
            socket,
            local,
            callers: callers.collect(),
        })
    }

    /// Callers that are not asked for.
    pub fn resting(&self) -> impl Iterator<Item = u16> + use<'_> {
        let callers = (0..).zip(&self.callers);
        callers.filter(|(_, caller)| caller.rests).map(|(n, _)| n)
    }

    /// Callers that are.
    pub fn asking(&self) -> impl Iterator<Item = u16> + use<'_> {
        let callers = (0..).zip(&self.callers);
        callers.filter(|(_, caller)| !caller.rests).map(|(n, _)| n)
    }

    /// For the kernel to accept one peer into the ring's table and say who it is. The address lies
    /// in a box that lives as long as the listener.
    pub fn accept(&mut self, caller: u16) -> squeue::Entry {
        let caller = &mut self.callers[usize::from(caller)];
        *caller.length = libc::socklen_t::try_from(size_of::<libc::sockaddr_storage>())
            .expect("a small constant");
        caller.rests = false;
        let address = (&raw mut *caller.address).cast::<libc::sockaddr>();
        opcode::Accept::new(
            Fd(self.socket.as_raw_fd()),
            address,
            &raw mut *caller.length,
        )
        .file_index(Some(DestinationSlot::auto_target()))
        .build()
    }

    /// What became of [`Self::accept`]: the socket, its peer, and our own address as the listener
    /// has it. The caller rests.
    pub fn accepted(
        &mut self,
        caller: u16,
        result: i32,
    ) -> io::Result<(Socket, io::Result<(SocketAddr, SocketAddr)>)> {
        let caller = &mut self.callers[usize::from(caller)];
        caller.rests = true;
        let place = u32::try_from(result).map_err(|_| io::Error::from_raw_os_error(-result))?;
        // SAFETY: the kernel wrote a whole socket address of `length` bytes into `address`, and
        // the accept that did so is complete.
        let peer = unsafe {
            SockaddrStorage::from_raw(
                (&raw const *caller.address).cast::<libc::sockaddr>(),
                Some(*caller.length),
            )
        };
        let peer = peer.as_ref().and_then(internet);
        let peer = peer.ok_or_else(|| io::ErrorKind::AddrNotAvailable.into());
        let local = self.local;
        Ok((Socket::Direct(place), peer.map(|peer| (peer, local))))
    }

    /// Gives up what the kernel may still write to.
    pub fn forget(self) {
        for caller in self.callers {
            std::mem::forget((caller.address, caller.length));
        }
    }
}

/// An IPv4 or IPv6 address.
fn internet(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address
        .as_sockaddr_in()
        .map(|v4| SocketAddr::from((v4.ip(), v4.port())));
    v4.or_else(|| {
        address
            .as_sockaddr_in6()
            .map(|v6| SocketAddr::from((v6.ip(), v6.port())))
    })
}
