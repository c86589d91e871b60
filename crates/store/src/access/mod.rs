//! Tenants, sources and their credentials.

pub(crate) mod credential_uses;
pub(crate) mod credentials;
pub(crate) mod quarantine_release;
pub(crate) mod quotas;
pub(crate) mod source_upkeep;
pub(crate) mod sources;
pub(crate) mod tenants;
