//! Whom to believe: a client of The Update Framework, specification 1.0.34.
//!
//! ```text
//! kept TrustedSet ─> Client <── Repository (bundle, HTTPS server, folder)
//!                      │ refresh: root N to N+k, timestamp, snapshot, targets
//!                      ├─> newer TrustedSet, to be kept
//!                      ├─> Evidence: which version of which role, signed by which keys, until when
//!                      └─> Target: length, hashes and our own words about one file
//! ```
//!
//! Bytes come in through [`Repository`], the time through [`Policy`]; nothing here reads a clock, a
//! file or a socket. Of each file only the outer shape is read before its signatures are checked.
//!
//! Start at [`client`], which follows section 5 of the specification step by step. Not here: where
//! the trusted set is kept, and what a target is good for.

mod canonical;
pub mod client;
mod delegation;
mod envelope;
mod error;
mod evidence;
mod file;
mod json;
mod key;
mod malformed;
mod roles;
mod search;
mod set;
mod spki;
mod target;
#[cfg(test)]
mod tests;

pub use client::{Client, Expiry, Policy, Repository, Versions};
pub use error::{RefreshError, TrustError};
pub use evidence::Evidence;
pub use file::quoted;
pub use json::{BadJson, Json};
pub use set::{BadSet, TrustedSet};
pub use target::{Check, Hashes, Target};

/// For the fuzzer and the smoke run: whatever comes ends in a value or an error, and what was read
/// means the same when it is written.
#[cfg(any(test, fuzzing))]
pub fn fuzz(data: &[u8]) {
    json::fuzz(data);
    envelope::fuzz(data);
    roles::fuzz(data);
    delegation::fuzz(data);
    spki::fuzz(data);
    set::fuzz(data);
}
