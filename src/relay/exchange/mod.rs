//! Moves frames between the peers of one ring thread, by the routes the hub gave it. Pure: bytes
//! in, bytes and [`Outgoing`]s out.
//!
//! ```text
//! plaintext of a peer ─> frames ─┬─ messages ──> Outgoing::ToHub
//!                                ├─ data ──────> its route's peer here, or Outgoing::Across
//!                                │               (and Outgoing::Tapped, if it is recorded)
//!                                └─ credit ────> back along the route
//! ```
//!
//! Nothing is kept for a slow reader beyond its credit: the sender at the far end waits instead.

mod budget;
mod peer;

use self::peer::{CREDIT_CRUMB_BYTES, Peer, Route, Stage};
use super::hub::event::Tap;
use super::hub::{Door, Effect, Event, PeerId, Role};
use super::places::Places;
use super::pool::Pool;
use crate::domain::limits::TRANSCRIPT_PIECE_BYTES_MAX;
use crate::domain::token::Fingerprint;
use crate::domain::{Moment, PeerAddress};
use crate::link::channel::Channel;
use crate::link::connection::decode;
use crate::link::frame::split_frame;
use crate::link::message::{Hello, Purpose};
use crate::link::{Incoming, LinkError};

/// Something for another thread.
#[derive(Clone, Debug)]
pub enum Outgoing {
    /// The hub decides.
    ToHub(Event),
    /// A peer on another ring thread.
    Across(Parcel),
    /// Output of a recorded shell.
    Tapped {
        /// Whose.
        tap: Tap,
        /// Position of the first byte since the shell began; pieces sent again after a lost
        /// connection overlap what came before.
        offset: u64,
        /// The output.
        bytes: Vec<u8>,
    },
}

/// What crosses from one ring thread to another.
#[derive(Clone, Debug)]
pub struct Parcel {
    /// To whom.
    pub peer: PeerId,
    /// On which of its channels.
    pub channel: u16,
    /// What.
    pub content: Content,
}

/// See [`Parcel`].
#[derive(Clone, Debug)]
pub enum Content {
    /// Bytes to send.
    Data(Vec<u8>),
    /// Credit to grant.
    Credit(u64),
}

/// A peer between two ring threads.
#[derive(Debug)]
pub struct Moved(Box<Peer>);

impl Moved {
    /// Where it connects from.
    pub fn address(&self) -> PeerAddress {
        self.0.address
    }
}

/// The peers of one ring thread.
#[derive(Debug, Default)]
pub struct Exchange {
    peers: Places<PeerId, Peer>,
    dirty: Dirty,
    pool: Pool,
}

impl Exchange {
    /// A peer whose transport is up.
    pub fn add(&mut self, peer: PeerId, address: PeerAddress, door: Door, now: Moment) {
        self.peers.insert(peer, Peer::new(address, door, now));
    }

    /// A Jump Client whose connection goes on from the relay before this one: it has said hello.
    pub fn add_machine(
        &mut self,
        peer: PeerId,
        address: PeerAddress,
        device: Fingerprint,
        now: Moment,
    ) {
        let mut machine = Peer::new(address, Door::Device(device), now);
        machine.stage = Stage::Talking(Role::JumpClient);
        self.peers.insert(peer, machine);
    }

    /// A peer that was taken out of another thread's exchange.
    pub fn put(&mut self, id: PeerId, moved: Moved) {
        let mut peer = moved.0;
        peer.is_dirty = false;
        self.dirty.add(id, &mut peer);
        self.peers.insert(id, *peer);
    }

    /// Takes a peer out, for another thread's. It has no routes yet.
    pub fn take(&mut self, id: PeerId) -> Option<Moved> {
        self.peers.remove(id).map(|peer| Moved(Box::new(peer)))
    }

    /// Whether it is a Jump Client of which this relay knows nothing that another could not know.
    pub fn is_machine_at_rest(&self, id: PeerId) -> bool {
        self.peers.get(id).is_some_and(Peer::is_machine_at_rest)
    }

