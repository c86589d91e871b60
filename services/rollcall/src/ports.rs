//! Opens the dependencies of a process: the store, the queue and the cache, each with the arm of the command.

use crate::data_folder::DataFolder;
use crate::settings::Settings;
use anyhow::{Context, Result, anyhow, bail};
use chrono::TimeDelta;
use rollcall_core::clock::Clock;
use rollcall_hub::{Hub, OperatorConnection, OperatorSignIns, ProviderSignIns};
use rollcall_runtime::cache::{CacheConfig, SealKey};
use rollcall_runtime::outbound::Outbound;
use rollcall_runtime::{Cache, Metrics, Queue, QueueConfig};
use rollcall_sign_in::{DomainNames, GuardedClient, Providers};
use rollcall_store::{SealingKeys, Store, StoreConfig, Synchronous, WorkLimits};
use rollcall_worker::Relay;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The arms.
#[derive(Clone, Debug)]
pub(crate) enum Backend {
    /// SQLite under this folder, queue and cache in the process.
    Embedded(DataFolder),
    /// Postgres, RabbitMQ and Redis from the settings.
    Services,
}

impl Backend {
    /// For commands: the given folder, else the services when `DATABASE_URL` is set, else `./data`.
    pub(crate) fn of_command(data: Option<&Path>, settings: &Settings) -> Self {
        if data.is_none() && !settings.database.url.is_empty() {
            return Self::Services;
        }
        Self::Embedded(DataFolder::given_or_default(data))
    }

    /// The database as messages name it: no password, and enough to tell it from another one.
    pub(crate) fn database(&self, settings: &Settings) -> String {
        match self {
            Self::Embedded(folder) => format!("SQLite under {folder}"),
            Self::Services => format!("Postgres {}", database_at(&settings.database.url)),
        }
    }
}

/// Host, port and name of a database.
fn database_at(url: &str) -> String {
    let Ok(url) = url::Url::parse(url) else { return "of DATABASE_URL".to_owned() };
    let host = url.host_str().filter(|host| !host.is_empty()).unwrap_or("localhost");
    let port = url.port().unwrap_or(POSTGRES_PORT);
    format!("{host}:{port}{}", url.path())
}

const POSTGRES_PORT: u16 = 5432;

/// Refuses to start without the addresses of all three services, before any of them is called.
pub(crate) fn require_services(settings: &Settings) -> Result<()> {
    let services = [(&settings.database.url, DATABASE), (&settings.queue.url, QUEUE), (&settings.cache.url, CACHE)];
    let missing: Vec<String> =
        services.iter().filter(|(url, _)| url.is_empty()).map(|(_, service)| service.example()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    bail!("not set: {}; or use `rollcall up`, which needs no services", missing.join(", "))
}

/// A service by the setting of its address.
struct Service {
    key: &'static str,
    variable: &'static str,
    example: &'static str,
}

const DATABASE: Service =
    Service { key: "database.url", variable: "DATABASE_URL", example: "postgres://rollcall:…@127.0.0.1/rollcall" };
const QUEUE: Service =
    Service { key: "queue.url", variable: "AMQP_URL", example: "amqp://guest:guest@127.0.0.1:5672/%2f" };
const CACHE: Service = Service { key: "cache.url", variable: "REDIS_URL", example: "redis://127.0.0.1:6379/0" };

impl Service {
    fn example(&self) -> String {
        format!("{} ({}={})", self.key, self.variable, self.example)
    }

    /// Reads the address that the services arm requires.
    fn required<'s>(&self, url: &'s str) -> Result<&'s str> {
        if url.is_empty() {
            bail!("not set: {}; or use `rollcall up`, which needs no services", self.example());
        }
        Ok(url)
    }
}

