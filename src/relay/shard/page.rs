//! Connections handed over to the web side: bytes carried both ways, nothing looked at.

use std::os::fd::OwnedFd;
use std::path::Path;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};

use super::conn::Stage;
use super::{Shard, StreamId};
use crate::domain::Moment;
use crate::domain::limits::PAGE_BACKLOG_BYTES_MAX;
use crate::http::{answer, proxy};

/// Our connection to the web side for one page connection.
#[derive(Debug)]
pub(super) struct WebSide {
    front: StreamId,
    output: Vec<u8>,
    /// It sends no more.
    ended: bool,
    /// It takes no more: what the browser still sends is for nobody.
    deaf: bool,
    /// It was told to wait: the browser reads slowly.
    held: bool,
}

impl WebSide {
    /// Whether the browser may send more.
    pub fn has_room(&self) -> bool {
        self.output.len() < PAGE_BACKLOG_BYTES_MAX
    }
}

impl Shard {
    /// Hands a connection over: the preamble, then what it sent so far, then everything.
    pub(super) fn open_page(&mut self, front: StreamId, head: Vec<u8>, now: Moment) {
        let Some(conn) = self.conns.get_mut(front) else {
            return;
        };
        conn.moved = now;
        let fd = match connect_web(&self.setting.web_socket) {
            Ok(fd) => fd,
            Err(error) => {
                tracing::warn!(%error, "web_unavailable");
                return self.answer_and_close(front, &answer::unavailable());
            }
        };
        let mut output = proxy::preamble(conn.address, conn.local);
        output.extend(head);
        let web = self.ring.adopt(fd);
        conn.stage = Stage::Page { web };
        self.setting.counters.pages.up();
        self.webs.insert(
            web,
            WebSide {
                front,
                output,
                ended: false,
                deaf: false,
                held: false,
            },
        );
        self.flush_web(web);
        self.ring.receive(web);
    }

    /// Bytes from the browser.
    pub(super) fn to_web(&mut self, front: StreamId, plaintext: &[u8]) {
        let Some(Stage::Page { web }) = self.conns.get(front).map(|conn| &conn.stage) else {
            return;
        };
        let web = *web;
        if let Some(side) = self.webs.get_mut(web) {
            if !side.deaf {
                side.output.extend_from_slice(plaintext);
            }
            self.flush_web(web);
        }
    }

    /// Bytes from the web side.
    pub(super) fn from_web(&mut self, web: StreamId, bytes: &[u8], now: Moment) {
        let Some(side) = self.webs.get_mut(web) else {
            return;
        };
        let front = side.front;
        let Some(conn) = self.conns.get_mut(front) else {
            return;
        };
        conn.moved = now;
        conn.push(bytes);
        // One send at a time; while the browser takes it, the web side waits.
        side.held = true;
        self.flush(front);
    }

    /// The browser has taken everything.
    pub(super) fn web_may_go_on(&mut self, front: StreamId) {
        let Some(Stage::Page { web }) = self.conns.get(front).map(|conn| &conn.stage) else {
            return;
        };
        let web = *web;
        let Some(side) = self.webs.get_mut(web) else {
            return;
        };
        if side.ended {
            self.leave(front);
            self.flush(front);
        } else if std::mem::take(&mut side.held) {
            self.ring.receive(web);
        }
    }

    /// The web side has taken what it was sent.
    pub(super) fn web_sent(&mut self, web: StreamId) {
        self.flush_web(web);
        let Some(side) = self.webs.get(web) else {
            return;
        };
        if side.has_room() {
            self.go_on_receiving(side.front);
        }
    }

    /// The web side is done with this connection.
    pub(super) fn web_ended(&mut self, web: StreamId) {
        let Some(side) = self.webs.get_mut(web) else {
            return;
        };
        side.ended = true;
        let front = side.front;
        self.flush(front);
    }

    /// The web side answered without hearing the browser out, and closed. Its answer is still to
    /// be received.
    pub(super) fn web_is_deaf(&mut self, web: StreamId) {
        let Some(side) = self.webs.get_mut(web) else {
            return;
        };
        side.deaf = true;
        side.output = Vec::new();
        let front = side.front;
        self.go_on_receiving(front);
    }

    fn flush_web(&mut self, web: StreamId) {
        let Some(side) = self.webs.get_mut(web) else {
            return;
        };
        if !side.output.is_empty() && !self.ring.is_sending(web) {
            let output = std::mem::take(&mut side.output);
            self.ring.send(web, output);
        }
    }
}

/// A connection to the web side, without waiting: a full backlog is an error.
fn connect_web(path: &Path) -> nix::Result<OwnedFd> {
    use std::os::fd::AsRawFd as _;
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    connect(fd.as_raw_fd(), &UnixAddr::new(path)?)?;
    // io_uring would return instead of waiting on a non-blocking socket.
    let stream = std::os::unix::net::UnixStream::from(fd);
    stream
        .set_nonblocking(false)
        .map_err(|_| nix::errno::Errno::EINVAL)?;
    Ok(stream.into())
}
