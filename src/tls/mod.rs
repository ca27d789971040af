//! Ciphertext in, plaintext out. No sockets, no files: bytes in and out, keys as arguments.
//!
//! ```text
//! ciphertext ─> Pipe::receive ─> plaintext        (the first bytes choose the configuration:
//! plaintext  ─> Pipe::send ─> take_ciphertext      ALPN `jumpgate/1` gets the link key)
//! ```
//!
//! rustls with the **ring** provider, always named explicitly. Start at [`pipe`]; [`identity`]
//! makes keys and certificates. The record layer may be replaced behind [`Pipe`] without anybody
//! above noticing.

pub mod identity;
pub mod pipe;

pub use identity::Identity;
pub use pipe::{Configs, Pipe, TlsError};
