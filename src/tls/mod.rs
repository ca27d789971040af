//! Ciphertext in, plaintext out. No sockets, no files: bytes in and out, keys as arguments.
//!
//! ```text
//! ciphertext ─> Pipe::receive ─> plaintext    first bytes: which configuration (ALPN), `handshake`
//! plaintext  ─> Pipe::send ───> ciphertext    then TLS 1.3: `records`, by `keys`, where it lies
//! ```
//!
//! Handshakes are rustls' with the **ring** provider, always named explicitly. After a TLS 1.3
//! handshake rustls hands over the keys and their secrets, by which key updates go on (`secrets`);
//! records are opened and sealed here by ring, in the buffer that they are in, which is what most of a relay's time goes to. TLS 1.2,
//! which only browsers speak, stays with rustls. Start at [`pipe`]; [`identity`] makes keys and
//! certificates.

mod configs;
mod device;
mod error;
pub mod estate;
#[cfg(any(test, fuzzing))]
mod fuzz;
mod handshake;
pub mod identity;
mod keys;
pub mod pipe;
mod records;
mod secrets;
#[cfg(any(test, fuzzing))]
mod stand_in;

pub use configs::{Caller, Configs, LinkIds};
pub use error::TlsError;
#[cfg(any(test, fuzzing))]
pub use fuzz::fuzz;
pub use identity::Identity;
pub use pipe::Pipe;
