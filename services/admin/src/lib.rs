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
pub mod view;
mod words;

use rollcall_hub::{CallerLimits, Hub};

/// The admin service; one value per process, shared by its threads.
#[derive(Clone)]
pub struct Admin {
    pub hub: Hub,
    pub limits: CallerLimits,
}
