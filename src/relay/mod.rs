//! The front door and everything that joins two peers.
