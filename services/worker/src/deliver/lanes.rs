//! Places for attempts. An endpoint that answers soon has a place in the fast lane. An attempt that takes longer moves to the slow lane, and
//! one that finds no place there ends; an endpoint that failed begins in the slow lane. So endpoints that hang, however many, keep the fast
//! lane from nobody for longer than a moment.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Time after which an attempt leaves the fast lane.
const SOON: Duration = Duration::from_millis(250);
/// Calls of the database at a time: the others of the pool are those of requests and of the reconcile.
const CALLS: usize = 4;

pub(super) struct Lanes {
    fast: Arc<Semaphore>,
    slow: Arc<Semaphore>,
    calls: Semaphore,
    endpoints: AtomicUsize,
}

/// A place for the attempts at one endpoint.
pub(super) struct Place {
    fast: Option<OwnedSemaphorePermit>,
    slow: Option<OwnedSemaphorePermit>,
}

impl Lanes {
    pub(super) fn new(fast: usize, slow: usize) -> Self {
        Self {
            fast: Arc::new(Semaphore::new(fast)),
            slow: Arc::new(Semaphore::new(slow)),
            calls: Semaphore::new(CALLS),
            endpoints: AtomicUsize::new(1),
        }
    }

    /// A place; none where the slow lane is full. Semaphores are never closed.
    pub(super) async fn place(&self, failing: bool) -> Option<Place> {
        if failing {
            return Some(Place { fast: None, slow: Some(Arc::clone(&self.slow).try_acquire_owned().ok()?) });
        }
        Some(Place { fast: Some(Arc::clone(&self.fast).acquire_owned().await.ok()?), slow: None })
    }

    /// Makes an attempt in its lane; none when it took long and no place was left for it.
    pub(super) async fn attempt<T>(&self, place: &mut Place, attempt: impl Future<Output = T>) -> Option<T> {
        if place.fast.is_none() && place.slow.is_none() {
            place.fast = Arc::clone(&self.fast).acquire_owned().await.ok();
        }
        let mut attempt = std::pin::pin!(attempt);
        if place.fast.is_some() {
            if let Ok(done) = timeout(SOON, &mut attempt).await {
                return Some(done);
            }
            place.slow = Some(Arc::clone(&self.slow).try_acquire_owned().ok()?);
            place.fast = None;
        }
        let done = attempt.await;
        // The next attempt begins in the fast lane: this one may have been slow by chance.
        place.slow = None;
        Some(done)
    }

    /// Calls the database, a few at a time.
    pub(super) async fn call<T>(&self, call: impl Future<Output = T>) -> T {
        let _turn = self.calls.acquire().await.ok();
        call.await
    }

    pub(super) fn note_endpoints(&self, endpoints: usize) {
        self.endpoints.store(endpoints, Ordering::Relaxed);
    }

    /// True unless the last round found no active endpoint.
    pub(super) fn has_endpoints(&self) -> bool {
        self.endpoints.load(Ordering::Relaxed) > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;
    use std::time::Instant;
    use tokio::task::JoinSet;

    async fn hang(lanes: Arc<Lanes>, failing: bool) -> bool {
        let Some(mut place) = lanes.place(failing).await else { return false };
        lanes.attempt(&mut place, pending::<()>()).await.is_some()
    }

    /// A thousand endpoints that hang, and one that does not.
    #[tokio::test(start_paused = true)]
    async fn pe16_endpoints_that_hang_delay_nobody_for_long() {
        let lanes = Arc::new(Lanes::new(256, 512));
        let mut hanging = JoinSet::new();
        for _ in 0..1_000 {
            hanging.spawn(hang(Arc::clone(&lanes), false));
        }
        // All of them stand in line before the one that answers: a turn of the runtime polls only some of its tasks.
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        let begun = tokio::time::Instant::now();
        let mut place = lanes.place(false).await.expect("a place");
        assert_eq!(lanes.attempt(&mut place, async { 7 }).await, Some(7));
        let waited = begun.elapsed();
        assert!(waited <= Duration::from_secs(1), "{waited:?}");
        assert!(
            lanes.place(true).await.is_none(),
            "the slow lane is full, and one that failed waits for a later round"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn pe16_an_attempt_that_takes_long_is_finished_where_there_is_room() {
        let lanes = Lanes::new(1, 1);
        let mut place = lanes.place(false).await.expect("a place");
        let slow = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            Instant::now()
        };
        assert!(lanes.attempt(&mut place, slow).await.is_some());
        assert_eq!(lanes.slow.available_permits(), 1);
        assert!(lanes.attempt(&mut place, async {}).await.is_some());
        assert_eq!(lanes.fast.available_permits(), 0, "it is in the fast lane again");
        drop(place);
        assert_eq!(lanes.fast.available_permits(), 1);
    }
}
