//! Whether Redis answers. A request meets an outage once; after that nobody asks Redis until a probe got through.

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

    /// True for the one caller that noticed the outage: it reports it and starts the probe.
    pub(super) fn went_down(&self) -> bool {
        !self.down.swap(true, Ordering::AcqRel)
    }

    pub(super) fn came_up(&self) {
        self.down.store(false, Ordering::Release);
    }
}
