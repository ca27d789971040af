//! From a handed-over connection to a page's function, and back.
//!
//! ```text
//! relay ─> serve (preamble: who) ─> envelope (number, deadline, sender, headers) ─> page
//!                                            <─ page, or Failure, which envelope renders
//! ```
//!
//! The client's address comes from the preamble and from nowhere else. Start at [`mod@serve`]. Not
//! here: what pages say.

pub(crate) mod cookie;
mod csrf;
mod envelope;
mod failure;
mod file_body;
mod headers;
mod own_answer;
mod proxy;
mod serve;
mod sign_in;

pub(crate) use envelope::envelope;
pub(crate) use failure::Failure;
pub(crate) use file_body::FileBody;
#[cfg(fuzzing)]
pub use proxy::fuzz as fuzz_preamble;
pub use serve::serve;
pub(crate) use sign_in::{Administrator, OpenForm, Peer, SignedForm, SignedIn};

#[cfg(test)]
pub(crate) use proxy::tests::preamble;
