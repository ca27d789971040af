//! All parts together, on one clock, in one thread.

mod turns;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use jumpgate::control::request::TicketHolder;
use jumpgate::domain::limits::DEPLOYMENT_LIFE_MAX;
use jumpgate::domain::{AccountId, Moment, Now, PeerAddress, Stamp, Token};
use jumpgate::relay::hub::event::Order;
use jumpgate::relay::hub::{Deployment, PeerId};

use crate::console::{Console, Stage, display_name};
use crate::customer::CustomerEnd;
use crate::hostile::{Hostile, Mask};
use crate::machine::Machine;
use crate::random::{PrintsOnFailure, Random, Seed};
use crate::relay::{Relay, stamp_at};
use crate::wire::Broken;

/// Who holds the far end of a wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Customer(usize),
    Console(usize),
    Hostile(usize),
    Machine(usize),
}

/// What an order's answer is for.
#[derive(Clone, Debug)]
enum Asked {
    Ticket(Who),
    Key(AccountId),
    Deployment(Token),
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
    pub machines: Vec<Machine>,
    /// Tokens of deployments that an administrator was shown.
    pub deployments: Vec<Token>,
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
    /// Milliseconds by which somebody has set the appliance's clock.
    pub set_forward: i64,
    /// Until then the relay has no descriptor for another connection: who dials waits.
    pub full_until: Moment,
}

impl Sim {
    pub fn new(seed: Seed) -> Self {
        let mut random = Random::new(seed);
        let shards = 1 + random.below(3);
        let now = Moment::default() + Duration::from_secs(1_000);
        let clocks = Now {
            moment: now,
            stamp: stamp_at(now),
        };
        let relay = Relay::new(shards.max(2), Random::new(Seed(random.next())), clocks);
        Self {
            _prints: PrintsOnFailure(seed),
            random,
            now,
            relay,
            customers: Vec::new(),
            consoles: Vec::new(),
            hostiles: Vec::new(),
            machines: Vec::new(),
            deployments: Vec::new(),
            keys: Vec::new(),
            hostile_keys: Vec::new(),
            deaf: BTreeSet::new(),
            unplugged: Vec::new(),
            owners: BTreeMap::new(),
            orders: BTreeMap::new(),
            next_order: 1,
            restarts: 0,
            set_forward: 0,
            full_until: Moment::default(),
        }
    }

    pub fn both_clocks(&self) -> Now {
        Now {
            moment: self.now,
            stamp: Stamp(stamp_at(self.now).0 + self.set_forward),
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

    /// A machine on which the Jump Client was installed with this deployment's token.
    pub fn add_machine(&mut self, deployment: Token) {
        let number = u8::try_from(self.machines.len() + 1).unwrap();
        let address = self.new_address();
        let machine = Machine::new(number, deployment, address, self.now);
        self.machines.push(machine);
    }

    /// An administrator makes a deployment for so many machines.
    pub fn order_deployment(&mut self, machines: u32) {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes);
        let token = Token::from_random(bytes);
        let deployment = Deployment {
            token: token.fingerprint(),
            left: machines,
            expires: self.both_clocks().stamp.after(DEPLOYMENT_LIFE_MAX),
        };
        self.relay.store.deploy(deployment);
        self.order(Asked::Deployment(token), Order::Deploy(deployment));
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
        self.full_until = self.now;
        for console in &mut self.consoles {
            if let Stage::Away { redial_at } = &mut console.stage {
                *redial_at = self.now;
            }
        }
        for machine in &mut self.machines {
            machine.redial_at = machine.redial_at.min(self.now);
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
        for index in 0..self.machines.len() {
            let alive = self.machines[index].tick(self.now);
            self.flush_machine(index);
            if !alive {
                self.close(Who::Machine(index));
            }
        }
        self.dial();
    }

    fn dial(&mut self) {
        if self.now < self.full_until {
            return;
        }
        self.dial_by_machines();
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

    fn dial_by_machines(&mut self) {
        for index in 0..self.machines.len() {
            let machine = &self.machines[index];
            let due = machine.peer.is_none() && machine.redial_at <= self.now;
            if due && !machine.is_refused && !self.unplugged.contains(&Who::Machine(index)) {
                let (address, device) = (machine.address, machine.device);
                let peer = self.relay.connect_machine(address, device, self.now);
                self.owners.insert(peer, Who::Machine(index));
                self.machines[index].link_up(peer, self.now);
                self.flush_machine(index);
            }
        }
    }

    // ---- who is where ----

    pub fn peer_of(&self, who: Who) -> Option<PeerId> {
        match who {
            Who::Customer(index) => self.customers[index].peer,
            Who::Console(index) => self.consoles[index].peer,
            Who::Hostile(index) => self.hostiles[index].peer,
            Who::Machine(index) => self.machines[index].peer,
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

    pub fn flush_machine(&mut self, index: usize) {
        let bytes = self.machines[index].take_output();
        if let (Some(peer), false) = (self.machines[index].peer, bytes.is_empty()) {
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
