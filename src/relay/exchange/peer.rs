//! One peer of a ring thread, above its transport.

use std::collections::{BTreeSet, HashMap};

use super::budget::Budget;
use crate::domain::limits::{
    CONSOLE_REPLAY_BYTES_MAX, CREDIT_STEP_BYTES, HELLO_WITHIN, LINGER_MAX,
};
use crate::domain::{Moment, PeerAddress};
use crate::link::channel::Channel;
use crate::link::connection::Assembler;
use crate::link::{Connection, LinkError};
use crate::relay::hub::event::Tap;
use crate::relay::hub::{PeerId, Role};

/// What is expected of a peer next.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    /// Its hello.
    Hello {
        /// When its transport was up.
        since: Moment,
        /// Not through a WebSocket.
        by_link: bool,
        /// What it will be, unless its hello says otherwise.
        role: Role,
    },
    /// Messages of its role.
    Talking(Role),
}

/// A channel's credit goes on in steps of at least this many bytes, the first one as it comes: who
/// gives it in crumbs must not fill the other side's link with them.
pub(super) const CREDIT_CRUMB_BYTES: u64 = 4 * 1024;
// A receiver that renews as it should never waits here.
const _: () = assert!(CREDIT_CRUMB_BYTES < CREDIT_STEP_BYTES);

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
    pub routes: HashMap<u16, Route>,
    /// Channels that are open, or were.
    opened: BTreeSet<u16>,
    /// Data for channels that are about to open.
    early: HashMap<u16, Early>,
    pub budget: Budget,
    /// To be closed once its output is sent.
    pub leaving: bool,
    /// Has once taken everything there was.
    pub caught_up: bool,
    /// When that was first seen by [`Self::tick`].
    leaving_since: Option<Moment>,
}

impl Peer {
    pub fn new(address: PeerAddress, role: Option<Role>, now: Moment) -> Self {
        let by_link = role.is_none();
        let role = role.unwrap_or(Role::Customer);
        Self {
            link: Connection::new(now),
            assembler: Assembler::default(),
            stage: Stage::Hello {
                since: now,
                by_link,
                role,
            },
            address,
            routes: HashMap::new(),
            opened: BTreeSet::new(),
            early: HashMap::new(),
            budget: Budget::new(now),
            leaving: false,
            caught_up: false,
            leaving_since: None,
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
        if !self.opened.contains(&channel) {
            let early = self.early.entry(channel).or_default();
            return early.data.push(bytes.to_vec());
        }
        let sent = self.link.send(channel, bytes);
        debug_assert!(
            sent == bytes.len() || self.link.channel(channel).is_none(),
            "credit of both sides of a route differs"
        );
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
