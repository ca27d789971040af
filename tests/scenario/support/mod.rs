//! Real programs and the people around them.
//!
//! ```text
//! Console (WebSocket) ──┐                        ┌── Customer (the real program, by pipes)
//! Raw (anything else) ──┴─> Appliance (real) <───┼── Peer (link protocol, spoken in the test)
//!                                                └── Line (a way there that can be cut)
//! ```
//!
//! Everybody waits for conditions, at most [`SOON`]. Start at [`Appliance`]. `tests/bench` uses
//! this too.

pub mod appliance;
pub mod console;
pub mod customer;
pub mod fleet;
pub mod line;
pub mod peer;
pub mod ports;
pub mod raw;
pub mod tls;

pub use appliance::{Appliance, Representative};
pub use console::{Console, Pace};
pub use customer::Customer;
pub use fleet::Fleet;
pub use line::Line;
pub use peer::Peer;
pub use raw::Raw;

use std::time::Duration;

use tokio::time::Instant;

/// Long enough for a loaded machine; nothing waits for it when all is well.
pub const SOON: Duration = Duration::from_secs(30);

/// Looks until there is something to see.
///
/// # Panics
///
/// If that takes longer than [`SOON`].
pub async fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + SOON;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "not within {SOON:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