pub(crate) async fn open_store(backend: &Backend, settings: &Settings) -> Result<Store> {
    let url = match backend {
        Backend::Embedded(folder) => format!("sqlite://{}", folder.database().display()),
        Backend::Services => postgres_url(settings)?.to_owned(),
    };
    let config = StoreConfig {
        url,
        max_connections: settings.database.connections_max,
        acquire_timeout: Duration::from_secs(settings.database.acquire_timeout_seconds),
        statement_timeout: Duration::from_secs(settings.database.statement_timeout_seconds),
        sqlite_synchronous: match settings.database.sqlite_synchronous.as_str() {
            "normal" => Synchronous::Normal,
            _ => Synchronous::Full,
        },
        limits: work_limits(settings),
    };
    let store = Store::connect(&config, Clock::System).await.map(|store| store.with_quotas(settings.quotas));
    let store = store.map(|store| store.with_events_kept(TimeDelta::days(settings.events.kept_days.into())));
    let store = store.context(match backend {
        Backend::Embedded(folder) => format!("SQLite under {folder} cannot be opened; check --data"),
        Backend::Services => {
            let database = backend.database(settings);
            format!("{database} cannot be used; check DATABASE_URL and that the server runs")
        }
    })?;
    Ok(match sealing_keys(backend, settings)? {
        Some(keys) => store.with_sealing(keys),
        None => store,
    })
}

/// The keys of the settings, else those of the folder.
fn sealing_keys(backend: &Backend, settings: &Settings) -> Result<Option<SealingKeys>> {
    let keys = match backend {
        _ if !settings.sealing.keys.is_empty() => Some(settings.sealing.keys.clone()),
        Backend::Embedded(folder) => folder.sealing_keys()?,
        Backend::Services => None,
    };
    keys.map(|keys| keys.parse().map_err(|why| anyhow!("the keys that seal secrets: {why}"))).transpose()
}

/// Sign-in by identity providers.
pub(crate) fn open_sign_ins(hub: Hub, settings: &Settings) -> Result<ProviderSignIns> {
    let client = GuardedClient::new(settings.sign_in.private_addresses);
    let names = DomainNames::new(settings.sign_in.name_server()?);
    Ok(ProviderSignIns { hub, providers: Providers::new(client), names })
}

/// Messages to the endpoints of webhooks.
pub(crate) fn open_outbound(settings: &Settings) -> Result<Outbound> {
    Ok(Outbound::new(settings.webhooks.rules()?))
}

/// Sign-in of operators. The operator names their provider, so it may have a private address.
pub(crate) fn open_operator_sign_ins(hub: Hub, settings: &Settings) -> Result<OperatorSignIns> {
    let given = &settings.operators;
    let connection = given.rule()?.map(|rule| OperatorConnection {
        issuer: given.issuer.clone(),
        client_id: given.client_id.clone(),
        client_secret: Some(given.client_secret.clone()).filter(|secret| !secret.is_empty()),
        rule,
        claim: Some(given.claim.clone()).filter(|claim| !claim.is_empty()),
        providers: Providers::new(GuardedClient::new(true)),
    });
    Ok(OperatorSignIns { hub, connection: connection.map(Arc::new) })
}

/// The address of the server. An embedded database is named by its folder alone, never by an address, so none is made by mistake.
fn postgres_url(settings: &Settings) -> Result<&str> {
    let url = DATABASE.required(&settings.database.url)?;
    if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
        let scheme = url.split_once(':').map_or("no scheme", |(scheme, _)| scheme);
        bail!(
            "DATABASE_URL has {scheme}: it takes postgres://…; for SQLite leave it out, and name the folder with --data"
        );
    }
    Ok(url)
}

fn work_limits(settings: &Settings) -> WorkLimits {
    let given = &settings.limits;
    WorkLimits {
        tenant_connections: given.tenant_connections,
        tenant_heavy: given.tenant_heavy,
        heavy: given.all_heavy,
        heavy_wait: Duration::from_secs(given.heavy_wait_seconds),
        list_time: Duration::from_secs(given.list_seconds),
        list_cost: given.list_cost_max,
        plan_time: Duration::from_secs(given.plan_seconds),
        export_time: Duration::from_secs(given.export_seconds),
        compute_time: Duration::from_secs(given.compute_seconds),
    }
}

/// For commands that need what another one made: they never make a database. An embedded one of an older version is brought
/// up to date, as its hub would.
pub(crate) async fn open_existing(backend: &Backend, settings: &Settings) -> Result<Store> {
    if let Backend::Embedded(folder) = backend
        && !folder.has_database()
    {
        return Err(missing(folder));
    }
    let store = open_store(backend, settings).await?.without_statement_timeout();
    if store.has_no_schema().await? {
        bail!("{} has no schema of Rollcall yet; run `rollcall migrate`", backend.database(settings));
    }
    if matches!(backend, Backend::Embedded(_)) && store.check().await.is_err() {
        store.migrate().await.with_context(|| outdated(backend, settings))?;
    }
    checked(store, backend, settings).await
}

