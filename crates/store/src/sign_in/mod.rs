//! Sign-in by the identity provider of a tenant: its connections, its proven domains, and the people whom it knows.

pub(crate) mod asserted_groups;
pub(crate) mod connection_use;
pub(crate) mod connections;
pub(crate) mod domains;
pub(crate) mod identities;
pub(crate) mod provider_logout;
pub(crate) mod ruled_roles;
