//! Jump Clients that do nothing but say their statistics: what each takes of memory, and what they
//! make others pay.

use std::time::{Duration, Instant};

use nix::unistd::Pid;

use super::cpu::Cores;
use super::haproxy::HaProxy;
use super::pattern::Pattern;
use super::rally::Rally;
use super::rounds::Rounds;
use super::single::per_message;
use super::site::{By, Site};
use super::wire::{Wire, dial};
use super::{STREAMS, chart, keep_alive};
use crate::Bench;
use crate::row::Row;
use crate::support::SOON;
use crate::terminal::pss_kib;

/// Jump Clients at once, up to what the largest model may have.
const SIZES: [u32; 5] = [10, 100, 1_000, 10_000, 25_000];
/// Of them, when there is little time.
const SIZES_QUICK: usize = 3;
/// Connections of the peer, and as many of ours as its memory is compared by at least.
const THEIRS: u32 = 2_000;

/// Memory that did not shrink for this long stays.
const STEADY: Duration = Duration::from_secs(1);

/// What a number of Jump Clients costs.
pub struct Cost {
    pub clients: u32,
    /// CPU time of a message beside them, against one beside [`SIZES`]' first.
    pub message: f64,
    /// Of the relay in all.
    pub memory_mib: f64,
}

/// Both rows, and the drawing.
pub async fn rows(bench: &Bench) -> Vec<Row> {
    let cores = Cores::take();
    let mut site = Site::whole(bench, &cores, STREAMS).await;
    let mut sessions = site.sessions(STREAMS, By::Link).await;
    let mut beside = Site::whole(bench, &cores, STREAMS).await;
    let mut others = beside.sessions(STREAMS, By::Link).await;
    let few = beside.jump_clients(SIZES[0]).await;
    let sizes = &SIZES[..if bench.quick {
        SIZES_QUICK
    } else {
        SIZES.len()
    }];
    let pattern = Pattern::new();
    let before = steady_kib(site.relay());
    let (mut fleets, mut costs) = (Vec::new(), Vec::new());
    let (mut clients, mut rounds) = (0, Rounds::default());
    for size in sizes {
        fleets.push(site.jump_clients(size - clients).await);
        // Letting them in may have taken longer than a peer may be silent.
        keep_alive(&mut sessions);
        keep_alive(&mut others);
        clients = *size;
        rounds = Rounds::default();
        for _ in 0..bench.rounds(3) {
            keep_alive(&mut sessions);
            let many = Rally::crossing(&mut sessions);
            let many = per_message(site.relay(), many, &pattern);
            keep_alive(&mut others);
            let few = Rally::crossing(&mut others);
            rounds.add(many, per_message(beside.relay(), few, &pattern));
        }
        let kib = steady_kib(site.relay());
        eprintln!(
            "{clients} Jump Clients: the relay has {:.1} MiB",
            kib / 1_024.0
        );
        costs.push(Cost {
            clients,
            message: rounds.ratio(),
            memory_mib: kib / 1_024.0,
        });
    }
    let ours = (steady_kib(site.relay()) - before) / f64::from(clients);
    let lost: u64 = fleets.iter().map(|fleet| fleet.tally().lost).sum();
    assert_eq!(lost, 0, "connections were lost");
    if let Some(file) = &bench.svg {
        std::fs::write(file, chart::draw(&costs)).unwrap();
    }
    drop((fleets, few));

    let haproxy = HaProxy::start(&cores).await;
    // Once, so that what it needs for its first connection is there already.
    let (port, config) = haproxy.waiting();
    let connect = |_| Wire::client(dial(port).unwrap(), config);
    let first = connect(0);
    let before = steady_kib(haproxy.pid());
    let waiting: Vec<Wire> = (0..THEIRS).map(connect).collect();
    let theirs = (steady_kib(haproxy.pid()) - before) / f64::from(THEIRS);
    drop((first, waiting, haproxy));
    let mut memory = Rounds::default();
    memory.add(ours, theirs);
    let few = SIZES[0];
    let name = format!("CPU per message beside {clients} idle clients; peer: ours beside {few}");
    vec![
        memory.row("memory (PSS) per idle active client", "KiB", 0.12),
        rounds.row(&name, "us", 1.10),
    ]
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
