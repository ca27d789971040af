//! Numbers that several threads raise.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that goes up and down.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// One more.
    pub fn up(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// One fewer.
    pub fn down(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// Now.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the relay's ring threads count.
#[derive(Debug, Default)]
pub struct Counters {
    /// TLS or first request not finished.
    pub arriving: Counter,
    /// Browsers reading pages.
    pub pages: Counter,
    /// Since start.
    pub accepted: Counter,
    /// Since start.
    pub closed_for_fault: Counter,
}
