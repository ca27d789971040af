//! The relay without its threads and sockets: the real hub and exchanges, joined by queues that
//! are emptied in any order.

use std::collections::{BTreeMap, VecDeque};

use jumpgate::domain::limits::{HUB_QUEUE_MAX, HUB_TICK, SHARD_QUEUE_MAX, SHARD_TICK};
use jumpgate::domain::token::Fingerprint;
use jumpgate::domain::{Moment, Now, PeerAddress, Stamp, Token};
use jumpgate::link::LinkError;
use jumpgate::relay::exchange::{Exchange, Outgoing, Parcel};
use jumpgate::relay::hub::event::{Answer, Order};
use jumpgate::relay::hub::{Door, Effect, Event, Hub, Memory, PeerId, Turn};

use crate::random::Random;
use crate::store::Store;
use crate::truth::Truth;
use crate::wire::Wire;

/// Batches that may wait for the recorder before the hub waits too.
const RECORDER_QUEUE: usize = 64;
/// Events that may wait for the hub before peers are not read.
const HUB_QUEUE: usize = 128;
/// The same of what waits for a shard.
const SHARD_QUEUE: usize = 32;

enum Mail {
    Effect(Effect),
    Parcel(Parcel),
}

#[derive(Default)]
struct Shard {
    exchange: Exchange,
    mail: VecDeque<Mail>,
}

/// See the head of this file.
pub struct Relay {
    hub: Hub,
    shards: Vec<Shard>,
    events: VecDeque<Event>,
    pub store: Store,
    pub truth: Truth,
    pub wires: BTreeMap<PeerId, Wire>,
    addresses: BTreeMap<PeerId, PeerAddress>,
    /// Other programs' answers, to be taken.
    pub answers: Vec<(u64, Answer)>,
    /// Peers the relay closed for breaking a rule.
    pub faults: Vec<(PeerId, LinkError)>,
    random: Random,
    slots: u32,
    hub_ticked: Moment,
    shards_ticked: Moment,
    traces: bool,
}

impl Relay {
    pub fn new(shards: usize, mut random: Random, now: Now) -> Self {
        let store = Store::default();
        let fleet = store.fleet();
        let memory = Memory {
            fleet,
            ..Memory::default()
        };
        let hub = Hub::restore(
            memory,
            &mut Turn {
                now,
                random: &mut |buffer| random.fill(buffer),
            },
        );
        Self {
            hub,
            shards: (0..shards).map(|_| Shard::default()).collect(),
            events: VecDeque::new(),
            store,
            truth: Truth::default(),
            wires: BTreeMap::new(),
            addresses: BTreeMap::new(),
            answers: Vec::new(),
            faults: Vec::new(),
            random,
            slots: 0,
            hub_ticked: Moment::default(),
            shards_ticked: Moment::default(),
            traces: std::env::var_os("SIM_TRACE").is_some(),
        }
    }

    /// The relay's process dies and starts again: only the store is left. The connections break;
    /// the caller tells the remote programs.
    pub fn restart(&mut self, now: Now) {
        let memory: Memory = self.store.restart(now.stamp);
        self.truth.restart(&memory);
        for shard in &mut self.shards {
            *shard = Shard::default();
        }
        self.events.clear();
        self.answers.clear();
        self.hub = Hub::restore(
            memory,
            &mut Turn {
                now,
                random: &mut |buffer| self.random.fill(buffer),
            },
        );
        self.hand_out();
    }

    /// A connection by the link protocol's own way in.
    pub fn connect(&mut self, address: PeerAddress, now: Moment) -> PeerId {
        let peer = self.new_peer(address);
        self.wire(peer).admitted = true;
        self.truth.customer_is(peer);
        let shard = &mut self.shards[usize::from(peer.shard)];
        shard.exchange.add(peer, address, Door::Link, now);
        peer
    }

    /// A Jump Client's connection, which has proved this key.
    pub fn connect_machine(
        &mut self,
        address: PeerAddress,
        device: Fingerprint,
        now: Moment,
    ) -> PeerId {
        let peer = self.new_peer(address);
        self.wire(peer).admitted = true;
        self.truth.machine_is(peer, device);
        let shard = &mut self.shards[usize::from(peer.shard)];
        shard.exchange.add(peer, address, Door::Device(device), now);
        peer
    }

    /// A WebSocket that shows a ticket.
    pub fn upgrade(&mut self, address: PeerAddress, ticket: Token) -> PeerId {
        let peer = self.new_peer(address);
        self.events.push_back(Event::Upgrade { peer, ticket });
        peer
    }

    pub fn order(&mut self, id: u64, order: Order) {
        self.events.push_back(Event::Order { id, order });
    }

    fn new_peer(&mut self, address: PeerAddress) -> PeerId {
        self.slots += 1;
        let shard = u16::try_from(self.random.below(self.shards.len())).unwrap();
        let used = |slot: &u32| {
            let mut peers = self.wires.keys();
            peers.any(|peer| peer.shard == shard && peer.slot == *slot)
        };
        let peer = PeerId {
            shard,
            // Slots are used again, under another generation.
            slot: (0..u32::MAX)
                .find(|slot| !used(slot))
                .expect("fewer than 2^32 peers"),
            generation: self.slots,
        };
        self.wires.insert(peer, Wire::default());
        self.addresses.insert(peer, address);
        peer
    }

