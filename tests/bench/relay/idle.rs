//! Clients that do nothing: what each takes of memory, and what they make others pay.

use std::time::{Duration, Instant};

use nix::unistd::Pid;

use super::haproxy::HaProxy;
use super::pattern::Pattern;
use super::rally::Rally;
use super::rounds::Rounds;
use super::single::per_message;
use super::site::{By, Site};
use super::wire::{Wire, dial};
use super::{STREAMS, Scene, keep_alive};
use crate::Bench;
use crate::row::Row;
use crate::support::SOON;
use crate::terminal::pss_kib;

/// Idle clients. The 25,000 that an appliance is to hold are more than one process may have
/// descriptors for, here and in the relay.
const IDLE: u32 = 2_000;
/// Against which many are held.
const FEW: u32 = 10;
/// Session keys that a representative may have at once.
const OF_ONE: u32 = 100;

/// Memory that did not shrink for this long stays.
const STEADY: Duration = Duration::from_secs(1);

/// Both rows.
pub async fn rows(bench: &Bench, scene: &mut Scene) -> Vec<Row> {
    let queues = IDLE / OF_ONE;
    let representatives = STREAMS + queues as usize;
    let mut site = Site::start(bench, &scene.cores, representatives).await;
    let mut sessions = site.sessions(STREAMS, By::Link).await;
    let mut consoles = site.consoles(queues as usize, By::Link).await;
    let before = steady_kib(site.relay());
    let idle = site.customers(&mut consoles, OF_ONE);
    let ours = steady_kib(site.relay()) - before;

    let haproxy = HaProxy::start(&scene.cores).await;
    // Once, so that what it needs for its first connection is there already.
    let (port, config) = haproxy.waiting();
    let connect = |_| Wire::client(dial(port).unwrap(), config);
    let first = connect(0);
    let before = steady_kib(haproxy.pid());
    let waiting: Vec<Wire> = (0..IDLE).map(connect).collect();
    let theirs = steady_kib(haproxy.pid()) - before;
    drop((first, waiting, haproxy));
    let mut memory = Rounds::default();
    let each = |kib: f64| kib / f64::from(IDLE);
    memory.add(each(ours), each(theirs));
    let memory = memory.row("memory (PSS) per idle client", "KiB", 0.12);

    let mut console = scene.site.consoles(1, By::Link).await;
    let few = scene.site.customers(&mut console, FEW);
    let mut rounds = Rounds::default();
    let pattern = Pattern::new();
    for _ in 0..scene.rounds {
        scene.keep_alive();
        keep_alive(&mut sessions);
        let many = Rally::crossing(&mut sessions);
        let many = per_message(site.relay(), many, &pattern);
        let others = Rally::crossing(&mut scene.sessions);
        rounds.add(many, per_message(scene.site.relay(), others, &pattern));
    }
    drop((idle, few));
    let name = format!("CPU per message beside {IDLE} idle clients; peer: ours beside {FEW}");
    vec![memory, rounds.row(&name, "us", 1.10)]
}

/// The process's own share of memory, in KiB, once it does not become less.
fn steady_kib(pid: Pid) -> f64 {
    let until = Instant::now() + SOON;
    let mut least = pss_kib(pid);
    let mut since = Instant::now();
    while since.elapsed() < STEADY && Instant::now() < until {
        std::thread::sleep(STEADY / 10);
        let now = pss_kib(pid);
        if now < least {
            (least, since) = (now, Instant::now());
        }
    }
    f64::from(u32::try_from(least).unwrap())
}
