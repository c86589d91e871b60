//! Debounces wake-ups: the first one of a tenant goes out at once, and those that follow closely go out as one.
//!
//! A provider that pushes a thousand people wakes tenant T a thousand times in a second. Only one worker at a time holds the
//! lease of T, so the other wake-ups would cost a message and a round trip to the database each, for nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use super::Lane;
use crate::telemetry::TraceContext;

/// Least interval between wake-ups of one tenant and lane. It is about as long as a reconcile of one change, and no
/// person notices it.
const APART: Duration = Duration::from_millis(25);

type Key = (Uuid, Lane);

/// Tenants that were woken within [`APART`], and whether they are due for one more wake-up. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Pace {
    recent: Arc<Mutex<HashMap<Key, Option<TraceContext>>>>,
}

impl Pace {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Option<TraceContext>>> {
        // Every change under the lock is complete at each point where it could panic.
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `send` now, or marks the tenant for the end of its interval. False when it was marked already.
    pub(super) fn wake(
        &self,
        key: Key,
        trace: TraceContext,
        send: impl Fn(Key, TraceContext) + Send + 'static,
    ) -> bool {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            send(key, trace);
            return true;
        };
        let mut recent = self.lock();
        if let Some(again) = recent.get_mut(&key) {
            return again.replace(trace).is_none();
        }
        recent.insert(key, None);
        drop(recent);
        send(key, trace);
        let pace = self.clone();
        runtime.spawn(async move {
            loop {
                tokio::time::sleep(APART).await;
                match pace.due(key) {
                    Some(trace) => send(key, trace),
                    None => return,
                }
            }
        });
        true
    }

    /// The wake-up to send at the end of the interval; without one, the tenant is forgotten.
    fn due(&self, key: Key) -> Option<TraceContext> {
        let mut recent = self.lock();
        let again = recent.get_mut(&key).and_then(Option::take);
        if again.is_none() {
            recent.remove(&key);
        }
        again
    }

    /// All marked wake-ups, before the end of their interval.
    pub(super) fn rush(&self) -> Vec<(Key, TraceContext)> {
        let mut recent = self.lock();
        recent.iter_mut().filter_map(|(key, again)| Some((*key, again.take()?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn key(number: u128, lane: Lane) -> Key {
        (Uuid::from_u128(number), lane)
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_wakes_at_once_and_once_more_and_tenants_and_lanes_do_not_wait_for_each_other() {
        let (sender, sent) = mpsc::channel();
        let pace = Pace::default();
        let wake = |key| {
            let sender = sender.clone();
            pace.wake(key, TraceContext::default(), move |key, _| sender.send(key).unwrap())
        };
        let (first, other, bulk) = (key(1, Lane::Push), key(2, Lane::Push), key(1, Lane::Bulk));
        assert_eq!([wake(first), wake(first), wake(first), wake(other), wake(bulk)], [true, true, false, true, true]);
        assert_eq!(sent.try_iter().collect::<Vec<_>>(), [first, other, bulk]);
        tokio::time::sleep(APART * 2).await;
        assert_eq!(sent.try_iter().collect::<Vec<_>>(), [first]);
        tokio::time::sleep(APART * 2).await;
        assert!(pace.lock().is_empty(), "a quiet tenant is forgotten");
        assert!(wake(first), "and is woken at once when it has something again");
        assert_eq!(sent.try_iter().collect::<Vec<_>>(), [first]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_does_not_wait() {
        let pace = Pace::default();
        for _ in 0..2 {
            pace.wake(key(1, Lane::Push), TraceContext::default(), |_, _| {});
        }
        let rushed: Vec<Key> = pace.rush().into_iter().map(|(key, _)| key).collect();
        assert_eq!(rushed, [key(1, Lane::Push)]);
        assert!(pace.rush().is_empty());
    }
}
