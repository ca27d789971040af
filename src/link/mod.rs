//! What a peer and the appliance say to each other once TLS is up.
//!
//! ```text
//! bytes received ─> frame ─> handshake, then channel ─> Incoming
//! Message, data  ─> frame ─> bytes to send
//! ```
//!
//! A [`Connection`] owns no socket and reads no clock; its caller brings bytes and moments. The
//! same code therefore runs in the relay, in the endpoint and in the simulator. The browser
//! speaks the same frames inside WebSocket messages (`src/web/ts/link/`).
//!
//! Start at [`connection`]; [`message`] lists what can be said. Not here: who may join which
//! session ([`crate::session`]).

pub mod channel;
pub mod connection;
pub mod error;
pub mod frame;
pub mod message;
pub mod retained;

pub use connection::{Connection, Incoming};
pub use error::LinkError;
pub use frame::{Frame, FrameKind};
pub use retained::Retained;

/// The link protocol's id in TLS ALPN (RFC 7301).
pub const ALPN: &[u8] = b"jumpgate/1";
/// The same for an installed machine, which proves its device key by a client certificate.
pub const DEVICE_ALPN: &[u8] = b"jumpgate-device/1";
/// The only version there is. A hello names the lowest and highest its sender speaks.
pub const VERSION: u16 = 1;
