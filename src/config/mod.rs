//! The start-up file and the folders, as checked values, once, before anything else runs.
//!
//! `appliance.toml` in the state directory holds what was chosen when the appliance was set up;
//! arguments of `scripts/run` change it. Not here: settings an administrator changes while it
//! runs (they live in the store).

mod file;
pub mod generation;
pub mod paths;
pub mod ready;

pub use file::{Config, ConfigError};
pub use generation::Generation;
pub use paths::{ON_APPLIANCE, Paths};
pub use ready::Ready;
