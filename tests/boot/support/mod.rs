//! A flashed disk, a machine around it, and somebody who sits at its console.
//!
//! ```text
//! Image (output/MODEL) ──> Disk (a copy, damaged or not) ──> Machine (QEMU) ──> screen, pages
//!    └─> Variant (another root, signed the same way) ──> a slot of a Disk
//! ```
//!
//! Waiting is for words on the console or for a page, at most [`BOOT`] for each step.

mod admin;
pub mod disk;
pub mod image;
pub mod machine;
pub mod page;
#[path = "../../scenario/support/ports.rs"]
pub mod ports;
mod progress;
mod recorded;
pub mod screen;
mod seed;
mod stick;
#[path = "../../scenario/support/tls.rs"]
pub mod tls;
pub mod variant;

pub use admin::{Admin, DECIDED};
pub use disk::Disk;
pub use image::Image;
pub use machine::{Machine, Setup};
pub use progress::Progress;
pub use recorded::{Course, Recorded};
pub use seed::Seed;
pub use stick::Stick;
pub use variant::Variant;

use std::process::Command;
use std::time::Duration;

/// Power on to a page on a loaded machine without virtualisation takes a minute or two.
pub const BOOT: Duration = Duration::from_secs(300);

/// Runs a tool to its end.
///
/// # Panics
///
/// If it fails, with what it said.
pub fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}{complained}");
    said
}
