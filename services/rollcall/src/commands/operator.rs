//! The common parts of the operator's commands: the opened store, the named tenant, the wake-up of the hub, the printed
//! answer.

use crate::cli::{Json, OfTenant};
use crate::output::{Unwritten, line};
use crate::ports::{self, Backend};
use crate::settings::Settings;
use anyhow::{Result, anyhow};
use rollcall_core::spelling::did_you_mean;
use rollcall_hub::{ChangeStreams, CredentialUses, Hub, KnownSessions, SharedQuotaBook};
use rollcall_runtime::{Cache, Metrics, Queue};
use rollcall_store::{AdminScope, Committed, Store, StoreError};
use serde_json::Value;
use std::time::Duration;

/// Longest wait for the broker to confirm the wake-up of a command; the sweep finds the change otherwise.
const WAKE_FLUSH: Duration = Duration::from_secs(2);

/// An operator at work on one database.
pub(crate) struct Operator<'a> {
    pub(crate) store: Store,
    pub(crate) backend: &'a Backend,
    pub(crate) settings: &'a Settings,
}

impl<'a> Operator<'a> {
    /// Opens a database that is there already.
    pub(crate) async fn open(backend: &'a Backend, settings: &'a Settings) -> Result<Self> {
        let store = ports::open_existing(backend, settings).await?;
        Ok(Self { store, backend, settings })
    }

    /// The database as messages name it.
    pub(crate) fn database(&self) -> String {
        self.backend.database(self.settings)
    }

    /// The tenant that a command names.
    ///
    /// # Errors
    /// Says in which database there is none: a forgotten `--data` is the usual cause.
    pub(crate) async fn scope(&self, of: &OfTenant) -> Result<AdminScope> {
        self.scope_of(&of.tenant).await
    }

    pub(crate) async fn scope_of(&self, slug: &str) -> Result<AdminScope> {
        match self.store.operator_scope(slug).await {
            Ok(scope) => Ok(scope),
            Err(StoreError::NotFound(_)) => Err(self.no_such_tenant(slug).await?),
            Err(error) => Err(error.into()),
        }
    }

    async fn no_such_tenant(&self, slug: &str) -> Result<anyhow::Error> {
        let tenants = self.store.tenants().await?;
        let hint = match tenants.len() {
            0 => "it has no tenant at all; `rollcall tenant create` makes one".to_owned(),
            _ => "`rollcall tenant list` lists those that it has".to_owned(),
        };
        let near = did_you_mean(slug, tenants.iter().map(|tenant| tenant.slug.as_str()));
        let database = self.database();
        Ok(anyhow!(
            "there is no tenant {slug:?} in {database}; {hint}, --data DIR or ROLLCALL_DATA names another folder{near}"
        ))
    }

    /// Does the after-commit duties of a write. A command is a process of its own: it tells a running hub through the broker and
    /// Redis. An embedded hub has neither; its sweep finds the change, and it trusts a credential for half a second.
    pub(crate) async fn after_commit<T>(&self, committed: Committed<T>) -> Result<T> {
        let metrics = Metrics::new()?;
        let queue = match self.backend {
            Backend::Services if committed.wakes() && !self.settings.queue.url.is_empty() => {
                ports::open_queue(self.backend, self.settings, &metrics)?
            }
            _ => Queue::in_process(metrics.clone()),
        };
        let cache = if committed.changes_credentials() {
            ports::open_cache(self.backend, self.settings, &self.store, &metrics).await?
        } else {
            Cache::in_process()
        };
        let (uses, sessions, quotas) =
            (CredentialUses::default(), KnownSessions::default(), SharedQuotaBook::default());
        let hub = Hub {
            store: self.store.clone(),
            queue,
            cache,
            metrics,
            uses,
            sessions,
            quotas,
            streams: ChangeStreams::default(),
        };
        let value = hub.after_commit(committed).await;
        // The connection is closed before the runtime ends, which its thread would not survive.
        hub.queue.shutdown(WAKE_FLUSH).await;
        Ok(value)
    }
}

/// One JSON value with `--json`, else lines for people.
pub(crate) fn print(output: &Json, body: Value, lines: &str) -> Result<(), Unwritten> {
    if output.json { line(body) } else { line(lines) }
}
