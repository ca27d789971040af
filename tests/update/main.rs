//! The update agent whole: real signing, real trust, real files in the place of partitions.
//!
//! `board/common/update.py` makes what is handed in, as for customers. What needs a booted machine
//! (boot loader, fallback, sandbox) is in `tests/boot`.

#![allow(clippy::unwrap_used)]

mod appliance;
mod clock;
mod command_line;
mod disk;
mod hostile;
mod install;
mod online;
mod server;
mod trust;
mod vendor;
