//! One support session, as pure decisions: what state follows what, who may do what.
//!
//! ```text
//! key ──used──> state: Waiting ──accepted──> Accepted ──closed──> Ended
//!                         ^──held, owner gone───┘  │ each tool: consent
//! ```
//!
//! Time comes in as an argument and nothing here sends or stores; the relay's hub does both with
//! the answers. Start at [`state`].

pub mod consent;
pub mod guess;
pub mod key;
pub mod policy;
pub mod state;

pub use consent::Consent;
pub use guess::Guesses;
pub use state::{Presence, Session};
