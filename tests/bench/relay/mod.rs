//! What the relay costs, against HAProxy as Debian ships it, a ceiling, and itself.
//!
//! ```text
//!            core 0                          core 1
//! load ── real links, sealed before ──> relay, one ring thread ──> load
//!      └─ the same payload, raw ──────> HAProxy, one thread ─────> load     in turns
//! ```
//!
//! CPU seconds of the process that is measured, softirqs in its time included; a row goes by the
//! median of its rounds' ratios. Every byte of ours passes frames, credit and permission checks: a
//! stream is a session with a shell of its own, one link at each end. Payload goes to the customer,
//! which is not recorded, unless a row says otherwise.
//!
//! Start at [`measure`]; [`bulk`], [`single`], [`fair`] and [`idle`] have the rows, [`load`] and
//! [`rally`] push the payload, [`site`], [`haproxy`] and [`ceiling`] are what it passes.

mod bulk;
mod ceiling;
mod chart;
mod cpu;
mod end;
mod fair;
mod haproxy;
mod idle;
mod load;
mod pattern;
mod rally;
mod records;
mod rounds;
mod single;
mod site;
mod socket;
mod wire;

use cpu::Cores;
use haproxy::HaProxy;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use pattern::Pattern;
use site::{By, Session, Site};

use super::Bench;
use super::row::Row;

pub use ceiling::be_plain;

/// As many streams as a busy appliance has at once.
const STREAMS: usize = 200;
/// A key press's worth, or a mouse's move.
const SMALL: usize = 200;

/// Everything that takes part.
struct Scene {
    cores: Cores,
    site: Site,
    sessions: Vec<Session>,
    haproxy: HaProxy,
    pattern: Pattern,
    rounds: usize,
}

/// What passes through it.
pub async fn measure(bench: &Bench) -> Vec<Row> {
    let mut scene = Scene::set(bench).await;
    let mut rows = bulk::rows(&mut scene).await;
    rows.extend(single::rows(&mut scene));
    rows.push(scene.fairness(bench).await);
    rows
}

/// Those who are connected and do nothing.
pub async fn measure_idle(bench: &Bench) -> Vec<Row> {
    take_descriptors();
    idle::rows(bench).await
}

/// As many as there may be.
fn take_descriptors() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
}

impl Scene {
    async fn set(bench: &Bench) -> Self {
        take_descriptors();
        let cores = Cores::take();
        // One more comes by WebSocket.
        let mut site = Site::start(bench, &cores, STREAMS + 1).await;
        let haproxy = HaProxy::start(&cores).await;
        let sessions = site.sessions(STREAMS, By::Link).await;
        Self {
            cores,
            site,
            sessions,
            haproxy,
            pattern: Pattern::new(),
            rounds: bench.rounds(3),
        }
    }

    /// Nobody is silent for too long.
    fn keep_alive(&mut self) {
        keep_alive(&mut self.sessions);
    }
}

fn keep_alive(sessions: &mut [Session]) {
    for Session { console, customer } in sessions {
        console.keep_alive();
        customer.keep_alive();
    }
}
