//! The hands: the one process that may write to disks. Root, no network; does a few plain things.
//!
//! ```text
//! verify ─> Order ─> serve ─> slot (partition)   ─> Answer ─> verify
//!                         ├─> esp (boot partition)
//!                         └─> record (what was trusted, decided, tried) ─> control (audit)
//! ```
//!
//! Every order may be given again, and is harmless then. It never touches the slot that runs: it
//! does not even know its name, only the other one's. What it is told about a version it checks
//! against what reached the disk before that becomes startable.
//!
//! Start at [`serve`].

mod buffer;
pub mod facts;
pub mod kept;
mod partition;
pub mod record;
pub mod serve;
pub mod slot;
