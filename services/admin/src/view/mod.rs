//! The answers of the REST API, one file a noun. The store gives plain rows; their form on the wire is decided here alone.

pub mod agents;
pub mod api_keys;
pub mod audit_events;
pub mod changes;
pub mod closed;
pub mod detachment;
pub mod dialect;
pub mod domains;
pub mod events;
pub mod explain;
pub mod groups;
pub mod identities;
pub mod invitations;
pub mod mapping;
pub mod member_blocks;
pub mod members;
pub mod oauth_clients;
pub mod operators;
pub mod policy;
pub mod promotion;
pub mod reconcile;
pub mod rejected;
pub mod request_log;
pub mod runs;
pub mod session;
pub mod sessions;
pub mod setup_links;
pub mod sign_in_connections;
pub mod sign_in_links;
pub mod skipped_records;
pub mod sources;
pub mod statistics;
pub mod tenants;
pub mod tokens;
pub mod webhooks;

use serde::Serialize;
use utoipa::ToSchema;

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct List<T> {
    pub items: Vec<T>,
    /// The cursor of the next page; null on the last one.
    pub next_cursor: Option<String>,
    /// The cursor with which a reader of the whole list goes on later; null for a plan, and with the newest first.
    pub resume_cursor: Option<String>,
}

impl<T> List<T> {
    /// A page of rows in their form on the wire.
    pub fn of<R: Into<T>>(items: Vec<R>, next_cursor: Option<String>, resume_cursor: Option<String>) -> Self {
        Self { items: items.into_iter().map(Into::into).collect(), next_cursor, resume_cursor }
    }
}
