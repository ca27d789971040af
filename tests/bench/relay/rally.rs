//! Small messages to and fro: how long one takes, and what many at once cost.
//!
//! ```text
//! ours:    console A ──> customer A, then console B ──> customer B, then A again
//! HAProxy: client ─────> server, and back on the same connection
//! ```
//!
//! With us the answer takes another session, so that both directions are ones that nobody records;
//! [`Rally::echo`] is the answer in the same session, which is a shell's output.

use std::time::Instant;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::SMALL;
use super::end::End;
use super::pattern::Pattern;
use super::site::Session;
use super::wire::SCRATCH_BYTES;
use crate::support::SOON;

const EVENTS: usize = 512;

/// Ends, and the ways that messages take between them.
pub struct Rally<'a> {
    ends: Vec<&'a mut End>,
    hops: Vec<Hop>,
    /// Where the first messages go.
    serves: Vec<usize>,
}

/// From one end to another; what arrives goes on by the next hop.
#[derive(Clone, Copy)]
struct Hop {
    from: usize,
    to: usize,
    next: usize,
}

impl<'a> Rally<'a> {
    /// Two sessions answer each other.
    pub fn crossing(sessions: &'a mut [Session]) -> Self {
        let count = sessions.len();
        let hop = |number| Hop {
            from: number * 2,
            to: number * 2 + 1,
            next: number ^ 1,
        };
        Self {
            ends: ends(sessions),
            hops: (0..count).map(hop).collect(),
            serves: (0..count).collect(),
        }
    }

    /// The customer answers in the same session.
    pub fn echo(sessions: &'a mut [Session]) -> Self {
        Self::both_ways(ends(sessions))
    }

    /// The same on a peer's connections.
    pub fn streams(streams: &'a mut [(End, End)]) -> Self {
        Self::both_ways(streams.iter_mut().flat_map(|(a, b)| [a, b]).collect())
    }

    fn both_ways(ends: Vec<&'a mut End>) -> Self {
        let hop = |number: usize| Hop {
            from: number,
            to: number ^ 1,
            next: number ^ 1,
        };
        Self {
            hops: (0..ends.len()).map(hop).collect(),
            serves: (0..ends.len()).step_by(2).collect(),
            ends,
        }
    }

    /// One message at a time: microseconds there and back.
    pub fn alone(&mut self, rounds: usize, pattern: &Pattern) -> Vec<f64> {
        let mut scratch = vec![0; SCRATCH_BYTES];
        let there = self.serves[0];
        let back = self.hops[there].next;
        let round = |_| {
            let began = Instant::now();
            for hop in [there, back] {
                let Hop { from, to, .. } = self.hops[hop];
                let until = self.ends[to].received + SMALL as u64;
                send(self.ends[from], pattern);
                while self.ends[to].received < until {
                    self.ends[to].hear_waiting(&mut scratch);
                }
                // Credit.
                self.ends[from].hear(&mut scratch);
            }
            began.elapsed().as_secs_f64() * 1e6
        };
        (0..rounds).map(round).collect()
    }

    /// As many at once as there are first hops, until so many have arrived in all.
    pub fn at_once(&mut self, messages: usize, pattern: &Pattern) {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
        for (number, end) in (0_u64..).zip(&self.ends) {
            let event = EpollEvent::new(EpollFlags::EPOLLIN, number);
            epoll.add(&end.wire.tcp, event).unwrap();
        }
        let mut arrives = vec![None; self.ends.len()];
        for hop in &self.hops {
            arrives[hop.to] = Some(hop.next);
        }
        let mut heard: Vec<u64> = self.ends.iter().map(|end| end.received).collect();
        let mut scratch = vec![0; SCRATCH_BYTES];
        let mut events = vec![EpollEvent::empty(); EVENTS];
        let mut sent = 0;
        for serve in self.serves.clone() {
            send(self.ends[self.hops[serve].from], pattern);
            sent += 1;
        }
        let mut arrived = 0;
        while arrived < messages {
            let timeout = EpollTimeout::try_from(SOON).unwrap();
            let count = epoll.wait(&mut events, timeout).unwrap();
            assert!(count > 0, "{arrived} of {messages} messages, then no more");
            for event in &events[..count] {
                let end = usize::try_from(event.data()).unwrap();
                self.ends[end].hear(&mut scratch);
                while self.ends[end].received >= heard[end] + SMALL as u64 {
                    heard[end] += SMALL as u64;
                    arrived += 1;
                    if sent < messages {
                        let next = arrives[end].expect("only what was sent arrives");
                        send(self.ends[self.hops[next].from], pattern);
                        sent += 1;
                    }
                }
            }
        }
    }
}

fn ends(sessions: &mut [Session]) -> Vec<&mut End> {
    let both = sessions
        .iter_mut()
        .flat_map(|Session { console, customer }| [console, customer]);
    both.collect()
}

fn send(end: &mut End, pattern: &Pattern) {
    let mut sealed = Vec::new();
    end.prepare(1, SMALL, pattern, &mut sealed);
    assert!(end.room(SMALL) > 0, "credit came too late");
    end.sent(SMALL);
    end.wire.send(&sealed);
}
