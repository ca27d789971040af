//! What each program may still do.
