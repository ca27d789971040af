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
    /// What it made us keep when that was last counted.
    pub weight: usize,
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
            weight: 0,
            is_visitor: true,
            queued: 0,
            pipe: Pipe::default(),
            output: Vec::new(),
        }
    }

    /// That of a Jump Client, from the relay before this one.
    pub fn inherited(address: PeerAddress, local: SocketAddr, pipe: Pipe, now: Moment) -> Self {
        Self {
            stage: Stage::Link,
            is_visitor: false,
            pipe,
            ..Self::new(address, local, true, now)
        }
    }

    /// Its encryption, if it is a link with nothing under way.
    pub fn at_rest(&self) -> Option<&Pipe> {
        let nothing = self.waiting() == 0 && self.output.is_empty();
        (nothing && self.is_link()).then_some(&self.pipe)
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

    /// Whether it is neither a link nor a page yet.
    pub fn is_arriving(&self) -> bool {
        matches!(self.stage, Stage::Head(_))
    }

    /// Whether it speaks the link protocol without a WebSocket around it.
    pub fn is_link(&self) -> bool {
        matches!(self.stage, Stage::Link)
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

    /// Where [`Self::take_output`] will find what is queued: for somebody who has memory to lend.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
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

    /// Bytes it makes us keep: what it has not taken, and the beginning of what it said.
    pub fn kept(&self) -> usize {
        let early = match &self.stage {
            Stage::Head(bytes) | Stage::Upgrading { early: bytes, .. } => bytes.len(),
            Stage::Link | Stage::Socket(_) | Stage::Page { .. } | Stage::Done => 0,
        };
        self.waiting() + self.pipe.kept() + early
    }

    /// A connection of which nothing moves keeps no key schedules: there are thousands of them.
    /// Called once a tick.
    pub fn rest(&mut self, now: Moment) {
        // Later nothing came back since the last time.
        if (SHARD_TICK..3 * SHARD_TICK).contains(&now.since(self.moved)) {
            self.pipe.rest();
        }
    }
}
