//! The Prometheus registry of the process, with every series that Rollcall exports.
//!
//! No label holds a tenant, a user or a path with ids: the number of series is bounded by the code.

mod series;

use std::sync::Arc;
use std::time::Duration;

use prometheus::{Encoder, TextEncoder};

use self::series::Series;
use crate::queue::Lane;

/// Reason for the loss of a wake-up. The sweep finds its tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LostReason {
    /// No confirm within the publish timeout, or no connection for that long.
    Timeout,
    /// The connection broke with the publish in flight: its fate is unknown.
    Disconnected,
    /// The broker refused it: the queue is at its maximum length.
    Refused,
    /// The broker returned it: there is no such queue.
    Unroutable,
    /// The outbox is full.
    Overflow,
}

impl LostReason {
    const ALL: [Self; 5] = [Self::Timeout, Self::Disconnected, Self::Refused, Self::Unroutable, Self::Overflow];

    fn label(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Disconnected => "disconnected",
            Self::Refused => "refused",
            Self::Unroutable => "unroutable",
            Self::Overflow => "overflow",
        }
    }
}

/// All metrics of a process. Cheap to clone; clones share the series.
#[derive(Clone)]
pub struct Metrics {
    series: Arc<Series>,
}

impl Metrics {
    /// A registry with every series and, on Linux, the process collector.
    ///
    /// # Errors
    /// Two series have one name: a mistake in this crate.
    pub fn new() -> Result<Self, prometheus::Error> {
        Ok(Self { series: Arc::new(Series::new()?) })
    }

    /// One HTTP request answered. `route` is the pattern (`/scim/v2/{source}/Users/{id}`), never the path.
    pub fn http_request(&self, service: &str, route: &str, method: &str, status: u16, took: Duration) {
        let mut digits = [0_u8; 5];
        self.series.http_requests.with_label_values(&[service, route, method, decimal(status, &mut digits)]).inc();
        self.series.http_duration.with_label_values(&[service, route]).observe(took.as_secs_f64());
    }

    /// The queue accepted a wake-up (RabbitMQ: confirmed it).
    pub fn wakeup_published(&self, lane: Lane) {
        self.series.wakeups_published.with_label_values(&[lane.name()]).inc();
    }

    /// A wake-up merged into one that was still waiting.
    pub fn wakeup_coalesced(&self, lane: Lane) {
        self.series.wakeups_coalesced.with_label_values(&[lane.name()]).inc();
    }

    /// A wake-up did not reach the queue.
    pub fn wakeup_lost(&self, lane: Lane, reason: LostReason) {
        self.series.wakeups_lost.with_label_values(&[lane.name(), reason.label()]).inc();
    }

    /// A wake-up was handled; `outcome` is `done`, `retry`, `malformed` or `handed_back`.
    pub(crate) fn wakeup_received(&self, lane: Lane, outcome: &'static str) {
        self.series.wakeups_received.with_label_values(&[lane.name(), outcome]).inc();
    }

    /// Wake-ups ready in a lane's queue.
    pub fn set_queue_depth(&self, lane: Lane, ready: u64) {
        self.series.queue_depth.with_label_values(&[lane.name()]).set(gauge(ready));
    }

    /// Messages in the dead letter queue.
    pub fn set_dead_letters(&self, count: u64) {
        self.series.dead_letters.set(gauge(count));
    }

    /// An attempt to send an event to an endpoint; `outcome` is `delivered` or `failed`.
    pub fn webhook_attempt(&self, outcome: &str, took: Duration) {
        self.series.webhook_attempts.with_label_values(&[outcome]).inc();
        self.series.webhook_attempt_duration.with_label_values(&[outcome]).observe(took.as_secs_f64());
    }

    /// An endpoint took an event of this age.
    pub fn webhook_lag(&self, age: Duration) {
        self.series.webhook_lag.with_label_values::<&str>(&[]).observe(age.as_secs_f64());
    }

    /// The broker confirmed an event of this age.
    pub fn event_relayed(&self, age: Duration) {
        self.series.event_relay_lag.with_label_values::<&str>(&[]).observe(age.as_secs_f64());
    }

    /// Active endpoints whose last attempt failed, and the age of the oldest event that waits for one.
    pub fn set_webhooks(&self, failing: u64, backlog: Duration) {
        self.series.webhooks_failing.set(gauge(failing));
        self.series.webhook_backlog.set(backlog.as_secs_f64());
    }

    /// Age of the oldest unconsumed directory change, zero when there is none.
    pub fn set_change_lag(&self, age: Duration) {
        self.series.change_lag.set(age.as_secs_f64());
    }

