//! Ends of credentials, read from the database. Redis tells every process of a revocation too, but whoever can write it can put an
//! older entry, which a hub sealed, in the place of the tombstone (S4); and it may be away from the process that revokes.

use crate::Hub;
use chrono::TimeDelta;
use std::time::Duration;

const INTERVAL: Duration = Duration::from_millis(500);
/// Longer than a sealed entry is believed, with the difference of two clocks.
const WINDOW: TimeDelta = TimeDelta::seconds(90);

impl Hub {
    /// Learns twice a second which credentials were revoked or expired, for ever.
    pub async fn watch_ends(&self) {
        loop {
            tokio::time::sleep(INTERVAL).await;
            match self.store.ended_within(WINDOW).await {
                Ok(digests) => self.cache.note_ended(&digests),
                // Requests and readiness tell of a database that is away.
                Err(error) => tracing::debug!(%error, "the ends of credentials could not be read"),
            }
        }
    }
}
