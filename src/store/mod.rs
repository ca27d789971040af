//! The appliance's memory: SQLite (WAL, STRICT tables, foreign keys on), a file per aggregate.
//!
//! ```text
//! relay, web ─> Database::write ─> one IMMEDIATE transaction ─> accounts, sessions, … (+ audit)
//!               Database::read  ─> one consistent snapshot
//! ```
//!
//! Each process that uses the store has one [`Database`], and so one writing connection. WAL lets
//! readers go on while somebody writes, and lets one writer in at a time. A transaction that
//! writes says so when it begins (IMMEDIATE): it may wait for its turn, but never holds a snapshot
//! that another's commit has made useless, so two processes cannot lock each other out. A commit
//! that returned is on the disk (`synchronous=FULL`): `kill -9` or a power cut loses nothing that
//! was acknowledged.
//!
//! Only the relay calls [`Database::create_or_migrate`]; everybody else uses [`Database::open`]. On
//! an image every version has a store of its own, and a way back: [`generation`], [`journal`].
//!
//! Start at [`database`]. Not here: the audit table's content ([`crate::audit`]) and the
//! transcripts' bytes, which are files; the store keeps their names, sizes and hashes.

pub mod accounts;
mod column;
pub mod database;
pub mod entries;
mod error;
pub mod generation;
pub mod journal;
pub mod jump_clients;
pub mod known_browsers;
pub mod news;
pub mod open_shells;
pub mod session_keys;
pub mod sessions;
pub mod settings;
pub mod sign_ins;
pub mod transcripts;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use database::{Database, SCHEMA_VERSION, size_bytes};
pub use error::StoreError;

// What the functions of the aggregates take, so that callers need not name the library.
pub use rusqlite::{Connection, Transaction};
