//! Bytes over HTTP and HTTPS, of which none are believed.
//!
//! ```text
//! verify ─> Wish ─> serve ─> Transport::get(address, from, bytes_max) ─> Body: reads up to bytes_max
//!        <─ Fetched <─     <─                                            bytes, never stalls for ever
//! ```
//!
//! What protects an update is the signatures in [`super::trust`]; TLS only keeps others from
//! watching and disturbing. A transfer that broke off goes on where it stopped: ask again with `from`.

mod body;
mod serve;
#[cfg(test)]
mod tests;
mod transport;

pub use body::Body;
pub use serve::serve;
pub use transport::{Authorities, Plaintext, Settings, Transport};

/// Why bytes did not come.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// An address or a proxy that is none, or HTTP where HTTPS is asked for.
    #[error("'{address}' cannot be fetched: {why}")]
    Address {
        /// As given.
        address: String,
        /// What is wrong with it.
        why: String,
    },
    /// Nothing beyond the limit was read.
    #[error("'{address}' is longer than {limit} bytes")]
    TooLong {
        /// Where.
        address: String,
        /// Bytes.
        limit: u64,
    },
    /// The server says no.
    #[error("the server answers {status} for '{address}'")]
    Status {
        /// Where.
        address: String,
        /// By HTTP.
        status: u16,
    },
    /// No name, no connection, no valid certificate, silence.
    #[error("'{address}' cannot be reached: {why}")]
    Unreachable {
        /// Where.
        address: String,
        /// What happened.
        why: String,
    },
    /// Asked to go on somewhere, the server went on elsewhere.
    #[error("the server sends another part of '{address}' than the one from byte {from}")]
    OtherPart {
        /// Where.
        address: String,
        /// What was asked for.
        from: u64,
    },
}

impl FetchError {
    /// Whether it may be another time.
    pub fn passes(&self) -> bool {
        !matches!(self, Self::Address { .. } | Self::TooLong { .. })
    }
}
