//! Just enough HTTP and WebSocket for the front door. Bytes in, bytes out.
//!
//! ```text
//! first request's head ─ head ─┬─ a page: handed over with a `proxy` preamble
//!                              ├─ GET /link, upgrade: `websocket`
//!                              └─ plain HTTP: `answer::redirect`
//! ```
//!
//! A connection is classified once, by its first request; everything after a hand-over is the web
//! side's business. Start at [`head`].

pub mod answer;
pub mod head;
pub mod proxy;
pub mod websocket;
