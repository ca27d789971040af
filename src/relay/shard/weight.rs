//! What connections make us keep, bounded for all of them together.
//!
//! Credit bounds what one may make us keep; thousands that do not read, or that begin frames and
//! never end them, would still be too much. Beyond the limit the heaviest goes: it loses nothing,
//! because both ends of what passed through it keep that until it has arrived, and it may come back.

use super::{Conn, Shard, StreamId};
use crate::domain::Moment;
use crate::domain::limits::{ARRIVING_MAX, SILENT_MAX};
use crate::link::LinkError;

impl Shard {
    /// Counts what is kept for a connection now.
    pub(super) fn weigh(&mut self, stream: StreamId) {
        let link = self.exchange.kept(self.peer(stream));
        if let Some(conn) = self.conns.get_mut(stream) {
            let now = conn.kept() + link;
            let before = std::mem::replace(&mut conn.weight, now);
            self.weight = self.weight + now - before;
        }
    }

    /// Lets the heaviest go until the rest is light enough.
    pub(super) fn lighten(&mut self) {
        while self.weight > self.setting.queued_bytes_max {
            let heaviest = self.conns.iter_mut().max_by_key(|(_, conn)| conn.weight);
            let Some((stream, conn)) = heaviest else {
                return;
            };
            let limit = self.setting.queued_bytes_max;
            tracing::warn!(address = %conn.address, bytes = conn.weight, limit, "memory_full");
            self.note_fault(stream, &LinkError::DoesNotRead);
            self.drop_conn(stream);
        }
    }

    /// Lets more peers in, unless too many are no links yet. Of such a crowd those go that have
    /// been silent, who came first first: a peer that is at work is never lost to one that comes
    /// later, and who only holds a place does not hold it long.
    pub(super) fn thin(&mut self, now: Moment) {
        if self.arrivals.len() >= ARRIVING_MAX {
            self.forget_arrived();
        }
        if self.arrivals.len() >= ARRIVING_MAX {
            let spare = self.arrivals.len() - ARRIVING_MAX / 2;
            let silent: Vec<StreamId> = self
                .arrivals
                .iter()
                .filter(|stream| self.is_silent(**stream, now))
                .take(spare)
                .copied()
                .collect();
            if let Some(first) = silent.first().and_then(|first| self.conns.get(*first)) {
                let (closed, limit) = (silent.len(), ARRIVING_MAX);
                tracing::info!(address = %first.address, closed, limit, "too_many_arriving");
            }
            for stream in silent {
                self.setting.counters.closed_for_fault.up();
                self.drop_conn(stream);
            }
            self.forget_arrived();
        }
        if self.arrivals.len() < ARRIVING_MAX {
            for listener in self.visited.drain(..) {
                self.ring.accept(listener);
            }
        }
    }

    fn forget_arrived(&mut self) {
        let conns = &self.conns;
        self.arrivals
            .retain(|stream| conns.get(*stream).is_some_and(Conn::is_arriving));
    }

    fn is_silent(&self, stream: StreamId, now: Moment) -> bool {
        let conn = self.conns.get(stream);
        conn.is_some_and(|conn| now.since(conn.moved) >= SILENT_MAX)
    }
}
