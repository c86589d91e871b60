//! Tenants, sources, and the credentials of machines and people.

pub(crate) mod access_tokens;
pub(crate) mod api_keys;
pub(crate) mod credential_uses;
pub(crate) mod credentials;
pub(crate) mod enrolments;
pub(crate) mod idempotency;
pub(crate) mod install_tokens;
pub(crate) mod oauth_clients;
pub(crate) mod operator_keys;
pub(crate) mod operators;
pub(crate) mod quarantine_release;
pub(crate) mod quotas;
pub(crate) mod sessions;
pub(crate) mod setup_links;
pub(crate) mod sign_in_links;
pub(crate) mod source_upkeep;
pub(crate) mod sources;
pub(crate) mod tenants;
