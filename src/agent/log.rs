//! Which lines of a session's log have been shown: enough to show each once.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hasher as _};

use crate::domain::Entry;
use crate::domain::limits::ENTRIES_REPLAYED_MAX;
use crate::link::connection::encode;

/// The latest lines, by number and a hash of what they say.
///
/// After a resume the appliance sends what was missed. An appliance that died may have shown lines
/// that it never recorded; then it sends everything since its restart, also what was shown, and its
/// numbers lead elsewhere than they did before.
#[derive(Debug, Default)]
pub struct Log {
    last: u32,
    shown: VecDeque<(u32, u64)>,
}

impl Log {
    /// Number of the last line.
    pub fn last(&self) -> u32 {
        self.last
    }

    /// Takes a line, and says whether it has not been shown yet. It replaces whatever stood at its
    /// number and after.
    pub fn is_new(&mut self, entry: &Entry) -> bool {
        let mut hasher = DefaultHasher::new();
        hasher.write(&encode(entry));
        let line = (entry.number, hasher.finish());
        if self.shown.contains(&line) {
            return false;
        }
        let kept = self
            .shown
            .partition_point(|(number, _)| *number < entry.number);
        self.shown.truncate(kept);
        if self.shown.len() == ENTRIES_REPLAYED_MAX {
            self.shown.pop_front();
        }
        self.shown.push_back(line);
        self.last = entry.number;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::entry::What;
    use crate::domain::{Author, Stamp};

    fn entry(number: u32, at: i64) -> Entry {
        Entry {
            number,
            at: Stamp(at),
            by: Author::Appliance,
            what: What::Arrived,
        }
    }

    #[test]
    fn a_line_that_is_sent_again_is_shown_once() {
        let mut log = Log::default();
        assert!(log.is_new(&entry(1, 0)));
        assert!(log.is_new(&entry(2, 0)));
        assert!(!log.is_new(&entry(1, 0)));
        assert!(!log.is_new(&entry(2, 0)));
        assert_eq!(log.last(), 2);
    }

    #[test]
    fn another_line_by_a_number_that_was_shown_takes_its_place() {
        let mut log = Log::default();
        for number in 1..=4 {
            assert!(log.is_new(&entry(number, 0)));
        }
        assert!(log.is_new(&entry(3, 9)));
        assert_eq!(log.last(), 3);
        assert!(!log.is_new(&entry(3, 9)));
        assert!(log.is_new(&entry(4, 9)));
    }

    #[test]
    fn memory_is_bounded() {
        let mut log = Log::default();
        for number in 1..=u32::try_from(ENTRIES_REPLAYED_MAX).unwrap() + 10 {
            assert!(log.is_new(&entry(number, 0)));
        }
        assert_eq!(log.shown.len(), ENTRIES_REPLAYED_MAX);
    }
}
