//! A store of its own for every version of an image, so that an update can be taken back.
//!
//! ```text
//! store/appliance-6.db     untouched since version 7 was started
//! store/appliance-7.db     its copy, migrated by version 7
//! store/trial-7.journal    every row that version 7 wrote since (crate::store::journal)
//! store/current            "6" until version 7 has proved itself, then "7"
//! ```
//!
//! [`mod@plan`] decides (pure), [`fn@prepare`] does it, `keep` is for later: backups, and what may go.
//! A copy counts once its journal is there, which appears last: until then a start that was
//! cut off leaves nothing that the next one would use. Without an image there is one store,
//! `appliance.db`, and nothing of this.
//!
//! Not here: taking the rows of a journal over ([`crate::relay`] joins store and audit chain).

pub(super) mod files;
mod keep;
pub mod plan;
mod prepare;
#[cfg(test)]
mod tests;

use std::path::Path;

pub use files::{Name, journal_aside, journal_file, point_to};
pub use keep::{back_up, put_aside, sweep};
pub use plan::Pointer;
pub use prepare::{Prepared, Step, prepare};

/// Whether the store of image `own`, which was started on trial, still is: its version has not
/// proved itself. Asks the folder each time, so every program hears of the proof at once.
pub fn is_on_trial(folder: &Path, own: u32) -> bool {
    files::pointer(folder) != Pointer::To(Name::Numbered(own))
}
