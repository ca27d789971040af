//! A connection between two programs as the world has it: bytes under way, a socket buffer that
//! fills, ends that learn late that the other is gone.

use std::collections::VecDeque;

use jumpgate::domain::Moment;

use crate::random::Random;

/// What a socket takes before its program has to wait.
const SOCKET_BYTES: usize = 48 * 1024;

/// Bytes in both directions.
#[derive(Debug, Default)]
pub struct Wire {
    up: VecDeque<u8>,
    down: VecDeque<u8>,
    /// The relay's send that is under way.
    sending: VecDeque<u8>,
    /// The relay let it in, or it needed no letting in.
    pub admitted: bool,
    /// The relay has closed its side; what it sent before still arrives.
    pub relay_closed: bool,
    /// The remote program has closed its side.
    pub end_closed: bool,
    /// It broke: what was written since is lost, and each side learns of it in its time.
    pub broken: Option<Broken>,
}

/// When the two sides of a broken connection learn of it.
#[derive(Clone, Copy, Debug)]
pub struct Broken {
    pub end_learns: Moment,
    pub relay_learns: Moment,
}

impl Wire {
    /// The remote program writes.
    pub fn write_up(&mut self, bytes: &[u8]) {
        if self.broken.is_none() && !self.end_closed {
            self.up.extend(bytes);
        }
    }

    /// The relay begins to send; only while [`Self::is_sending`] says no.
    pub fn send_down(&mut self, bytes: Vec<u8>) {
        assert!(!self.is_sending());
        if self.broken.is_none() {
            self.sending = bytes.into();
            self.pump();
        }
    }

    pub fn is_sending(&self) -> bool {
        !self.sending.is_empty()
    }

    /// Bytes the relay handed over that its socket has not taken.
    pub fn in_flight(&self) -> usize {
        self.sending.len()
    }

    pub fn has_up(&self) -> bool {
        !self.up.is_empty()
    }

    pub fn has_down(&self) -> bool {
        !self.down.is_empty()
    }

    /// A piece that arrives at the relay.
    pub fn read_up(&mut self, random: &mut Random) -> Vec<u8> {
        piece(&mut self.up, random)
    }

    /// A piece that arrives at the remote program.
    pub fn read_down(&mut self, random: &mut Random) -> Vec<u8> {
        let bytes = piece(&mut self.down, random);
        self.pump();
        bytes
    }

    /// It breaks: of what is under way in each direction some first part still arrives.
    pub fn break_off(&mut self, broken: Broken, random: &mut Random) {
        if self.broken.is_some() {
            return;
        }
        self.sending.clear();
        let kept = random.below(self.up.len() + 1);
        self.up.truncate(kept);
        let kept = random.below(self.down.len() + 1);
        self.down.truncate(kept);
        self.broken = Some(broken);
    }

    fn pump(&mut self) {
        let room = SOCKET_BYTES.saturating_sub(self.down.len());
        let moved = room.min(self.sending.len());
        self.down.extend(self.sending.drain(..moved));
    }
}

fn piece(from: &mut VecDeque<u8>, random: &mut Random) -> Vec<u8> {
    // Mostly all of it, sometimes cut at any byte.
    let count = match random.below(4) {
        0 => 1 + random.below(from.len()),
        _ => from.len(),
    };
    from.drain(..count.min(from.len())).collect()
}
