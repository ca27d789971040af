//! Buffers that are filled and sent, over and over: the last one that came back is the next to be
//! used, so a few of them stay in the processor's cache however many peers there are, and who has
//! nothing to send has none.

use crate::domain::limits::{POOLED_BUFFERS_MAX, POOLED_BYTES_MAX};

/// See the module.
#[derive(Debug, Default)]
pub struct Pool {
    spare: Vec<Vec<u8>>,
    /// Since the last [`Pool::tick`].
    is_used: bool,
}

impl Pool {
    /// Gives `buffer` memory, if it has none.
    pub fn lend(&mut self, buffer: &mut Vec<u8>) {
        if buffer.capacity() == 0
            && let Some(spare) = self.spare.pop()
        {
            self.is_used = true;
            *buffer = spare;
        }
    }

    /// Takes a buffer back, empty, unless it grew large for one burst.
    pub fn give_back(&mut self, mut buffer: Vec<u8>) {
        let kept = 1..=POOLED_BYTES_MAX;
        if self.spare.len() < POOLED_BUFFERS_MAX && kept.contains(&buffer.capacity()) {
            buffer.clear();
            self.spare.push(buffer);
        }
    }

    /// Gives all of them up, if none was wanted since the last call.
    pub fn tick(&mut self) {
        if !std::mem::take(&mut self.is_used) {
            self.spare = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_back_last_is_lent_first_and_empty() {
        let mut pool = Pool::default();
        pool.give_back(Vec::with_capacity(10));
        pool.give_back([1; 20].to_vec());
        let mut lent = Vec::new();
        pool.lend(&mut lent);
        assert_eq!((lent.len(), lent.capacity()), (0, 20));
        pool.lend(&mut lent);
        assert_eq!(lent.capacity(), 20, "it has one");
    }

    #[test]
    fn neither_many_buffers_nor_large_ones_are_kept() {
        let mut pool = Pool::default();
        for _ in 0..2 * POOLED_BUFFERS_MAX {
            pool.give_back(vec![0]);
        }
        pool.give_back(Vec::new());
        assert_eq!(pool.spare.len(), POOLED_BUFFERS_MAX);
        pool.tick();
        pool.give_back(vec![0; POOLED_BYTES_MAX + 1]);
        assert!(pool.spare.is_empty());
    }
}
