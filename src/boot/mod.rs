//! What lies on an appliance's disk, and what its boot loader says about it.
//!
//! ```text
//! GRUB: environment block, slot descriptions ─> order of slots ─> kernel command line
//! init: command line, partition tables ─> disk, verified root ─> Facts for what runs later
//! ```
//!
//! Decoders are strict: what they do not know they refuse, because everything here was written by
//! ourselves or was damaged. Bytes come in as arguments, so `init`, the health gate and the update
//! agent read by the same code.
//!
//! Start at [`slot`] for the words, [`order`] for what the boot loader does with them, and
//! [`table`] for the disk. Not here: who signs what, and every read or write.

pub mod command_line;
pub mod description;
pub mod disk;
pub mod environment;
pub mod facts;
pub mod guid;
pub mod install;
pub mod modules;
pub mod order;
pub mod pairs;
pub mod release;
pub mod slot;
pub mod stamp;
pub mod table;
pub mod verity;

pub use command_line::CommandLine;
pub use description::Description;
pub use environment::Environment;
pub use facts::Facts;
pub use guid::Guid;
pub use release::Release;
pub use slot::{Slot, System};
pub use stamp::BootStamp;
pub use table::Table;
pub use verity::Verity;
