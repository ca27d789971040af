//! Jumpgate: the programs of a remote-support appliance and of the machines it supports.
//!
//! Pure folders (no sockets, files, clocks or threads): [`domain`], [`link`], [`session`],
//! [`tls`], [`http`], [`recording`], [`boot`], [`update::trust`]. One kind of I/O each: [`net`],
//! [`store`], [`audit`], [`control`], [`config`], [`metrics`], [`esp`]. Programs: the rest, and
//! `src/bin/`. README.md draws how data moves; `tests/tidy.rs` holds the folders to what they may
//! import.

pub mod domain;
pub mod link;
pub mod session;

#[cfg(any(feature = "appliance", feature = "firmware"))]
pub mod boot;
#[cfg(feature = "firmware")]
pub mod init;

#[cfg(feature = "appliance")]
pub mod audit;
#[cfg(feature = "appliance")]
pub mod cli;
#[cfg(feature = "appliance")]
pub mod config;
#[cfg(feature = "appliance")]
pub mod control;
#[cfg(feature = "appliance")]
pub mod esp;
#[cfg(feature = "appliance")]
pub mod http;
#[cfg(feature = "appliance")]
pub mod metrics;
#[cfg(feature = "appliance")]
pub mod net;
#[cfg(feature = "appliance")]
pub mod recording;
#[cfg(feature = "appliance")]
pub mod relay;
#[cfg(feature = "appliance")]
pub mod sandbox;
#[cfg(feature = "appliance")]
pub mod store;
#[cfg(feature = "appliance")]
pub mod supervisor;
#[cfg(feature = "appliance")]
pub mod tls;
#[cfg(feature = "appliance")]
pub mod update;
#[cfg(feature = "appliance")]
pub mod web;

#[cfg(feature = "agent")]
pub mod agent;
#[cfg(feature = "agent")]
pub mod endpoint;
