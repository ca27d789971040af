//! The local socket between our own programs: the only door into a running relay.
//!
//! ```text
//! web, appliancectl, supervisor ─> client ─> Request ─> server (a thread of relay) ─> hub, store
//!                                         <─ Reply  <─
//! ```
//!
//! One request, one reply, in order, on a Unix socket in the state directory. Each is JSON behind
//! a 4-byte big-endian length of at most [`crate::domain::limits::CONTROL_BYTES_MAX`]. Who may
//! connect is decided by the socket's permissions. Start at [`request`]. On an appliance image the
//! supervisor answers too, about the machine: [`machine`].

pub mod client;
pub mod machine;
pub mod reply;
pub mod request;
pub mod stick;
pub mod update;
pub mod update_client;
pub mod wire;

/// What [`Reply::Status`] carries, for those who ask without counting themselves.
pub use crate::metrics::{Sessions, Snapshot};
pub use client::Client;
pub use machine::MachineClient;
pub use reply::Reply;
pub use request::Request;
pub use update_client::UpdateClient;
