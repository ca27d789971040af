//! The end of a session's log that is kept in memory, for consoles and customers that come back.

use std::collections::VecDeque;

use crate::domain::entry::{Author, What};
use crate::domain::limits::{ENTRIES_REPLAYED_MAX, LOG_BYTES_KEPT_MAX};
use crate::domain::{Entry, Stamp};
use crate::link::connection::encode;

/// The latest entries, bounded in number and bytes.
#[derive(Debug, Default)]
pub struct Log {
    kept: VecDeque<(usize, Entry)>,
    bytes: usize,
    last: u32,
}

impl Log {
    /// Goes on after entries that were stored before.
    pub fn restore(entries: impl IntoIterator<Item = Entry>) -> Self {
        let mut log = Self::default();
        for entry in entries {
            log.keep(entry);
        }
        log
    }

    /// Numbers and keeps a new entry.
    pub fn add(&mut self, at: Stamp, by: Author, what: What) -> Entry {
        let entry = Entry {
            number: self.last + 1,
            at,
            by,
            what,
        };
        self.keep(entry.clone());
        entry
    }

    /// Number of the last entry, 0 if there is none.
    pub fn last(&self) -> u32 {
        self.last
    }

    /// What a reader surely has who has seen entry `after`. An appliance that dies may have shown
    /// entries that it never recorded, and gives their numbers to others once it is back: a reader
    /// may have another entry than ours from each restart on.
    pub fn surely_seen(&self, after: u32) -> u32 {
        let restart = |(_, entry): &&(usize, Entry)| entry.what == What::ApplianceRestarted;
        let first = self.kept.iter().find(restart);
        first.map_or(after, |(_, entry)| after.min(entry.number - 1))
    }

    /// Kept entries after number `after`, oldest first, in pieces that each fit a message.
    pub fn pieces_after(&self, after: u32) -> Vec<Vec<Entry>> {
        let mut pieces: Vec<Vec<Entry>> = Vec::new();
        let mut room = 0;
        for (bytes, entry) in self.kept.iter().filter(|(_, entry)| entry.number > after) {
            if *bytes + 1 > room || pieces.is_empty() {
                pieces.push(Vec::new());
                room = PIECE_BYTES_MAX;
            }
            room = room.saturating_sub(*bytes + 1);
            pieces.last_mut().expect("pushed above").push(entry.clone());
        }
        pieces
    }

    fn keep(&mut self, entry: Entry) {
        self.last = entry.number;
        let bytes = encode(&entry).len();
        self.bytes += bytes;
        self.kept.push_back((bytes, entry));
        while self.bytes > LOG_BYTES_KEPT_MAX || self.kept.len() > ENTRIES_REPLAYED_MAX {
            let Some((bytes, _)) = self.kept.pop_front() else {
                break;
            };
            self.bytes -= bytes;
        }
    }
}

/// JSON of the entries in one message, without what surrounds them.
const PIECE_BYTES_MAX: usize = crate::domain::limits::PAYLOAD_BYTES_MAX - 256;
// The longest entry fits: chat escapes to at most twice its bytes (quotes, newlines), names to six.
const _: () = assert!(
    2 * crate::domain::limits::CHAT_BYTES_MAX + 6 * crate::domain::limits::NAME_BYTES_MAX + 256
        < PIECE_BYTES_MAX
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::LongText;
    use crate::domain::limits::{CHAT_BYTES_MAX, PAYLOAD_BYTES_MAX};

    #[test]
    fn however_much_was_said_memory_is_bounded_and_every_piece_fits_a_frame() {
        let mut log = Log::default();
        for _ in 0..400 {
            let text = LongText::new(&"\"".repeat(CHAT_BYTES_MAX)).unwrap();
            log.add(Stamp(0), Author::Appliance, What::Chat { text });
        }
        assert!(log.bytes <= LOG_BYTES_KEPT_MAX);
        let pieces = log.pieces_after(0);
        assert!(
            pieces
                .iter()
                .all(|piece| encode(piece).len() < PAYLOAD_BYTES_MAX - 200)
        );
        assert_eq!(pieces.last().unwrap().last().unwrap().number, 400);
        assert_eq!(log.pieces_after(400), Vec::<Vec<Entry>>::new());
    }
}
