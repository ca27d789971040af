//! The update agent's trust against the reference implementation of The Update Framework: what that
//! makes is believed, and each attack that the specification names is refused.
//!
//! `repository.py` makes the repositories, in Python; scripts/test installs what it needs.

#![allow(clippy::unwrap_used)]

mod accepted;
mod attacks;
mod program;
mod support;