    pub fn wire(&mut self, peer: PeerId) -> &mut Wire {
        self.wires.get_mut(&peer).expect("a wire for every peer")
    }

    // ---- what can happen next ----

    pub fn hub_has_work(&self) -> bool {
        !self.events.is_empty() && self.store.backlog() < RECORDER_QUEUE
    }

    pub fn reads_peers(&self) -> bool {
        let full = |shard: &Shard| shard.mail.len() >= SHARD_QUEUE;
        self.events.len() < HUB_QUEUE && !self.shards.iter().any(full)
    }

    pub fn shards_with_mail(&self) -> impl Iterator<Item = usize> {
        let busy = self.shards.iter().enumerate();
        busy.filter(|(_, shard)| !shard.mail.is_empty())
            .map(|(index, _)| index)
    }

    /// Whether anything waits inside the relay.
    pub fn is_idle(&self) -> bool {
        self.events.is_empty()
            && self.shards_with_mail().next().is_none()
            && self.store.backlog() == 0
    }

    /// The hub takes up to `most` events in one turn.
    pub fn hub_turn(&mut self, most: usize, now: Now) {
        for _ in 0..most {
            let Some(event) = self.events.pop_front() else {
                break;
            };
            self.handle(event, now);
        }
        self.hand_out();
    }

    /// The recorder commits, or tells how far it got.
    pub fn record(&mut self, most: usize, now: Now) {
        self.store.commit(most);
        if self.random.percent(70) {
            let through = self.store.tell();
            self.handle(Event::Recorded { through }, now);
            self.hand_out();
        }
    }

    /// A shard takes up to `most` of what other threads sent it.
    pub fn shard_turn(&mut self, index: usize, most: usize, now: Moment) {
        for _ in 0..most {
            let shard = &mut self.shards[index];
            let Some(mail) = shard.mail.pop_front() else {
                break;
            };
            match mail {
                Mail::Parcel(parcel) => shard.exchange.deliver(parcel),
                Mail::Effect(Effect::Admit { peer, role }) => {
                    let wire = self.wires.get_mut(&peer).filter(|wire| !wire.relay_closed);
                    let Some(wire) = wire else {
                        continue;
                    };
                    wire.admitted = role.is_some();
                    wire.relay_closed = role.is_none();
                    if let Some(role) = role {
                        let address = self.addresses[&peer];
                        shard.exchange.add(peer, address, Door::Socket(role), now);
                    }
                }
                // As on a kernel that does not let go of sockets: it stays where it is.
                Mail::Effect(Effect::Move { peer, arrival, .. }) => {
                    if let Some(address) = self.addresses.get(&peer).copied() {
                        self.events.push_back(Event::Moved {
                            was: peer,
                            peer,
                            address,
                            arrival,
                        });
                    }
                }
                Mail::Effect(effect) => {
                    let event = shard.exchange.apply(effect);
                    self.events.extend(event);
                }
            }
        }
        self.flush(index);
    }

    /// Bytes of a peer arrive.
    pub fn receive(&mut self, peer: PeerId, bytes: &[u8], now: Moment) {
        let index = usize::from(peer.shard);
        let mut outgoing = Vec::new();
        let received = self.shards[index]
            .exchange
            .receive(peer, bytes, now, &mut outgoing);
        for outgoing in outgoing {
            match outgoing {
                Outgoing::ToHub(event) => self.events.push_back(event),
                Outgoing::Across(parcel) => {
                    let to = usize::from(parcel.peer.shard);
                    self.shards[to].mail.push_back(Mail::Parcel(parcel));
                }
                Outgoing::Tapped { tap, offset, bytes } => self.truth.tapped(tap, offset, &bytes),
            }
        }
        if let Err(error) = received {
            self.fault(peer, error);
        }
        self.flush(index);
        self.check_queues();
    }

    /// The relay learns that a connection is gone.
    pub fn lost(&mut self, peer: PeerId) {
        let wire = self.wire(peer);
        if wire.relay_closed {
            return;
        }
        wire.relay_closed = true;
        self.truth.gone(peer);
        let left = if wire_was_upgrading(self.wire(peer)) {
            let channels = Vec::new();
            Some(Event::Left { peer, channels })
        } else {
            self.shards[usize::from(peer.shard)].exchange.remove(peer)
        };
        self.events.extend(left);
    }

    /// Deadlines of hub and shards.
    pub fn tick(&mut self, now: Now) {
        if now.moment.since(self.hub_ticked) >= HUB_TICK && self.store.backlog() < RECORDER_QUEUE {
            self.hub_ticked = now.moment;
            self.handle(Event::TimePassed, now);
            self.hand_out();
        }
        if now.moment.since(self.shards_ticked) >= SHARD_TICK {
            self.shards_ticked = now.moment;
            for index in 0..self.shards.len() {
                let mut over = self.shards[index].exchange.tick(now.moment);
                // In whatever order its map has them; a replayed seed needs one.
                over.sort_by_key(|(peer, _)| *peer);
                for (peer, error) in over {
                    self.fault(peer, error);
                }
                self.flush(index);
            }
        }
    }

