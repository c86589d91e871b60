//! Runs the roles until a signal, and then stops in order: readiness off, consumers stop, requests drain, wake-ups and
//! spans are flushed.

use crate::data_folder::{Claim, DataFolder};
use crate::descriptors;
use crate::health::Health;
use crate::http::{self, Process, Services};
use crate::output::line;
use crate::ports::{self, Backend};
use crate::settings::Settings;
use anyhow::{Context, Result, anyhow, bail};
use chrono::TimeDelta;
use rollcall_core::policy::Policy;
use rollcall_hub::{ChangeStreams, CredentialUses, Hub, KnownSessions, ProviderSignIns, SharedQuotaBook};
use rollcall_ingest::Ledger;
use rollcall_runtime::telemetry::{self, TelemetryConfig};
use rollcall_runtime::{Metrics, Readiness, shutdown};
use rollcall_store::{Migrated, NewTenant};
use rollcall_worker::{Delivery, Worker, WorkerConfig};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Interval between two sweeps over the domains that are due.
const DOMAINS_LOOKED_AT_EVERY: Duration = Duration::from_secs(600);
/// Interval between two writes of the last uses of credentials.
const USES_WRITTEN_EVERY: Duration = Duration::from_secs(3);
/// Longest wait for workers after the signal, and the part of it that they have at least once the requests have drained.
const WORKERS_END: Duration = Duration::from_secs(6);
const AFTER_REQUESTS: Duration = Duration::from_secs(3);
/// Longest wait for the ledger's last entries, and for wake-ups in flight.
const FLUSH: Duration = Duration::from_secs(2);

/// A serving hub; [`Running::stop`] stops it in order.
pub(crate) struct Running {
    pub(crate) process: Process,
    address: SocketAddr,
    /// The address for clients.
    pub(crate) url: String,
    cancel: CancellationToken,
    /// Time between unready and the end of the listener.
    drain_delay: Duration,
    servers: Vec<actix_web::dev::ServerHandle>,
    tasks: tokio::task::JoinSet<()>,
    /// Keeps a second hub out of the data folder.
    _claim: Option<Claim>,
}

/// The tenant that a hub without any makes at its start.
pub(crate) struct FirstTenant {
    /// The address of its owner.
    pub(crate) owner: String,
    pub(crate) name: String,
    pub(crate) seats: u32,
}

/// How long the link of the first owner works.
pub(super) const FIRST_LINK: TimeDelta = TimeDelta::hours(1);

/// `rollcall up`.
pub(crate) async fn up(data: Option<&Path>, first: Option<FirstTenant>, settings: Settings) -> Result<()> {
    if let Some(first) = &first
        && !rollcall_scim::is_email(&first.owner)
    {
        bail!("--owner {:?} is not an email address", first.owner);
    }
    let folder = DataFolder::given_or_default(data);
    let telemetry = start_telemetry("rollcall", &settings)?;
    warn_of_ignored_database(&folder, &settings);
    let stop = shutdown::on_signal()?;
    let backend = Backend::Embedded(folder.clone());
    let running = start(backend, Services { ingest: true, admin: true }, true, &settings).await?;
    // A launcher may have closed stdout; the hub serves all the same.
    let _ = line(format_args!("Rollcall is up at {} (version {VERSION}, SQLite under {folder})", running.url));
    match first {
        Some(first) => welcome(first, &running, &folder).await?,
        None if running.process.hub.store.tenants().await?.is_empty() => {
            let _ = line(format_args!(
                "Make a tenant: rollcall tenant create --name Acme --seats 100 --data {folder}; docs: README.md"
            ));
        }
        None => {}
    }
    stop.cancelled().await;
    running.stop().await;
    telemetry.shutdown().await;
    Ok(())
}

/// Makes the first tenant, and prints the link with which its owner signs in. A hub that has tenants makes none.
async fn welcome(first: FirstTenant, running: &Running, folder: &DataFolder) -> Result<()> {
    let FirstTenant { owner, name, seats } = first;
    let store = &running.process.hub.store;
    if !store.tenants().await?.is_empty() {
        let _ = line(format_args!(
            "--owner made nothing, since the hub has tenants; a link for one of their owners: rollcall sign-in-link --tenant SLUG \
             --email ADDRESS --data {folder}"
        ));
        return Ok(());
    }
    let new = NewTenant { name, seats, policy: Policy::default(), owner_email: Some(owner.clone()) };
    let (_, slug) = store.create_tenant(&new).await?;
    let scope = store.operator_scope(&slug).await?;
    let member = store.member_by_email(&scope, &owner).await?;
    let made = store.create_sign_in_link(&scope, member, FIRST_LINK).await?;
    let made = running.process.hub.after_commit(made).await;
    let url = rollcall_admin::view::sign_in_links::url(&running.url, &made.secret);
    let _ = line(format_args!("Tenant {slug} is made. {owner} signs in here once, within an hour:\n  {url}"));
    Ok(())
}

