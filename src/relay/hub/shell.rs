//! A shell's two sides, and how they find together again after a lost connection.
//!
//! The relay keeps none of a shell's bytes. When a side is lost, the other's channel is closed and
//! the relay learns how far each got; once both are there again they are joined on new channels
//! and told the byte to go on from. Their own ends keep what may be asked for again
//! ([`crate::link::Retained`]).

use super::event::PeerId;
use crate::link::channel::Channel;

/// One side of a shell's route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Joined.
    Live {
        /// On this channel of its peer.
        channel: u16,
    },
    /// Its channel is being closed; where it stood is not known yet.
    Closing {
        /// Whose channel: the peer may have been replaced meanwhile.
        peer: PeerId,
        /// Which.
        channel: u16,
        /// What a new connection said it has, if it did so meanwhile.
        told: Option<u64>,
    },
    /// Its peer is there and gets, or has, `received` bytes; waits for the other side.
    Ready {
        /// Surely consumed.
        acknowledged: u64,
        /// To go on from.
        received: u64,
    },
    /// Its peer is gone.
    Lost {
        /// Surely consumed.
        acknowledged: u64,
        /// Sent to it, and perhaps lost on the way.
        sent: u64,
    },
}

impl Side {
    /// The side before its shell has moved a byte.
    pub const NEW: Self = Self::Ready {
        acknowledged: 0,
        received: 0,
    };

    /// Its channel was closed while its peer stayed connected: all that was sent arrives.
    pub fn closed(self, peer: PeerId, channel: u16, stood: &Channel) -> Self {
        match self {
            Self::Closing { told, .. } if self.is_closing(peer, channel) => {
                let (acknowledged, sent) = (stood.acknowledged(), stood.sent());
                let received = told.map_or(sent, |told| told.clamp(acknowledged, sent));
                Self::Ready {
                    acknowledged,
                    received,
                }
            }
            Self::Live { .. } | Self::Closing { .. } | Self::Ready { .. } | Self::Lost { .. } => {
                self
            }
        }
    }

    /// The connection of `peer`, which holds this side, is gone; `channels` is where its open
    /// channels stood.
    pub fn lost(self, peer: PeerId, channels: &[(u16, Channel)]) -> Self {
        let stood = |number: u16| {
            let found = channels.iter().find(|(channel, _)| *channel == number);
            found.map(|(_, stood)| (stood.acknowledged(), stood.sent()))
        };
        match self {
            Self::Live { channel } => {
                // A live channel is open, so it is listed; if not, everything may be missing.
                let (acknowledged, sent) = stood(channel).unwrap_or((0, 0));
                Self::Lost { acknowledged, sent }
            }
            Self::Closing {
                peer: closing,
                channel,
                told,
            } if closing == peer => {
                let (acknowledged, sent) = stood(channel).unwrap_or((0, 0));
                match told {
                    None => Self::Lost { acknowledged, sent },
                    Some(told) => Self::Ready {
                        acknowledged,
                        received: told.clamp(acknowledged, sent),
                    },
                }
            }
            Self::Ready {
                acknowledged,
                received,
            } => Self::Lost {
                acknowledged,
                sent: received,
            },
            Self::Closing { .. } | Self::Lost { .. } => self,
        }
    }

    /// A new connection for this side came and has `told` bytes; `old` is the one it replaces, if
    /// that is still there.
    pub fn returned(self, old: Option<PeerId>, told: u64) -> Self {
        match (self, old) {
            (Self::Live { channel }, Some(peer)) => Self::Closing {
                peer,
                channel,
                told: Some(told),
            },
            (Self::Closing { peer, channel, .. }, _) => Self::Closing {
                peer,
                channel,
                told: Some(told),
            },
            (
                Self::Ready {
                    acknowledged,
                    received: sent,
                }
                | Self::Lost { acknowledged, sent },
                _,
            ) => Self::Ready {
                acknowledged,
                received: told.clamp(acknowledged, sent),
            },
            (Self::Live { .. }, None) => self,
        }
    }

    /// Whether this side waits to hear where that channel stood.
    pub fn is_closing(self, peer: PeerId, channel: u16) -> bool {
        matches!(self, Self::Closing { peer: p, channel: c, .. } if p == peer && c == channel)
    }
}

/// One open shell.
#[derive(Clone, Copy, Debug)]
pub struct Shell {
    /// The customer's computer: receives input.
    pub customer: Side,
    /// The representative's terminal: receives output.
    pub console: Side,
    /// The computer was told to start it.
    pub begun: bool,
    /// The computer said that it runs.
    pub runs: bool,
    /// Columns and rows now.
    pub size: (u16, u16),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::limits::WINDOW_BYTES;

    const OLD: PeerId = PeerId {
        shard: 0,
        slot: 1,
        generation: 0,
    };

    fn stood(acknowledged: u64, sent: u64) -> Channel {
        let mut channel = Channel::new(acknowledged, 0);
        channel.count_sent(usize::try_from(sent - acknowledged).unwrap());
        assert_eq!(
            channel.acknowledged() + WINDOW_BYTES,
            acknowledged + WINDOW_BYTES
        );
        channel
    }

    #[test]
    fn a_side_that_stays_gets_everything_that_was_sent_to_it() {
        let closing = Side::Closing {
            peer: OLD,
            channel: 3,
            told: None,
        };
        let ready = closing.closed(OLD, 3, &stood(10, 50));
        assert_eq!(
            ready,
            Side::Ready {
                acknowledged: 10,
                received: 50
            }
        );
        assert_eq!(closing.closed(OLD, 4, &stood(10, 50)), closing);
    }

    #[test]
    fn a_side_that_comes_back_goes_on_where_it_says_within_reason() {
        let lost = Side::Live { channel: 3 }.lost(OLD, &[(3, stood(10, 50))]);
        assert_eq!(
            lost,
            Side::Lost {
                acknowledged: 10,
                sent: 50
            }
        );
        for (told, received) in [(0, 10), (30, 30), (99, 50)] {
            let back = lost.returned(None, told);
            assert_eq!(
                back,
                Side::Ready {
                    acknowledged: 10,
                    received
                }
            );
        }
    }

    #[test]
    fn a_side_that_comes_back_before_its_old_connection_is_gone_waits_for_that() {
        let replaced = Side::Live { channel: 3 }.returned(Some(OLD), 30);
        let gone = replaced.lost(OLD, &[(3, stood(10, 50))]);
        assert_eq!(
            gone,
            Side::Ready {
                acknowledged: 10,
                received: 30
            }
        );
    }
}
