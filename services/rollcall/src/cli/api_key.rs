//! `rollcall api-key …`.

use super::{Json, OfTenant};
use clap::{Args, Subcommand};
use rollcall_core::ids::CredentialId;
use rollcall_core::permission::Permission;
use rollcall_core::roster::Role;

#[derive(Subcommand)]
pub(crate) enum ApiKeyCommand {
    /// Makes a key for the REST API.
    Create(ApiKeyCreate),
    /// Lists all keys of a tenant, also those that ended; never a secret.
    List(ApiKeyList),
    /// Ends a key; processes notice within a second.
    Revoke(ApiKeyRevoke),
}

#[derive(Args)]
pub(crate) struct ApiKeyList {
    #[command(flatten)]
    pub(crate) of: OfTenant,
    #[command(flatten)]
    pub(crate) output: Json,
}

#[derive(Args)]
pub(crate) struct ApiKeyRevoke {
    #[command(flatten)]
    pub(crate) of: OfTenant,
    /// The key's id, as `api-key create` and `api-key list` print it.
    #[arg(long, value_name = "ID")]
    pub(crate) key_id: CredentialId,
    #[command(flatten)]
    pub(crate) output: Json,
}

#[derive(Args)]
pub(crate) struct ApiKeyCreate {
    #[command(flatten)]
    pub(crate) of: OfTenant,
    /// owner or admin may change things, auditor may read what an admin reads, member may read.
    #[arg(long)]
    pub(crate) role: Role,
    /// Permissions of the key, divided by commas: read, members, runs, policy, sources, access, export; all of its role when left out.
    #[arg(long, value_delimiter = ',', value_name = "PERMISSIONS")]
    pub(crate) permissions: Vec<Permission>,
    /// The name that people know the key by.
    #[arg(long, default_value = "")]
    pub(crate) name: String,
    /// When the key ends, e.g. 90d, 12h, 30m, 45s; never when left out.
    #[arg(long, value_name = "SPAN", value_parser = crate::commands::source::parse_span)]
    pub(crate) expires_in: Option<chrono::TimeDelta>,
    #[command(flatten)]
    pub(crate) output: Json,
}
