//! Every series that Rollcall exports: names, help, labels, and the label values that start at zero.

use super::LostReason;
use crate::queue::Lane;
use prometheus::core::Collector;
use prometheus::{
    Counter, Gauge, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

/// Upper bounds in seconds for an HTTP request.
const HTTP_BUCKETS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Upper bounds in seconds for one reconcile of one tenant.
const RECONCILE_BUCKETS: &[f64] =
    &[0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// The calls to Redis that may fail, as the cache names them.
const CACHE_OPERATIONS: [&str; 6] =
    ["connect", "get_credential", "put_credential", "invalidate", "rate_limit", "check"];

/// The series, and the registry that renders them.
pub(super) struct Series {
    pub(super) registry: Registry,
    pub(super) http_requests: IntCounterVec,
    pub(super) http_duration: HistogramVec,
    pub(super) wakeups_published: IntCounterVec,
    pub(super) wakeups_coalesced: IntCounterVec,
    pub(super) wakeups_lost: IntCounterVec,
    pub(super) wakeups_received: IntCounterVec,
    pub(super) queue_depth: IntGaugeVec,
    pub(super) dead_letters: IntGauge,
    pub(super) queue_shared: IntGauge,
    pub(super) change_lag: Gauge,
    pub(super) reconcile_duration: HistogramVec,
    pub(super) reconcile_outcomes: IntCounterVec,
    pub(super) runs_held_total: IntCounter,
    pub(super) runs_held: IntGauge,
    pub(super) sources_quarantined: IntGauge,
    pub(super) cache_errors: IntCounterVec,
    pub(super) cache_entries_refused: IntCounterVec,
    pub(super) quota_refused: IntCounterVec,
    pub(super) rate_limited: IntCounterVec,
    pub(super) requests_unlogged: IntCounter,
    pub(super) connections_closed: IntCounterVec,
    pub(super) answer_bytes_unread: IntGauge,
    pub(super) answers_refused: IntCounterVec,
    pub(super) change_streams: IntGauge,
    pub(super) change_streams_ended: IntCounterVec,
    pub(super) webhook_attempts: IntCounterVec,
    pub(super) webhook_attempt_duration: HistogramVec,
    pub(super) webhook_lag: HistogramVec,
    pub(super) event_relay_lag: HistogramVec,
    pub(super) webhooks_failing: IntGauge,
    pub(super) webhook_backlog: Gauge,
    pub(super) auth_refused: IntCounterVec,
    pub(super) database_connections: IntGaugeVec,
    pub(super) database_waits: IntCounter,
    pub(super) database_wait_seconds: Counter,
    pub(super) schema_behind: IntGauge,
}

impl Series {
    #[expect(clippy::too_many_lines, reason = "one entry a metric")]
    pub(super) fn new() -> Result<Self, prometheus::Error> {
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
            queue_shared: register(
                &registry,
                IntGauge::with_opts(opts(
                    "queue_shared",
                    "1 while another hub uses the same queues and takes wake-ups of this one.",
                ))?,
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
            connections_closed: counters(
                &registry,
                "connections_closed_total",
                "Connections that the hub closed before their client did, by reason.",
                &["reason"],
            )?,
            answer_bytes_unread: register(
                &registry,
                IntGauge::with_opts(opts("answer_bytes_unread", "Bytes of large answers that are not read yet."))?,
            )?,
            answers_refused: counters(
                &registry,
                "answers_refused_total",
                "Answers that were not given because too many others are not read yet.",
                &["budget"],
            )?,
            change_streams: register(
                &registry,
                IntGauge::with_opts(opts("change_streams", "Streams of changes that are open now."))?,
            )?,
            change_streams_ended: counters(
                &registry,
                "change_streams_ended_total",
                "Streams of changes that ended or were refused, by reason.",
                &["reason"],
            )?,
            webhook_attempts: counters(
                &registry,
                "webhook_attempts_total",
                "Attempts to send an event to an endpoint, by result.",
                &["outcome"],
            )?,
            webhook_attempt_duration: seconds(
                &registry,
                "webhook_attempt_duration_seconds",
                "Time of one attempt to send an event to an endpoint.",
                &["outcome"],
                HTTP_BUCKETS,
            )?,
            webhook_lag: seconds(
                &registry,
                "webhook_lag_seconds",
                "Age of an event when an endpoint took it.",
                &[],
                RECONCILE_BUCKETS,
            )?,
            event_relay_lag: seconds(
                &registry,
                "event_relay_lag_seconds",
                "Age of an event when the broker confirmed it.",
                &[],
                RECONCILE_BUCKETS,
            )?,
            webhooks_failing: register(
                &registry,
                IntGauge::with_opts(opts("webhooks_failing", "Active endpoints whose last attempt failed."))?,
            )?,
            webhook_backlog: register(
                &registry,
                Gauge::with_opts(opts(
                    "webhook_backlog_seconds",
                    "Age of the oldest event that an active endpoint has not got.",
                ))?,
            )?,
            auth_refused: counters(
                &registry,
                "auth_refused_total",
                "Requests without a credential in force, by reason.",
                &["service", "reason"],
            )?,
            database_connections: register(
                &registry,
                IntGaugeVec::new(
                    opts("database_connections", "Connections to the database, and requests that wait for one."),
                    &["state"],
                )?,
            )?,
            database_waits: register(
                &registry,
                IntCounter::with_opts(opts(
                    "database_waits_total",
                    "Times a connection to the database was asked for.",
                ))?,
            )?,
            database_wait_seconds: register(
                &registry,
                Counter::with_opts(opts(
                    "database_wait_seconds_total",
                    "Time for which all who asked waited for a connection to the database.",
                ))?,
            )?,
            schema_behind: register(
                &registry,
                IntGauge::with_opts(opts("schema_behind", "Migrations that this program has and the schema lacks."))?,
            )?,
            registry,
        };
        series.start_at_zero();
        series.name_the_build()?;
        #[cfg(target_os = "linux")]
        series.registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        Ok(series)
    }

    /// A series that is missing until its first event hides that event from `increase()`. Those with a path or a status are known by
    /// their first request only, and are left out.
    fn start_at_zero(&self) {
        for lane in [Lane::Push, Lane::Bulk] {
            let lane = lane.name();
            for counter in [&self.wakeups_published, &self.wakeups_coalesced] {
                counter.with_label_values(&[lane]);
            }
            for reason in LostReason::ALL {
                self.wakeups_lost.with_label_values(&[lane, reason.label()]);
            }
            for outcome in ["done", "retry", "malformed", "handed_back"] {
                self.wakeups_received.with_label_values(&[lane, outcome]);
            }
            self.queue_depth.with_label_values(&[lane]);
            self.reconcile_duration.with_label_values(&[lane]);
        }
        for outcome in ["ok", "busy", "no_tenant", "lease_lost", "unavailable", "failed"] {
            self.reconcile_outcomes.with_label_values(&[outcome]);
        }
        for operation in CACHE_OPERATIONS {
            self.cache_errors.with_label_values(&[operation]);
        }
        for service in ["scim", "admin"] {
            self.rate_limited.with_label_values(&[service]);
            for reason in ["missing", "unknown", "ended", "too_many"] {
                self.auth_refused.with_label_values(&[service, reason]);
            }
        }
        for reason in ["forged", "outdated"] {
            self.cache_entries_refused.with_label_values(&[reason]);
        }
        for quota in ["records", "bytes", "changes"] {
            self.quota_refused.with_label_values(&[quota]);
        }
        for reason in ["full", "peer", "refused", "large_head", "slow_head", "slow_reader", "unread_body"] {
            self.connections_closed.with_label_values(&[reason]);
        }
        for budget in ["tenant", "process"] {
            self.answers_refused.with_label_values(&[budget]);
        }
        for reason in ["client", "credential", "stopping", "time", "unavailable", "refused"] {
            self.change_streams_ended.with_label_values(&[reason]);
        }
        for outcome in ["delivered", "failed"] {
            self.webhook_attempts.with_label_values(&[outcome]);
            self.webhook_attempt_duration.with_label_values(&[outcome]);
        }
        self.webhook_lag.with_label_values::<&str>(&[]);
        self.event_relay_lag.with_label_values::<&str>(&[]);
        for state in ["used", "idle", "waiting"] {
            self.database_connections.with_label_values(&[state]);
        }
    }

    /// `rollcall_build_info{version, revision} 1`, to be joined with other series.
    fn name_the_build(&self) -> Result<(), prometheus::Error> {
        let names = &["version", "revision"];
        let info = IntGaugeVec::new(opts("build_info", "The version that runs, always 1."), names)?;
        let revision = option_env!("ROLLCALL_REVISION").unwrap_or("unknown");
        register(&self.registry, info)?.with_label_values(&[env!("CARGO_PKG_VERSION"), revision]).set(1);
        Ok(())
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
