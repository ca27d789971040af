//! Buffers that the kernel picks from when bytes arrive (`IORING_REGISTER_PBUF_RING`, Linux 5.19).

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::Submitter;
use io_uring::types::BufRingEntry;

use crate::domain::limits::RECEIVE_BUFFERS_BYTES;

/// One buffer. What comes in one goes out in one send, and that, not the encryption, is most of what
/// a byte costs: with 17 KiB, one record, a byte cost twice as much.
pub(super) const BUFFER_BYTES: u32 = 128 * 1024;
/// Buffers of one ring; each is given back before the next completion is looked at.
pub(super) const BUFFERS: u16 = 16;
/// The only group there is.
pub(super) const GROUP: u16 = 0;
/// The kernel wants the ring on a page.
const PAGE_BYTES: usize = 4096;

// What the relay's memory is reckoned by.
const _: () = assert!(BUFFERS as usize * BUFFER_BYTES as usize == RECEIVE_BUFFERS_BYTES);
// The kernel finds an entry by masking the tail.
const _: () = assert!(BUFFERS.is_power_of_two());

/// A buffer with bytes in it, to be given back.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BufferId(u16);

/// The memory, and which of it the kernel may write. Never freed: a ring lives as long as its
/// program, and the kernel may write for a moment after an io_uring was closed.
pub(super) struct BufferRing {
    entries: NonNull<BufRingEntry>,
    bytes: NonNull<u8>,
    tail: u16,
    /// With us, not with the kernel.
    ours: [bool; BUFFERS as usize],
}

impl BufferRing {
    /// Registers a ring of empty buffers.
    pub fn register(submitter: &Submitter<'_>) -> io::Result<Self> {
        let entries = allocate(entries_layout()).cast();
        let bytes = allocate(bytes_layout());
        let mut ring = Self {
            entries,
            bytes,
            tail: 0,
            ours: [true; BUFFERS as usize],
        };
        let address = ring.entries.as_ptr() as u64;
        // SAFETY: `entries` is page-aligned memory for BUFFERS entries that is never freed.
        unsafe { submitter.register_buf_ring_with_flags(address, BUFFERS, GROUP, 0)? };
        for id in 0..BUFFERS {
            ring.give_back(BufferId(id));
        }
        Ok(ring)
    }

    /// The buffer that a completion names: it is ours until it is given back.
    ///
    /// # Panics
    ///
    /// If the kernel names a buffer it did not have: going on could show one customer's bytes to
    /// another.
    pub fn take(&mut self, id: u16) -> BufferId {
        assert!(!std::mem::replace(&mut self.ours[usize::from(id)], true));
        BufferId(id)
    }

    /// Where a buffer's bytes lie. Whoever has its id may read and write [`BUFFER_BYTES`] there
    /// until it gives the id back.
    pub fn memory(&self, id: &BufferId) -> NonNull<u8> {
        assert!(self.ours[usize::from(id.0)]);
        NonNull::new(self.start(id.0)).expect("part of an allocation")
    }

    /// Lets the kernel fill a buffer again.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "whoever gives it back has it no longer"
    )]
    pub fn give_back(&mut self, id: BufferId) {
        assert!(std::mem::replace(&mut self.ours[usize::from(id.0)], false));
        let index = usize::from(self.tail & (BUFFERS - 1));
        let address = self.start(id.0) as u64;
        // SAFETY: `index` is below BUFFERS, the number of entries allocated; the kernel reads an
        // entry only once the tail below has passed it.
        let entry = unsafe { &mut *self.entries.as_ptr().add(index) };
        entry.set_addr(address);
        entry.set_len(BUFFER_BYTES);
        entry.set_bid(id.0);
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: `entries` is the ring's base, zeroed at first; the tail lies in its first
        // entry's reserved field, aligned for an AtomicU16, and the kernel only reads it.
        let tail = unsafe { &*BufRingEntry::tail(self.entries.as_ptr()).cast::<AtomicU16>() };
        tail.store(self.tail, Ordering::Release);
    }

    fn start(&self, id: u16) -> *mut u8 {
        let offset = usize::from(id) * BUFFER_BYTES as usize;
        // SAFETY: every id below BUFFERS lies within the allocation; callers index `ours` by it.
        unsafe { self.bytes.as_ptr().add(offset) }
    }
}

fn entries_layout() -> Layout {
    let bytes = usize::from(BUFFERS) * size_of::<BufRingEntry>();
    Layout::from_size_align(bytes, PAGE_BYTES).expect("a small constant layout")
}

fn bytes_layout() -> Layout {
    let bytes = usize::from(BUFFERS) * BUFFER_BYTES as usize;
    Layout::from_size_align(bytes, PAGE_BYTES).expect("a small constant layout")
}

fn allocate(layout: Layout) -> NonNull<u8> {
    // SAFETY: both layouts have a size above zero.
    let memory = unsafe { alloc_zeroed(layout) };
    NonNull::new(memory).unwrap_or_else(|| handle_alloc_error(layout))
}
