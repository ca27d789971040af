//! From one ring thread to another: where two peers talk, both are to be.
//!
//! ```text
//! Effect::Move ─> halt, await what is under way ─> release ─> Mail::Moved ─> take over ─> Event::Moved
//! ```
//!
//! The hub talks to nobody on the way. What such a peer says itself waits in the kernel, or in the hub if
//! it had been taken here. A kernel that does not let go of sockets leaves it where it is.

use std::os::fd::OwnedFd;

use crossbeam::channel::TrySendError;

use super::conn::Conn;
use super::{Mail, Shard, StreamId, stream_of};
use crate::domain::Moment;
use crate::domain::token::Fingerprint;
use crate::relay::exchange::{self, Outgoing};
use crate::relay::hub::event::Arrival;
use crate::relay::hub::{Event, PeerId};

/// On its way out.
pub(super) struct Departure {
    to: u16,
    arrival: Box<Arrival>,
}

/// A customer's connection between two ring threads.
pub struct Moving {
    socket: OwnedFd,
    conn: Conn,
    traveller: Traveller,
}

/// A customer on the way.
pub(super) struct Traveller {
    was: PeerId,
    peer: exchange::Moved,
    arrival: Box<Arrival>,
}

impl std::fmt::Debug for Moving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Moving").finish_non_exhaustive()
    }
}

/// On its way in: its socket is not in the ring's table yet.
pub(super) enum Incomer {
    /// A Jump Client of the relay before this one, and the key it has proved.
    Machine(Fingerprint),
    /// A customer of another ring thread.
    Customer(Traveller),
}

impl Shard {
    pub(super) fn begin_move(&mut self, peer: PeerId, to: u16, arrival: Box<Arrival>) {
        let stream = stream_of(peer);
        // It may have gone meanwhile, which the hub hears by itself.
        let Some(conn) = self.conns.get(stream).filter(|conn| conn.is_link()) else {
            return;
        };
        if self.ring.lets_go() {
            self.ring.halt(stream);
            self.departures.insert(stream, Departure { to, arrival });
        } else {
            let event = Event::Moved {
                was: peer,
                peer,
                address: conn.address,
                arrival,
            };
            self.outgoing.push(Outgoing::ToHub(event));
        }
    }

    /// Lets go of those of whom nothing is under way any more.
    pub(super) fn depart(&mut self) {
        if self.departures.is_empty() {
            return;
        }
        let ring = &mut self.ring;
        let conns = &self.conns;
        self.departures.retain(|stream, _| conns.contains(*stream));
        for stream in self.departures.keys() {
            let said = self
                .conns
                .get(*stream)
                .is_some_and(|c| c.at_rest().is_some());
            if said && !ring.is_receiving(*stream) {
                // Asked for once: then it is under way itself.
                ring.release(*stream);
            }
        }
    }

    /// Its socket, or why it has to stay.
    pub(super) fn released(&mut self, stream: StreamId, socket: std::io::Result<OwnedFd>) {
        let Some(Departure { to, arrival }) = self.departures.remove(&stream) else {
            return;
        };
        let id = self.peer(stream);
        match socket {
            Ok(socket) => {
                self.no_visitor(stream);
                let (Some(conn), Some(peer)) = (self.conns.remove(stream), self.exchange.take(id))
                else {
                    return;
                };
                self.weight -= conn.weight;
                let traveller = Traveller {
                    was: id,
                    peer,
                    arrival,
                };
                let moving = Box::new(Moving {
                    socket,
                    conn,
                    traveller,
                });
                self.moving.push_back((to, moving));
            }
            Err(error) => {
                tracing::debug!(%error, "not_moved");
                if let Some(conn) = self.conns.get(stream) {
                    let event = Event::Moved {
                        was: id,
                        peer: id,
                        address: conn.address,
                        arrival,
                    };
                    self.outgoing.push(Outgoing::ToHub(event));
                    self.go_on_receiving(stream);
                }
            }
        }
    }

    /// Behind everything that those who move said here.
    pub(super) fn hand_on_moving(&mut self) {
        while let Some((to, moving)) = self.moving.pop_front() {
            let shard = &self.setting.shards[usize::from(to)];
            let sent = shard.mail.try_send(Mail::Moving(moving));
            shard.waker.wake();
            if let Err(TrySendError::Full(Mail::Moving(moving))) = sent {
                return self.moving.push_front((to, moving));
            }
        }
    }

    /// One of another ring thread's.
    pub(super) fn receive_moving(&mut self, moving: Moving) {
        let Moving {
            socket,
            mut conn,
            traveller,
        } = moving;
        conn.weight = 0;
        let stream = self.ring.take_over(socket);
        self.conns.insert(stream, conn);
        self.incomers.insert(stream, Incomer::Customer(traveller));
    }

    /// A connection is gone; the hub waits for one that was on its way.
    pub(super) fn no_incomer(&mut self, stream: StreamId) {
        if let Some(Incomer::Customer(Traveller { was, .. })) = self.incomers.remove(&stream) {
            let channels = Vec::new();
            let left = Event::Left {
                peer: was,
                channels,
            };
            self.outgoing.push(Outgoing::ToHub(left));
        }
    }

    /// Its socket is in place.
    pub(super) fn taken_over(&mut self, stream: StreamId, now: Moment) {
        let (Some(incomer), Some(conn)) = (self.incomers.remove(&stream), self.conns.get(stream))
        else {
            return;
        };
        let (peer, address) = (self.peer(stream), conn.address);
        let event = match incomer {
            Incomer::Machine(device) => {
                self.exchange.add_machine(peer, address, device, now);
                Event::Inherited { peer, device }
            }
            Incomer::Customer(Traveller {
                was,
                peer: moved,
                arrival,
            }) => {
                self.exchange.put(peer, moved);
                Event::Moved {
                    was,
                    peer,
                    address,
                    arrival,
                }
            }
        };
        self.outgoing.push(Outgoing::ToHub(event));
        self.go_on_receiving(stream);
    }
}
