//! A shell's two sides, and how they find together again after a lost connection.
//!
//! The relay keeps none of a shell's bytes. When a side is lost, the other's channel is closed and
//! the relay learns how far each got; once both are there again they are joined on new channels
//! and told the byte to go on from. Their own ends keep what may be asked for again
//! ([`crate::link::Retained`]).

use super::event::PeerId;
use crate::link::channel::Channel;

/// How far a side has got with what it receives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// Surely consumed: the sender may have forgotten what came before.
    pub acknowledged: u64,
    /// Sent to it so far. Between the two may be lost with its connection.
    pub sent: u64,
}

impl Reached {
    /// A new connection says that it has `told` bytes. It may know more than we heard, but neither
    /// less than what was surely consumed nor more than was ever sent.
    fn goes_on_at(self, told: u64) -> Self {
        Self {
            sent: told.clamp(self.acknowledged, self.sent),
            ..self
        }
    }
}

impl From<&Channel> for Reached {
    fn from(stood: &Channel) -> Self {
        Self {
            acknowledged: stood.acknowledged(),
            sent: stood.sent(),
        }
    }
}

/// One side of a shell's route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Joined, or about to be: opening a channel may wait for the record.
    Live {
        /// On this channel of its peer.
        channel: u16,
        /// Where that began.
        from: Reached,
    },
    /// Its channel is being closed; where it stood is not known yet.
    Closing {
        /// Whose channel: the peer may have been replaced meanwhile.
        peer: PeerId,
        /// Which.
        channel: u16,
        /// Where that began.
        from: Reached,
        /// What a new connection said it has, if it did so meanwhile.
        told: Option<u64>,
    },
    /// Its peer is there and gets, or has, all that was sent; waits for the other side.
    Ready(Reached),
    /// Its peer is gone, perhaps before all that was sent arrived.
    Lost(Reached),
}

impl Side {
    /// The side before its shell has moved a byte.
    pub const NEW: Self = Self::Ready(Reached {
        acknowledged: 0,
        sent: 0,
    });

    /// Its channel was closed while its peer stayed connected: all that was sent arrives.
    pub fn closed(self, peer: PeerId, channel: u16, stood: &Channel) -> Self {
        match self {
            Self::Closing { told, .. } if self.is_closing(peer, channel) => {
                let stood = Reached::from(stood);
                Self::Ready(told.map_or(stood, |told| stood.goes_on_at(told)))
            }
            Self::Live { .. } | Self::Closing { .. } | Self::Ready(_) | Self::Lost(_) => self,
        }
    }

    /// The connection of `peer`, which holds this side, is gone; `channels` is where its open
    /// channels stood. One that is not listed was never opened.
    pub fn lost(self, peer: PeerId, channels: &[(u16, Channel)]) -> Self {
        let stood = |number: u16, from: Reached| {
            let found = channels.iter().find(|(channel, _)| *channel == number);
            found.map_or(from, |(_, stood)| Reached::from(stood))
        };
        match self {
            Self::Live { channel, from } => Self::Lost(stood(channel, from)),
            Self::Closing {
                peer: closing,
                channel,
                from,
                told,
            } if closing == peer => {
                let stood = stood(channel, from);
                told.map_or(Self::Lost(stood), |told| {
                    Self::Ready(stood.goes_on_at(told))
                })
            }
            Self::Ready(reached) => Self::Lost(reached),
            Self::Closing { .. } | Self::Lost(_) => self,
        }
    }

    /// A new connection for this side came and has `told` bytes; `old` is the one it replaces, if
    /// that is still there.
    pub fn returned(self, old: Option<PeerId>, told: u64) -> Self {
        match (self, old) {
            (Self::Live { channel, from }, Some(peer)) => Self::Closing {
                peer,
                channel,
                from,
                told: Some(told),
            },
            (
                Self::Closing {
                    peer,
                    channel,
                    from,
                    ..
                },
                _,
            ) => Self::Closing {
                peer,
                channel,
                from,
                told: Some(told),
            },
            (Self::Ready(reached) | Self::Lost(reached), _) => {
                Self::Ready(reached.goes_on_at(told))
            }
            (Self::Live { .. }, None) => self,
        }
    }

    /// Whether this side waits to hear where that channel stood.
    pub fn is_closing(self, peer: PeerId, channel: u16) -> bool {
        matches!(self, Self::Closing { peer: p, channel: c, .. } if p == peer && c == channel)
    }

    /// Whether this side waits to hear where some channel of that connection stood.
    pub fn is_closing_at(self, peer: PeerId) -> bool {
        matches!(self, Self::Closing { peer: p, .. } if p == peer)
    }
}

/// One open shell.
#[derive(Clone, Copy, Debug)]
pub struct Shell {
    /// The customer's computer: receives input.
    pub customer: Side,
    /// The representative's terminal: receives output.
    pub console: Side,
    /// The computer was told to start it, or will be as soon as that is on record.
    pub begun: bool,
    /// The join that stands is the one that tells the computer to start it.
    pub begins: bool,
    /// The computer said that it runs.
    pub runs: bool,
    /// Columns and rows now.
    pub size: (u16, u16),
}

impl Shell {
    /// The computer was not told of the last join after all.
    pub fn join_was_cancelled(&mut self) {
        self.begun &= !self.begins;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: PeerId = PeerId {
        shard: 0,
        slot: 1,
        generation: 0,
    };

    const START: Reached = Reached {
        acknowledged: 10,
        sent: 20,
    };

    fn stood(acknowledged: u64, sent: u64) -> Channel {
        Channel::resumed(acknowledged, sent, 0)
    }

    fn reached(acknowledged: u64, sent: u64) -> Reached {
        Reached { acknowledged, sent }
    }

    fn live() -> Side {
        let (channel, from) = (3, START);
        Side::Live { channel, from }
    }

    fn closing() -> Side {
        Side::Closing {
            peer: OLD,
            channel: 3,
            from: START,
            told: None,
        }
    }

    #[test]
    fn a_side_that_stays_gets_everything_that_was_sent_to_it() {
        let side = closing();
        assert_eq!(side.closed(OLD, 4, &stood(10, 50)), side);
        let ready = side.closed(OLD, 3, &stood(10, 50));
        assert_eq!(ready, Side::Ready(reached(10, 50)));
        // What is under way to it may still be lost with its connection.
        assert_eq!(
            ready.lost(OLD, &[]).returned(None, 30),
            Side::Ready(reached(10, 30))
        );
    }

    #[test]
    fn a_side_that_comes_back_goes_on_where_it_says_within_reason() {
        let lost = live().lost(OLD, &[(3, stood(10, 50))]);
        assert_eq!(lost, Side::Lost(reached(10, 50)));
        for (told, goes_on_at) in [(0, 10), (30, 30), (99, 50)] {
            assert_eq!(
                lost.returned(None, told),
                Side::Ready(reached(10, goes_on_at))
            );
        }
    }

    #[test]
    fn a_side_whose_channel_was_never_opened_is_where_it_was() {
        assert_eq!(live().lost(OLD, &[]), Side::Lost(START));
        assert_eq!(closing().lost(OLD, &[]), Side::Lost(START));
    }

    #[test]
    fn a_side_that_comes_back_before_its_old_connection_is_gone_waits_for_that() {
        let gone = live()
            .returned(Some(OLD), 30)
            .lost(OLD, &[(3, stood(10, 50))]);
        assert_eq!(gone, Side::Ready(reached(10, 30)));
    }
}