    /// One reconcile ended; `outcome` is a fixed label of the worker (`applied`, `held`, `empty`, `failed`, …).
    pub fn reconcile(&self, lane: Lane, outcome: &'static str, took: Duration) {
        self.series.reconcile_outcomes.with_label_values(&[outcome]).inc();
        self.series.reconcile_duration.with_label_values(&[lane.name()]).observe(took.as_secs_f64());
    }

    /// A guard held a run.
    pub fn run_held(&self) {
        self.series.runs_held_total.inc();
    }

    /// Sources in quarantine now.
    pub fn set_sources_quarantined(&self, count: u64) {
        self.series.sources_quarantined.set(gauge(count));
    }

    /// Runs held now.
    pub fn set_runs_held(&self, count: u64) {
        self.series.runs_held.set(gauge(count));
    }

    /// A cache call failed; `operation` is a fixed label.
    pub fn cache_error(&self, operation: &'static str) {
        self.series.cache_errors.with_label_values(&[operation]).inc();
    }

    /// An entry of the cache was not believed; `reason` is a fixed label.
    pub fn cache_entry_refused(&self, reason: &'static str) {
        self.series.cache_entries_refused.with_label_values(&[reason]).inc();
    }

    /// A write was refused by a quota, whose name is a fixed label.
    pub fn quota_refused(&self, quota: &'static str) {
        self.series.quota_refused.with_label_values(&[quota]).inc();
    }

    /// Whether another hub uses the same queues.
    pub fn set_queue_shared(&self, shared: bool) {
        self.series.queue_shared.set(i64::from(shared));
    }

    /// A request was refused by a rate limit.
    pub fn rate_limited(&self, service: &str) {
        self.series.rate_limited.with_label_values(&[service]).inc();
    }

    /// Requests were left out of the request log.
    pub fn requests_unlogged(&self, requests: usize) {
        self.series.requests_unlogged.inc_by(u64::try_from(requests).unwrap_or(u64::MAX));
    }

    /// The hub closed a connection; `reason` is a fixed label.
    pub fn connection_closed(&self, reason: &'static str) {
        self.series.connections_closed.with_label_values(&[reason]).inc();
    }

    /// Bytes of large answers that are not read yet.
    pub fn set_answer_bytes_unread(&self, bytes: usize) {
        self.series.answer_bytes_unread.set(gauge(bytes as u64));
    }

    /// An answer was not given, because the budget of its `tenant` or of the `process` is used up.
    pub fn answer_refused(&self, budget: &'static str) {
        self.series.answers_refused.with_label_values(&[budget]).inc();
    }

    /// Streams of changes that are open now.
    pub fn set_change_streams(&self, open: usize) {
        self.series.change_streams.set(gauge(open as u64));
    }

    /// A stream of changes ended, or was refused; `reason` is a fixed label.
    pub fn change_stream_ended(&self, reason: &'static str) {
        self.series.change_streams_ended.with_label_values(&[reason]).inc();
    }

    /// A request had no credential in force; `reason` is a fixed label.
    pub fn auth_refused(&self, service: &str, reason: &'static str) {
        self.series.auth_refused.with_label_values(&[service, reason]).inc();
    }

    /// Connections to the database in use and idle, and requests that wait for one.
    pub fn set_database_connections(&self, used: usize, idle: usize, waiting: usize) {
        for (state, count) in [("used", used), ("idle", idle), ("waiting", waiting)] {
            self.series.database_connections.with_label_values(&[state]).set(gauge(count as u64));
        }
    }

    /// How often a connection to the database was asked for since the start, and for how long all who asked have waited. To be
    /// called by one thread.
    pub fn set_database_waits(&self, waits: u64, waited: Duration) {
        let (count, seconds) = (&self.series.database_waits, &self.series.database_wait_seconds);
        count.inc_by(waits.saturating_sub(count.get()));
        seconds.inc_by((waited.as_secs_f64() - seconds.get()).max(0.0));
    }

    /// Migrations that this program has and the schema lacks.
    pub fn set_schema_behind(&self, migrations: usize) {
        self.series.schema_behind.set(gauge(migrations as u64));
    }

    /// All series in the Prometheus text format (version 0.0.4).
    pub fn render(&self) -> String {
        let mut text = Vec::with_capacity(16 * 1024);
        if let Err(error) = TextEncoder::new().encode(&self.series.registry.gather(), &mut text) {
            tracing::error!(%error, "metrics could not be rendered");
        }
        String::from_utf8(text).unwrap_or_default()
    }
}

fn gauge(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The decimal digits of `number` without an allocation, because this runs once for every request.
fn decimal(mut number: u16, digits: &mut [u8; 5]) -> &str {
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return std::str::from_utf8(&digits[start..]).unwrap_or("0");
        }
    }
}

#[cfg(test)]
mod tests;
