//! Asking: blocking for the command line and the supervisor, async for the web side.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::wire::{self, WireError};
use super::{Reply, Request};
use crate::domain::limits::{BACK_UP_WITHIN, CONTROL_REPLY_WITHIN};

/// Where the relay listens. Holds no connection: each question makes one, so a restarted relay is
/// found again by itself.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
}

impl Client {
    /// A client of the relay that listens at `socket`.
    pub fn new(socket: &Path) -> Self {
        Self {
            socket: socket.to_owned(),
        }
    }

    /// Asks and waits, at most [`CONTROL_REPLY_WITHIN`], or for a backup [`BACK_UP_WITHIN`].
    pub fn ask(&self, request: &Request) -> Result<Reply, WireError> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(within(request)))?;
        stream.set_write_timeout(Some(CONTROL_REPLY_WITHIN))?;
        wire::write(&mut stream, request)?;
        wire::read(&mut stream)?.ok_or_else(closed)
    }

    /// The same without blocking the thread.
    pub async fn ask_async(&self, request: &Request) -> Result<Reply, WireError> {
        let asked = tokio::time::timeout(within(request), self.exchange(request)).await;
        asked.unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
    }

    async fn exchange(&self, request: &Request) -> Result<Reply, WireError> {
        let mut stream = tokio::net::UnixStream::connect(&self.socket).await?;
        stream.write_all(&wire::encode(request)?).await?;
        let mut header = [0; 4];
        stream.read_exact(&mut header).await?;
        let mut body = vec![0; wire::body_bytes(header)?];
        stream.read_exact(&mut body).await?;
        Ok(serde_json::from_slice(&body)?)
    }
}

fn within(request: &Request) -> Duration {
    match request {
        Request::BackUp { .. } => BACK_UP_WITHIN,
        _ => CONTROL_REPLY_WITHIN,
    }
}

fn closed() -> WireError {
    std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into()
}
