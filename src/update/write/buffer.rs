//! Memory that a disk takes a chunk from by itself.

use tokio_uring::buf::{BoundedBuf as _, Slice};

use crate::domain::limits::CHUNK_BYTES;

/// What every disk's memory access is content with.
const ALIGNED: usize = 4_096;

/// Holds one chunk. Used again for the next: memory that was never touched is slow.
pub struct Buffer {
    memory: Vec<u8>,
    bytes: usize,
}

impl Buffer {
    /// An empty one.
    pub fn new() -> Self {
        Self {
            memory: vec![0; CHUNK_BYTES + ALIGNED],
            bytes: 0,
        }
    }

    /// Makes it `bytes` long, of whatever is in it.
    ///
    /// # Errors
    ///
    /// The most that there is room for.
    pub fn resize(&mut self, bytes: usize) -> Result<(), usize> {
        if bytes > CHUNK_BYTES {
            return Err(CHUNK_BYTES);
        }
        self.bytes = bytes;
        Ok(())
    }

    /// How many bytes it holds.
    pub fn len(&self) -> usize {
        self.bytes
    }

    /// What it holds.
    pub fn bytes(&self) -> &[u8] {
        let begin = self.begin();
        &self.memory[begin..begin + self.bytes]
    }

    /// What it holds, to be filled.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        let begin = self.begin();
        &mut self.memory[begin..begin + self.bytes]
    }

    /// Has `with` read into, or write from, what is behind the first `from` bytes.
    pub async fn lend<T>(
        &mut self,
        from: usize,
        with: impl AsyncFnOnce(Slice<Vec<u8>>) -> (T, Slice<Vec<u8>>),
    ) -> T {
        let begin = self.begin();
        let memory = std::mem::take(&mut self.memory);
        let (done, slice) = with(memory.slice(begin + from..begin + self.bytes)).await;
        self.memory = slice.into_inner();
        done
    }

    fn begin(&self) -> usize {
        self.memory.as_ptr().align_offset(ALIGNED)
    }
}

impl Default for Buffer {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_can_take_a_chunk_from_where_it_lies() {
        let mut buffer = Buffer::new();
        buffer.resize(CHUNK_BYTES).unwrap();
        assert!(buffer.bytes().as_ptr().addr().is_multiple_of(ALIGNED));
        assert_eq!(buffer.bytes().len(), CHUNK_BYTES);
        assert_eq!(buffer.resize(CHUNK_BYTES + 1), Err(CHUNK_BYTES));
    }
}
