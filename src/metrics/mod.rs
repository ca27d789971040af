//! Counters, and the snapshot that Status > Information shows (ST-01, FW-07).
//!
//! Programs count in [`Counters`] (atomics, written by any thread, read by one); the relay turns
//! them into a [`Snapshot`] when asked over the control socket. Not here: how a page words it.

mod counters;
mod snapshot;

pub use counters::{Counter, Counters};
pub use snapshot::{Connections, JumpClients, Keys, Sandbox, Sessions, Snapshot, StoreState};
