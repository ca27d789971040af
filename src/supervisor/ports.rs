//! Every listening socket, bound before any program runs.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, TcpListener};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::{PermissionsExt as _, lchown};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, Backlog, Shutdown, SockFlag, SockType, SockaddrStorage, bind, listen,
    setsockopt, shutdown, socket, sockopt,
};

use super::state::Mode;
use crate::config::{Config, Paths};
use crate::domain::limits::LISTEN_BACKLOG;
use crate::sandbox::users::Identity;

/// Why there is nothing to listen on.
#[derive(Debug, thiserror::Error)]
pub enum PortsError {
    /// Another program, or another appliance, has it.
    #[error(
        "port {port} is in use; stop the other program, or choose another port with \
         '{setting}' in {file}"
    )]
    InUse {
        /// Which.
        port: u16,
        /// What to change.
        setting: &'static str,
        /// And where.
        file: PathBuf,
    },
    /// Below 1024.
    #[error("port {port} needs root; start with sudo, or without --privileged-ports")]
    NotPermitted {
        /// Which.
        port: u16,
    },
    /// Anything else.
    #[error("cannot listen on port {port}: {errno}")]
    Port {
        /// Which.
        port: u16,
        /// The system's word.
        errno: Errno,
    },
    /// The address of a Unix socket holds 107 bytes of path.
    #[error("cannot make socket {path}: {error}")]
    Socket {
        /// Where.
        path: PathBuf,
        /// The system's word.
        error: io::Error,
    },
}

/// The sockets. They live as long as the supervisor, so that callers of a program that is being
/// started again wait instead of being refused.
#[derive(Debug)]
pub(super) struct Ports {
    /// One for each thread of relay; the kernel spreads connections over them (SO_REUSEPORT).
    https: Vec<OwnedFd>,
    http: OwnedFd,
    control: UnixListener,
    web: UnixListener,
    https_port: u16,
    http_port: u16,
}

impl Ports {
    /// Binds everything. Waits for at most `patience` for a port that is in use.
    pub(super) fn bind(
        config: &Config,
        paths: &Paths,
        mode: Mode,
        patience: Duration,
    ) -> Result<Self, PortsError> {
        let until = Instant::now() + patience;
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let port = |setting, port, count| {
            let listening = patiently(until, || listeners(port, count));
            listening.map_err(|errno| explain(errno, port, setting, paths))
        };
        let (https_port, https) = port("https_port", config.https_port, threads)?;
        let (redirect_port, mut redirect) = port("http_port", config.http_port, 1)?;
        Ok(Self {
            https,
            http: redirect.swap_remove(0),
            control: local_of_group(&paths.control_socket(), mode)?,
            web: local_of_group(&paths.web_socket(), mode)?,
            https_port,
            http_port: redirect_port,
        })
    }

    /// Where HTTPS is, also when any free port was asked for.
    pub(super) fn https_port(&self) -> u16 {
        self.https_port
    }

    /// Where HTTP is.
    pub(super) fn http_port(&self) -> u16 {
        self.http_port
    }

    /// For relay, by name.
    pub(super) fn of_relay(&self) -> io::Result<Vec<(&'static str, OwnedFd)>> {
        let mut sockets = Vec::with_capacity(self.https.len() + 2);
        for listener in &self.https {
            sockets.push(("https", listener.try_clone()?));
        }
        sockets.push(("http", self.http.try_clone()?));
        sockets.push(("control", self.control.try_clone()?.into()));
        Ok(sockets)
    }

    /// For web, by name.
    pub(super) fn of_web(&self) -> io::Result<Vec<(&'static str, OwnedFd)>> {
        Ok(vec![("web", self.web.try_clone()?.into())])
    }

    /// At the end: whoever asks then shall hear that nobody is there, and the next start finds the
    /// ports free. The kernel takes a ring apart some time after its process has ended, and until then
    /// that has the sockets as well.
    pub(super) fn close(self) {
        for listener in self.https.iter().chain([&self.http]) {
            shutdown(listener.as_raw_fd(), Shutdown::Both).ok();
        }
        for listener in [&self.control, &self.web] {
            if let Ok(address) = listener.local_addr()
                && let Some(path) = address.as_pathname()
            {
                drop(std::fs::remove_file(path));
            }
        }
    }
}

/// Tries again while the port is in use.
fn patiently<T>(until: Instant, mut attempt: impl FnMut() -> nix::Result<T>) -> nix::Result<T> {
    loop {
        match attempt() {
            Err(Errno::EADDRINUSE) if Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(50));
            }
            other => return other,
        }
    }
}

fn explain(errno: Errno, port: u16, setting: &'static str, paths: &Paths) -> PortsError {
    match errno {
        Errno::EADDRINUSE => PortsError::InUse {
            port,
            setting,
            file: paths.config(),
        },
        Errno::EACCES => PortsError::NotPermitted { port },
        errno => PortsError::Port { port, errno },
    }
}

