//! The source of versions, through the fetcher: a repository, and a payload that is taken up again
//! where it broke off.
//!
//! ```text
//! fetch (any time) ─> connects ─> Fetcher ─> take(base) ─> Remote: Repository, target, payload
//! ```
//!
//! The fetcher comes to us and not we to it: whoever takes hostile bytes apart for a living may not
//! dial anybody.

use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};

use super::install::Payload;
use crate::domain::limits::{
    FETCH_HEARD_WITHIN, FETCH_PART_BYTES, UPDATE_CHECK_WITHIN, UPDATE_FETCH_AGAIN_AFTER,
    UPDATE_FETCH_TRIES_MAX,
};
use crate::update::manifest::Chunk;
use crate::update::trust::Repository;
use crate::update::wire::{self, Fetched, WireError, Wish};

/// Why nothing came from the source. The words are for a person.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// Nobody is there to fetch anything.
    #[error("what fetches versions is being started; try again in a minute")]
    NoFetcher,
    /// It is gone, hangs, or speaks another language; the supervisor starts it again.
    #[error("what fetches versions is being restarted ({0}); try again in a minute")]
    Wire(#[from] WireError),
    /// It says why.
    #[error("{why}")]
    Failed {
        /// In its words.
        why: String,
        /// Another try may help.
        passes: bool,
    },
    /// Small files that take for ever.
    #[error("the source took longer than {} s", limit.as_secs())]
    TooSlow {
        /// In all.
        limit: Duration,
    },
    /// More than was asked for.
    #[error("a file of more than {limit} bytes")]
    TooLong {
        /// In bytes.
        limit: u64,
    },
    /// Something that signed metadata names.
    #[error("the source has no '{name}', though it says so; try again later")]
    Gone {
        /// Within the repository.
        name: String,
    },
}

impl RemoteError {
    fn passes(&self) -> bool {
        match self {
            Self::NoFetcher | Self::Wire(_) | Self::Gone { .. } => true,
            Self::Failed { passes, .. } => *passes,
            Self::TooSlow { .. } | Self::TooLong { .. } => false,
        }
    }
}

/// The connection to whoever fetches.
#[derive(Debug, Default)]
pub struct Fetcher(Mutex<Option<UnixStream>>);

impl Fetcher {
    /// Takes whoever connects as the fetcher, in the place of the one before.
    pub fn welcome(&self, listener: &UnixListener, may_fetch: impl Fn(u32) -> bool) {
        for stream in listener.incoming() {
            let known = stream.and_then(|stream| {
                let user = getsockopt(&stream, PeerCredentials)?.uid();
                stream.set_read_timeout(Some(FETCH_HEARD_WITHIN))?;
                stream.set_write_timeout(Some(FETCH_HEARD_WITHIN))?;
                Ok((may_fetch(user), stream))
            });
            match known {
                Ok((true, stream)) => *self.connection() = Some(stream),
                Ok((false, _)) => tracing::warn!("not_the_fetcher"),
                Err(error) => tracing::warn!(%error, "fetcher_socket"),
            }
        }
    }

    /// Whether nobody would fetch anything now.
    pub fn is_away(&self) -> bool {
        self.connection().is_none()
    }

    fn connection(&self) -> MutexGuard<'_, Option<UnixStream>> {
        self.0.lock().expect("nobody panics while he talks")
    }

    /// The source at `base`, for one conversation.
    pub fn take<'a>(&'a self, base: &'a str) -> Remote<'a> {
        Remote {
            fetcher: self,
            base,
            began: Instant::now(),
        }
    }
}

/// A source of versions.
pub struct Remote<'a> {
    fetcher: &'a Fetcher,
    base: &'a str,
    began: Instant,
}

impl<'a> Remote<'a> {
    /// Says what is wished, hears the answer; a connection that fails is never used again.
    fn ask(&self, wish: &Wish) -> Result<(Fetched, Vec<u8>), RemoteError> {
        let mut connection = self.fetcher.connection();
        let mut stream = connection.take().ok_or(RemoteError::NoFetcher)?;
        wire::send(&mut stream, wish)?;
        let answer = wire::receive(&mut stream)?.ok_or(WireError::OutOfTurn)?;
        let bytes = match answer {
            Fetched::Part => wire::receive_bytes(&mut stream)?,
            _ => Vec::new(),
        };
        if bytes.len() > FETCH_PART_BYTES {
            return Err(WireError::OutOfTurn.into());
        }
        *connection = Some(stream);
        match answer {
            Fetched::Failed { why, passes } => Err(RemoteError::Failed {
                why: why.to_string(),
                passes,
            }),
            answer => Ok((answer, bytes)),
        }
    }

    /// Begins with a file of the repository. Returns which byte comes first; none if there is no
    /// such file.
    fn open(&self, path: &str, from: u64, bytes_max: u64) -> Result<Option<u64>, RemoteError> {
        let wish = Wish::Open {
            address: format!("{}{path}", self.base),
            from,
            bytes_max,
        };
        match self.ask(&wish)? {
            (Fetched::Begins { from }, _) => Ok(Some(from)),
            (Fetched::Missing, _) => Ok(None),
            _ => Err(WireError::OutOfTurn.into()),
        }
    }

