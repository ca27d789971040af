//! Random histories: people, breakages and hostile peers in any order.

use std::time::Duration;

use jumpgate::domain::{AccountId, LongText, SessionId, Token};
use jumpgate::link::message::{FromConsole, Status};
use jumpgate::relay::hub::event::Tap;

use crate::console::Stage;
use crate::deeds::{OTHER, OWNER};
use crate::hostile::Mask;
use crate::random::Seed;
use crate::truth::HOSTILE_ACCOUNT;
use crate::world::{Sim, Who};

/// Customers one history has at most: enough to get into each other's way.
const CUSTOMERS_MAX: usize = 6;
const CONSOLES_MAX: usize = 8;
/// More than may be connected at once.
const MACHINES_MAX: usize = 6;

/// One history from beginning to end.
pub fn run(seed: Seed, deeds: usize) {
    let mut sim = Sim::new(seed);
    sim.add_console(OWNER, 1);
    sim.add_console(OTHER, 2);
    sim.order_key(OWNER, 600);
    sim.order_key(OTHER, 600);
    sim.order_key(OWNER, 600);
    sim.run_until_idle();
    // Somebody is there from the beginning, so that a history is not all waiting.
    for (digits, _) in sim.keys.clone().into_iter().take(2) {
        sim.add_customer(&digits);
    }
    sim.run_until_idle();
    accept(&mut sim);
    accept(&mut sim);
    for deed in 0..deeds {
        one(&mut sim, deed);
        sim.flush_all();
        let steps = sim.random.below(40);
        sim.pump(steps);
        let wait = match sim.random.below(200) {
            0 => 61_000,
            1 if sim.random.percent(30) => 301_000,
            2..8 => sim.random.below(15_000),
            _ => sim.random.below(150),
        };
        sim.pass(Duration::from_millis(u64::try_from(wait).unwrap()));
        if deed % 16 == 0 {
            sim.forget_wires();
        }
    }
    sim.check_all_arrived();
}

impl Sim {
    fn flush_all(&mut self) {
        (0..self.customers.len()).for_each(|index| self.flush_customer(index));
        (0..self.consoles.len()).for_each(|index| self.flush_console(index));
    }

    /// Time passes, and some of what can happen does.
    fn pass(&mut self, wait: Duration) {
        let until = self.now + wait;
        while self.now < until {
            let left = until.since(self.now);
            self.now = self.now + left.min(Duration::from_millis(900));
            self.tick();
            let steps = 5 + self.random.below(60);
            self.pump(steps);
        }
    }

    fn some_customer(&mut self) -> Option<usize> {
        let living: Vec<usize> = (0..self.customers.len())
            .filter(|index| self.customers[*index].over.is_none())
            .collect();
        self.random.pick(&living).copied()
    }

    fn some_console(&mut self) -> Option<usize> {
        let up: Vec<usize> = (0..self.consoles.len())
            .filter(|index| self.consoles[*index].is_up())
            .collect();
        self.random.pick(&up).copied()
    }

    /// A session of a console, with a given status.
    fn some_tab(&mut self, statuses: &[Status]) -> Option<(usize, SessionId)> {
        let console = self.some_console()?;
        let tabs = &self.consoles[console].tabs;
        let fitting: Vec<SessionId> = tabs
            .iter()
            .filter(|(_, tab)| statuses.contains(&tab.status))
            .map(|(session, _)| *session)
            .collect();
        Some((console, *self.random.pick(&fitting)?))
    }

    fn some_terminal(&mut self) -> Option<(usize, Tap)> {
        let console = self.some_console()?;
        let taps: Vec<Tap> = self.consoles[console]
            .terminals()
            .map(|(tap, _)| tap)
            .collect();
        Some((console, *self.random.pick(&taps)?))
    }

    fn some_wait(&mut self, most: usize) -> Duration {
        Duration::from_millis(u64::try_from(self.random.below(most)).unwrap())
    }
}

const JOINED: [Status; 2] = [Status::InProgress, Status::CustomerAbsent];

fn one(sim: &mut Sim, deed: usize) {
    match sim.random.below(100) {
        0..3 => keys(sim),
        3..8 => newcomer(sim),
        8..16 => accept(sim),
        16..24 => chat(sim, deed),
        24..38 => consent(sim),
        38..74 => shell(sim),
        74..86 => break_something(sim),
        86..90 => rarely(sim),
        90..93 => machines(sim),
        _ => hostile(sim),
    }
}

