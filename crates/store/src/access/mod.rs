//! Tenants, sources and the credentials that open them.

pub(crate) mod credentials;
pub(crate) mod source_upkeep;
pub(crate) mod sources;
pub(crate) mod tenants;
