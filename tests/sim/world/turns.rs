//! One thing after another: what can happen next, and what it brings about.

use jumpgate::agent::End;
use jumpgate::control::Reply;
use jumpgate::domain::{SessionId, Token};
use jumpgate::link::LinkError;
use jumpgate::relay::hub::PeerId;
use jumpgate::relay::hub::event::{Answer, Order, Tap};

use super::{Asked, Sim, Who};
use crate::console::{Stage, Terminal};
use crate::hostile::{Hostile, Mask};
use crate::truth::HOSTILE_ACCOUNT;

/// Something that can happen next.
#[derive(Clone, Copy, Debug)]
enum Work {
    Hub,
    Record,
    Shard(usize),
    Up(PeerId),
    Down(PeerId),
    EndLearns(PeerId),
    RelayLearns(PeerId),
    Shells(usize),
    Show(usize),
}

impl Sim {
    /// One of the things that can happen does. False if there is none.
    pub(super) fn step(&mut self) -> bool {
        let work = self.work();
        let Some(work) = self.random.pick(&work).copied() else {
            return false;
        };
        let now = self.both_clocks();
        match work {
            Work::Hub => {
                let most = 1 + self.random.below(8);
                self.relay.hub_turn(most, now);
                self.take_answers();
            }
            Work::Record => {
                let most = 1 + self.random.below(5);
                self.relay.record(most, now);
                self.take_answers();
            }
            Work::Shard(index) => {
                let most = 1 + self.random.below(12);
                self.relay.shard_turn(index, most, self.now);
            }
            Work::Up(peer) => {
                let bytes = self
                    .relay
                    .wires
                    .get_mut(&peer)
                    .unwrap()
                    .read_up(&mut self.random);
                self.relay.receive(peer, &bytes, self.now);
                self.check_faults();
            }
            Work::Down(peer) => self.arrive(peer),
            Work::EndLearns(peer) => self.end_learns(peer),
            Work::RelayLearns(peer) => self.relay.lost(peer),
            Work::Shells(index) => {
                self.customers[index].run_shells(&mut self.random, self.now);
                self.flush_customer(index);
            }
            Work::Show(index) => {
                self.consoles[index].show_output(&mut self.random);
                self.flush_console(index);
            }
        }
        self.relay.check_backlogs();
        true
    }

    fn work(&self) -> Vec<Work> {
        let mut work = Vec::new();
        if self.relay.hub_has_work() {
            work.push(Work::Hub);
        }
        if self.relay.store.has_work(self.now) {
            work.push(Work::Record);
        }
        work.extend(self.relay.shards_with_mail().map(Work::Shard));
        let reads = self.relay.reads_peers();
        for (peer, wire) in &self.relay.wires {
            let peer = *peer;
            let attached = self.who_holds(peer).is_some();
            if wire.has_up() && wire.admitted && !wire.relay_closed && reads {
                work.push(Work::Up(peer));
            }
            if attached && wire.has_down() && !self.deaf.contains(&peer) {
                work.push(Work::Down(peer));
            }
            let end_learns = match wire.broken {
                Some(broken) => broken.end_learns <= self.now,
                None => wire.relay_closed && !wire.has_down() && !wire.is_sending(),
            };
            if attached && end_learns {
                work.push(Work::EndLearns(peer));
            }
            let relay_learns = match wire.broken {
                Some(broken) => broken.relay_learns <= self.now,
                None => wire.end_closed && !wire.has_up(),
            };
            if relay_learns && !wire.relay_closed {
                work.push(Work::RelayLearns(peer));
            }
        }
        let customers = self.customers.iter().enumerate();
        work.extend(
            customers
                .filter(|(_, customer)| customer.shells_are_busy())
                .map(|(index, _)| Work::Shells(index)),
        );
        let consoles = self.consoles.iter().enumerate();
        work.extend(
            consoles
                .filter(|(_, console)| console.is_busy())
                .map(|(index, _)| Work::Show(index)),
        );
        work
    }

    fn arrive(&mut self, peer: PeerId) {
        let bytes = self
            .relay
            .wires
            .get_mut(&peer)
            .unwrap()
            .read_down(&mut self.random);
        self.relay.flush_peer(peer);
        match self.who_holds(peer) {
            Some(Who::Customer(index)) => {
                let session = self.relay.truth.session_of(peer);
                let customer = &mut self.customers[index];
                customer.session = session.or(customer.session);
                customer.received(&bytes, self.now);
                self.flush_customer(index);
                if self.customers[index].over.is_some() {
                    self.close(Who::Customer(index));
                }
            }
            Some(Who::Console(index)) => {
                self.consoles[index].received(&bytes, self.now);
                self.flush_console(index);
                self.check_missed(index);
                if self.consoles[index].stage == Stage::Closed {
                    self.close(Who::Console(index));
                }
            }
            Some(Who::Machine(index)) => {
                let goes = self.machines[index].received(&bytes, self.now);
                self.flush_machine(index);
                if goes {
                    self.close(Who::Machine(index));
                }
            }
            Some(Who::Hostile(_)) | None => {}
        }
    }

    fn end_learns(&mut self, peer: PeerId) {
        match self.who_holds(peer) {
            Some(Who::Customer(index)) => {
                self.customers[index].link_down(&mut self.random, self.now);
            }
            Some(Who::Console(index)) => {
                self.consoles[index].link_down(&mut self.random, self.now);
            }
            Some(Who::Hostile(index)) => self.hostiles[index].peer = None,
            Some(Who::Machine(index)) => {
                self.machines[index].link_down(&mut self.random, self.now);
            }
            None => {}
        }
    }