    /// Takes bytes from a peer. Whatever other threads have to do is appended to `outgoing`, in
    /// order.
    ///
    /// # Errors
    ///
    /// The peer broke the protocol: close it, and call [`Self::remove`].
    pub fn receive(
        &mut self,
        id: PeerId,
        bytes: &[u8],
        now: Moment,
        outgoing: &mut Vec<Outgoing>,
    ) -> Result<(), LinkError> {
        // Who is being hung up on may go on talking for as long as it does not read.
        let Some(peer) = self.peers.get_mut(id).filter(|peer| !peer.leaving) else {
            return Ok(());
        };
        let mut assembler = std::mem::take(&mut peer.assembler);
        let input = assembler.join(bytes);
        let mut rest = &input[..];
        while let Some((frame, taken)) = split_frame(rest)? {
            rest = &rest[taken..];
            let Some(peer) = self.peers.get_mut(id) else {
                return Ok(());
            };
            match peer.link.accept(frame, now)? {
                Incoming::Message(json) => outgoing.push(peer.message(id, json, now)?),
                Incoming::Data {
                    channel,
                    offset,
                    bytes,
                } => {
                    self.forward(id, channel, offset, bytes, outgoing);
                }
                Incoming::Credit { channel, up_to } => {
                    self.credit(id, channel, up_to, outgoing);
                }
                Incoming::Nothing => {}
            }
        }
        let kept = rest.len();
        let start = input.len() - kept;
        // Borrowed input is a piece of the caller's buffer, so only the tail is copied.
        assembler.keep(&input[start..]);
        if let Some(peer) = self.peers.get_mut(id) {
            peer.assembler = assembler;
            self.dirty.add(id, peer);
        }
        Ok(())
    }

    /// Takes what a peer's message or data became on another thread.
    pub fn deliver(&mut self, parcel: Parcel) {
        let Some(peer) = self.peers.get_mut(parcel.peer) else {
            return;
        };
        self.pool.lend(peer.link.output());
        match parcel.content {
            Content::Data(bytes) => peer.send(parcel.channel, &bytes),
            Content::Credit(up_to) => peer.grant(parcel.channel, up_to),
        }
        self.dirty.add(parcel.peer, peer);
    }

    /// Does what the hub decided for one peer. Effects that are not for a peer are ignored.
    pub fn apply(&mut self, effect: Effect) -> Option<Event> {
        match effect {
            Effect::Say { peer: id, json } => {
                let peer = self.peers.get_mut(id)?;
                peer.link.say_encoded(&json);
                self.dirty.add(id, peer);
                None
            }
            Effect::OpenChannel {
                peer: id,
                channel,
                to,
                acknowledged,
                send_from,
                receive_from,
                tap,
                announcement,
            } => {
                let peer = self.peers.get_mut(id)?;
                let stands = Channel::resumed(acknowledged, send_from, receive_from);
                peer.open(
                    channel,
                    stands,
                    Route {
                        to,
                        tap,
                        credited: 0,
                    },
                    &announcement,
                );
                self.dirty.add(id, peer);
                None
            }
            Effect::CloseChannel { peer: id, channel } => {
                let peer = self.peers.get_mut(id)?;
                peer.routes.remove(channel);
                let stood = peer.link.close(channel)?;
                Some(Event::ChannelClosed {
                    peer: id,
                    channel,
                    stood,
                })
            }
            Effect::HangUp { peer: id } => {
                let peer = self.peers.get_mut(id)?;
                peer.leaving = true;
                self.dirty.add(id, peer);
                None
            }
            Effect::Admit { .. }
            | Effect::Move { .. }
            | Effect::Record { .. }
            | Effect::Transcript(_)
            | Effect::Answer { .. } => None,
        }
    }

    /// Forgets a peer and says what the hub has to know.
    pub fn remove(&mut self, id: PeerId) -> Option<Event> {
        let peer = self.peers.remove(id)?;
        let channels = peer
            .link
            .open_channels()
            .map(|(number, stood)| (number, *stood))
            .collect();
        Some(Event::Left { peer: id, channels })
    }

    /// Forgets everybody, when the relay stops, and says where their channels stood.
    pub fn part(&mut self) -> Vec<Event> {
        let stood = |(peer, its): (PeerId, Peer)| {
            let channels = its.link.open_channels();
            let channels = channels.map(|(number, stood)| (number, *stood)).collect();
            Event::Parted { peer, channels }
        };
        self.peers.take_all().map(stood).collect()
    }

    /// Peers that may have something to send since the last call, each once. They are put into
    /// `dirty`, which is emptied first.
    pub fn take_dirty(&mut self, dirty: &mut Vec<PeerId>) {
        dirty.clear();
        std::mem::swap(dirty, &mut self.dirty.0);
        for id in dirty {
            if let Some(peer) = self.peers.get_mut(*id) {
                peer.is_dirty = false;
            }
        }
    }

    /// Whole frames to send to a peer that has taken all it was given before. Their memory is for
    /// [`Self::give_back`].
    pub fn take_output(&mut self, id: PeerId) -> Vec<u8> {
        let Some(peer) = self.peers.get_mut(id) else {
            return Vec::new();
        };
        let talks = matches!(peer.stage, Stage::Talking(_));
        peer.caught_up |= talks && !peer.link.has_output();
        peer.link.take_output()
    }

    /// Takes memory back.
    pub fn give_back(&mut self, output: Vec<u8>) {
        self.pool.give_back(output);
    }

