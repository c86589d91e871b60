//! `rollcall tenant …`.

use super::{Json, OfTenant};
use clap::{Args, Subcommand};
use rollcall_core::policy::Policy;

#[derive(Subcommand)]
pub(crate) enum TenantCommand {
    /// Makes a tenant: an organisation with its seats and its policy.
    Create(TenantCreate),
    /// Lists all tenants with their seats.
    List(Json),
    /// Shows a tenant with its seats and its sources.
    Show(TenantShow),
    /// Gives a tenant another name. Its slug stays unless another one is given.
    Rename(TenantRename),
    /// Changes the number of seats; whoever waits is let in.
    SetSeats(TenantSetSeats),
    /// Sets what the tenant may keep, where it differs from the settings.
    SetQuota(TenantSetQuota),
}

#[derive(Args)]
pub(crate) struct TenantCreate {
    /// The organisation's name.
    #[arg(long)]
    pub(crate) name: String,
    /// The short name that commands take [default: made of the name].
    #[arg(long)]
    pub(crate) slug: Option<String>,
    /// Seats bought.
    #[arg(long, allow_negative_numbers = true)]
    pub(crate) seats: u32,
    /// Email of an active owner and billing contact whom no source manages.
    #[arg(long, value_name = "EMAIL")]
    pub(crate) owner: Option<String>,
    /// A policy setting as key=value, e.g. onboarding=federated; may be repeated.
    #[arg(long, value_name = "KEY=VALUE", long_help = policy_help())]
    pub(crate) policy: Vec<String>,
    #[command(flatten)]
    pub(crate) output: Json,
}

fn policy_help() -> String {
    let keys = Policy::setting_keys().join(", ");
    format!("A policy setting as key=value, e.g. onboarding=federated; may be repeated. The keys: {keys}")
}

#[derive(Args)]
pub(crate) struct TenantShow {
    #[command(flatten)]
    pub(crate) of: OfTenant,
    #[command(flatten)]
    pub(crate) output: Json,
}

#[derive(Args)]
pub(crate) struct TenantRename {
    #[command(flatten)]
    pub(crate) of: OfTenant,
    /// The new name.
    #[arg(long)]
    pub(crate) name: String,
    /// The new short name; commands no longer find the tenant by the old one.
    #[arg(long)]
    pub(crate) slug: Option<String>,
    #[command(flatten)]
    pub(crate) output: Json,
}

#[derive(Args)]
pub(crate) struct TenantSetSeats {
    #[command(flatten)]
    pub(crate) of: OfTenant,
    /// Seats bought.
    #[arg(long, allow_negative_numbers = true)]
    pub(crate) seats: u32,
    /// Also when more seats are in use: nobody is removed, and nobody new comes in.
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) output: Json,
}

#[derive(Args)]
pub(crate) struct TenantSetQuota {
    #[command(flatten)]
    pub(crate) of: OfTenant,
    /// Directory users and groups, with the rows of deleted ones.
    #[arg(long)]
    pub(crate) records: Option<u64>,
    /// Attributes of the records, in bytes.
    #[arg(long)]
    pub(crate) bytes: Option<u64>,
    /// Sources of any mode.
    #[arg(long)]
    pub(crate) sources: Option<u64>,
    /// Tokens and API keys in force.
    #[arg(long)]
    pub(crate) keys: Option<u64>,
    /// Endpoints of webhooks.
    #[arg(long)]
    pub(crate) webhooks: Option<u64>,
    /// Changes that no worker has read.
    #[arg(long)]
    pub(crate) changes: Option<u64>,
    /// The quotas that are not given follow the settings again.
    #[arg(long)]
    pub(crate) reset: bool,
    #[command(flatten)]
    pub(crate) output: Json,
}