fn keys(sim: &mut Sim) {
    let seconds = if sim.random.percent(30) { 60 } else { 600 };
    if sim.random.percent(50) {
        let account = if sim.random.percent(50) { OWNER } else { OTHER };
        sim.order_key(account, seconds);
    } else if let Some(console) = sim.some_console() {
        sim.consoles[console].create_key(seconds);
    }
}

fn newcomer(sim: &mut Sim) {
    if sim.customers.len() >= CUSTOMERS_MAX {
        return;
    }
    let shown = sim.consoles.iter().flat_map(|console| console.keys.clone());
    let mut keys: Vec<_> = sim.keys.iter().cloned().chain(shown).collect();
    if sim.random.percent(80) {
        let now = sim.both_clocks().stamp;
        keys.retain(|(_, ak)| sim.relay.store.is_good_key(ak, now));
        if keys.is_empty() {
            return;
        }
    }
    let Some((digits, ak)) = sim.random.pick(&keys).cloned() else {
        return keys_or_wrong(sim);
    };
    match sim.random.below(10) {
        0 => keys_or_wrong(sim),
        1 => {
            sim.add_chat(&ak);
        }
        2..4 => {
            sim.add_customer(&ak.reveal());
        }
        _ => {
            sim.add_customer(&digits);
        }
    }
}

fn keys_or_wrong(sim: &mut Sim) {
    let wrong = ["0000000", "not a key", "123"];
    let wrong = *sim.random.pick(&wrong).unwrap();
    sim.add_customer(wrong);
}

/// Administrators roll Jump Clients out, mostly with a token that counts.
fn machines(sim: &mut Sim) {
    if sim.deployments.is_empty() || sim.random.percent(20) {
        let machines = 1 + u32::try_from(sim.random.below(3)).unwrap();
        sim.order_deployment(machines);
    } else if sim.machines.len() < MACHINES_MAX {
        let shown = sim.random.pick(&sim.deployments).cloned().unwrap();
        let made_up = Token::from_random([7; 16]);
        let token = if sim.random.percent(90) {
            shown
        } else {
            made_up
        };
        sim.add_machine(token);
    }
}

fn accept(sim: &mut Sim) {
    if let Some((console, session)) = sim.some_tab(&[Status::Waiting]) {
        sim.tell(console, &FromConsole::Accept { session });
    }
}

fn chat(sim: &mut Sim, deed: usize) {
    if sim.random.percent(50) {
        if let Some(index) = sim.some_customer() {
            let now = sim.now;
            sim.customers[index].chat(&format!("from customer {index}, {deed}"), now);
        }
    } else if let Some((console, session)) = sim.some_tab(&JOINED) {
        let text = LongText::new(&format!("from console {console}, {deed}")).unwrap();
        sim.tell(console, &FromConsole::Chat { session, text });
    }
}

fn consent(sim: &mut Sim) {
    if sim.random.percent(25) {
        let Some((console, session)) = sim.some_tab(&JOINED) else {
            return;
        };
        if let Some(prompt) = sim.consoles[console].tabs[&session].asking {
            sim.tell(console, &FromConsole::Withdraw { session, prompt });
        }
        return;
    }
    let asked = (0..sim.customers.len()).filter(|index| sim.customers[*index].is_asked);
    let asked: Vec<usize> = asked.collect();
    if let Some(index) = sim.random.pick(&asked).copied() {
        let allow = sim.random.percent(85);
        let now = sim.now;
        sim.customers[index].answer(allow, now);
    }
}

fn shell(sim: &mut Sim) {
    match sim.random.below(12) {
        0..3 => {
            if let Some((console, session)) = sim.some_tab(&[Status::InProgress]) {
                let (columns, rows) = (80, 24);
                sim.tell(
                    console,
                    &FromConsole::OpenShell {
                        session,
                        columns,
                        rows,
                    },
                );
            }
        }
        3..6 => {
            if let Some(index) = sim.some_customer() {
                let more = 1 + sim.random.below(30_000) as u64;
                let exits = sim.random.percent(10);
                let reads = sim.random.percent(70);
                for pty in sim.customers[index].ptys.values_mut() {
                    pty.to_make += more;
                    pty.exits |= exits;
                    pty.reads = reads;
                }
            }
        }
        6..9 => {
            if let Some((console, tap)) = sim.some_terminal() {
                let most = 1 + sim.random.below(4_000);
                sim.consoles[console].type_into(tap, most);
            }
        }
        9 => {
            if let Some((console, tap)) = sim.some_terminal() {
                let shows = sim.random.percent(50);
                sim.consoles[console].terminal(tap).shows = shows;
            }
        }
        10 => {
            if let Some((console, Tap { session, shell })) = sim.some_terminal() {
                let (columns, rows) = (100, 30);
                sim.tell(
                    console,
                    &FromConsole::ResizeShell {
                        session,
                        shell,
                        columns,
                        rows,
                    },
                );
            }
        }
        _ => {
            if let Some((console, Tap { session, shell })) = sim.some_terminal()
                && sim.random.percent(40)
            {
                sim.tell(console, &FromConsole::CloseShell { session, shell });
            }
        }
    }
}

