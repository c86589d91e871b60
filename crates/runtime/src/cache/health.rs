//! Circuit breaker for Redis: one failed call opens it, and a successful probe closes it.

use std::sync::atomic::{AtomicBool, Ordering};

/// Up until a call fails; up again when a probe succeeds.
#[derive(Default)]
pub(super) struct Health {
    down: AtomicBool,
}

impl Health {
    pub(super) fn is_up(&self) -> bool {
        !self.down.load(Ordering::Acquire)
    }

    /// True for the first caller that sees the outage: it reports it and starts the probe.
    pub(super) fn went_down(&self) -> bool {
        !self.down.swap(true, Ordering::AcqRel)
    }

    pub(super) fn came_up(&self) {
        self.down.store(false, Ordering::Release);
    }
}
