//! The front door for everything, and what joins two peers.
//!
//! ```text
//!              ┌ shard (a thread per core) ──────────────────────────┐
//! socket ─ net ┤ tls ─ http? ─ peer ─ exchange ── data ── exchange … │
//!              └───────────────────────┬──────────────────▲──────────┘
//!                                messages, arrivals     effects
//!                                      ▼                  │
//! control ── orders ───────────────>  hub (one thread, pure) ── records ─> recorder ─> store
//! ```
//!
//! [`hub`] makes every decision about peers, queues and sessions; [`exchange`] moves frames by the
//! routes the hub gave it. Both are pure and the simulator runs them. [`shard`] feeds them from
//! sockets. Bytes flow without waiting for the store; what must be on record takes effect when
//! the recorder says so.

pub mod ceiling;
pub mod clock;
pub mod control;
pub mod exchange;
pub mod generations;
pub mod handover;
pub mod hub;
pub mod hub_thread;
pub mod identities;
mod places;
mod pool;
pub mod recorder;
pub mod run;
pub mod shard;
pub mod transcripts;
mod update_record;
