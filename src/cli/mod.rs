//! The local command.
