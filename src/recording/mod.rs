//! The recorded session's format.