    /// More of it; nothing at its end.
    fn more(&self) -> Result<Vec<u8>, RemoteError> {
        match self.ask(&Wish::More)? {
            (Fetched::Part, bytes) => Ok(bytes),
            _ => Err(WireError::OutOfTurn.into()),
        }
    }

    /// The whole of a small file.
    fn read(&self, path: &str, bytes_max: u64) -> Result<Option<Vec<u8>>, RemoteError> {
        if self.open(path, 0, bytes_max)?.is_none() {
            return Ok(None);
        }
        let mut read = Vec::new();
        loop {
            if self.began.elapsed() > UPDATE_CHECK_WITHIN {
                let limit = UPDATE_CHECK_WITHIN;
                return Err(RemoteError::TooSlow { limit });
            }
            let part = self.more()?;
            if part.is_empty() {
                return Ok(Some(read));
            }
            read.extend(part);
            if read.len() as u64 > bytes_max {
                let limit = bytes_max;
                return Err(RemoteError::TooLong { limit });
            }
        }
    }

    /// A small target, by its path.
    pub fn target(&self, path: &str, bytes_max: u64) -> Result<Vec<u8>, RemoteError> {
        let found = self.read(&format!("targets/{path}"), bytes_max)?;
        found.ok_or_else(|| RemoteError::Gone { name: path.into() })
    }

    /// A large one, `bytes` long, which is read in pieces.
    pub fn payload(self, path: &str, bytes: u64) -> RemotePayload<'a> {
        RemotePayload {
            remote: self,
            path: format!("targets/{path}"),
            bytes,
            next: None,
            rest: Vec::new(),
            tries: 0,
        }
    }
}

impl Repository for Remote<'_> {
    type Error = RemoteError;

    fn metadata(&mut self, name: &str, bytes_max: u64) -> Result<Option<Vec<u8>>, RemoteError> {
        self.read(&format!("metadata/{name}"), bytes_max)
    }
}

/// A payload at the source. What is on the disk already is not fetched, and what broke off is taken
/// up again.
pub struct RemotePayload<'a> {
    remote: Remote<'a>,
    path: String,
    bytes: u64,
    /// Which byte comes next, if a transfer goes on.
    next: Option<u64>,
    /// What came and was not asked for yet, from `next` on.
    rest: Vec<u8>,
    /// Transfers that broke off.
    tries: u32,
}

impl RemotePayload<'_> {
    /// Stands before byte `at`.
    fn go_to(&mut self, at: u64) -> Result<(), RemoteError> {
        if self.next == Some(at) {
            return Ok(());
        }
        self.rest.clear();
        let begins = self.remote.open(&self.path, at, self.bytes)?;
        let begins = begins.filter(|begins| *begins <= at);
        let mut before = begins.ok_or_else(|| RemoteError::Gone {
            name: self.path.clone(),
        })?;
        // A server that knows no ranges begins anew.
        while before < at {
            let part = self.part()?;
            let skipped = (at - before).min(part.len() as u64);
            before += skipped;
            let skipped = usize::try_from(skipped).unwrap_or(part.len());
            self.rest = part[skipped..].to_vec();
        }
        self.next = Some(at);
        Ok(())
    }

    fn part(&self) -> Result<Vec<u8>, RemoteError> {
        let part = self.remote.more()?;
        if part.is_empty() {
            return Err(RemoteError::Failed {
                why: "the transfer ended early".into(),
                passes: true,
            });
        }
        Ok(part)
    }

    fn read(&mut self, chunk: &Chunk) -> Result<Vec<u8>, RemoteError> {
        self.go_to(chunk.at)?;
        // Until all of it is there, where we stand is not known.
        self.next = None;
        let mut read = std::mem::take(&mut self.rest);
        while read.len() < chunk.bytes {
            read.extend(self.part()?);
        }
        self.rest = read.split_off(chunk.bytes);
        self.next = Some(chunk.at + chunk.bytes as u64);
        Ok(read)
    }
}

impl Payload for RemotePayload<'_> {
    fn chunk(&mut self, chunk: &Chunk, wanted: bool, into: &mut Vec<u8>) -> io::Result<bool> {
        if !wanted {
            return Ok(false);
        }
        loop {
            match self.read(chunk) {
                Ok(bytes) => {
                    *into = bytes;
                    return Ok(true);
                }
                Err(error) if !error.passes() || self.tries == UPDATE_FETCH_TRIES_MAX => {
                    return Err(io::Error::other(error));
                }
                Err(error) => {
                    tracing::info!(%error, tries = self.tries, "transfer_broke_off");
                    thread::sleep(UPDATE_FETCH_AGAIN_AFTER * 2_u32.pow(self.tries));
                    self.tries += 1;
                }
            }
        }
    }
}
