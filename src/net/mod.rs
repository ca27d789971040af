//! Linux sockets by io_uring: moves bytes and does not know what they say.
//!
//! ```text
//! listen, adopt ─> Stream ─ receive ─> Completion::Received (bytes lie in a shared buffer)
//!                        └─ send ────> Completion::Sent
//! ```
//!
//! One [`Ring`] to a thread, nothing shared but its [`Waker`]. An idle stream holds no buffer: the
//! kernel picks one of a small ring when bytes arrive, and the caller gives it back at once. A
//! stream that is not asked to receive is not read, which is how back-pressure reaches the peer.
//!
//! This is the one home of `unsafe` for the data path: the kernel reads and writes our memory
//! while an operation is under way, so that memory is owned here until its completion came.
//! Needs Linux 6.1 (`IORING_SETUP_DEFER_TASKRUN`). Start at [`ring`].

#![allow(unsafe_code)]

mod buffer_ring;
pub mod courier;
mod lent;
mod memory;
mod operation;
pub mod ring;
mod socket;
mod waker;

pub use lent::Lent;
pub use memory::give_back;
pub use ring::{Completion, ListenerId, Ring, StreamId};
pub use waker::Waker;
