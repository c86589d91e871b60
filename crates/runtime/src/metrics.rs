//! The Prometheus registry of the process, with every series that Rollcall exports.
//!
//! No label holds a tenant, a user or a path with ids: the number of series is bounded by the code.

use std::sync::Arc;
use std::time::Duration;

use prometheus::{
    Encoder, Gauge, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder, core::Collector,
};

use crate::queue::Lane;

/// Upper bounds in seconds for an HTTP request.
const HTTP_BUCKETS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Upper bounds in seconds for one reconcile of one tenant.
const RECONCILE_BUCKETS: &[f64] =
    &[0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

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

struct Series {
    registry: Registry,
    http_requests: IntCounterVec,
    http_duration: HistogramVec,
    wakeups_published: IntCounterVec,
    wakeups_coalesced: IntCounterVec,
    wakeups_lost: IntCounterVec,
    wakeups_received: IntCounterVec,
    queue_depth: IntGaugeVec,
    dead_letters: IntGauge,
    change_lag: Gauge,
    reconcile_duration: HistogramVec,
    reconcile_outcomes: IntCounterVec,
    runs_held_total: IntCounter,
    runs_held: IntGauge,
    sources_quarantined: IntGauge,
    cache_errors: IntCounterVec,
    cache_entries_refused: IntCounterVec,
    quota_refused: IntCounterVec,
    rate_limited: IntCounterVec,
    requests_unlogged: IntCounter,
}

impl Metrics {
    /// A registry with every series and, on Linux, the process collector.
    ///
    /// # Errors
    /// Two series have one name: a mistake in this file.
    #[expect(clippy::too_many_lines, reason = "one entry a metric")]
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let series = Series {
            http_requests: counters(
                &registry,
                "http_requests_total",
                "HTTP requests answered.",
                &["service", "route", "method", "status"],
            )?,
            http_duration: seconds(
                &registry,
                "http_request_duration_seconds",
                "Time to answer an HTTP request.",
                &["service", "route"],
                HTTP_BUCKETS,
            )?,
            wakeups_published: counters(
                &registry,
                "wakeups_published_total",
                "Wake-ups the queue took over.",
                &["lane"],
            )?,
            wakeups_coalesced: counters(
                &registry,
                "wakeups_coalesced_total",
                "Wake-ups merged into one that was still waiting.",
                &["lane"],
            )?,
            wakeups_lost: counters(
                &registry,
                "wakeups_lost_total",
                "Wake-ups that did not reach the queue; the sweep finds their tenants.",
                &["lane", "reason"],
            )?,
            wakeups_received: counters(
                &registry,
                "wakeups_received_total",
                "Wake-ups handled, by what became of them.",
                &["lane", "outcome"],
            )?,
            queue_depth: register(
                &registry,
                IntGaugeVec::new(
                    opts("queue_depth", "Wake-ups ready in the queue, not counting those being handled."),
                    &["queue"],
                )?,
            )?,
            dead_letters: register(
                &registry,
                IntGauge::with_opts(opts("dead_letters", "Wake-ups in the dead letter queue."))?,
            )?,
            change_lag: register(
                &registry,
                Gauge::with_opts(opts(
                    "change_lag_seconds",
                    "Age of the oldest directory change that no reconcile has consumed.",
                ))?,
            )?,
            reconcile_duration: seconds(
                &registry,
                "reconcile_duration_seconds",
                "Time of one reconcile of one tenant.",
                &["lane"],
                RECONCILE_BUCKETS,
            )?,
            reconcile_outcomes: counters(
                &registry,
                "reconcile_outcomes_total",
                "Reconciles by outcome.",
                &["outcome"],
            )?,
            runs_held_total: register(
                &registry,
                IntCounter::with_opts(opts("runs_held_total", "Runs that a guard held."))?,
            )?,
            runs_held: register(
                &registry,
                IntGauge::with_opts(opts("runs_held", "Runs held now, waiting for an admin."))?,
            )?,
            sources_quarantined: register(
                &registry,
                IntGauge::with_opts(opts("sources_quarantined", "Sources in quarantine now, waiting for an admin."))?,
            )?,
            cache_errors: counters(
                &registry,
                "cache_errors_total",
                "Cache calls that failed and fell through.",
                &["operation"],
            )?,
            cache_entries_refused: counters(
                &registry,
                "cache_entries_refused_total",
                "Entries of the cache that were not believed, so that the database was asked.",
                &["reason"],
            )?,
            quota_refused: counters(
                &registry,
                "quota_refused_total",
                "Writes that were refused because their tenant keeps as much as it may.",
                &["quota"],
            )?,
            rate_limited: counters(&registry, "rate_limited_total", "Requests refused by a rate limit.", &["service"])?,
            requests_unlogged: register(
                &registry,
                IntCounter::with_opts(opts(
                    "requests_unlogged_total",
                    "SCIM requests left out of the request log because they came faster than it takes them.",
                ))?,
            )?,
            registry,
        };
        #[cfg(target_os = "linux")]
        series.registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        Ok(Self { series: Arc::new(series) })
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

    /// A request was refused by a rate limit.
    pub fn rate_limited(&self, service: &str) {
        self.series.rate_limited.with_label_values(&[service]).inc();
    }

    /// Requests were left out of the request log.
    pub fn requests_unlogged(&self, requests: usize) {
        self.series.requests_unlogged.inc_by(u64::try_from(requests).unwrap_or(u64::MAX));
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

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace("rollcall")
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> Result<C, prometheus::Error> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, prometheus::Error> {
    register(registry, IntCounterVec::new(opts(name, help), labels)?)
}

fn seconds(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
    buckets: &[f64],
) -> Result<HistogramVec, prometheus::Error> {
    let opts = HistogramOpts { common_opts: opts(name, help), buckets: buckets.to_vec() };
    register(registry, HistogramVec::new(opts, labels)?)
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
mod tests {
    use super::*;

    #[test]
    fn every_series_is_rendered_with_its_labels() {
        let metrics = Metrics::new().unwrap();
        metrics.http_request("ingest", "/scim/v2/{source}/Users", "POST", 201, Duration::from_millis(3));
        metrics.wakeup_published(Lane::Push);
        metrics.wakeup_lost(Lane::Bulk, LostReason::Timeout);
        metrics.set_queue_depth(Lane::Push, 7);
        metrics.set_dead_letters(2);
        metrics.set_change_lag(Duration::from_millis(1500));
        metrics.reconcile(Lane::Push, "applied", Duration::from_millis(20));
        metrics.set_runs_held(1);
        metrics.set_sources_quarantined(3);
        metrics.rate_limited("ingest");
        metrics.requests_unlogged(3);
        let text = metrics.clone().render();
        for line in [
            r#"rollcall_http_requests_total{method="POST",route="/scim/v2/{source}/Users",service="ingest",status="201"} 1"#,
            r#"rollcall_http_request_duration_seconds_bucket{route="/scim/v2/{source}/Users",service="ingest",le="0.005"} 1"#,
            r#"rollcall_wakeups_published_total{lane="push"} 1"#,
            r#"rollcall_wakeups_lost_total{lane="bulk",reason="timeout"} 1"#,
            r#"rollcall_queue_depth{queue="push"} 7"#,
            "rollcall_dead_letters 2",
            "rollcall_change_lag_seconds 1.5",
            r#"rollcall_reconcile_outcomes_total{outcome="applied"} 1"#,
            "rollcall_runs_held 1",
            "rollcall_sources_quarantined 3",
            r#"rollcall_rate_limited_total{service="ingest"} 1"#,
            "rollcall_requests_unlogged_total 3",
            "process_resident_memory_bytes",
        ] {
            assert!(text.contains(line), "missing {line} in\n{text}");
        }
    }

    #[test]
    fn two_registries_do_not_collide() {
        let (one, other) = (Metrics::new().unwrap(), Metrics::new().unwrap());
        one.run_held();
        assert!(one.render().contains("rollcall_runs_held_total 1"));
        assert!(other.render().contains("rollcall_runs_held_total 0"));
    }

    #[test]
    fn digits_of_any_status() {
        let mut digits = [0; 5];
        for number in [0, 7, 200, 65535] {
            assert_eq!(decimal(number, &mut digits), number.to_string());
        }
    }
}