    /// Whether the connection is to be closed once its output is sent.
    pub fn is_leaving(&self, id: PeerId) -> bool {
        self.peers.get(id).is_none_or(|peer| peer.leaving)
    }

    /// Whether what a peer sent so far ends inside a frame.
    pub fn is_inside_frame(&self, id: PeerId) -> bool {
        let inside = |peer: &Peer| peer.assembler.is_inside_frame();
        self.peers.get(id).is_some_and(inside)
    }

    /// Bytes that wait here for a peer, or for the rest of what it said.
    pub fn kept(&self, id: PeerId) -> usize {
        self.peers.get(id).map_or(0, Peer::kept)
    }

    /// Whether a peer's first message came.
    pub fn has_said_hello(&self, id: PeerId) -> bool {
        self.peers
            .get(id)
            .is_some_and(|peer| matches!(peer.stage, Stage::Talking(_)))
    }

    /// Refuses a peer for which too much waits: `with_transport` bytes were taken, not yet sent.
    pub fn check_backlog(&self, id: PeerId, with_transport: usize) -> Result<(), LinkError> {
        let Some(peer) = self.peers.get(id) else {
            return Ok(());
        };
        peer.link
            .check_backlog(with_transport, peer.replay_bytes_max())
    }

    /// Looks at every peer's deadlines; returns those to close. Called about once a second.
    pub fn tick(&mut self, now: Moment) -> Vec<(PeerId, LinkError)> {
        self.pool.tick();
        let mut closed = Vec::new();
        for (id, peer) in self.peers.iter_mut() {
            match peer.tick(now) {
                Ok(()) if peer.link.has_output() => self.dirty.add(id, peer),
                Ok(()) => {}
                Err(error) => closed.push((id, error)),
            }
        }
        closed
    }

    /// Data goes to its route's other end. A channel without one is being closed: the sender will
    /// be told where to go on from.
    fn forward(
        &mut self,
        from: PeerId,
        channel: u16,
        offset: u64,
        bytes: &[u8],
        outgoing: &mut Vec<Outgoing>,
    ) {
        let Some(route) = self
            .peers
            .get(from)
            .and_then(|peer| peer.routes.get(channel))
        else {
            return;
        };
        let ((to, channel), tap) = (route.to, route.tap);
        if let Some(tap) = tap {
            record(tap, offset, bytes, outgoing);
        }
        if to.shard != from.shard {
            let content = Content::Data(bytes.to_vec());
            outgoing.push(Outgoing::Across(Parcel {
                peer: to,
                channel,
                content,
            }));
        } else if let Some(peer) = self.peers.get_mut(to) {
            self.pool.lend(peer.link.output());
            peer.send(channel, bytes);
            self.dirty.add(to, peer);
        }
    }

    /// Credit goes back to whoever sends on the route.
    fn credit(&mut self, from: PeerId, channel: u16, up_to: u64, outgoing: &mut Vec<Outgoing>) {
        let Some(route) = self
            .peers
            .get_mut(from)
            .and_then(|peer| peer.routes.get_mut(channel))
        else {
            return;
        };
        if route.credited > 0 && up_to < route.credited + CREDIT_CRUMB_BYTES {
            return;
        }
        route.credited = up_to;
        let (to, channel) = route.to;
        if to.shard != from.shard {
            let content = Content::Credit(up_to);
            outgoing.push(Outgoing::Across(Parcel {
                peer: to,
                channel,
                content,
            }));
        } else if let Some(peer) = self.peers.get_mut(to) {
            self.pool.lend(peer.link.output());
            peer.grant(channel, up_to);
            self.dirty.add(to, peer);
        }
    }
}

/// Output for a recording; what follows on what is waiting there already goes with it.
fn record(tap: Tap, offset: u64, bytes: &[u8], outgoing: &mut Vec<Outgoing>) {
    if let Some(Outgoing::Tapped {
        tap: before,
        offset: from,
        bytes: so_far,
    }) = outgoing.last_mut()
        && *before == tap
        && *from + so_far.len() as u64 == offset
        && so_far.len() + bytes.len() <= TRANSCRIPT_PIECE_BYTES_MAX
    {
        so_far.extend_from_slice(bytes);
    } else {
        let bytes = bytes.to_vec();
        outgoing.push(Outgoing::Tapped { tap, offset, bytes });
    }
}

/// Peers that may have something to send, each once.
#[derive(Debug, Default)]
struct Dirty(Vec<PeerId>);

impl Dirty {
    fn add(&mut self, id: PeerId, peer: &mut Peer) {
        if !std::mem::replace(&mut peer.is_dirty, true) {
            self.0.push(id);
        }
    }
}

