//! The secure update agent: from bytes that anybody may have sent to a version that proved itself.
//!
//! ```text
//! web, appliancectl, a stick ──> verify (no network, no disk) ──> write (root, no network)
//! a server by HTTPS <── fetch ──────┘  trust, manifest, chunks       slot, boot loader, journal
//! ```
//!
//! One program, `update-agent`, in three processes. Everything that strangers wrote is taken apart in
//! `verify`; `write` does a few plain things, each of which it checks again for itself, because it
//! may write to disks; `fetch` gets bytes and believes none of them. [`tuf_client`] joins [`trust`]
//! and [`fetch`] for anybody with a command line.
//!
//! Start at [`bundle`] and [`manifest`] for what an update is, [`trust`] for whom to believe about it,
//! and [`mod@write`] for how it reaches the disk. Not here: the proof of a version in its first boot
//! (`supervisor`), and the migration of the store (`store`).

pub mod bundle;
pub mod fetch;
pub mod manifest;
pub mod roles;
pub mod trust;
pub mod tuf_client;
pub mod verify;
pub mod wire;
pub mod write;

use std::time::SystemTime;

use crate::domain::Stamp;

/// The calendar, as this machine has it.
fn now() -> Stamp {
    Stamp::of(SystemTime::now())
}
