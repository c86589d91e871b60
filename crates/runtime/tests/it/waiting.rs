//! Waits for a condition, with a deadline instead of a guess.

use std::future::Future;
use std::time::{Duration, Instant};

/// Generous, because the machine may be busy. A test that passes never waits this long.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(5);

/// Polls until `condition` holds; fails the test with `what` after the deadline.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    until_async(what, async || condition()).await;
}

/// Polls an asynchronous condition.
pub(crate) async fn until_async(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// Awaits a future that must not hang.
pub(crate) async fn ends<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(value) => value,
        Err(_) => panic!("did not end within {DEADLINE:?}: {what}"),
    }
}
