//! Runs the roles until a signal, and then stops in order: readiness off, consumers stop, requests drain, wake-ups and
//! spans are flushed.

use crate::health::Health;
use crate::http::{Process, Services};
use crate::ports::{self, Backend};
use crate::settings::Settings;
use anyhow::{Context, Result};
use chrono::TimeDelta;
use rollcall_hub::Hub;
use rollcall_ingest::Ledger;
use rollcall_runtime::telemetry::{self, TelemetryConfig};
use rollcall_runtime::{Metrics, Readiness, shutdown};
use rollcall_worker::{Worker, WorkerConfig};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Longest wait for the wake-ups that are still on their way.
const QUEUE_FLUSH: Duration = Duration::from_secs(5);

/// A hub that serves; [`Running::stop`] ends it in order.
pub(crate) struct Running {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    cancel: CancellationToken,
    servers: Vec<actix_web::dev::ServerHandle>,
    tasks: tokio::task::JoinSet<()>,
}

/// `rollcall up`.
pub(crate) async fn up(data: Option<&Path>, settings: Settings) -> Result<()> {
    let backend = Backend::Embedded(data.unwrap_or(Path::new("./data")).to_owned());
    let telemetry = start_telemetry("rollcall", &settings)?;
    let stop = shutdown::on_signal()?;
    let running = start(backend, Services { ingest: true, admin: true }, true, &settings).await?;
    println!("Rollcall is up at http://{}", running.address);
    println!("Make a tenant: rollcall tenant create --name Acme --seats 100 (with the same --data); docs: README.md");
    stop.cancelled().await;
    running.stop().await;
    telemetry.shutdown().await;
    Ok(())
}

/// `rollcall all`, `ingest`, `worker` and `admin`.
pub(crate) async fn role(name: &str, services: Services, work: bool, settings: Settings) -> Result<()> {
    let telemetry = start_telemetry(name, &settings)?;
    let stop = shutdown::on_signal()?;
    let running = start(Backend::Services, services, work, &settings).await?;
    println!("{name} listens on http://{}", running.address);
    stop.cancelled().await;
    running.stop().await;
    telemetry.shutdown().await;
    Ok(())
}

/// Starts what was asked for and returns when it is ready.
pub(crate) async fn start(backend: Backend, services: Services, work: bool, settings: &Settings) -> Result<Running> {
    let metrics = Metrics::new()?;
    // Settings that are missing are named before anything is opened.
    let queue = ports::open_queue(&backend, settings, &metrics)?;
    let cache = ports::open_cache(&backend, settings, &metrics)?;
    let store = ports::open_store(&backend, settings).await?;
    // A process that does everything owns the schema; one role of several finds it made.
    if services.ingest && services.admin {
        store.migrate().await.context("the schema cannot be brought up to date")?;
    }
    store.check().await.map_err(anyhow::Error::msg)?;
    let ledger = Ledger::new(TimeDelta::days(i64::from(settings.ingest.request_log_days)));
    let hub = Hub { store, queue, cache, metrics };
    let process = Process { hub, readiness: Readiness::new(), ledger, health: Health::default() };
    let (server, address) = process.serve(services, settings)?;
    let mut servers = vec![server.handle()];
    let mut tasks = tokio::task::JoinSet::new();
    spawn_server(&mut tasks, server);
    if let Some(server) = process.serve_metrics(settings)? {
        servers.push(server.handle());
        spawn_server(&mut tasks, server);
    }
    let cancel = CancellationToken::new();
    if services.ingest {
        tasks.spawn(process.ledger.clone().run(process.hub.store.clone(), cancel.clone()));
    }
    if work {
        let hub = &process.hub;
        let worker = Worker::new(
            hub.store.without_statement_timeout(),
            hub.queue.clone(),
            hub.metrics.clone(),
            worker_config(settings),
        );
        tasks.spawn(worker.run(cancel.clone()));
    }
    process.readiness.set_ready();
    Ok(Running { process, address, cancel, servers, tasks })
}

fn spawn_server(tasks: &mut tokio::task::JoinSet<()>, server: actix_web::dev::Server) {
    tasks.spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "a server ended");
        }
    });
}

fn worker_config(settings: &Settings) -> WorkerConfig {
    let given = &settings.worker;
    WorkerConfig {
        push_concurrency: given.push_concurrency,
        bulk_concurrency: given.bulk_concurrency,
        chunk_changes_max: given.chunk_changes_max,
        lease_ttl: Duration::from_secs(given.lease_seconds),
        sweep_interval: Duration::from_secs(given.sweep_seconds),
        run_retention: Duration::from_secs(given.run_retention_days.saturating_mul(86_400)),
    }
}

impl Running {
    pub(crate) async fn stop(mut self) {
        tracing::info!("stopping");
        self.process.readiness.set_stopping();
        self.cancel.cancel();
        for server in &self.servers {
            server.stop(true).await;
        }
        while self.tasks.join_next().await.is_some() {}
        self.process.ledger.flush(&self.process.hub.store).await;
        self.process.hub.queue.shutdown(QUEUE_FLUSH).await;
        self.process.hub.store.close().await;
    }
}

pub(crate) fn start_telemetry(name: &str, settings: &Settings) -> Result<telemetry::Telemetry> {
    let given = &settings.telemetry;
    let config = TelemetryConfig {
        log_format: given.log_format.parse().map_err(|e: String| anyhow::anyhow!("telemetry.log_format: {e}"))?,
        log_filter: given.log_filter.clone(),
        otlp_endpoint: Some(given.otlp_endpoint.clone()).filter(|endpoint| !endpoint.is_empty()),
        trace_ratio: given.trace_ratio,
        service_name: name.to_owned(),
        ..TelemetryConfig::default()
    };
    telemetry::init(&config).context("telemetry")
}
