//! Installing from a stick: which disks can take the appliance, and which one is meant.
//!
//! ```text
//! disks of the machine ─> Offer ─> list for people, who choose and confirm
//!                            └──> unattended: the one that can be meant, or why there is none
//! ```
//!
//! Nothing is written to a disk that was not named here. What disks say of themselves is text of
//! strangers: [`plain`] makes it fit for a console.
//!
//! Start at [`Offer`]. Not here: asking, and every read or write (`init/installer`).

pub mod offer;
pub mod unattended;

pub use offer::{Holds, Offer, Unsuitable, plain};
pub use unattended::{Unattended, Undecided};