impl Peer {
    /// Turns a message into the hub's event.
    fn message(&mut self, id: PeerId, json: &[u8], now: Moment) -> Result<Outgoing, LinkError> {
        if !self.budget.take(now) {
            return Err(LinkError::TooManyMessages);
        }
        let event = match self.stage {
            Stage::Hello { door, .. } => {
                let hello: Box<Hello> = Box::new(decode(json)?);
                let role = match door {
                    Door::Socket(role) => role,
                    Door::Device(_) => Role::JumpClient,
                    // What it then says is heard once the hub has taken its ticket.
                    Door::Link if matches!(hello.purpose, Purpose::Console { .. }) => Role::Console,
                    Door::Link => Role::Customer,
                };
                self.stage = Stage::Talking(role);
                Event::Hello {
                    peer: id,
                    address: self.address,
                    door,
                    hello,
                }
            }
            Stage::Talking(Role::Customer) => Event::FromCustomer {
                peer: id,
                message: decode(json)?,
            },
            Stage::Talking(Role::Console) => Event::FromConsole {
                peer: id,
                message: decode(json)?,
            },
            Stage::Talking(Role::JumpClient) => Event::FromJumpClient {
                peer: id,
                message: decode(json)?,
            },
        };
        Ok(Outgoing::ToHub(event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::limits::{LINGER_MAX, LOG_BYTES_KEPT_MAX, WINDOW_BYTES};
    use crate::link::frame::{FrameKind, push_frame};

    const PEER: PeerId = PeerId {
        shard: 0,
        slot: 1,
        generation: 0,
    };

    #[test]
    fn a_console_that_comes_back_may_take_its_time_for_its_sessions_logs() {
        let hello =
            br#"{"type":"hello","versions":[1,1],"program":"x","purpose":{"purpose":"console"}}"#;
        let mut bytes = Vec::new();
        push_frame(&mut bytes, FrameKind::Control, 0, hello);
        for (role, taken) in [
            (Role::Console, Ok(())),
            (Role::Customer, Err(LinkError::DoesNotRead)),
        ] {
            let mut exchange = Exchange::default();
            let now = Moment::default();
            let address = PeerAddress::new("192.0.2.1:1".parse().unwrap());
            exchange.add(PEER, address, Door::Socket(role), now);
            let heard = exchange.receive(PEER, &bytes, now, &mut Vec::new());
            assert_eq!(heard, Ok(()));
            for _ in 0..3 * LOG_BYTES_KEPT_MAX / 10_000 {
                let json = vec![b' '; 10_000];
                exchange.apply(Effect::Say { peer: PEER, json });
            }
            assert_eq!(exchange.check_backlog(PEER, 0), taken, "{role:?}");
        }
    }

    #[test]
    fn credit_that_is_given_over_and_over_does_not_reach_the_other_side() {
        let mut exchange = Exchange::default();
        let now = Moment::default();
        let address = PeerAddress::new("192.0.2.1:1".parse().unwrap());
        exchange.add(PEER, address, Door::Socket(Role::Customer), now);
        let peer = exchange.peers.get_mut(PEER).unwrap();
        peer.link.open(1, 0, 0);
        let elsewhere = PeerId { shard: 1, ..PEER };
        let route = Route {
            to: (elsewhere, 1),
            tap: None,
            credited: 0,
        };
        peer.routes.insert(1, route);
        let mut bytes = Vec::new();
        for _ in 0..1_000 {
            push_frame(
                &mut bytes,
                FrameKind::Credit,
                1,
                &WINDOW_BYTES.to_be_bytes(),
            );
        }
        let mut outgoing = Vec::new();
        let taken = exchange.receive(PEER, &bytes, now, &mut outgoing);
        assert_eq!((taken, outgoing.len()), (Ok(()), 1));
    }

    #[test]
    fn who_is_hung_up_on_is_heard_no_more_and_does_not_stay() {
        let mut exchange = Exchange::default();
        let start = Moment::default();
        let address = PeerAddress::new("192.0.2.1:1".parse().unwrap());
        exchange.add(PEER, address, Door::Socket(Role::Customer), start);
        exchange.apply(Effect::HangUp { peer: PEER });
        let mut bytes = Vec::new();
        push_frame(&mut bytes, FrameKind::Control, 0, br#"{"type":"leave"}"#);
        let mut outgoing = Vec::new();
        let taken = exchange.receive(PEER, &bytes, start, &mut outgoing);
        assert_eq!((taken, outgoing.len()), (Ok(()), 0));
        // Its socket takes nothing, but it goes on talking.
        assert_eq!(exchange.tick(start), []);
        let late = start + LINGER_MAX + std::time::Duration::from_secs(1);
        assert_eq!(exchange.tick(late), [(PEER, LinkError::DoesNotRead)]);
    }
}