/// `count` listeners on one port of every address, and the port.
fn listeners(port: u16, count: usize) -> nix::Result<(u16, Vec<OwnedFd>)> {
    // Two appliances of one user could share a port by SO_REUSEPORT and would each get half of
    // the callers. So the first socket asks without, which fails if anybody has the port.
    let (probe, address) = match bound(any_v6(port), Sharing::Refused) {
        // No IPv6 in this kernel, or switched off.
        Err(Errno::EAFNOSUPPORT | Errno::EADDRNOTAVAIL) => {
            (bound(any_v4(port), Sharing::Refused)?, any_v4(port))
        }
        other => (other?, any_v6(port)),
    };
    let port = TcpListener::from(probe)
        .local_addr()
        .map_err(|error| Errno::try_from(error).unwrap_or(Errno::UnknownErrno))?
        .port();
    let address = match address {
        SocketAddr::V4(_) => any_v4(port),
        SocketAddr::V6(_) => any_v6(port),
    };
    let listeners = (0..count).map(|_| bound(address, Sharing::WithOurOwn));
    Ok((port, listeners.collect::<nix::Result<_>>()?))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sharing {
    Refused,
    WithOurOwn,
}

fn any_v4(port: u16) -> SocketAddr {
    SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port).into()
}

fn any_v6(port: u16) -> SocketAddr {
    SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, port, 0, 0).into()
}

/// A listening socket on every address; a v6 one takes v4 callers as well.
fn bound(address: SocketAddr, sharing: Sharing) -> nix::Result<OwnedFd> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let fd = socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    // Connections of the run before may linger; they do not keep the port.
    setsockopt(&fd, sockopt::ReuseAddr, &true)?;
    if address.is_ipv6() {
        setsockopt(&fd, sockopt::Ipv6V6Only, &false)?;
    }
    if sharing == Sharing::WithOurOwn {
        setsockopt(&fd, sockopt::ReusePort, &true)?;
    }
    bind(fd.as_raw_fd(), &SockaddrStorage::from(address))?;
    listen(&fd, Backlog::new(LISTEN_BACKLOG)?)?;
    Ok(fd)
}

/// A Unix socket for our own programs: for the group when they have users of their own.
fn local_of_group(path: &Path, mode: Mode) -> Result<UnixListener, PortsError> {
    match mode {
        Mode::Root => local(path),
        Mode::User => bound_at(path, None, 0o600),
    }
}

/// A Unix socket for all of our programs; needs root.
pub(super) fn local(path: &Path) -> Result<UnixListener, PortsError> {
    bound_at(path, Some(Identity::ROOT), 0o660)
}

/// A Unix socket for one of our programs; needs root.
pub(super) fn private(path: &Path, user: u32) -> Result<UnixListener, PortsError> {
    bound_at(path, Some(Identity::of(user)), 0o600)
}

fn bound_at(path: &Path, owner: Option<Identity>, bits: u32) -> Result<UnixListener, PortsError> {
    let socket = |error| PortsError::Socket {
        path: path.to_owned(),
        error,
    };
    // Left by a supervisor that was killed: we hold the lock, so nobody listens there.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(socket(error)),
        _ => {}
    }
    let listener = UnixListener::bind(path).map_err(socket)?;
    if let Some(owner) = owner {
        lchown(path, Some(owner.user), Some(owner.group)).map_err(socket)?;
    }
    let rights = std::fs::Permissions::from_mode(bits);
    std::fs::set_permissions(path, rights).map_err(socket)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn callers_of_both_families_reach_a_port_of_any_number() {
        let (port, found) = listeners(0, 3).unwrap();
        assert_eq!(found.len(), 3);
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        if bound(any_v6(0), Sharing::Refused).is_ok() {
            TcpStream::connect((Ipv6Addr::LOCALHOST, port)).unwrap();
        }
    }

    #[test]
    fn a_port_is_not_shared_with_another_appliance() {
        let (port, _held) = listeners(0, 2).unwrap();
        assert_eq!(listeners(port, 2).unwrap_err(), Errno::EADDRINUSE);
    }

    #[test]
    fn a_port_that_a_program_has_on_one_address_is_in_use() {
        let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = other.local_addr().unwrap().port();
        assert_eq!(listeners(port, 1).unwrap_err(), Errno::EADDRINUSE);
    }

    #[test]
    fn a_port_that_was_closed_is_free_although_a_ring_still_has_its_socket() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::new(folder.path());
        std::fs::create_dir(paths.sockets()).unwrap();
        let mut config = Config::default();
        (config.https_port, config.http_port) = (0, 0);
        let bind = |config: &Config| Ports::bind(config, &paths, Mode::User, Duration::ZERO);
        let ports = bind(&config).unwrap();
        let _in_a_ring = ports.of_relay().unwrap();
        (config.https_port, config.http_port) = (ports.https_port(), ports.http_port());
        assert!(bind(&config).is_err());
        ports.close();
        bind(&config).unwrap();
    }

    #[test]
    fn a_port_that_becomes_free_in_time_is_taken() {
        let (port, held) = listeners(0, 1).unwrap();
        let frees = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            drop(held);
        });
        let until = Instant::now() + Duration::from_secs(10);
        patiently(until, || listeners(port, 1)).unwrap();
        frees.join().unwrap();
    }
}
