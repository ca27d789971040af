//! Bytes that came, in the buffer the kernel filled.

use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::slice;

use super::buffer_ring::{BUFFER_BYTES, BufferId, BufferRing};

/// Bytes of a [`super::Completion::Received`], to be read or changed where they lie. One that is
/// dropped instead of being given back is lost to its ring.
#[derive(Debug)]
pub struct Lent {
    id: BufferId,
    memory: NonNull<u8>,
    length: usize,
}

impl Lent {
    /// # Panics
    ///
    /// If `length` exceeds a buffer.
    pub(super) fn new(buffers: &BufferRing, id: BufferId, length: u32) -> Self {
        assert!(length <= BUFFER_BYTES);
        let memory = buffers.memory(&id);
        Self {
            id,
            memory,
            length: length as usize,
        }
    }

    pub(super) fn into_id(self) -> BufferId {
        self.id
    }
}

// For both, SAFETY:
// - In bounds: `length` fits a buffer, and `memory` is where one starts.
// - Initialised: the memory was zeroed and is only ever overwritten.
// - Unaliased: a buffer's id exists once, and the kernel leaves the buffer alone until the id is
//   given back, which takes this value. Others lie elsewhere.
// - Alive: the memory of buffers is never freed.
impl Deref for Lent {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: above.
        unsafe { slice::from_raw_parts(self.memory.as_ptr(), self.length) }
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: above.
        unsafe { slice::from_raw_parts_mut(self.memory.as_ptr(), self.length) }
    }
}
