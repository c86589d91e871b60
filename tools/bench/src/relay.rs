//! Wake-ups a second from the hub's publisher that a quorum queue confirms, on queues of its own.

use std::time::{Duration, Instant};

use rollcall_runtime::{Lane, Metrics, Queue, QueueConfig};
use uuid::Uuid;

use crate::error::BenchError;

/// Total number of wake-ups, and the size of a batch: none may wait so long that it is dropped.
const WAKEUPS: u32 = 20_000;
const AT_ONCE: u32 = 2_000;
const PATIENCE: Duration = Duration::from_secs(30);

/// Confirmed wake-ups a second, each of another tenant, because those of one tenant would coalesce.
///
/// # Errors
/// When the broker does not answer, or a wake-up was not confirmed.
pub(crate) async fn confirmed(url: &str) -> Result<f64, BenchError> {
    let failed = |what: &str| BenchError::setup(format!("wake-ups were not measured: {what}"));
    let metrics = Metrics::new().map_err(|e| failed(&e.to_string()))?;
    let config = QueueConfig { prefix: "rollcall.bench.".to_owned(), ..QueueConfig::new(url) };
    let queue = Queue::rabbitmq(config, metrics.clone()).map_err(|e| failed(&e.to_string()))?;
    // The first one is confirmed once the queues exist.
    queue.wake(Uuid::max(), Lane::Bulk);
    let mut settled = queue.flush(PATIENCE).await;
    let begin = Instant::now();
    for first in (0..WAKEUPS).step_by(AT_ONCE as usize) {
        for tenant in first..first + AT_ONCE {
            queue.wake(Uuid::from_u128(tenant.into()), Lane::Bulk);
        }
        settled &= queue.flush(PATIENCE).await;
    }
    let seconds = begin.elapsed().as_secs_f64();
    queue.delete_queues().await.map_err(|e| failed(&e.to_string()))?;
    queue.shutdown(PATIENCE).await;
    if !settled
        || metrics.render().lines().any(|line| line.starts_with("rollcall_wakeups_lost_total") && !line.ends_with(" 0"))
    {
        return Err(failed("some were not confirmed"));
    }
    Ok(f64::from(WAKEUPS) / seconds)
}
