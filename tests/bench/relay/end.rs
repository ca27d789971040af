//! One end of the load: a link, a link in WebSocket messages, or plain bytes for the peer.
//!
//! ```text
//! prepare: payload ─> frame (─> WebSocket message) ─> record     before the time is taken
//! hear:    record (─> WebSocket message) ─> frame ─> payload counted, credit given or taken
//! ```

use std::collections::VecDeque;

use jumpgate::domain::limits::{CREDIT_STEP_BYTES, WINDOW_BYTES};
use jumpgate::link::FrameKind;
use jumpgate::link::channel::Channel;
use jumpgate::link::connection::{Assembler, decode, encode};
use jumpgate::link::frame::{push_frame, split_frame};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::pattern::Pattern;
use super::socket;
use super::wire::{SCRATCH_BYTES, Wire};

/// See the module.
pub struct End {
    pub wire: Wire,
    link: Option<Link>,
    /// Payload sent (or prepared to be), and payload that arrived.
    prepared: u64,
    pub received: u64,
    /// What arrives has to be this.
    compared: Option<Pattern>,
}

/// What a link has to keep in mind.
struct Link {
    assembler: Assembler,
    /// Frames travel in WebSocket messages.
    socket: Option<socket::Messages>,
    /// Once a shell runs.
    channel: Option<(u16, Channel)>,
    /// The last credit that was given.
    granted: u64,
    /// Messages that wait to be looked at.
    messages: VecDeque<Vec<u8>>,
    /// To be sent at the next opportunity.
    output: Vec<u8>,
}

impl End {
    /// Speaks the link protocol.
    pub fn link(wire: Wire) -> Self {
        let link = Link {
            assembler: Assembler::default(),
            socket: None,
            channel: None,
            granted: 0,
            messages: VecDeque::new(),
            output: Vec::new(),
        };
        Self::new(wire, Some(link))
    }

    /// The same in WebSocket messages, after the upgrade.
    pub fn socket(wire: Wire) -> Self {
        let mut end = Self::link(wire);
        let link = end.link.as_mut().expect("made above");
        link.socket = Some(socket::Messages::default());
        end
    }

    /// Sends payload as it is.
    pub fn raw(wire: Wire) -> Self {
        Self::new(wire, None)
    }

    fn new(wire: Wire, link: Option<Link>) -> Self {
        Self {
            wire,
            link,
            prepared: 0,
            received: 0,
            compared: None,
        }
    }

    /// Whether there are frames.
    pub fn is_link(&self) -> bool {
        self.link.is_some()
    }

    /// Compares what arrives from now on, byte by byte.
    pub fn compare(&mut self, pattern: Option<Pattern>) {
        self.compared = pattern;
    }

    /// Says something to the relay.
    pub fn say(&mut self, message: &impl Serialize) {
        self.frame(FrameKind::Control, 0, &encode(message));
        self.flush();
    }

    /// Waits for a message, leaving others out.
    pub fn hears<M: DeserializeOwned, T>(&mut self, mut look: impl FnMut(M) -> Option<T>) -> T {
        let mut scratch = vec![0; SCRATCH_BYTES];
        loop {
            let link = self.link.as_mut().expect("a link");
            while let Some(json) = link.messages.pop_front() {
                if let Some(found) = look(decode(&json).unwrap()) {
                    return found;
                }
            }
            self.hear_waiting(&mut scratch);
        }
    }

    /// Messages that nobody has looked at.
    pub fn heard(&mut self) -> &mut VecDeque<Vec<u8>> {
        &mut self.link.as_mut().expect("a link").messages
    }

    /// A shell's channel is open.
    pub fn opened(&mut self, number: u16) {
        let link = self.link.as_mut().expect("a link");
        link.channel = Some((number, Channel::new(0, 0)));
    }

    /// Answers what came meanwhile, and waits for a sign of life.
    pub fn keep_alive(&mut self) {
        self.frame(FrameKind::Ping, 0, &[0; 8]);
        self.flush();
        self.hear_waiting(&mut vec![0; SCRATCH_BYTES]);
    }

    /// Appends messages of `bytes` payload each, sealed, to `output`.
    pub fn prepare(&mut self, messages: usize, bytes: usize, pattern: &Pattern, out: &mut Vec<u8>) {
        let mut frame = Vec::new();
        for _ in 0..messages {
            let content = pattern.at(self.prepared, bytes);
            self.prepared += bytes as u64;
            let Some(link) = &self.link else {
                self.wire.seal(content, out);
                continue;
            };
            let (number, _) = link.channel.expect("a shell runs");
            frame.clear();
            push_frame(&mut frame, FrameKind::Data, number, content);
            if link.socket.is_some() {
                socket::wrap(&mut frame);
            }
            self.wire.seal(&frame, out);
        }
    }