    /// Somebody closes the connection.
    pub fn close(&mut self, who: Who) {
        let Some(peer) = self.peer_of(who) else {
            return;
        };
        self.relay.wire(peer).end_closed = true;
        self.end_learns(peer);
    }

    fn take_answers(&mut self) {
        for (id, answer) in std::mem::take(&mut self.relay.answers) {
            match (self.orders.remove(&id), answer) {
                (Some(Asked::Key(account)), Answer::Key { digits, ak, .. }) => {
                    assert!(
                        self.relay.store.has_key(&ak),
                        "a key not on record is shown"
                    );
                    let digits = digits.as_str().to_owned();
                    if account == HOSTILE_ACCOUNT {
                        self.hostile_keys.push(digits);
                    } else {
                        self.keys.push((digits, ak));
                    }
                }
                (Some(Asked::Ticket(who)), Answer::Reply(Reply::Ticket { ticket })) => {
                    self.show_ticket(who, ticket);
                }
                (Some(Asked::Ticket(Who::Customer(index))), Answer::Reply(Reply::Turned(why))) => {
                    self.customers[index].over = Some(End::Turned(why));
                }
                (Some(Asked::Deployment(token)), Answer::Reply(Reply::Done)) => {
                    self.deployments.push(token);
                }
                (Some(Asked::Key(_)) | None, _) => {}
                (asked, answer) => panic!("{asked:?} was answered by {answer:?}"),
            }
        }
    }

    fn show_ticket(&mut self, who: Who, ticket: Token) {
        match who {
            Who::Customer(index) => {
                let address = self.customers[index].address;
                let peer = self.relay.upgrade(address, ticket);
                self.relay.truth.customer_is(peer);
                self.owners.insert(peer, who);
                self.customers[index].waits_for_ticket = false;
                self.customers[index].link_up(peer, self.now);
                self.flush_customer(index);
            }
            Who::Console(index) => {
                let account = self.consoles[index].account;
                let address = self.new_address();
                let peer = self.relay.upgrade(address, ticket);
                self.relay.truth.console_is(peer, account);
                self.owners.insert(peer, who);
                self.consoles[index].link_up(peer, self.now);
                self.flush_console(index);
            }
            Who::Machine(_) => unreachable!("machines need no ticket"),
            Who::Hostile(index) => {
                let address = self.hostiles[index].address;
                let peer = self.relay.upgrade(address, ticket);
                self.relay.truth.console_is(peer, HOSTILE_ACCOUNT);
                self.owners.insert(peer, who);
                self.hostiles[index].waits_for_ticket = false;
                self.hostiles[index].link_up(peer);
            }
        }
    }

    /// A hostile peer sends something, or connects to do so.
    pub fn harass(&mut self, index: usize) {
        let hostile = &mut self.hostiles[index];
        let Some(peer) = hostile.peer else {
            if hostile.mask == Mask::Console {
                if !std::mem::replace(&mut hostile.waits_for_ticket, true) {
                    let order = Order::IssueTicket(Hostile::holder());
                    self.order(Asked::Ticket(Who::Hostile(index)), order);
                }
                return;
            }
            let peer = self.relay.connect(hostile.address, self.now);
            self.owners.insert(peer, Who::Hostile(index));
            self.hostiles[index].link_up(peer);
            return;
        };
        let sessions: Vec<SessionId> = self.relay.truth.living();
        let bytes = self.hostiles[index].next(&mut self.random, &sessions);
        self.relay.wire(peer).write_up(&bytes);
    }

    /// What a console starts behind, another one of the same representative has had.
    fn check_missed(&mut self, index: usize) {
        let furthest = |tap: Tap, of: fn(&Terminal) -> u64| {
            let others = self
                .consoles
                .iter()
                .enumerate()
                .filter(|(at, _)| *at != index);
            let theirs = others.flat_map(|(_, console)| console.terminals());
            theirs
                .filter(|(at, _)| *at == tap)
                .map(|(_, t)| of(t))
                .max()
                .unwrap_or(0)
        };
        let console = &self.consoles[index];
        for (tap, from) in &console.missed {
            let had = furthest(*tap, |terminal| terminal.shown);
            assert!(
                *from <= had,
                "{}: {tap:?} goes on at {from}, {had} is missing",
                console.name
            );
        }
        for (tap, from) in &console.typed_elsewhere {
            let typed = furthest(*tap, |terminal| terminal.typed);
            assert!(
                *from <= typed,
                "{}: {tap:?} took more than was typed",
                console.name
            );
        }
        self.consoles[index].missed.clear();
        self.consoles[index].typed_elsewhere.clear();
    }

    /// Those who keep to the protocol are never closed for breaking it.
    fn check_faults(&mut self) {
        for (peer, error) in std::mem::take(&mut self.relay.faults) {
            let is_hostile = matches!(self.owners.get(&peer), Some(Who::Hostile(_)));
            let excused = matches!(
                error,
                LinkError::Silent | LinkError::NoHello | LinkError::DoesNotRead
            );
            assert!(
                is_hostile || excused,
                "{:?}: {error}",
                self.owners.get(&peer)
            );
        }
    }
}
