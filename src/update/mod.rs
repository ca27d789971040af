//! Replacing the system it runs on, and knowing whom to believe about it.
//!
//! ```text
//! HTTPS ─> fetch ─┐
//! upload, stick ──┴─> trust: is this metadata genuine, complete and not an older one? ─> Target
//! ```
//!
//! [`trust`] is pure: The Update Framework's client workflow over any place that metadata may come
//! from. [`fetch`] gets bytes over the network and believes none of them. [`tuf_client`] joins the
//! two for anybody with a command line.

pub mod fetch;
pub mod trust;
pub mod tuf_client;
