//! The listening sockets that the supervisor opened for this program.

use std::collections::VecDeque;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;

use super::sys;

/// Where the LISTEN_FDS protocol starts (`sd_listen_fds(3)`).
const FIRST: i32 = 3;

/// Sockets by name, in the order in which they were handed over.
#[derive(Debug)]
pub struct Handed(VecDeque<(String, OwnedFd)>);

/// Why a program has no sockets: it was not started by the supervisor, or wrongly.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandedError {
    /// Nobody hands anything over.
    #[error("no sockets were handed over (LISTEN_FDS); this program is started by the supervisor")]
    NotStarted,
    /// Numbers and names do not fit each other.
    #[error("{fds} sockets were handed over with {names} names")]
    Miscounted {
        /// LISTEN_FDS.
        fds: usize,
        /// Entries of LISTEN_FDNAMES.
        names: usize,
    },
    /// Announced, but closed.
    #[error("descriptor {fd} was announced but is not open")]
    Closed {
        /// Its number.
        fd: i32,
    },
    /// The program cannot work without.
    #[error("no socket named '{name}' was handed over")]
    Missing {
        /// Expected name.
        name: String,
    },
}

impl Handed {
    /// Takes them, once in a program's life: `LISTEN_FDS` of them, named by `LISTEN_FDNAMES`.
    pub fn take() -> Result<Self, HandedError> {
        let count = std::env::var("LISTEN_FDS").ok();
        let count: usize = count
            .and_then(|text| text.parse().ok())
            .ok_or(HandedError::NotStarted)?;
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let names: Vec<&str> = names.split(':').filter(|name| !name.is_empty()).collect();
        if names.len() != count {
            return Err(HandedError::Miscounted {
                fds: count,
                names: names.len(),
            });
        }
        let fds = sys::take_once(FIRST, count).map_err(|fd| HandedError::Closed { fd })?;
        let names = names.into_iter().map(str::to_owned);
        Ok(Self(names.zip(fds).collect()))
    }

    /// Every TCP listener called `name`; at least one.
    pub fn tcp(&mut self, name: &str) -> Result<Vec<TcpListener>, HandedError> {
        Ok(self.named(name)?.into_iter().map(Into::into).collect())
    }

    /// The first Unix listener called `name`.
    pub fn unix(&mut self, name: &str) -> Result<UnixListener, HandedError> {
        Ok(self.named(name)?.swap_remove(0).into())
    }

    /// The first of whatever is called `name`, if something is.
    pub fn other(&mut self, name: &str) -> Option<OwnedFd> {
        self.named(name).ok().map(|mut found| found.swap_remove(0))
    }

    fn named(&mut self, name: &str) -> Result<Vec<OwnedFd>, HandedError> {
        let (found, others): (VecDeque<_>, VecDeque<_>) =
            self.0.drain(..).partition(|(known, _)| known == name);
        self.0 = others;
        if found.is_empty() {
            let name = name.to_owned();
            return Err(HandedError::Missing { name });
        }
        Ok(found.into_iter().map(|(_, fd)| fd).collect())
    }
}
