//! Append-only record of who did what.
//!
//! ```text
//! Actor, Event ─> append ─> row, hashed together with the hash of the row before ─> audit table
//! ```
//!
//! A row is appended in the same transaction as the state it records, so there is never one
//! without the other. The table's triggers refuse changes; whoever gets around them (by writing
//! to the file with another program) breaks the chain, and [`verify`] names the first row that
//! does not fit. What a chain cannot show is that its last rows were cut off: compare [`head`]
//! with one that was noted elsewhere.
//!
//! Events are types, not prose, so that every reader words them in its own language. Start at
//! [`event`]; [`chain`] says exactly which bytes are hashed.

pub mod chain;
pub mod event;
mod record;

pub use chain::ChainBroken;
pub use event::{Actor, Event};
pub use record::{Head, Record, Restored, VerifyError, append, begin, head, page, restore, verify};

#[cfg(test)]
mod tests;
