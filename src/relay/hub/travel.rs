//! Customers between two ring threads. Who sends more behind its hello has sent it for the session:
//! that is kept here, and heard once the customer is there. Pure.

use std::collections::HashMap;

use super::event::PeerId;
use crate::domain::limits::MESSAGES_BURST_MAX;
use crate::link::message::FromCustomer;

/// By who they were.
#[derive(Debug, Default)]
pub struct Travellers(HashMap<PeerId, Vec<FromCustomer>>);

impl Travellers {
    /// One sets out.
    pub fn set_out(&mut self, peer: PeerId) {
        self.0.insert(peer, Vec::new());
    }

    /// One of them said something before it was moved. One that says more than
    /// [`MESSAGES_BURST_MAX`] is forgotten.
    pub fn said(&mut self, peer: PeerId, message: FromCustomer) {
        let Some(said) = self.0.get_mut(&peer) else {
            return;
        };
        if said.len() < MESSAGES_BURST_MAX as usize {
            said.push(message);
        } else {
            self.0.remove(&peer);
        }
    }

    /// One is there, or gone: what it said. `None` if it never set out, or was forgotten.
    pub fn arrived(&mut self, peer: PeerId) -> Option<Vec<FromCustomer>> {
        self.0.remove(&peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::PromptId;

    #[test]
    fn who_says_more_on_the_way_than_anybody_types_is_forgotten() {
        let peer = PeerId {
            shard: 1,
            slot: 2,
            generation: 3,
        };
        let answer = FromCustomer::Answer {
            prompt: PromptId(1),
            allow: true,
        };
        let mut travellers = Travellers::default();
        for more in [0, 1] {
            travellers.set_out(peer);
            for _ in 0..MESSAGES_BURST_MAX + more {
                travellers.said(peer, answer.clone());
            }
            assert_eq!(travellers.arrived(peer).is_some(), more == 0);
        }
        travellers.said(peer, answer);
        assert!(travellers.arrived(peer).is_none(), "it never set out");
    }
}
