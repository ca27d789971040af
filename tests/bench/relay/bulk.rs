//! CPU per GB: one stream and many, large messages and small ones, recorded, by WebSocket, and
//! against the ceiling.

use jumpgate::domain::limits::PAYLOAD_BYTES_MAX;
use nix::unistd::Pid;

use super::ceiling::{Plain, aead_per_gb};
use super::cpu::Meter;
use super::load::{Load, Stream, Work};
use super::pattern::Pattern;
use super::rounds::Rounds;
use super::site::{By, Session};
use super::{SMALL, STREAMS, Scene, socket};
use crate::row::Row;

/// A frame that fills a record.
pub const LARGE: usize = PAYLOAD_BYTES_MAX;
/// The same in a WebSocket message.
const LARGE_IN_SOCKET: usize = LARGE - socket::HEADER_BYTES;

/// Payload of one round.
const LARGE_TOTAL: usize = 256 << 20;
const SMALL_TOTAL: usize = 32 << 20;
const RECORDED_TOTAL: usize = 96 << 20;
/// Payload that is compared, of each stream: more than a window, so that credit is renewed.
const COMPARED: usize = 256 << 10;

/// All of it, after one pass that is compared byte by byte.
pub async fn rows(scene: &mut Scene) -> Vec<Row> {
    scene.compare();
    vec![
        scene.bulk("1 stream of 16 KiB", (1, LARGE, LARGE_TOTAL), 0.50),
        scene.bulk("200 streams of 16 KiB", (STREAMS, LARGE, LARGE_TOTAL), 0.50),
        scene.bulk("200 streams of 200 B", (STREAMS, SMALL, SMALL_TOTAL), 0.13),
        scene.by_socket().await,
        scene.ceiling().await,
        scene.recorded(),
    ]
}

impl Scene {
    fn compare(&mut self) {
        let pattern = &self.pattern;
        let mut theirs = self.haproxy.streams(STREAMS);
        for bytes in [LARGE, SMALL] {
            let work = Work::spread(COMPARED, 1, bytes);
            Load::prepare(to_customers(&mut self.sessions), work, pattern, true).run();
            Load::prepare(to_consoles(&mut self.sessions[..2]), work, pattern, true).run();
            let streams = theirs.iter_mut().map(|(from, to)| (from, to));
            Load::prepare(streams, work, pattern, true).run();
        }
    }

    /// Against HAProxy: so many streams, messages of so many bytes, so much in all.
    fn bulk(
        &mut self,
        name: &str,
        (streams, bytes, total): (usize, usize, usize),
        limit: f64,
    ) -> Row {
        let work = Work::spread(total, streams, bytes);
        let mut rounds = Rounds::default();
        for _ in 0..self.rounds {
            let ours = self.ours(streams, work);
            rounds.add(ours, self.haproxys(streams, work));
        }
        rounds.row(&format!("CPU per GB relayed, {name}"), "s", limit)
    }

    fn ours(&mut self, streams: usize, work: Work) -> f64 {
        self.keep_alive();
        let sessions = to_customers(&mut self.sessions[..streams]);
        per_gb(self.site.relay(), sessions, work, &self.pattern)
    }

    fn haproxys(&self, streams: usize, work: Work) -> f64 {
        let mut theirs = self.haproxy.streams(streams);
        let theirs = theirs.iter_mut().map(|(from, to)| (from, to));
        per_gb(self.haproxy.pid(), theirs, work, &self.pattern)
    }

    /// A browser at the representative's end.
    async fn by_socket(&mut self) -> Row {
        let mut session = self.site.sessions(1, By::Socket).await;
        let work = Work::spread(LARGE_TOTAL, 1, LARGE_IN_SOCKET);
        let short = Work::spread(COMPARED, 1, LARGE_IN_SOCKET);
        Load::prepare(to_customers(&mut session), short, &self.pattern, true).run();
        let mut rounds = Rounds::default();
        for _ in 0..self.rounds {
            self.keep_alive();
            let sessions = to_customers(&mut session);
            let ours = per_gb(self.site.relay(), sessions, work, &self.pattern);
            rounds.add(ours, self.haproxys(1, work));
        }
        let name = "the same, 1 stream of 16 KiB, representative by WebSocket";
        rounds.row(name, "s", 0.50)
    }

    /// Against opening, sealing and moving alone.
    async fn ceiling(&mut self) -> Row {
        let plain = Plain::start(&self.cores).await;
        let work = Work::spread(LARGE_TOTAL, 1, LARGE);
        let mut rounds = Rounds::default();
        for _ in 0..self.rounds {
            let ours = self.ours(1, work);
            let (mut from, mut to) = plain.stream();
            let stream = std::iter::once((&mut from, &mut to));
            let moved = per_gb(plain.pid(), stream, work, &self.pattern);
            rounds.add(ours, moved + aead_per_gb(&self.cores).await);
        }
        let name = "the same, 1 stream of 16 KiB; peer: open, seal and plain TCP";
        rounds.row(name, "s", 1.25)
    }

    /// The same payload the other way, where it is output of a shell and so goes to a file.
    fn recorded(&mut self) -> Row {
        let work = Work::spread(RECORDED_TOTAL, 1, LARGE);
        let mut rounds = Rounds::default();
        for _ in 0..self.rounds {
            self.keep_alive();
            let one = to_consoles(&mut self.sessions[..1]);
            let recorded = per_gb(self.site.relay(), one, work, &self.pattern);
            rounds.add(recorded, self.ours(1, work));
        }
        let name = "the same, 1 stream, every byte also recorded; peer: ours without";
        rounds.row(name, "s", 1.25)
    }
}

/// What representatives type.
pub fn to_customers(sessions: &mut [Session]) -> impl Iterator<Item = Stream<'_>> {
    let ends = sessions.iter_mut();
    ends.map(|session| (&mut session.console, &mut session.customer))
}

/// What shells show.
fn to_consoles(sessions: &mut [Session]) -> impl Iterator<Item = Stream<'_>> {
    to_customers(sessions).map(|(console, customer)| (customer, console))
}

/// CPU seconds that a process took for each GB of payload.
fn per_gb<'a>(
    pid: Pid,
    streams: impl Iterator<Item = Stream<'a>>,
    work: Work,
    pattern: &Pattern,
) -> f64 {
    let load = Load::prepare(streams, work, pattern, false);
    let meter = Meter::start(pid);
    let bytes = load.run();
    let seconds = meter.seconds();
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let gigabytes = bytes as f64 / 1e9;
    seconds / gigabytes
}