/// `up` and `demo` keep everything in one folder, so a configured database is probably a mistake.
pub(super) fn warn_of_ignored_database(folder: &DataFolder, settings: &Settings) {
    if !settings.database.url.is_empty() {
        tracing::warn!(
            "DATABASE_URL is set and not used: this command keeps SQLite under {folder}. `rollcall all` works on Postgres, and \
             so do commands without --data while DATABASE_URL is set"
        );
    }
}

/// `rollcall all`, `ingest`, `worker` and `admin`.
pub(crate) async fn role(name: &str, services: Services, work: bool, settings: Settings) -> Result<()> {
    let telemetry = start_telemetry(name, &settings)?;
    let stop = shutdown::on_signal()?;
    let running = start(Backend::Services, services, work, &settings).await?;
    let database = Backend::Services.database(&settings);
    let _ = line(format_args!("{name} listens on http://{} (version {VERSION}, {database})", running.address));
    stop.cancelled().await;
    running.stop().await;
    telemetry.shutdown().await;
    Ok(())
}

/// Starts the requested roles and returns when they are ready.
pub(crate) async fn start(backend: Backend, services: Services, work: bool, settings: &Settings) -> Result<Running> {
    // First, so that a port that is taken ends the start before anything is made.
    let listener = http::bind_services(settings)?;
    let claim = match &backend {
        Backend::Embedded(folder) => Some(folder.claim()?),
        Backend::Services => None,
    };
    if matches!(backend, Backend::Services) {
        ports::require_services(settings)?;
    }
    if let Some(claim) = &claim {
        claim.make_sealing_key()?;
    }
    let metrics = Metrics::new()?;
    let queue = ports::open_queue(&backend, settings, &metrics)?;
    let store = ports::open_store(&backend, settings).await?;
    // A process with all roles owns the schema; a single role requires an existing one.
    if services.ingest && services.admin {
        let migrated = store.migrate().await.context("the schema cannot be brought up to date")?;
        if let Migrated::IsNewer { newest } = migrated {
            tracing::warn!(newest, "the schema was made by a newer Rollcall; this version may run on it");
        }
    }
    let database = backend.database(settings);
    let refused = |why: String| anyhow!("{database}: {why}");
    store.check().await.map_err(refused)?;
    store.check_session().await.map_err(refused)?;
    store.check_positions().await.map_err(refused)?;
    let cache = ports::open_cache(&backend, settings, &store, &metrics).await?;
    let ledger = Ledger::new(TimeDelta::days(i64::from(settings.ingest.request_log_days)));
    let (uses, sessions, quotas) = (CredentialUses::default(), KnownSessions::default(), SharedQuotaBook::default());
    let streams = ChangeStreams::new(settings.admin.streams_max);
    let hub = Hub { store, queue, cache, metrics, uses, sessions, quotas, streams };
    let sign_ins = ports::open_sign_ins(hub.clone(), settings)?;
    let operators = ports::open_operator_sign_ins(hub.clone(), settings)?;
    let outbound = ports::open_outbound(settings)?;
    let (readiness, health) = (Readiness::new(), Health::default());
    let process = Process { hub, sign_ins, operators, outbound, readiness, ledger, health };
    let (server, address) = process.serve(services, listener, settings)?;
    let mut servers = vec![server.handle()];
    let mut tasks = tokio::task::JoinSet::new();
    spawn_server(&mut tasks, server);
    if let Some(server) = process.serve_metrics(settings)? {
        servers.push(server.handle());
        spawn_server(&mut tasks, server);
    }
    let cancel = CancellationToken::new();
    spawn_upkeep(&mut tasks, &process, services, matches!(backend, Backend::Services), &cancel);
    if work {
        let hub = &process.hub;
        let worker = Worker::new(
            hub.store.without_statement_timeout(),
            hub.queue.clone(),
            hub.metrics.clone(),
            worker_config(settings),
        );
        let relay = ports::open_relay(&backend, settings)?;
        let worker = worker.sending(delivery(&process, settings)).relaying(relay);
        tasks.spawn(worker.run(cancel.clone()));
    }
    let url = reached_at(address, settings);
    if let Some(claim) = &claim {
        claim.note_address(&url)?;
    }
    process.readiness.set_ready();
    tracing::info!(version = VERSION, database, roles = roles(services, work), %address, "serving");
    let drain_delay = Duration::from_secs(settings.http.drain_delay_seconds);
    Ok(Running { process, address, url, cancel, drain_delay, servers, tasks, _claim: claim })
}