    /// How many messages of `bytes` may be sent now; each is counted as sent by [`Self::sent`].
    pub fn room(&self, bytes: usize) -> usize {
        match &self.link {
            Some(link) => {
                let (_, channel) = link.channel.expect("a shell runs");
                channel.room() / bytes
            }
            None => usize::MAX,
        }
    }

    /// Counts payload that was handed to the socket.
    pub fn sent(&mut self, bytes: usize) {
        if let Some(link) = &mut self.link {
            let (_, channel) = link.channel.as_mut().expect("a shell runs");
            channel.count_sent(bytes);
        }
    }

    /// Reads once and does what the protocol asks for; false if there was nothing to read.
    pub fn hear(&mut self, scratch: &mut [u8]) -> bool {
        let Self {
            wire,
            link,
            received,
            compared,
            ..
        } = self;
        let mut payload = |bytes: &[u8]| {
            if let Some(pattern) = compared {
                let right = pattern.at(*received, bytes.len());
                assert!(bytes == right, "what arrived is not what was sent");
            }
            *received += bytes.len() as u64;
        };
        let read = match link {
            Some(link) => wire.receive(scratch, |plain| link.take(plain, &mut payload)),
            None => wire.receive(scratch, payload),
        };
        self.give_credit();
        self.flush();
        read
    }

    /// The same, waiting for something to read.
    pub fn hear_waiting(&mut self, scratch: &mut [u8]) {
        while !self.hear(scratch) {
            self.wire.wait_to_read();
        }
    }

    /// Renews credit as a receiver should: everything that arrived is consumed.
    fn give_credit(&mut self) {
        let Some(link) = &mut self.link else { return };
        let Some((number, channel)) = &mut link.channel else {
            return;
        };
        let (number, up_to) = (*number, channel.received() + WINDOW_BYTES);
        if up_to >= link.granted.max(WINDOW_BYTES) + CREDIT_STEP_BYTES {
            link.granted = up_to;
            channel.raise_receive_limit(up_to);
            self.frame(FrameKind::Credit, number, &up_to.to_be_bytes());
        }
    }

    fn frame(&mut self, kind: FrameKind, channel: u16, payload: &[u8]) {
        let link = self.link.as_mut().expect("a link");
        let mut frame = Vec::new();
        push_frame(&mut frame, kind, channel, payload);
        if link.socket.is_some() {
            socket::wrap(&mut frame);
        }
        self.wire.seal(&frame, &mut link.output);
    }

    fn flush(&mut self) {
        if let Some(link) = &mut self.link
            && !link.output.is_empty()
        {
            self.wire.send(&link.output);
            link.output.clear();
        }
    }
}

impl Link {
    /// Takes decrypted bytes.
    fn take(&mut self, plain: &[u8], payload: &mut impl FnMut(&[u8])) {
        match self.socket.take() {
            Some(mut messages) => {
                messages.take(plain, |piece| self.frames(piece, payload));
                self.socket = Some(messages);
            }
            None => self.frames(plain, payload),
        }
    }

    fn frames(&mut self, bytes: &[u8], payload: &mut impl FnMut(&[u8])) {
        let mut assembler = std::mem::take(&mut self.assembler);
        let input = assembler.join(bytes);
        let mut rest = &input[..];
        while let Some((frame, taken)) = split_frame(rest).unwrap() {
            rest = &rest[taken..];
            let number = frame.channel;
            match frame.kind {
                FrameKind::Control => self.messages.push_back(frame.payload.to_vec()),
                FrameKind::Data => {
                    let (_, channel) = self.channel.as_mut().expect("a shell runs");
                    channel.count_received(number, frame.payload.len()).unwrap();
                    payload(frame.payload);
                }
                FrameKind::Credit => {
                    let (_, channel) = self.channel.as_mut().expect("a shell runs");
                    let up_to = u64::from_be_bytes(frame.payload.try_into().unwrap());
                    channel.raise_send_limit(number, up_to).unwrap();
                }
                // We are never silent for that long, see `End::keep_alive`.
                FrameKind::Ping | FrameKind::Pong => {}
            }
        }
        let kept = rest.len();
        let start = input.len() - kept;
        assembler.keep(&input[start..]);
        self.assembler = assembler;
    }
}
