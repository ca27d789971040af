//! Who is connected, as whom, and which channel numbers they have used.

use std::collections::HashMap;

use super::event::PeerId;
use crate::domain::limits::CHANNELS_PER_LINK_MAX;
use crate::domain::token::Fingerprint;
use crate::domain::{AccountId, SessionId};

/// What a connected peer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The customer of this session.
    Customer(SessionId),
    /// The console of this representative.
    Console(AccountId),
    /// The Jump Client with this device key.
    JumpClient(Fingerprint),
}

/// Every peer that was let in.
#[derive(Debug, Default)]
pub struct Peers {
    known: HashMap<PeerId, Known>,
}

#[derive(Debug)]
struct Known {
    who: Who,
    channels_used: u16,
}

impl Peers {
    /// Lets a peer in.
    pub fn insert(&mut self, peer: PeerId, who: Who) {
        self.known.insert(
            peer,
            Known {
                who,
                channels_used: 0,
            },
        );
    }

    /// Forgets a peer.
    pub fn remove(&mut self, peer: PeerId) -> Option<Who> {
        self.known.remove(&peer).map(|known| known.who)
    }

    /// What a peer is; `None` if it was not let in.
    pub fn who(&self, peer: PeerId) -> Option<Who> {
        self.known.get(&peer).map(|known| known.who)
    }

    /// A channel number the peer has not had before.
    pub fn channel(&mut self, peer: PeerId) -> Option<u16> {
        let known = self.known.get_mut(&peer)?;
        if known.channels_used >= CHANNELS_PER_LINK_MAX {
            return None;
        }
        known.channels_used += 1;
        Some(known.channels_used)
    }

    /// Whether the peer has no channel numbers left.
    pub fn is_used_up(&self, peer: PeerId) -> bool {
        self.known
            .get(&peer)
            .is_some_and(|known| known.channels_used >= CHANNELS_PER_LINK_MAX)
    }
}
