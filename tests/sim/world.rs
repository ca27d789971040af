//! All parts together, on one clock, in one thread.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use jumpgate::agent::End;
use jumpgate::control::Reply;
use jumpgate::control::request::TicketHolder;
use jumpgate::domain::{AccountId, Moment, Now, PeerAddress, SessionId, Token};
use jumpgate::link::LinkError;
use jumpgate::relay::hub::PeerId;
use jumpgate::relay::hub::event::{Answer, Order, Tap};

use crate::console::{Console, Stage, Terminal, display_name};
use crate::customer::CustomerEnd;
use crate::hostile::{Hostile, Mask};
use crate::random::{PrintsOnFailure, Random, Seed};
use crate::relay::{Relay, stamp_at};
use crate::truth::HOSTILE_ACCOUNT;
use crate::wire::Broken;

/// Who holds the far end of a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Customer(usize),
    Console(usize),
    Hostile(usize),
}

/// What an order's answer is for.
#[derive(Clone, Debug)]
enum Asked {
    Ticket(Who),
    Key(AccountId),
}

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

/// The simulated world. Methods that move it on are here; what people do is in `deeds.rs`.
pub struct Sim {
    _prints: PrintsOnFailure,
    pub random: Random,
    pub now: Moment,
    pub relay: Relay,
    pub customers: Vec<CustomerEnd>,
    pub consoles: Vec<Console>,
    pub hostiles: Vec<Hostile>,
    /// Keys another program asked for: digits, token.
    pub keys: Vec<(String, Token)>,
    /// Digits that lead to the hostile representative.
    pub hostile_keys: Vec<String>,
    /// Peers that do not read what they are sent.
    pub deaf: BTreeSet<PeerId>,
    /// Those whose cable is pulled.
    unplugged: Vec<Who>,
    owners: BTreeMap<PeerId, Who>,
    orders: BTreeMap<u64, Asked>,
    next_order: u64,
    /// How often the relay has been started again.
    pub restarts: u32,
}

impl Sim {
    pub fn new(seed: Seed) -> Self {
        let mut random = Random::new(seed);
        let shards = 1 + random.below(3);
        let relay = Relay::new(shards.max(2), Random::new(Seed(random.next())));
        Self {
            _prints: PrintsOnFailure(seed),
            random,
            now: Moment::default() + Duration::from_secs(1_000),
            relay,
            customers: Vec::new(),
            consoles: Vec::new(),
            hostiles: Vec::new(),
            keys: Vec::new(),
            hostile_keys: Vec::new(),
            deaf: BTreeSet::new(),
            unplugged: Vec::new(),
            owners: BTreeMap::new(),
            orders: BTreeMap::new(),
            next_order: 1,
            restarts: 0,
        }
    }

    pub fn both_clocks(&self) -> Now {
        Now {
            moment: self.now,
            stamp: stamp_at(self.now),
        }
    }

    /// An address nobody else has.
    pub fn new_address(&mut self) -> PeerAddress {
        let host = u32::try_from(self.random.next() >> 32).unwrap();
        PeerAddress::new(SocketAddr::new(Ipv4Addr::from(host).into(), 40_000))
    }

    // ---- who takes part ----

    pub fn add_console(&mut self, account: AccountId, sign_in: u8) -> usize {
        self.consoles.push(Console::new(account, sign_in, self.now));
        self.consoles.len() - 1
    }

    /// A customer with these digits (or this token) in the customer client.
    pub fn add_customer(&mut self, key: &str) -> usize {
        let name = format!("customer {}", self.customers.len());
        let address = self.new_address();
        let customer = CustomerEnd::new(name, key, None, address, self.now);
        self.customers.push(customer);
        self.customers.len() - 1
    }

    /// A customer who chats in the browser.
    pub fn add_chat(&mut self, ak: &Token) -> usize {
        let index = self.add_customer("");
        self.customers[index].chat = Some(ak.clone());
        index
    }

