//! Asking the update agent: blocking for the command line, async for the web side.
//!
//! A file that is handed in follows its request on the same connection. What takes minutes is
//! waited for as long as the agent's status goes on changing.

use std::io::{self, ErrorKind, Read, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::update::{Reply, Request, Status};
use super::wire::{self, WireError};
use crate::domain::limits::{
    BUNDLE_HEADER_BYTES, BUNDLE_METADATA_BYTES_MAX, CONTROL_REPLY_WITHIN, FILE_PIECE_BYTES,
    UPDATE_LOOK_EVERY, UPDATE_SILENCE_MAX,
};

/// Where in an update file's header the metadata's length is.
const LENGTH_AT: usize = 16;

/// What comes before the payload of an update file, for [`Request::Examine`]; of what is no update
/// file, enough to be told so.
pub fn beginning(file: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut begin = Vec::new();
    file.take(BUNDLE_HEADER_BYTES as u64)
        .read_to_end(&mut begin)?;
    let length = begin.get(LENGTH_AT..).and_then(<[u8]>::first_chunk);
    let length = length.map_or(0, |length| u32::from_be_bytes(*length));
    if length as usize <= BUNDLE_METADATA_BYTES_MAX {
        file.take(length.into()).read_to_end(&mut begin)?;
    }
    Ok(begin)
}

/// Where the update agent listens. Holds no connection.
#[derive(Clone, Debug)]
pub struct UpdateClient {
    socket: PathBuf,
}

impl UpdateClient {
    /// A client of the agent that listens at `socket` ([`crate::config::Paths::update_socket`]).
    pub fn new(socket: &Path) -> Self {
        Self {
            socket: socket.to_owned(),
        }
    }

    /// Asks and waits.
    pub fn ask(&self, request: &Request) -> Result<Reply, WireError> {
        self.hand_in(request, &mut io::empty(), &mut |_| {})
    }

    /// Asks, sends everything that `from` gives, and waits; `show` gets every new status meanwhile.
    pub fn hand_in(
        &self,
        request: &Request,
        from: &mut impl Read,
        show: &mut impl FnMut(&Status),
    ) -> Result<Reply, WireError> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_write_timeout(Some(UPDATE_SILENCE_MAX))?;
        wire::write(&mut stream, request)?;
        if matches!(request, Request::Status) {
            stream.set_read_timeout(Some(CONTROL_REPLY_WITHIN))?;
            return wire::read(&mut stream)?.ok_or_else(closed);
        }
        let mut progress = Progress::default();
        let mut piece = vec![0; FILE_PIECE_BYTES];
        let mut cut_off = None;
        while cut_off.is_none() {
            let read = from.read(&mut piece)?;
            if read == 0 {
                break;
            }
            cut_off = stream.write_all(&piece[..read]).err();
            progress.look(self, show)?;
        }
        // What was refused before all of it was sent has its answer waiting all the same.
        let _ = stream.shutdown(Shutdown::Write);
        let reply = self.wait(&mut stream, &mut progress, show);
        match (reply, cut_off) {
            (Err(_), Some(cut_off)) => Err(cut_off.into()),
            (reply, _) => reply,
        }
    }

    fn wait(
        &self,
        stream: &mut UnixStream,
        progress: &mut Progress,
        show: &mut impl FnMut(&Status),
    ) -> Result<Reply, WireError> {
        stream.set_read_timeout(Some(UPDATE_LOOK_EVERY))?;
        // A byte comes or does not: nothing is lost by looking again.
        let mut first = [0];
        loop {
            match stream.read(&mut first) {
                Ok(0) => return Err(closed()),
                Ok(_) => break,
                Err(error) if is_late(&error) => progress.look(self, show)?,
                Err(error) => return Err(error.into()),
            }
        }
        stream.set_read_timeout(Some(CONTROL_REPLY_WITHIN))?;
        wire::read(&mut Read::chain(&first[..], stream))?.ok_or_else(closed)
    }

    /// The same without blocking the thread.
    pub async fn ask_async(&self, request: &Request) -> Result<Reply, WireError> {
        let asked = self.begin(request).await?;
        if matches!(request, Request::Status) {
            return asked.read().await;
        }
        asked.reply().await
    }

    /// Asks, and leaves it to the caller to send what follows.
    pub async fn begin(&self, request: &Request) -> Result<Asked, WireError> {
        let mut stream = tokio::net::UnixStream::connect(&self.socket).await?;
        let request = wire::encode(request)?;
        let sent = timeout(CONTROL_REPLY_WITHIN, stream.write_all(&request)).await;
        sent.map_err(|_| late())??;
        Ok(Asked {
            client: self.clone(),
            stream,
        })
    }
}

/// A request that was sent and not answered yet.
#[derive(Debug)]
pub struct Asked {
    client: UpdateClient,
    stream: tokio::net::UnixStream,
}

impl Asked {
    /// Sends what follows the request, or a piece of it.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        let sent = timeout(UPDATE_SILENCE_MAX, self.stream.write_all(bytes)).await;
        Ok(sent.map_err(|_| late())??)
    }

    /// Waits for the answer, as long as the agent's status goes on.
    pub async fn reply(self) -> Result<Reply, WireError> {
        let mut progress = Progress::default();
        loop {
            if let Ok(ready) = timeout(UPDATE_LOOK_EVERY, self.stream.readable()).await {
                break ready?;
            }
            let status = Box::pin(self.client.ask_async(&Request::Status)).await;
            progress.saw(status)?;
        }
        self.read().await
    }

    async fn read(mut self) -> Result<Reply, WireError> {
        let reply = async {
            let mut header = [0; 4];
            self.stream.read_exact(&mut header).await?;
            let mut body = vec![0; wire::body_bytes(header)?];
            self.stream.read_exact(&mut body).await?;
            Ok(serde_json::from_slice(&body)?)
        };
        timeout(CONTROL_REPLY_WITHIN, reply)
            .await
            .map_err(|_| late())?
    }
}

/// Whether the agent gets on.
struct Progress {
    looked: Instant,
    seen: Option<Box<Status>>,
    changed: Instant,
}

impl Default for Progress {
    fn default() -> Self {
        let now = Instant::now();
        Self {
            looked: now,
            seen: None,
            changed: now,
        }
    }
}

impl Progress {
    /// Asks, if that was a while ago.
    fn look(
        &mut self,
        client: &UpdateClient,
        show: &mut impl FnMut(&Status),
    ) -> Result<(), WireError> {
        if self.looked.elapsed() >= UPDATE_LOOK_EVERY {
            let new = self.saw(client.ask(&Request::Status))?;
            if let Some(status) = new {
                show(status);
            }
            self.looked = Instant::now();
        }
        Ok(())
    }

    /// The status, if it is a new one.
    fn saw(&mut self, reply: Result<Reply, WireError>) -> Result<Option<&Status>, WireError> {
        match reply {
            Ok(Reply::Status(status)) if self.seen.as_ref() != Some(&status) => {
                self.changed = Instant::now();
                Ok(Some(self.seen.insert(status)))
            }
            _ if self.changed.elapsed() > UPDATE_SILENCE_MAX => Err(late()),
            _ => Ok(None),
        }
    }
}

fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn late() -> WireError {
    io::Error::from(ErrorKind::TimedOut).into()
}

fn closed() -> WireError {
    io::Error::from(ErrorKind::UnexpectedEof).into()
}
