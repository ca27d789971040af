//! One accepted connection: its encryption, and what it turned out to be.

use std::net::SocketAddr;
use std::ops::Range;

use crate::domain::limits::SHARD_TICK;
use crate::domain::{Moment, PeerAddress};
use crate::http::websocket;
use crate::net::StreamId;
use crate::relay::hub::Door;
use crate::tls::pipe::Progress;
use crate::tls::{Caller, Configs, Pipe, TlsError};

/// What a connection is. It moves down this list only.
#[derive(Debug)]
pub(super) enum Stage {
    /// TLS is not up, or the first request's head is not whole.
    Head(Vec<u8>),
    /// A WebSocket whose ticket the hub looks at.
    Upgrading {
        /// The client's, for the answer.
        key: String,
        /// What it sent too early.
        early: Vec<u8>,
    },
    /// The link protocol.
    Link,
    /// The link protocol inside WebSocket messages.
    Socket(Box<websocket::Reader>),
    /// Handed over to the web side.
    Page {
        /// Our connection there.
        web: StreamId,
    },
    /// Over; what was said is still being sent.
    Done,
}

pub(super) struct Conn {
    pub address: PeerAddress,
    pub local: SocketAddr,
    pub stage: Stage,
    /// Not on the redirecting port.
    pub encrypted: bool,
    /// When it was accepted, or began to close.
    pub since: Moment,
    /// When bytes last moved.
    pub moved: Moment,
    /// Bytes with the kernel.
    pub in_flight: usize,
    /// Counted among its address's visitors.
    pub is_visitor: bool,
    /// Bytes of plaintext queued since the last [`Self::take_output`].
    queued: usize,
    pipe: Pipe,
    output: Vec<u8>,
}

impl Conn {
    pub fn new(address: PeerAddress, local: SocketAddr, encrypted: bool, now: Moment) -> Self {
        Self {
            address,
            local,
            stage: Stage::Head(Vec::new()),
            encrypted,
            since: now,
            moved: now,
            in_flight: 0,
            is_visitor: true,
            queued: 0,
            pipe: Pipe::default(),
            output: Vec::new(),
        }
    }

    /// Takes bytes from the socket and decrypts where they lie. The plaintext is what is appended to
    /// `side`, then what lies in the range returned.
    pub fn receive(
        &mut self,
        bytes: &mut [u8],
        configs: &Configs,
        side: &mut Vec<u8>,
        now: Moment,
    ) -> Result<(Progress, Range<usize>), TlsError> {
        self.moved = now;
        if !self.encrypted {
            return Ok((Progress::Open, 0..bytes.len()));
        }
        self.pipe.receive(bytes, configs, side, &mut self.output)
    }

    /// Whether the handshake just chose the link protocol.
    pub fn is_fresh_link(&self) -> bool {
        self.encrypted
            && matches!(self.stage, Stage::Head(_))
            && self.pipe.caller() != Caller::Browser
    }

    /// How a peer that speaks the link protocol came in; to be asked once.
    pub fn take_door(&mut self) -> Door {
        self.pipe.take_device_key().map_or(Door::Link, Door::Device)
    }

    /// Whether it is ready for a first request and has not begun one: browsers open connections
    /// before they need them, and drop them again.
    pub fn is_spare(&self) -> bool {
        let ready = !self.encrypted || self.pipe.is_open();
        ready && matches!(&self.stage, Stage::Head(bytes) if bytes.is_empty())
    }

    /// Whether it speaks the link protocol.
    pub fn is_peer(&self) -> bool {
        matches!(self.stage, Stage::Link | Stage::Socket(_))
    }

    /// Whether it was handed over.
    pub fn is_page(&self) -> bool {
        matches!(self.stage, Stage::Page { .. })
    }

    /// Queues plaintext.
    pub fn push(&mut self, plaintext: &[u8]) {
        self.queued += plaintext.len();
        if !self.encrypted {
            self.output.extend_from_slice(plaintext);
        } else if let Err(error) = self.pipe.send(plaintext, &mut self.output) {
            // Writing to memory; if it fails, the peer notices a gap and closes.
            tracing::error!(%error, "encrypting_failed");
        }
    }

    /// Queues whole frames.
    pub fn push_link(&mut self, frames: &[u8]) {
        if frames.is_empty() {
            return;
        }
        if matches!(self.stage, Stage::Socket(_)) {
            let mut message = Vec::with_capacity(frames.len() + 10);
            websocket::push_binary(&mut message, frames);
            self.push(&message);
        } else {
            self.push(frames);
        }
    }

    /// Queues the end of the WebSocket, if it is one.
    pub fn push_close(&mut self) {
        if matches!(self.stage, Stage::Socket(_)) {
            let mut message = Vec::new();
            websocket::push_close(&mut message);
            self.push(&message);
        }
    }

    /// Nothing more will be said.
    pub fn end(&mut self) {
        if self.encrypted
            && let Err(error) = self.pipe.end(&mut self.output)
        {
            tracing::error!(%error, "encrypting_failed");
        }
    }

    /// Everything to be sent now.
    pub fn take_output(&mut self) -> Vec<u8> {
        self.queued = 0;
        if self.encrypted {
            self.pipe.answer(&mut self.output);
        }
        std::mem::take(&mut self.output)
    }

    /// Bytes the peer has not taken: with the kernel, or queued behind those.
    pub fn waiting(&self) -> usize {
        self.in_flight + self.queued
    }

    /// Takes a sent buffer back, unless it grew large for one burst.
    pub fn reuse(&mut self, buffer: Vec<u8>) {
        self.in_flight = 0;
        if self.output.is_empty() && buffer.capacity() <= KEPT_BYTES_MAX {
            self.output = buffer;
        }
    }

    /// A connection of which nothing moves keeps no buffers and no key schedules: there are
    /// thousands of them. Called once a tick; returns whether it gave them up just now.
    pub fn rests(&mut self, now: Moment) -> bool {
        let still = now.since(self.moved);
        // Nothing came back since the last time.
        if !(SHARD_TICK..3 * SHARD_TICK).contains(&still) {
            return false;
        }
        self.pipe.rest();
        self.output.shrink_to_fit();
        true
    }
}

/// A send buffer above this is not kept: a window of data, in records, and what goes with it.
const KEPT_BYTES_MAX: usize = 160 * 1024;
