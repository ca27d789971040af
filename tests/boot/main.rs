//! The image in a machine: QEMU with UEFI firmware, emulated, so every start takes its time.
//!
//! `scripts/test` runs these one or two at a time after `scripts/build-image --model b200`;
//! `JUMPGATE_IMAGE` and `JUMPGATE_KEYS` name another image and its keys. What takes many starts is
//! in the nightly run only; what takes several nights keeps in `target/tmp` how far it came. Start at
//! [`support`].

#![allow(clippy::unwrap_used)]

#[path = "../update/server.rs"]
mod server;
mod support;

mod contents;
mod crash;
mod fallback;
mod fetch;
mod formats;
mod hardware;
mod installer;
mod life;
mod network;
mod power;
mod secure_boot;
mod stick;
mod storage;
mod update;

/// Whether there is time for many starts.
fn nightly() -> bool {
    std::env::var_os("JUMPGATE_NIGHTLY").is_some()
}

/// Leaves a test that has many starts to the nightly run, and says so.
macro_rules! only_nightly {
    () => {
        if !crate::nightly() {
            eprintln!("left to scripts/test --nightly");
            return;
        }
    };
}
use only_nightly;
