//! The command line: the contract for scripts (docs/design.md#contract). It stays stable.

use clap::{Args, Parser, Subcommand};
use rollcall_bench::BenchArgs;
use rollcall_core::directory::{PeopleAfter, SourceKind, SourceMode};
use rollcall_core::roster::Role;
use rollcall_simulator::Idp;
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

#[derive(Subcommand)]
pub(crate) enum TenantCommand {
    Create(TenantCreate),
    /// Changes the number of seats; whoever waits is let in.
    SetSeats(TenantSetSeats),
}

#[derive(Args)]
pub(crate) struct TenantCreate {
    /// The organisation's name.
    #[arg(long)]
    pub(crate) name: String,
    /// Seats bought.
    #[arg(long)]
    pub(crate) seats: u32,
    /// Email of an active owner and billing contact whom no source manages.
    #[arg(long)]
    pub(crate) owner: Option<String>,
    /// A policy setting as key=value, e.g. onboarding=federated; may be repeated.
    #[arg(long)]
    pub(crate) policy: Vec<String>,
    #[command(flatten)]
    pub(crate) output: Json,
}

#[derive(Args)]
pub(crate) struct TenantSetSeats {
    #[arg(long)]
    pub(crate) tenant: String,
    #[arg(long)]
    pub(crate) seats: u32,
    #[command(flatten)]
    pub(crate) output: Json,
}

#[derive(Subcommand)]
pub(crate) enum SourceCommand {
    Create(SourceCreate),
    /// Switches a source; of a tenant's sources one at most is live.
    SetMode(SourceSetMode),
    /// Makes a source in simulation the authority. Without --digest it only shows what that would do.
    Promote(SourcePromote),
    /// Ends the quarantine of a source: what was held is planned again.
    Release(SourceRelease),
    /// Leaves a source behind. Without --digest it only shows what that would do.
    Detach(SourceDetach),
    /// One more token, so that the old one can be replaced without a gap.
    CreateToken(TokenCreate),
    /// Ends a token; processes notice within a second.
    RevokeToken(TokenRevoke),
}

#[derive(Args)]
pub(crate) struct SourceCreate {
    /// The tenant's slug.
    #[arg(long)]
    pub(crate) tenant: String,
    /// scim or agent.
    #[arg(long)]
    pub(crate) kind: SourceKind,
    /// live changes members, simulate only plans, off refuses.
    #[arg(long, default_value_t = SourceMode::Live)]
    pub(crate) mode: SourceMode,
    /// What people call it.
    #[arg(long, default_value = "")]
    pub(crate) name: String,
    /// Take users only: groups are neither shown nor taken.
    #[arg(long)]
    pub(crate) users_only: bool,
    /// When the token ends, e.g. 90d, 12h, 30m, 45s; never when left out.
    #[arg(long, value_parser = crate::commands::setup::parse_span)]
    pub(crate) token_expires_in: Option<chrono::TimeDelta>,
    #[command(flatten)]
    pub(crate) output: Json,
}

#[derive(Args)]
pub(crate) struct SourceSetMode {
    #[arg(long)]
    pub(crate) tenant: String,
    /// The source's id.
    #[arg(long)]
    pub(crate) source: String,
    /// live changes members, simulate only plans, off refuses.
    #[arg(long)]
    pub(crate) mode: SourceMode,
    #[command(flatten)]
    pub(crate) output: Json,
}

#[derive(Args)]
pub(crate) struct SourcePromote {
    #[arg(long)]
    pub(crate) tenant: String,
    /// The source's id.
    #[arg(long)]
    pub(crate) source: String,
    /// Of the plan as it was shown.
    #[arg(long)]
    pub(crate) digest: Option<String>,
    #[command(flatten)]
    pub(crate) output: Json,
}

#[derive(Args)]
pub(crate) struct SourceRelease {
    #[arg(long)]
    pub(crate) tenant: String,
    /// The source's id.
    #[arg(long)]
    pub(crate) source: String,
    #[command(flatten)]
    pub(crate) output: Json,
}

#[derive(Args)]
pub(crate) struct SourceDetach {
    #[arg(long)]
    pub(crate) tenant: String,
    /// The source's id.
    #[arg(long)]
    pub(crate) source: String,
    /// keep: its members stay, unmanaged; remove: they leave, under the removal limit.
    #[arg(long)]
    pub(crate) people: PeopleAfter,
    /// Of the plan as it was shown.
    #[arg(long)]
    pub(crate) digest: Option<String>,
    #[command(flatten)]
    pub(crate) output: Json,
}

#[derive(Args)]
pub(crate) struct TokenCreate {
    #[arg(long)]
    pub(crate) tenant: String,
    /// The source's id.
    #[arg(long)]
    pub(crate) source: String,
    #[arg(long, default_value = "")]
    pub(crate) name: String,
    /// When the token ends, e.g. 90d, 12h, 30m, 45s; never when left out.
    #[arg(long, value_parser = crate::commands::setup::parse_span)]
    pub(crate) expires_in: Option<chrono::TimeDelta>,
    #[command(flatten)]
    pub(crate) output: Json,
}

#[derive(Args)]
pub(crate) struct TokenRevoke {
    #[arg(long)]
    pub(crate) tenant: String,
    #[arg(long)]
    pub(crate) token_id: String,
    #[command(flatten)]
    pub(crate) output: Json,
}

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

#[derive(Args)]
pub(crate) struct SimulateArgs {
    /// okta, okta-custom, entra, entra-flag, onelogin, jumpcloud or ping.
    pub(crate) idp: Idp,
    /// The SCIM address of one source, as `source create` prints it.
    #[arg(long)]
    pub(crate) endpoint: String,
    /// Its token.
    #[arg(long, env = "ROLLCALL_TEST_TOKEN", hide_env_values = true)]
    pub(crate) token: String,
    /// How many people the identity provider has.
    #[arg(long, default_value_t = 50)]
    pub(crate) users: usize,
    /// How many groups; about one for twelve people when left out.
    #[arg(long)]
    pub(crate) groups: Option<usize>,
    /// Same seed, same people, same story.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Requests under way at once.
    #[arg(long, default_value_t = 4)]
    pub(crate) concurrency: usize,
    /// Parts of the conversation, separated by commas; `first-sync`, `all`.
    #[arg(long, default_value = "all")]
    pub(crate) phases: String,
    /// Append each exchange to this file, one line of JSON each; tokens are left out.
    #[arg(long)]
    pub(crate) record: Option<PathBuf>,
    /// Duplicate, reorder and repeat requests, and drop answers, as a bad network does.
    #[arg(long)]
    pub(crate) chaos: bool,
    #[command(flatten)]
    pub(crate) output: Json,
}
