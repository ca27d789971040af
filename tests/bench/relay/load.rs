//! Pushes payload that is sealed already through many streams at once, on one thread.
//!
//! Start at [`push`]. Not here: who the ends are ([`super::site`], [`super::haproxy`]), and what is
//! measured meanwhile.

use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::end::End;
use super::pattern::Pattern;
use super::records::{CONTENT_BYTES_MAX, OVERHEAD_BYTES};
use super::wire::SCRATCH_BYTES;
use crate::support::SOON;

/// When what had to arrive has, and nothing more did for this long, everything is there.
const CALM: Duration = Duration::from_millis(20);
/// Events taken at once.
const EVENTS: usize = 512;
/// Written at once.
const PIECE_BYTES: usize = 256 * 1024;

/// What goes through one stream.
#[derive(Clone, Copy)]
pub struct Work {
    /// How many messages.
    pub messages: usize,
    /// Payload of each.
    pub bytes: usize,
}

impl Work {
    /// About `total` bytes in all, spread over `streams`.
    pub fn spread(total: usize, streams: usize, bytes: usize) -> Self {
        let messages = total / streams / bytes;
        Self { messages, bytes }
    }

    /// Payload of one stream.
    pub fn payload(self) -> u64 {
        (self.messages * self.bytes) as u64
    }
}

/// One direction of one stream: who sends, who receives.
pub type Stream<'a> = (&'a mut End, &'a mut End);

/// Streams whose payload is sealed.
pub struct Load<'a> {
    lanes: Vec<Lane<'a>>,
    work: Work,
}

struct Lane<'a> {
    from: &'a mut End,
    to: &'a mut End,
    sealed: Vec<u8>,
    /// Handed to the socket, of `sealed`.
    written: usize,
    /// Messages that were begun to be written.
    begun: usize,
    /// Bytes that have to arrive: payload, or what is on the wire at the least.
    missing: u64,
    /// Thrown away unseen, as whoever holds a peer's connection may.
    discards: bool,
}

impl<'a> Load<'a> {
    /// Seals everything. With `compared`, the receiver looks at every byte; without, it looks at
    /// what a link's receiver has to, and nothing of what a peer sends.
    pub fn prepare(
        streams: impl Iterator<Item = Stream<'a>>,
        work: Work,
        pattern: &Pattern,
        compared: bool,
    ) -> Self {
        let lanes = streams.map(|(from, to)| {
            let mut sealed = Vec::new();
            from.prepare(work.messages, work.bytes, pattern, &mut sealed);
            to.compare(compared.then(|| pattern.clone()));
            let discards = !to.is_link() && !compared;
            let missing = if discards && to.wire.is_encrypted() {
                let records = work.payload().div_ceil(CONTENT_BYTES_MAX as u64);
                work.payload() + records * OVERHEAD_BYTES as u64
            } else {
                work.payload()
            };
            Lane {
                from,
                to,
                sealed,
                written: 0,
                begun: 0,
                missing,
                discards,
            }
        });
        Self {
            lanes: lanes.collect(),
            work,
        }
    }

    /// Sends it and waits until all has arrived. Returns the payload, in bytes.
    pub fn run(mut self) -> u64 {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
        for (number, lane) in (0_u64..).zip(&self.lanes) {
            // Senders hear of changes only: one without credit could always write.
            let sends = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLET;
            let add = |end: &End, event| epoll.add(&end.wire.tcp, event).unwrap();
            add(lane.from, EpollEvent::new(sends, number * 2));
            add(
                lane.to,
                EpollEvent::new(EpollFlags::EPOLLIN, number * 2 + 1),
            );
        }
        let mut scratch = vec![0; SCRATCH_BYTES];
        let mut events = vec![EpollEvent::empty(); EVENTS];
        let mut waiting = self.lanes.len();
        let mut moved = Instant::now();
        loop {
            let timeout = EpollTimeout::try_from(CALM).unwrap();
            let count = epoll.wait(&mut events, timeout).unwrap();
            if count == 0 {
                if waiting == 0 {
                    break;
                }
                assert!(moved.elapsed() < SOON, "{waiting} streams stand still");
                continue;
            }
            moved = Instant::now();
            for event in &events[..count] {
                let number = event.data();
                let lane = &mut self.lanes[usize::try_from(number / 2).unwrap()];
                if number % 2 == 0 {
                    lane.send(self.work, &mut scratch);
                } else if lane.receive(&mut scratch) {
                    waiting -= 1;
                }
            }
        }
        self.work.payload() * self.lanes.len() as u64
    }
}

impl Lane<'_> {
    /// Takes credit, and writes until there is none, or the socket is full.
    fn send(&mut self, work: Work, scratch: &mut [u8]) {
        while self.from.is_link() && self.from.hear(scratch) {}
        let one = self.sealed.len() / work.messages;
        loop {
            let more = self.from.room(work.bytes).min(work.messages - self.begun);
            let end = (self.begun + more.min(PIECE_BYTES / one)) * one;
            if self.written == end {
                return;
            }
            let taken = self.from.wire.write_some(&self.sealed[self.written..end]);
            if taken == 0 {
                return;
            }
            self.written += taken;
            let begun = self.written.div_ceil(one);
            self.from.sent((begun - self.begun) * work.bytes);
            self.begun = begun;
        }
    }

    /// Reads once; whether that was the last that had to come.
    fn receive(&mut self, scratch: &mut [u8]) -> bool {
        let before = self.to.received;
        let arrived = if self.discards {
            self.to.wire.discard(scratch) as u64
        } else {
            self.to.hear(scratch);
            self.to.received - before
        };
        let was_missing = self.missing;
        self.missing = self.missing.saturating_sub(arrived);
        was_missing > 0 && self.missing == 0
    }
}
