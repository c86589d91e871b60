//! `rollcall api-key …`.

use super::Json;
use clap::{Args, Subcommand};
use rollcall_core::roster::Role;

#[derive(Subcommand)]
pub(crate) enum ApiKeyCommand {
    Create(ApiKeyCreate),
    /// All keys of a tenant, also those that ended; never a secret.
    List(ApiKeyList),
    /// Ends a key; processes notice within a second.
    Revoke(ApiKeyRevoke),
}

#[derive(Args)]
pub(crate) struct ApiKeyList {
    #[arg(long)]
    pub(crate) tenant: String,
    #[command(flatten)]
    pub(crate) output: Json,
}

#[derive(Args)]
pub(crate) struct ApiKeyRevoke {
    #[arg(long)]
    pub(crate) tenant: String,
    /// The key's id, as `api-key create` and `api-key list` print it.
    #[arg(long)]
    pub(crate) key_id: String,
    #[command(flatten)]
    pub(crate) output: Json,
}

#[derive(Args)]
pub(crate) struct ApiKeyCreate {
    #[arg(long)]
    pub(crate) tenant: String,
    /// owner or admin may change things, member may read.
    #[arg(long)]
    pub(crate) role: Role,
    #[arg(long, default_value = "")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) output: Json,
}
