//! The customer client on Linux: a terminal, shells, and the customer's say over both.
//!
//! ```text
//! stdin ─> terminal ─┐                  ┌─> terminal ─> stdout
//! shell ── output ───┼─ run ─ Customer ─┼─> shell (PTY)
//! link ── bytes ─────┘                  └─> link
//! ```
//!
//! Every decision is [`crate::agent::Customer`]'s; here are the hands. Start at [`run`]; every
//! English sentence is in [`words`].

pub mod facts;
pub mod line;
pub mod options;
pub mod remove;
pub mod run;
pub mod seat;

pub mod shell;
pub mod terminal;
pub mod window;
pub mod words;

mod carry;
mod sys;
