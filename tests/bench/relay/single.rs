//! What does not count in bytes: handshakes, and small messages that wait for each other.

use std::sync::Arc;

use nix::unistd::Pid;
use rustls::ClientConfig;

use super::cpu::Meter;
use super::pattern::Pattern;
use super::rally::Rally;
use super::rounds::Rounds;
use super::wire::{Wire, dial};
use super::{STREAMS, Scene};
use crate::row::{Row, percentile};

/// Handshakes of one round, one after the other.
const HANDSHAKES: u32 = 500;
/// Round trips of one round.
const TRIPS: usize = 2_000;
/// Messages of one round, when many are under way at once.
pub const MESSAGES: u32 = 50_000;

/// All of it.
pub fn rows(scene: &mut Scene) -> Vec<Row> {
    vec![scene.handshakes(), scene.alone(), scene.at_once()]
}

impl Scene {
    fn handshakes(&mut self) -> Row {
        let mut rounds = Rounds::default();
        for _ in 0..self.rounds {
            let ours = (self.site.port(), self.site.link_config());
            let ours = per_handshake(self.site.relay(), ours);
            let theirs = per_handshake(self.haproxy.pid(), self.haproxy.waiting());
            rounds.add(ours, theirs);
        }
        rounds.row("CPU per full handshake", "us", 0.68)
    }

    fn alone(&mut self) -> Row {
        let mut rounds = Rounds::default();
        let mut theirs = self.haproxy.streams(1);
        let mut echoes = Vec::new();
        for _ in 0..self.rounds {
            self.keep_alive();
            let pattern = &self.pattern;
            let median = |mut rally: Rally| {
                let mut trips = rally.alone(TRIPS, pattern);
                percentile(&mut trips, 50)
            };
            let ours = median(Rally::crossing(&mut self.sessions[..2]));
            rounds.add(ours, median(Rally::streams(&mut theirs)));
            echoes.push(median(Rally::echo(&mut self.sessions[..1])));
        }
        let echo = percentile(&mut echoes, 50);
        eprintln!("ping-pong whose answers are a shell's output, and recorded: {echo:.2} us");
        rounds.row("200 B ping-pong, median", "us", 0.85)
    }

    fn at_once(&mut self) -> Row {
        let mut rounds = Rounds::default();
        let mut theirs = self.haproxy.streams(STREAMS);
        let (relay, haproxy) = (self.site.relay(), self.haproxy.pid());
        let mut echoes = Vec::new();
        for _ in 0..self.rounds {
            self.keep_alive();
            let pattern = &self.pattern;
            let ours = per_message(relay, Rally::crossing(&mut self.sessions), pattern);
            let peer = per_message(haproxy, Rally::streams(&mut theirs), pattern);
            rounds.add(ours, peer);
            let echo = Rally::echo(&mut self.sessions);
            echoes.push(per_message(relay, echo, pattern));
        }
        let echo = percentile(&mut echoes, 50);
        eprintln!("CPU per message where every other one is recorded: {echo:.2} us");
        rounds.row("CPU per 200 B message, 200 ping-pongs at once", "us", 0.70)
    }
}

/// CPU microseconds that a process takes for one message of many.
pub fn per_message(pid: Pid, mut rally: Rally, pattern: &Pattern) -> f64 {
    let meter = Meter::start(pid);
    rally.at_once(MESSAGES as usize, pattern);
    meter.seconds() * 1e6 / f64::from(MESSAGES)
}

fn per_handshake(pid: Pid, (port, config): (u16, &Arc<ClientConfig>)) -> f64 {
    let meter = Meter::start(pid);
    for _ in 0..HANDSHAKES {
        drop(Wire::client(dial(port).unwrap(), config));
    }
    meter.seconds() * 1e6 / f64::from(HANDSHAKES)
}
