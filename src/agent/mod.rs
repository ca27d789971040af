//! What the remote programs share: reaching the appliance, and what a customer's side knows.
//!
//! ```text
//! names, proxy, TCP, TLS ── dial ──> bytes ─> customer ─> Effect (show, ask, open a shell)
//!                                             customer <─ what was typed, what a shell did
//! ```
//!
//! [`customer`], [`log`] and [`shells`], [`backoff`] and [`proxy`] are pure: the simulator runs them
//! as they are. [`dial`] is the only file here that opens a socket. Start at [`customer`].
//! Not here: the terminal and real shells ([`crate::endpoint`]).

pub mod backoff;
pub mod customer;
pub mod dial;
pub mod log;
pub mod names;
pub mod pin;
pub mod proxy;
pub mod shells;
#[cfg(all(test, feature = "appliance"))]
pub(crate) mod stand_in;

pub use backoff::Backoff;
pub use customer::{Customer, Effect, End, PromptEnd};
pub use dial::{DialError, Dialed, Dialer};