    pub fn add_hostile(&mut self, mask: Mask) -> usize {
        let address = self.new_address();
        self.hostiles.push(Hostile::new(mask, address));
        self.hostiles.len() - 1
    }

    pub fn order_key(&mut self, account: AccountId, seconds: u32) {
        let order = Order::CreateKey {
            account,
            name: display_name(account),
            seconds: Some(seconds),
        };
        self.order(Asked::Key(account), order);
    }

    /// A representative signs out everywhere; the web side gives no ticket to those consoles.
    pub fn sign_out(&mut self, account: AccountId) {
        for console in self.consoles.iter_mut().filter(|c| c.account == account) {
            console.is_signed_in = false;
        }
        let id = self.next_order;
        self.next_order += 1;
        let sign_in = None;
        self.relay.order(id, Order::SignOut { account, sign_in });
    }

    fn order(&mut self, asked: Asked, order: Order) {
        self.orders.insert(self.next_order, asked);
        self.relay.order(self.next_order, order);
        self.next_order += 1;
    }

    // ---- what breaks ----

    /// The connection of somebody breaks; each side learns of it after its wait.
    pub fn cut(&mut self, who: Who, end_learns: Duration, relay_learns: Duration) {
        if let Some(peer) = self.peer_of(who) {
            let broken = Broken {
                end_learns: self.now + end_learns,
                relay_learns: self.now + relay_learns,
            };
            self.relay.wire(peer).break_off(broken, &mut self.random);
        }
    }

    /// Somebody's cable is pulled, and both sides see it at once. Nobody dials until
    /// [`Self::plug_in`].
    pub fn unplug(&mut self, who: Who) {
        self.cut(who, Duration::ZERO, Duration::ZERO);
        self.unplugged.push(who);
    }

    pub fn plug_in(&mut self, who: Who) {
        self.unplugged.retain(|unplugged| *unplugged != who);
    }

    /// The relay dies and starts again.
    pub fn restart_relay(&mut self) {
        self.restarts += 1;
        let now = self.both_clocks();
        for wire in self.relay.wires.values_mut() {
            let wait = Duration::from_millis(self.random.next() % 3_000);
            let broken = Broken {
                end_learns: self.now + wait,
                relay_learns: self.now,
            };
            wire.break_off(broken, &mut self.random);
            wire.relay_closed = true;
        }
        self.orders.clear();
        for console in self
            .consoles
            .iter_mut()
            .filter(|c| c.stage == Stage::Asking)
        {
            console.stage = Stage::Away {
                redial_at: self.now,
            };
        }
        for customer in &mut self.customers {
            customer.waits_for_ticket = false;
        }
        for hostile in &mut self.hostiles {
            hostile.waits_for_ticket = false;
        }
        self.relay.restart(now);
    }

    /// Whatever is broken is noticed soon, and everybody reads again.
    pub fn heal(&mut self) {
        self.deaf.clear();
        self.unplugged.clear();
        self.relay.store.stalled_until = self.now;
        for console in &mut self.consoles {
            if let Stage::Away { redial_at } = &mut console.stage {
                *redial_at = self.now;
            }
        }
        for wire in self.relay.wires.values_mut() {
            if let Some(broken) = &mut wire.broken {
                broken.end_learns = self.now;
                broken.relay_learns = self.now;
            }
        }
    }

    // ---- time ----

    /// Time passes, and whatever can happen meanwhile happens.
    pub fn advance(&mut self, wait: Duration) {
        let until = self.now + wait;
        let step = if wait > Duration::from_secs(20) {
            1_000
        } else {
            250
        };
        while self.now < until {
            let left = until.since(self.now);
            self.now = self.now + left.min(Duration::from_millis(step));
            self.tick();
            self.settle();
        }
    }

    /// Everything that needs no time happens.
    pub fn settle(&mut self) {
        for _ in 0..1_000_000 {
            if !self.step() {
                return;
            }
        }
        panic!("the world does not come to rest");
    }

    /// The same, and time passes until nothing has happened for a while.
    pub fn run_until_idle(&mut self) {
        self.advance(Duration::from_secs(3));
    }

