//! The head: takes apart what strangers wrote, decides, and has the hands do it. No network, no disk.
//!
//! ```text
//! update.sock ─> serve ─> judge (trust, manifest) ─> Verdict
//!                    └──> install: chunks, each checked ─> link ─> write
//! clock ───────> watch ─> schedule ─> online: check, install ─> remote ─> fetch
//!                                └──> restart
//! ```
//!
//! Start at [`judge`], which says what an update is worth; it is pure, like [`schedule`].

pub mod install;
pub mod judge;
pub mod link;
mod online;
pub mod remote;
pub mod schedule;
pub mod serve;
pub mod source;
