//! HTTP for people and dashboards: the REST API of one tenant, used with an API key or by a member who signed in.

mod activate_page;
mod agents;
mod answer;
mod api_keys;
mod audit_events;
mod auth;
mod body;
mod changes;
mod console;
mod cors;
mod detachment;
mod dialect;
mod domains;
mod error;
mod etag;
mod events;
mod explain;
mod exports;
mod fields;
mod groups;
mod html;
mod idempotency;
mod identities;
mod invitations;
mod mapping;
mod member_blocks;
mod members;
mod oauth_clients;
mod openapi;
mod openapi_page;
mod operator_pages;
mod operators;
mod path;
mod policy;
mod promotion;
mod provider_pages;
mod query;
mod reconcile;
mod redact;
mod rejected;
mod request_log;
pub mod routes;
mod runs;
mod session;
mod sessions;
mod setup_guides;
mod setup_links;
mod setup_page;
mod sign_in_connections;
mod sign_in_links;
mod sign_in_page;
mod skipped_records;
mod sources;
mod statistics;
mod tenants;
mod tokens;
pub mod view;
mod webhooks;
mod words;

pub use cors::Origins;
pub use openapi::openapi_document;

use actix_web::HttpRequest;
use rollcall_hub::{CallerLimits, Hub, OperatorSignIns, ProviderSignIns};
use rollcall_runtime::outbound::Outbound;
use rollcall_web::origin;

/// The admin service; one value per process, shared by its threads.
#[derive(Clone)]
pub struct Admin {
    pub hub: Hub,
    pub limits: CallerLimits,
    /// The address of the hub for people, when the operator set one.
    pub public_url: Option<String>,
    pub sign_ins: ProviderSignIns,
    pub operators: OperatorSignIns,
    /// Sends test messages to the endpoints of webhooks.
    pub webhooks: Outbound,
    /// The other sites whose pages may call the REST API with a key.
    pub cors: Origins,
}

impl Admin {
    /// The address of the hub as the caller reaches it.
    pub(crate) fn base(&self, request: &HttpRequest) -> String {
        self.public_url.clone().unwrap_or_else(|| origin(request))
    }
}
