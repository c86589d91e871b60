//! Repeats a wake-up that came too early (lease taken, back-off running) when the wait is over.

use rollcall_runtime::{Lane, Queue};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use uuid::Uuid;

/// Longest wait; the sweep finds tenants that are due later.
const LONGEST: Duration = Duration::from_secs(60);

/// At most one timer per tenant, however many wake-ups were turned away.
pub(crate) struct Recheck {
    queue: Queue,
    waiting: Mutex<HashSet<Uuid>>,
}

impl Recheck {
    pub(crate) fn new(queue: Queue) -> Self {
        Self { queue, waiting: Mutex::default() }
    }

    pub(crate) fn after(self: &Arc<Self>, tenant: Uuid, lane: Lane, wait: Duration) {
        if wait > LONGEST || !self.lock().insert(tenant) {
            return;
        }
        let this = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            this.lock().remove(&tenant);
            this.queue.wake(tenant, lane);
        });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<Uuid>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
