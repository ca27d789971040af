//! `appliancectl console`: what stands on the machine's own screen and on its serial line.
//!
//! ```text
//! bytes ─> key ──┐
//! clock ─────────┼─> state (a view each for what can be done) ─> screen ─> paint ─> bytes
//! ask: news, answers ─┘        └─> Order ─> ask ─> supervisor, relay
//! ```
//!
//! Everything but [`terminal`] and [`ask`] is pure: keys, news and time in, screens and orders out.
//! There is no way out to a shell, and whoever stands here is taken for the owner of the machine.
//! It needs nobody: before the supervisor answers it says so, and asks again.
//!
//! Start at [`state`]. What is said is in [`words`], and nowhere else.

mod ask;
mod bundle;
mod confirm;
mod details;
mod entry;
mod frame;
mod home;
mod key;
mod network;
mod paint;
mod password;
mod screen;
mod state;
mod summary;
mod terminal;
#[cfg(test)]
mod tests;
mod update;
mod wipe;
mod words;
mod world;

pub(super) use terminal::{ConsoleError, run};
