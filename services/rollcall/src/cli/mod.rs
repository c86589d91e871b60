//! The command line: the contract for scripts (docs/design.md#contract). It stays stable.

mod api_key;
mod simulate;
mod source;
mod tenant;

pub(crate) use api_key::ApiKeyCommand;
pub(crate) use simulate::SimulateArgs;
pub(crate) use source::{SourceCommand, SourceDetach, SourcePromote, SourceRelease};
pub(crate) use tenant::TenantCommand;

use clap::{Args, Parser, Subcommand};
use rollcall_bench::BenchArgs;
use std::path::PathBuf;

/// Keeps the members and groups of organisations in line with their directories.
#[derive(Parser)]
#[command(name = "rollcall", version, disable_help_subcommand = true)]
pub(crate) struct Cli {
    /// A settings file; `rollcall help config` prints the settings and their defaults.
    #[arg(long, global = true, env = "ROLLCALL_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// The folder of an embedded hub (SQLite). Commands use it instead of DATABASE_URL.
    #[arg(long, global = true)]
    pub(crate) data: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Everything in one process: SQLite, queue and cache inside it.
    Up(Listen),
    /// The three roles in one process on Postgres, RabbitMQ and Redis.
    All(Listen),
    /// SCIM for identity providers.
    Ingest(Listen),
    /// Reconciles tenants. Serves only /healthz and /readyz.
    Worker(Listen),
    /// The REST API.
    Admin(Listen),
    /// Brings the database schema up to date.
    Migrate,
    /// Checks every dependency and names the remedy of what is wrong.
    Doctor,
    /// Makes tenants.
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// Makes what feeds a tenant, and its tokens.
    #[command(subcommand)]
    Source(SourceCommand),
    /// Makes, lists and ends keys for the REST API.
    #[command(subcommand)]
    ApiKey(ApiKeyCommand),
    /// Plays an identity provider's provisioning conversation against a hub.
    SimulateIdp(SimulateArgs),
    /// A hub with demo tenants: plays Okta and Entra, tells what happened, and stays up.
    Demo(Listen),
    /// Lists every route of the hub and what it wants.
    Routes(Json),
    /// Measures a hub or another SCIM server.
    Bench(BenchArgs),
    /// Prints help; `help config` prints every setting.
    Help { topic: Option<String> },
}

#[derive(Args)]
pub(crate) struct Listen {
    /// Address to listen on; port 0 takes a free one [default: http.listen, 127.0.0.1:8080]
    #[arg(long)]
    pub(crate) listen: Option<String>,
}

#[derive(Args)]
pub(crate) struct Json {
    /// Print one JSON value and nothing else.
    #[arg(long)]
    pub(crate) json: bool,
}
