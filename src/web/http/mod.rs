//! From a handed-over connection to a page's function, and back.
//!
//! ```text
//! relay ─> serve (preamble: who) ─> envelope (number, deadline, sender, headers) ─> page
//!                                            <─ page, or Failure, which envelope renders
//! ```
//!
//! The client's address comes from the preamble and from nowhere else. Start at [`serve`]. Not
//! here: what pages say.

pub mod cookie;
pub mod csrf;
mod envelope;
mod failure;
mod file_body;
pub mod headers;
pub mod proxy;
mod serve;
mod sign_in;

pub use envelope::{RequestNumber, envelope};
pub use failure::{Failure, Words};
pub use file_body::FileBody;
pub use serve::serve;
pub use sign_in::{Administrator, OpenForm, Peer, SignedForm, SignedIn};