fn break_something(sim: &mut Sim) {
    let who = match sim.random.below(10) {
        0..4 => sim.some_customer().map(Who::Customer),
        4..8 => sim.some_console().map(Who::Console),
        _ if sim.machines.is_empty() => None,
        _ => Some(Who::Machine(sim.random.below(sim.machines.len()))),
    };
    match sim.random.below(14) {
        // Both notice within seconds.
        0..4 => {
            let (end, relay) = (sim.some_wait(2_000), sim.some_wait(2_000));
            if let Some(who) = who {
                sim.cut(who, end, relay);
            }
        }
        // Half dead: one side notices, the other believes for minutes.
        4..6 => {
            let (soon, late) = (sim.some_wait(1_000), sim.some_wait(140_000));
            if let Some(who) = who {
                sim.cut(who, soon, late);
            }
        }
        6 => {
            let (soon, late) = (sim.some_wait(1_000), sim.some_wait(140_000));
            if let Some(who) = who {
                sim.cut(who, late, soon);
            }
        }
        7 => {
            if let Some(peer) = who.and_then(|who| sim.peer_of(who)) {
                sim.deaf.insert(peer);
            }
        }
        8 => sim.deaf.clear(),
        9 => sim.relay.lighten(),
        10 => {
            let wait = sim.some_wait(5_000);
            sim.full_until = sim.now + wait;
        }
        11 if sim.random.percent(30) => {
            let hour = 3_600_000;
            let forward = i64::try_from(sim.random.below(2 * hour)).unwrap();
            sim.set_forward += forward - i64::try_from(hour).unwrap();
        }
        _ => {
            let wait = sim.some_wait(8_000);
            sim.relay.store.stalled_until = sim.now + wait;
        }
    }
}

fn rarely(sim: &mut Sim) {
    let account = if sim.random.percent(50) { OWNER } else { OTHER };
    match sim.random.below(12) {
        0 => sim.restart_relay(),
        1 => {
            sim.sign_out(account);
            another_console(sim, account);
        }
        2..4 => another_console(sim, account),
        4..6 => {
            if let Some((console, session)) = sim.some_tab(&JOINED) {
                sim.tell(console, &FromConsole::Hold { session });
            }
        }
        6 => {
            if let Some((console, session)) = sim.some_tab(&JOINED) {
                sim.tell(console, &FromConsole::End { session });
            }
        }
        7..10 => {
            if let Some(index) = sim.some_customer() {
                let now = sim.now;
                sim.customers[index].stop(now);
            }
        }
        10 => {
            if let Some(index) = sim.some_customer() {
                let now = sim.now;
                sim.customers[index].leave(now);
            }
        }
        _ => {
            // A representative goes home without a word.
            if let Some(console) = sim.some_console() {
                sim.close(Who::Console(console));
                let redial_at = sim.now + Duration::from_secs(70);
                if sim.consoles[console].stage != Stage::Closed {
                    sim.consoles[console].stage = Stage::Away { redial_at };
                }
            }
        }
    }
}

fn another_console(sim: &mut Sim, account: AccountId) {
    if sim.consoles.len() < CONSOLES_MAX {
        let sign_in = u8::try_from(sim.consoles.len() + 10).unwrap();
        sim.add_console(account, sign_in);
    }
}

fn hostile(sim: &mut Sim) {
    if sim.hostiles.len() < 3 && sim.random.percent(20) {
        match sim.random.below(3) {
            0 => sim.add_hostile(Mask::Stranger),
            1 => sim.add_hostile(Mask::Console),
            _ => {
                sim.order_key(HOSTILE_ACCOUNT, 600);
                let key = sim
                    .hostile_keys
                    .pop()
                    .unwrap_or_else(|| "1234567".to_owned());
                sim.add_hostile(Mask::Customer { key })
            }
        };
        return;
    }
    let some = sim.random.below(sim.hostiles.len());
    for _ in 0..=sim.random.below(3) {
        if some < sim.hostiles.len() {
            sim.harass(some);
        }
    }
}
