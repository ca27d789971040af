//! What a sender keeps until it has surely arrived.
//!
//! A tool's own end (a shell's machine, a console's keyboard) keeps everything it sent that the
//! far end has not consumed, at most one window. After a lost connection it goes back to the byte
//! it is told and sends from there: every byte arrives once and in order.

use std::collections::VecDeque;

use crate::domain::limits::WINDOW_BYTES;

/// Bytes from the first unconsumed one to the newest.
#[derive(Clone, Debug, Default)]
pub struct Retained {
    /// Offset of the first byte kept.
    base: u64,
    kept: VecDeque<u8>,
    /// Offset of the next byte to send.
    next: u64,
}

/// Asked to go back to a byte that was consumed before, or never existed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("asked to send from byte {asked}, kept are {first} to {last}")]
pub struct NotKept {
    /// What was asked.
    pub asked: u64,
    /// First byte kept.
    pub first: u64,
    /// One past the last.
    pub last: u64,
}

impl Retained {
    /// For a sender that begins in the middle: a console that takes over somebody's terminal.
    pub fn starting_at(offset: u64) -> Self {
        Self {
            base: offset,
            next: offset,
            ..Self::default()
        }
    }

    /// Bytes that may be added: a window less what is kept. A producer that sees 0 waits, which is
    /// how a slow reader stops exactly its own tool.
    pub fn room(&self) -> usize {
        usize::try_from(WINDOW_BYTES)
            .unwrap_or(usize::MAX)
            .saturating_sub(self.kept.len())
    }

    /// Adds bytes to send.
    ///
    /// # Panics
    ///
    /// If they exceed [`Self::room`].
    pub fn push(&mut self, bytes: &[u8]) {
        assert!(bytes.len() <= self.room());
        self.kept.extend(bytes);
    }

    /// Bytes not sent yet (or again), at most `most`, contiguous; empty if there are none.
    pub fn unsent(&self, most: usize) -> &[u8] {
        let skip = usize::try_from(self.next - self.base).unwrap_or(usize::MAX);
        let (front, back) = self.kept.as_slices();
        let part = if skip < front.len() {
            &front[skip..]
        } else {
            &back[skip - front.len()..]
        };
        &part[..part.len().min(most)]
    }

    /// Counts bytes as sent.
    pub fn sent(&mut self, bytes: usize) {
        self.next += bytes as u64;
        assert!(self.next <= self.end(), "sent bytes that do not exist");
    }

    /// Whether everything was sent and consumed.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The far end consumed everything before `offset`. Offsets out of range change nothing: the
    /// connection has checked them against what was sent.
    pub fn consumed(&mut self, offset: u64) {
        let gone = offset.min(self.next).saturating_sub(self.base);
        self.kept.drain(..usize::try_from(gone).unwrap_or(0));
        self.base += gone;
    }

    /// Goes back (or forward) to `offset` after a lost connection. What lies before stays kept
    /// until it is consumed: it may be under way on a connection that breaks next.
    pub fn rewind(&mut self, offset: u64) -> Result<(), NotKept> {
        if !(self.base..=self.end()).contains(&offset) {
            return Err(NotKept {
                asked: offset,
                first: self.base,
                last: self.end(),
            });
        }
        self.next = offset;
        Ok(())
    }

    fn end(&self) -> u64 {
        self.base + self.kept.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is lost on the way, and however often, the far end ends with every byte once.
        #[test]
        fn rewinding_loses_and_repeats_nothing(
            steps in proptest::collection::vec((0_usize..300, any::<bool>(), 0_usize..300), 1..60)
        ) {
            let mut sender = Retained::default();
            let (mut produced, mut arrived) = (Vec::new(), Vec::new());
            for (amount, lost, sending) in steps {
                let fresh: Vec<u8> = (0..amount.min(sender.room()))
                    .map(|i| u8::try_from((produced.len() + i) % 251).unwrap())
                    .collect();
                sender.push(&fresh);
                produced.extend(fresh);
                let piece = sender.unsent(sending).to_vec();
                sender.sent(piece.len());
                if lost {
                    sender.rewind(arrived.len() as u64).unwrap();
                } else {
                    arrived.extend(piece);
                    sender.consumed(arrived.len() as u64);
                }
            }
            while !sender.is_empty() {
                let piece = sender.unsent(100).to_vec();
                sender.sent(piece.len());
                arrived.extend(piece);
                sender.consumed(arrived.len() as u64);
            }
            prop_assert_eq!(arrived, produced);
        }
    }

    #[test]
    fn what_was_consumed_cannot_be_asked_for_again() {
        let mut sender = Retained::default();
        sender.push(b"abc");
        sender.sent(3);
        sender.consumed(2);
        assert_eq!(
            sender.rewind(1),
            Err(NotKept {
                asked: 1,
                first: 2,
                last: 3
            })
        );
        assert_eq!(sender.rewind(2), Ok(()));
        assert_eq!(sender.unsent(10), b"c");
    }

    #[test]
    fn what_was_passed_over_can_be_asked_for_until_it_is_consumed() {
        let mut sender = Retained::default();
        sender.push(b"abc");
        sender.sent(1);
        assert_eq!(sender.rewind(3), Ok(()));
        assert_eq!(sender.rewind(0), Ok(()));
        assert_eq!(sender.unsent(10), b"abc");
    }
}