    /// Sends what a peer's socket takes meanwhile.
    pub fn flush(&mut self, index: usize) {
        let shard = &mut self.shards[index];
        let mut over = Vec::new();
        let mut dirty = Vec::new();
        shard.exchange.take_dirty(&mut dirty);
        for peer in dirty {
            let Some(wire) = self.wires.get_mut(&peer).filter(|wire| !wire.relay_closed) else {
                continue;
            };
            if wire.is_sending() {
                let in_flight = wire.in_flight();
                if let Err(error) = shard.exchange.check_backlog(peer, in_flight) {
                    over.push((peer, Some(error)));
                }
                continue;
            }
            wire.send_down(shard.exchange.take_output(peer));
            if shard.exchange.is_leaving(peer) {
                over.push((peer, None));
            }
        }
        for (peer, error) in over {
            match error {
                Some(error) => self.fault(peer, error),
                None => self.lost(peer),
            }
        }
    }

    /// What was waiting for a socket may go on.
    pub fn flush_peer(&mut self, peer: PeerId) {
        let index = usize::from(peer.shard);
        let Some(wire) = self.wires.get_mut(&peer) else {
            return;
        };
        if wire.relay_closed || wire.is_sending() {
            return;
        }
        let shard = &mut self.shards[index];
        wire.send_down(shard.exchange.take_output(peer));
        if shard.exchange.is_leaving(peer) && wire.admitted {
            self.lost(peer);
        }
    }

    /// What waits for a peer that does not read stays within its limit.
    pub fn check_backlogs(&self) {
        for (peer, wire) in &self.wires {
            if wire.is_sending() && !wire.relay_closed {
                let shard = &self.shards[usize::from(peer.shard)];
                let checked = shard.exchange.check_backlog(*peer, wire.in_flight());
                assert_eq!(checked, Ok(()), "{peer:?} holds more than it may");
            }
        }
    }

    /// Memory is at its ceiling: whoever makes the relay keep most has to go.
    pub fn lighten(&mut self) {
        let open = self.wires.iter().filter(|(_, wire)| !wire.relay_closed);
        let heaviest = open.max_by_key(|(peer, wire)| {
            let shard = &self.shards[usize::from(peer.shard)];
            shard.exchange.kept(**peer) + wire.in_flight()
        });
        if let Some((peer, _)) = heaviest {
            self.lost(*peer);
        }
    }

    fn check_queues(&self) {
        assert!(self.events.len() <= HUB_QUEUE_MAX);
        assert!(
            self.shards
                .iter()
                .all(|shard| shard.mail.len() <= SHARD_QUEUE_MAX)
        );
    }

    fn fault(&mut self, peer: PeerId, error: LinkError) {
        self.faults.push((peer, error));
        self.lost(peer);
    }

    /// `SIM_TRACE` shows what the hub hears and does.
    fn trace(&self, line: impl FnOnce() -> String) {
        if self.traces {
            eprintln!("{}", line());
        }
    }

    fn handle(&mut self, event: Event, now: Now) {
        if !matches!(event, Event::TimePassed | Event::Recorded { .. }) {
            self.trace(|| format!("{event:?}"));
        }
        let random = &mut self.random;
        self.hub.handle(
            event,
            &mut Turn {
                now,
                random: &mut |buffer| random.fill(buffer),
            },
        );
    }

    /// Hands the hub's effects to those who do them.
    fn hand_out(&mut self) {
        let effects = self.hub.take_effects();
        self.truth.check(&effects, &self.store);
        for effect in effects {
            self.trace(|| match &effect {
                Effect::Say { peer, json } => {
                    format!("    to {peer:?}: {}", String::from_utf8_lossy(json))
                }
                other => format!("    {other:?}"),
            });
            match effect {
                Effect::Record { number, records } => self.store.take(number, records),
                Effect::Transcript(_) => {}
                Effect::Answer { id, answer } => self.answers.push((id, answer)),
                Effect::Admit { peer, .. }
                | Effect::Move { peer, .. }
                | Effect::Say { peer, .. }
                | Effect::OpenChannel { peer, .. }
                | Effect::CloseChannel { peer, .. }
                | Effect::HangUp { peer } => {
                    let shard = &mut self.shards[usize::from(peer.shard)];
                    shard.mail.push_back(Mail::Effect(effect));
                }
            }
        }
    }
}

fn wire_was_upgrading(wire: &Wire) -> bool {
    !wire.admitted
}

/// A stamp that goes with a moment, as long as nobody sets the clock: this world's calendar begins in
/// 2025.
pub fn stamp_at(moment: Moment) -> Stamp {
    Stamp(1_735_689_600_000).after(moment.since(Moment::default()))
}