/// For `tenant create`, which a script may run before any hub did: a database without a schema gets one, an old schema of
/// Postgres is refused. Also whether the schema was made just now.
pub(crate) async fn open_or_make(backend: &Backend, settings: &Settings) -> Result<(Store, bool)> {
    let store = open_store(backend, settings).await?.without_statement_timeout();
    let made = store.has_no_schema().await?;
    if made || matches!(backend, Backend::Embedded(_)) {
        store.migrate().await.with_context(|| outdated(backend, settings))?;
    }
    Ok((checked(store, backend, settings).await?, made))
}

async fn checked(store: Store, backend: &Backend, settings: &Settings) -> Result<Store> {
    let answer = store.check().await;
    answer.map_err(|why| anyhow!("{}: {why}", backend.database(settings)))?;
    Ok(store)
}

fn outdated(backend: &Backend, settings: &Settings) -> String {
    format!("the schema of {} cannot be brought up to date", backend.database(settings))
}

/// A folder without a database is a wrong folder more often than a new one.
pub(crate) fn missing(folder: &DataFolder) -> anyhow::Error {
    if let Err(error) = fs::metadata(folder.database())
        && error.kind() == ErrorKind::PermissionDenied
    {
        return anyhow!("this user may not look into {folder}: {error}; run the command as the user of its hub");
    }
    let others = folder.others_here();
    let hint = if others.is_empty() {
        "name the folder of your hub with --data or ROLLCALL_DATA".to_owned()
    } else {
        format!("here are {}; name one with --data or ROLLCALL_DATA", others.join(", "))
    };
    anyhow!(
        "there is no database under {folder}: {hint}. `rollcall up` and `rollcall tenant create` make a new one; \
         with DATABASE_URL set and no --data, commands work on Postgres"
    )
}

pub(crate) fn open_queue(backend: &Backend, settings: &Settings, metrics: &Metrics) -> Result<Queue> {
    match backend {
        Backend::Embedded(_) => Ok(Queue::in_process(metrics.clone())),
        Backend::Services => {
            let url = QUEUE.required(&settings.queue.url)?;
            let config = QueueConfig { prefix: settings.queue.prefix.clone(), ..QueueConfig::new(url) };
            Queue::rabbitmq(config, metrics.clone()).context("queue.url (AMQP_URL)")
        }
    }
}

/// The relay of events to the broker, where one is asked for. An embedded hub has no broker.
pub(crate) fn open_relay(backend: &Backend, settings: &Settings) -> Result<Option<Relay>> {
    let exchange = settings.events.exchange.clone();
    match backend {
        _ if exchange.is_empty() => Ok(None),
        Backend::Embedded(_) => {
            tracing::warn!(
                exchange,
                "events.exchange is set and not used: `rollcall up` has no RabbitMQ; `rollcall all` has, and feeds and webhooks need none"
            );
            Ok(None)
        }
        Backend::Services => {
            let broker = QueueConfig::new(QUEUE.required(&settings.queue.url)?);
            Ok(Some(Relay { broker, exchange, render: rollcall_admin::view::events::body }))
        }
    }
}

/// Opens the cache; its entries are sealed with a secret of the database.
pub(crate) async fn open_cache(
    backend: &Backend,
    settings: &Settings,
    store: &Store,
    metrics: &Metrics,
) -> Result<Cache> {
    match backend {
        Backend::Embedded(_) => Ok(Cache::in_process()),
        Backend::Services => {
            let seal = store.cache_key().await.context("the secret of the cache's entries cannot be read")?;
            let config = CacheConfig {
                prefix: settings.cache.prefix.clone(),
                ..CacheConfig::new(CACHE.required(&settings.cache.url)?, SealKey::new(seal))
            };
            Cache::redis(&config, metrics.clone()).context("cache.url (REDIS_URL)")
        }
    }
}
