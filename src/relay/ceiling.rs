//! Memory that the relay takes at most: fixed when it starts, by the model.
//!
//! A sum of what each limit allows, all of them reached at once. What peers can make us keep (halves
//! of records and frames, data that nobody reads) is bounded by one number for each ring thread, not
//! by what each of thousands may have.

use crate::domain::Model;
use crate::domain::limits::{
    ACCEPTS_AT_ONCE, ARRIVING_BYTES_MAX, ARRIVING_MAX, FRAME_BYTES_MAX, HUB_QUEUE_MAX,
    JUMP_CLIENTS_MAX, LINK_BYTES, LOG_BYTES_KEPT_MAX, POOLED_BUFFERS_MAX, POOLED_BYTES_MAX,
    PROGRAM_BYTES, RECEIVE_BUFFERS_BYTES, RECORDER_QUEUE_MAX, SESSIONS_MAX, SHARD_QUEUE_MAX,
    TRANSCRIPT_PIECE_BYTES_MAX, TRANSCRIPT_QUEUE_MAX,
};

/// See the module. All in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ceiling {
    /// The program itself, and what is the same on each model.
    pub program: u64,
    /// Ring threads' buffers, and the queues between threads.
    pub rings: u64,
    /// Connections that are no links yet.
    pub arriving: u64,
    /// Links at rest, and what is known of each Jump Client.
    pub links: u64,
    /// What waits for peers, and the beginnings of what they said.
    pub queued: u64,
    /// Sessions with the ends of their logs.
    pub sessions: u64,
}

impl Ceiling {
    /// Of a model with so many ring threads.
    pub fn of(model: Model, rings: u16) -> Self {
        let rings = u64::from(rings);
        let ring = RECEIVE_BUFFERS_BYTES
            + 2 * POOLED_BUFFERS_MAX * POOLED_BYTES_MAX
            + SHARD_QUEUE_MAX * FRAME_BYTES_MAX;
        let between = (HUB_QUEUE_MAX + RECORDER_QUEUE_MAX) * FRAME_BYTES_MAX
            + TRANSCRIPT_QUEUE_MAX * TRANSCRIPT_PIECE_BYTES_MAX;
        // Customers and representatives: two links for each session.
        let links = model.active_jump_clients_max() as usize + 2 * SESSIONS_MAX;
        // The kernel may be accepting at both listeners when there are enough.
        let arriving = ARRIVING_MAX + 2 * usize::from(ACCEPTS_AT_ONCE);
        Self {
            program: PROGRAM_BYTES as u64,
            rings: rings * ring as u64 + between as u64,
            arriving: rings * (arriving * ARRIVING_BYTES_MAX) as u64,
            links: ((links + JUMP_CLIENTS_MAX) * LINK_BYTES) as u64,
            queued: model.queued_bytes_max() as u64,
            sessions: (SESSIONS_MAX * (LOG_BYTES_KEPT_MAX + 4 * LINK_BYTES)) as u64,
        }
    }

    /// All of it.
    pub fn bytes(&self) -> u64 {
        self.program + self.rings + self.arriving + self.links + self.queued + self.sessions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_larger_model_may_take_more_and_none_takes_more_than_a_small_machine_has() {
        let ceilings = [Model::B200, Model::B300, Model::B400].map(|model| Ceiling::of(model, 2));
        assert!(ceilings.is_sorted_by_key(Ceiling::bytes));
        assert!(ceilings[2].bytes() < 5 << 29, "{ceilings:?}");
    }
}
