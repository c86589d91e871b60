//! HTTP for people and dashboards: the REST API of one tenant, read with an API key.

mod answer;
mod audit_events;
mod auth;
mod body;
mod detachment;
mod dialect;
mod error;
mod explain;
mod groups;
mod mapping;
mod members;
mod path;
mod policy;
mod promotion;
mod query;
mod reconcile;
mod redact;
mod rejected;
mod request_log;
pub mod routes;
mod runs;
mod skipped_records;
mod sources;
mod tokens;

use rollcall_runtime::{Cache, Lane, Metrics, Queue, Rate};
use rollcall_store::{ApiScope, Store};
use std::time::Duration;

/// What an operator may set.
#[derive(Clone, Debug)]
pub struct AdminConfig {
    /// Requests of one API key.
    pub rate: Rate,
    /// Failed authentications of one address.
    pub failed_auth_rate: Rate,
    /// How long other processes may trust a credential that they cannot be told of.
    pub credential_ttl: Duration,
}

/// The admin service; one value per process, shared by its threads.
#[derive(Clone)]
pub struct Admin {
    pub store: Store,
    pub queue: Queue,
    pub cache: Cache,
    pub metrics: Metrics,
    pub config: AdminConfig,
}

impl Admin {
    fn wake(&self, scope: &ApiScope) {
        self.queue.wake(scope.tenant().0, Lane::Push);
    }
}