    /// Some of it happens.
    pub fn pump(&mut self, steps: usize) {
        for _ in 0..steps {
            if !self.step() {
                return;
            }
        }
    }

    /// Deadlines of everybody, and dials that are due.
    pub fn tick(&mut self) {
        let now = self.both_clocks();
        self.relay.tick(now);
        for index in 0..self.customers.len() {
            let alive = self.customers[index].tick(self.now);
            self.flush_customer(index);
            if !alive {
                self.close(Who::Customer(index));
            }
        }
        for index in 0..self.consoles.len() {
            let alive = self.consoles[index].tick(self.now);
            self.flush_console(index);
            if !alive {
                self.close(Who::Console(index));
            }
        }
        self.dial();
    }

    fn dial(&mut self) {
        for index in 0..self.customers.len() {
            let customer = &mut self.customers[index];
            let due = customer.agent.wants_link() && customer.peer.is_none();
            let due = due && !self.unplugged.contains(&Who::Customer(index));
            if !due || customer.over.is_some() || self.now < customer.redial_at {
                continue;
            }
            let Some(ak) = customer.chat.clone() else {
                let peer = self.relay.connect(customer.address, self.now);
                self.owners.insert(peer, Who::Customer(index));
                self.customers[index].link_up(peer, self.now);
                self.flush_customer(index);
                continue;
            };
            if !std::mem::replace(&mut customer.waits_for_ticket, true) {
                let ak = (!customer.agent.is_joined()).then_some(ak);
                let holder = TicketHolder::Customer { ak };
                self.order(
                    Asked::Ticket(Who::Customer(index)),
                    Order::IssueTicket(holder),
                );
            }
        }
        for index in 0..self.consoles.len() {
            let console = &mut self.consoles[index];
            if let Stage::Away { redial_at } = console.stage
                && redial_at <= self.now
                && !self.unplugged.contains(&Who::Console(index))
            {
                if !console.is_signed_in {
                    console.stage = Stage::Closed;
                    continue;
                }
                console.stage = Stage::Asking;
                let holder = console.holder();
                self.order(
                    Asked::Ticket(Who::Console(index)),
                    Order::IssueTicket(holder),
                );
            }
        }
    }

    // ---- one thing after another ----

    /// One of the things that can happen does. False if there is none.
    fn step(&mut self) -> bool {
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

    // ---- who is where ----

    pub fn peer_of(&self, who: Who) -> Option<PeerId> {
        match who {
            Who::Customer(index) => self.customers[index].peer,
            Who::Console(index) => self.consoles[index].peer,
            Who::Hostile(index) => self.hostiles[index].peer,
        }
    }

    /// Who holds the far end of a wire, unless they have given it up.
    fn who_holds(&self, peer: PeerId) -> Option<Who> {
        let who = *self.owners.get(&peer)?;
        (self.peer_of(who) == Some(peer)).then_some(who)
    }

    pub fn flush_customer(&mut self, index: usize) {
        let bytes = self.customers[index].agent.take_output();
        if let (Some(peer), false) = (self.customers[index].peer, bytes.is_empty()) {
            self.relay.wire(peer).write_up(&bytes);
        }
        if self.customers[index].over.is_some() {
            self.close(Who::Customer(index));
        }
    }

    pub fn flush_console(&mut self, index: usize) {
        let bytes = self.consoles[index].take_output();
        if let (Some(peer), false) = (self.consoles[index].peer, bytes.is_empty()) {
            self.relay.wire(peer).write_up(&bytes);
        }
    }

    /// Wires that neither side holds any more.
    pub fn forget_wires(&mut self) {
        let held: BTreeSet<PeerId> = self.relay.wires.keys().copied().collect();
        let held: BTreeSet<PeerId> = held
            .into_iter()
            .filter(|peer| self.who_holds(*peer).is_some())
            .collect();
        self.relay
            .wires
            .retain(|peer, wire| held.contains(peer) || !wire.relay_closed);
    }
}