/// The upkeep of a process that serves: it writes what requests only noted, and looks at what others changed.
fn spawn_upkeep(
    tasks: &mut tokio::task::JoinSet<()>,
    process: &Process,
    services: Services,
    has_others: bool,
    cancel: &CancellationToken,
) {
    if services.ingest {
        tasks.spawn(process.ledger.clone().run(process.hub.store.clone(), cancel.clone()));
    }
    if services.ingest || services.admin {
        tasks.spawn(write_uses(process.hub.clone(), cancel.clone()));
    }
    if services.admin {
        tasks.spawn(recheck_domains(process.sign_ins.clone(), cancel.clone()));
        let (hub, cancel) = (process.hub.clone(), cancel.clone());
        tasks.spawn(async move {
            cancel.run_until_cancelled(hub.watch_changes()).await;
        });
    }
    if has_others && (services.ingest || services.admin) {
        let (hub, cancel) = (process.hub.clone(), cancel.clone());
        tasks.spawn(async move {
            cancel.run_until_cancelled(hub.watch_ends()).await;
        });
    }
}

/// Writes the last use of credentials every few seconds until cancelled. Later ones need a last flush.
async fn write_uses(hub: Hub, cancel: CancellationToken) {
    while cancel.run_until_cancelled(tokio::time::sleep(USES_WRITTEN_EVERY)).await.is_some() {
        hub.uses.flush(&hub.store).await;
    }
}

/// Looks for the records of proven domains again, each once a day, until cancelled.
async fn recheck_domains(sign_ins: ProviderSignIns, cancel: CancellationToken) {
    while cancel.run_until_cancelled(tokio::time::sleep(DOMAINS_LOOKED_AT_EVERY)).await.is_some() {
        cancel.run_until_cancelled(sign_ins.recheck_domains()).await;
    }
}

/// The URL that clients on this machine use, or the public one.
fn reached_at(address: SocketAddr, settings: &Settings) -> String {
    let public = &settings.http.public_url;
    if !public.is_empty() {
        return public.clone();
    }
    let port = address.port();
    match address.ip() {
        // Every address of the machine, this one among them.
        IpAddr::V4(ip) if ip.is_unspecified() => format!("http://127.0.0.1:{port}"),
        IpAddr::V6(ip) if ip.is_unspecified() => format!("http://[::1]:{port}"),
        _ => format!("http://{address}"),
    }
}

/// The roles of the process, for the log.
fn roles(services: Services, work: bool) -> String {
    let roles = [(services.ingest, "ingest"), (services.admin, "admin"), (work, "worker")];
    let roles: Vec<&str> = roles.into_iter().filter_map(|(serves, name)| serves.then_some(name)).collect();
    roles.join(", ")
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

/// Webhooks, whose messages have the form of the REST API.
fn delivery(process: &Process, settings: &Settings) -> Delivery {
    let (given, files) = (&settings.webhooks, descriptors::raise_limit());
    Delivery {
        outbound: process.outbound.clone(),
        render: rollcall_admin::view::events::body,
        concurrency: descriptors::sent_to(given.concurrency, files),
        slow_concurrency: descriptors::sent_to(given.slow_concurrency, files),
        patience: Duration::from_secs(u64::from(given.give_up_days) * 86_400),
    }
}

impl Running {
    pub(crate) async fn stop(mut self) {
        tracing::info!("stopping");
        let begun = Instant::now();
        self.process.readiness.set_stopping();
        // A balancer goes on sending until it has seen the probe fail; the work of others goes on meanwhile.
        tokio::time::sleep(self.drain_delay).await;
        self.cancel.cancel();
        // A stream would otherwise outlast the time that requests have.
        self.process.hub.streams.stop();
        for server in &self.servers {
            server.stop(true).await;
        }
        let patience = WORKERS_END.saturating_sub(begun.elapsed()).max(AFTER_REQUESTS);
        let ended = timeout(patience, async { while self.tasks.join_next().await.is_some() {} });
        if ended.await.is_err() {
            tracing::warn!(
                "work is left behind: its transaction is rolled back, and its changes wait for the next worker"
            );
            self.tasks.abort_all();
        }
        // The threads of requests have ended, and with them the connections to the database that they opened.
        self.process.hub.store.close_idle();
        if timeout(FLUSH, self.process.ledger.flush(&self.process.hub.store)).await.is_err() {
            tracing::warn!("the last entries of the ledger are lost");
        }
        if timeout(FLUSH, self.process.hub.uses.flush(&self.process.hub.store)).await.is_err() {
            tracing::warn!("the last uses of keys and tokens are not written");
        }
        self.process.hub.queue.shutdown(FLUSH).await;
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
