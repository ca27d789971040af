//! What a bulk transfer does to a thousand chats: both pass the same ring thread.
//!
//! ```text
//! console ── a message each millisecond, each in the next session ──> customer     this thread
//! console ══ 16 KiB messages as fast as credit allows ══════════════> customer     another one
//! ```

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use jumpgate::domain::entry::What;
use jumpgate::domain::{LongText, SessionId};
use jumpgate::link::message::{FromConsole, Status, ToCustomer};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::Scene;
use super::bulk::{LARGE, to_customers};
use super::end::End;
use super::load::{Load, Work};
use super::rounds::Rounds;
use super::site::{By, Site, sees};
use super::wire::SCRATCH_BYTES;
use crate::Bench;
use crate::row::{Row, percentile};
use crate::support::SOON;

/// Representatives, and the sessions that each chats in.
const CHATTING: usize = 200;
const SESSIONS_EACH: u32 = 5;
/// Between two messages of all.
const PACE: Duration = Duration::from_millis(1);
/// A round takes so long as this takes to pass.
const BULK_TOTAL: usize = 2 << 30;
const EVENTS: usize = 512;

impl Scene {
    /// The 99th percentile beside a bulk transfer, against without.
    pub async fn fairness(&mut self, bench: &Bench) -> Row {
        let mut site = Site::whole(bench, &self.cores, CHATTING + 1).await;
        let mut session = site.sessions(1, By::Link).await;
        let mut chats = Chats::start(&mut site).await;
        let work = Work::spread(BULK_TOTAL, 1, LARGE);
        // Of all rounds together: one has too few messages for the slowest of a hundred.
        let (mut beside, mut alone) = (Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            let bulk = to_customers(&mut session);
            let bulk = Load::prepare(bulk, work, &self.pattern, false);
            chats.keep_alive();
            let began = Instant::now();
            beside.extend(thread::scope(|scope| {
                let bulk = scope.spawn(|| {
                    step_back();
                    bulk.run()
                });
                chats.talk(|| !bulk.is_finished())
            }));
            let took = began.elapsed();
            let began = Instant::now();
            alone.extend(chats.talk(|| began.elapsed() < took));
        }
        let [median, median_alone] = [&mut beside, &mut alone].map(|all| percentile(all, 50));
        eprintln!("chat, median: {median:.0} us beside bulk, {median_alone:.0} us without");
        let mut rounds = Rounds::default();
        rounds.add(percentile(&mut beside, 99), percentile(&mut alone, 99));
        let chats = chats.sessions.len();
        let name = format!("chat in {chats} sessions beside bulk, 99 %; peer: without bulk");
        rounds.row(&name, "us", 2.0)
    }
}

/// Sessions in which representatives write.
struct Chats {
    consoles: Vec<End>,
    customers: Vec<End>,
    /// With whose console they are.
    sessions: Vec<(usize, SessionId)>,
}

impl Chats {
    async fn start(site: &mut Site) -> Self {
        let mut consoles = site.consoles(CHATTING, By::Link).await;
        let customers = site.customers(&mut consoles, SESSIONS_EACH);
        let mut sessions = Vec::new();
        for _ in 0..SESSIONS_EACH {
            for (number, console) in consoles.iter_mut().enumerate() {
                let session = sees(console, Status::Waiting);
                console.say(&FromConsole::Accept { session });
                sessions.push((number, session));
            }
        }
        for _ in 0..SESSIONS_EACH {
            for console in &mut consoles {
                sees(console, Status::InProgress);
            }
        }
        Self {
            consoles,
            customers,
            sessions,
        }
    }

    fn keep_alive(&mut self) {
        for end in self.consoles.iter_mut().chain(&mut self.customers) {
            end.keep_alive();
            end.heard().clear();
        }
    }

    /// Messages go as long as `lasts`; microseconds from each to its arrival.
    fn talk(&mut self, lasts: impl Fn() -> bool) -> Vec<f64> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
        let ends = self.consoles.iter().chain(&self.customers);
        for (number, end) in (0_u64..).zip(ends) {
            let event = EpollEvent::new(EpollFlags::EPOLLIN, number);
            epoll.add(&end.wire.tcp, event).unwrap();
        }
        let mut scratch = vec![0; SCRATCH_BYTES];
        let mut events = vec![EpollEvent::empty(); EVENTS];
        let (mut said, mut micros) = (Vec::new(), Vec::new());
        let mut next = Instant::now();
        let mut moved = next;
        while lasts() || micros.len() < said.len() {
            while lasts() && next <= Instant::now() {
                let (console, session) = self.sessions[said.len() % self.sessions.len()];
                let text = words(said.len());
                said.push(Instant::now());
                self.consoles[console].say(&FromConsole::Chat { session, text });
                next += PACE;
            }
            let timeout = EpollTimeout::try_from(PACE).unwrap();
            let count = epoll.wait(&mut events, timeout).unwrap();
            for event in &events[..count] {
                moved = Instant::now();
                let number = usize::try_from(event.data()).unwrap();
                match number.checked_sub(self.consoles.len()) {
                    None => {
                        self.consoles[number].hear(&mut scratch);
                        self.consoles[number].heard().clear();
                    }
                    Some(customer) => {
                        let customer = &mut self.customers[customer];
                        customer.hear(&mut scratch);
                        let arrived = customer
                            .heard()
                            .drain(..)
                            .filter_map(|json| number_of(&json));
                        let took = |number: usize| said[number].elapsed().as_secs_f64() * 1e6;
                        micros.extend(arrived.map(took));
                    }
                }
            }
            let missing = said.len() - micros.len();
            assert!(moved.elapsed() < SOON, "{missing} messages did not arrive");
        }
        micros
    }
}

/// This thread leaves the core to the one that takes the time: what is measured is the relay.
fn step_back() {
    let thread = nix::unistd::gettid().to_string();
    let renice = Command::new("renice")
        .args(["-n", "19", "-p", &thread])
        .output();
    assert!(renice.unwrap().status.success());
}

fn words(number: usize) -> LongText {
    LongText::new(&format!("{number}: is the light green or orange?")).unwrap()
}

fn number_of(json: &[u8]) -> Option<usize> {
    let ToCustomer::Entry(entry) = jumpgate::link::connection::decode(json).unwrap() else {
        return None;
    };
    let What::Chat { text } = entry.what else {
        return None;
    };
    text.as_str().split(':').next()?.parse().ok()
}
