//! Opens what a process works with: the store, the queue and the cache, each on the arm that the command asks for.

use crate::settings::Settings;
use anyhow::{Context, Result, bail};
use rollcall_core::clock::Clock;
use rollcall_runtime::cache::CacheConfig;
use rollcall_runtime::{Cache, Metrics, Queue, QueueConfig};
use rollcall_store::{Store, StoreConfig};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Which arms.
#[derive(Clone, Debug)]
pub(crate) enum Backend {
    /// SQLite under this folder, queue and cache in the process.
    Embedded(PathBuf),
    /// Postgres, RabbitMQ and Redis from the settings.
    Services,
}

impl Backend {
    /// For commands: the folder when given, else the services when `DATABASE_URL` is set, else `./data`.
    pub(crate) fn of_command(data: Option<&Path>, settings: &Settings) -> Self {
        match data {
            Some(folder) => Self::Embedded(folder.to_owned()),
            None if !settings.database.url.is_empty() => Self::Services,
            None => Self::Embedded(PathBuf::from("./data")),
        }
    }
}

/// Reads a setting that the services arm cannot do without.
fn required<'s>(value: &'s str, key: &str, variable: &str, example: &str) -> Result<&'s str> {
    if value.is_empty() {
        bail!("{key} is not set; set {variable}, e.g. {example}, or use `rollcall up`, which needs no services");
    }
    Ok(value)
}

pub(crate) async fn open_store(backend: &Backend, settings: &Settings) -> Result<Store> {
    let url = match backend {
        Backend::Embedded(folder) => format!("sqlite://{}", folder.join("rollcall.db").display()),
        Backend::Services => {
            let example = "postgres://rollcall:…@127.0.0.1/rollcall";
            required(&settings.database.url, "database.url", "DATABASE_URL", example)?.to_owned()
        }
    };
    let config = StoreConfig {
        url,
        max_connections: settings.database.connections_max,
        acquire_timeout: Duration::from_secs(settings.database.acquire_timeout_seconds),
        statement_timeout: Duration::from_secs(settings.database.statement_timeout_seconds),
    };
    let store = Store::connect(&config, Clock::System).await;
    store.context(match backend {
        Backend::Embedded(folder) => format!("SQLite under {} cannot be opened; check --data", folder.display()),
        Backend::Services => "Postgres cannot be reached; check DATABASE_URL and that the server runs".to_owned(),
    })
}

/// For commands that a script may run before any hub did: a database without a schema gets it, an old one is refused.
pub(crate) async fn open_store_for_command(backend: &Backend, settings: &Settings) -> Result<Store> {
    let store = open_store(backend, settings).await?.without_statement_timeout();
    if matches!(backend, Backend::Embedded(_)) || store.has_no_schema().await? {
        store.migrate().await.context("the schema cannot be made")?;
    }
    store.check().await.map_err(anyhow::Error::msg)?;
    Ok(store)
}

pub(crate) fn open_queue(backend: &Backend, settings: &Settings, metrics: &Metrics) -> Result<Queue> {
    match backend {
        Backend::Embedded(_) => Ok(Queue::in_process(metrics.clone())),
        Backend::Services => {
            let url = required(&settings.queue.url, "queue.url", "AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/%2f")?;
            let config = QueueConfig { prefix: settings.queue.prefix.clone(), ..QueueConfig::new(url) };
            Queue::rabbitmq(config, metrics.clone()).context("queue.url (AMQP_URL)")
        }
    }
}

pub(crate) fn open_cache(backend: &Backend, settings: &Settings, metrics: &Metrics) -> Result<Cache> {
    match backend {
        Backend::Embedded(_) => Ok(Cache::in_process()),
        Backend::Services => {
            let url = required(&settings.cache.url, "cache.url", "REDIS_URL", "redis://127.0.0.1:6379/0")?;
            let config = CacheConfig { prefix: settings.cache.prefix.clone(), ..CacheConfig::new(url) };
            Cache::redis(&config, metrics.clone()).context("cache.url (REDIS_URL)")
        }
    }
}
