//! One peer of a ring thread, above its transport.

use std::collections::{BTreeSet, HashMap};

use super::budget::Budget;
use crate::domain::limits::{
    CONSOLE_REPLAY_BYTES_MAX, CREDIT_STEP_BYTES, HELLO_WITHIN, LINGER_MAX, WINDOW_BYTES,
};
use crate::domain::{Moment, PeerAddress};
use crate::link::channel::Channel;
use crate::link::connection::Assembler;
use crate::link::{Connection, LinkError};
use crate::relay::hub::event::Tap;
use crate::relay::hub::{Door, PeerId, Role};

/// What is expected of a peer next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    /// Its hello.
    Hello {
        /// When its transport was up.
        since: Moment,
        /// How it came in.
        door: Door,
    },
    /// Messages of its role.
    Talking(Role),
}

/// A channel's credit goes on in steps of at least this many bytes, the first one as it comes: who
/// gives it in crumbs must not fill the other side's link with them, and a sender that is given half a
/// window sends that in one piece, which costs everybody less than two pieces.
pub(super) const CREDIT_CRUMB_BYTES: u64 = WINDOW_BYTES / 2;
// A sender that has used all its credit gets more: when the receiver has taken all that was sent, it
// has renewed at most a step ago, and so has given at least this much beyond what was passed on.
const _: () = assert!(CREDIT_CRUMB_BYTES <= WINDOW_BYTES - CREDIT_STEP_BYTES);

/// Where a channel's data goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route {
    /// Peer and channel.
    pub to: (PeerId, u16),
    /// Recorded here.
    pub tap: Option<Tap>,
    /// The last credit that went back along it; 0 before the first.
    pub credited: u64,
}

/// A peer's routes by channel. Numbers are given in order, from 1.
#[derive(Debug, Default)]
pub(super) struct Routes(Vec<Option<Route>>);

impl Routes {
    pub fn get(&self, channel: u16) -> Option<&Route> {
        self.0.get(usize::from(channel).checked_sub(1)?)?.as_ref()
    }

    pub fn get_mut(&mut self, channel: u16) -> Option<&mut Route> {
        self.0
            .get_mut(usize::from(channel).checked_sub(1)?)?
            .as_mut()
    }

    /// The link has checked the number.
    pub fn insert(&mut self, channel: u16, route: Route) {
        let place = usize::from(channel).saturating_sub(1);
        if self.0.len() <= place {
            self.0.resize(place + 1, None);
        }
        self.0[place] = Some(route);
    }

    pub fn remove(&mut self, channel: u16) {
        if let Some(place) = usize::from(channel).checked_sub(1)
            && let Some(route) = self.0.get_mut(place)
        {
            *route = None;
        }
    }
}

/// What came for a channel that is about to open: the hub tells one side of a route after the
/// other, and the one it told first may be quick. The sender's window bounds it.
#[derive(Debug, Default)]
struct Early {
    data: Vec<Vec<u8>>,
    credit: Option<u64>,
}

#[derive(Debug)]
pub(super) struct Peer {
    pub link: Connection,
    pub assembler: Assembler,
    pub stage: Stage,
    pub address: PeerAddress,
    pub routes: Routes,
    /// Channels that are open, or were.
    opened: BTreeSet<u16>,
    /// Data for channels that are about to open.
    early: HashMap<u16, Early>,
    pub budget: Budget,
    /// To be closed once its output is sent.
    pub leaving: bool,
    /// When that was first seen by [`Self::tick`].
    leaving_since: Option<Moment>,
    /// Has once taken everything there was.
    pub caught_up: bool,
    /// Among those that may have something to send.
    pub is_dirty: bool,
}

impl Peer {
    pub fn new(address: PeerAddress, door: Door, now: Moment) -> Self {
        Self {
            link: Connection::new(now),
            assembler: Assembler::default(),
            stage: Stage::Hello { since: now, door },
            address,
            routes: Routes::default(),
            opened: BTreeSet::new(),
            early: HashMap::new(),
            budget: Budget::new(now),
            leaving: false,
            leaving_since: None,
            caught_up: false,
            is_dirty: false,
        }
    }

    /// Opens a channel, tells the peer of it, and then sends what came for it early.
    pub fn open(&mut self, number: u16, stands: Channel, route: Route, announcement: &[u8]) {
        if !self.link.open_at(number, stands) {
            return;
        }
        self.routes.insert(number, route);
        self.opened.insert(number);
        self.link.say_encoded(announcement);
        let early = self.early.remove(&number).unwrap_or_default();
        for bytes in early.data {
            self.send(number, &bytes);
        }
        if let Some(up_to) = early.credit {
            self.grant(number, up_to);
        }
    }

    /// Queues data. All of it fits: the sender had no more credit than this channel gave it. On a
    /// channel that was closed meanwhile it is dropped, and its sender told to go back. On one
    /// that is about to open it waits, see [`Early`].
    pub fn send(&mut self, channel: u16, bytes: &[u8]) {
        let sent = self.link.send(channel, bytes);
        if sent < bytes.len() {
            debug_assert!(
                self.link.channel(channel).is_none(),
                "credit of both sides of a route differs"
            );
            if !self.opened.contains(&channel) {
                let early = self.early.entry(channel).or_default();
                early.data.push(bytes.to_vec());
            }
        }
    }

    /// Passes credit on, now or when the channel opens.
    pub fn grant(&mut self, channel: u16, up_to: u64) {
        if self.opened.contains(&channel) {
            self.link.grant(channel, up_to);
        } else {
            let early = self.early.entry(channel).or_default();
            early.credit = early.credit.max(Some(up_to));
        }
    }

    /// Whether it is a Jump Client with nothing under way and nothing behind it that counts.
    pub fn is_machine_at_rest(&self) -> bool {
        matches!(self.stage, Stage::Talking(Role::JumpClient))
            && !self.leaving
            && self.opened.is_empty()
            && self.kept() == 0
    }

    /// Bytes that wait here for it, or for the rest of what it said.
    pub fn kept(&self) -> usize {
        let early = self.early.values().flat_map(|early| &early.data);
        let early: usize = early.map(Vec::len).sum();
        self.link.queued() + self.assembler.kept() + early
    }

    /// What is sent to it at once when it comes, besides what follows.
    pub fn replay_bytes_max(&self) -> usize {
        match self.stage {
            Stage::Talking(Role::Console) if !self.caught_up => CONSOLE_REPLAY_BYTES_MAX,
            Stage::Talking(_) | Stage::Hello { .. } => 0,
        }
    }

    pub fn tick(&mut self, now: Moment) -> Result<(), LinkError> {
        if self.leaving {
            let since = *self.leaving_since.get_or_insert(now);
            if now.since(since) > LINGER_MAX {
                return Err(LinkError::DoesNotRead);
            }
        }
        if let Stage::Hello { since, .. } = self.stage
            && now.since(since) > HELLO_WITHIN
        {
            return Err(LinkError::NoHello);
        }
        self.link.tick(now)
    }
}
