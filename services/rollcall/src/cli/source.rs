//! `rollcall source …`.

use super::Json;
use clap::{Args, Subcommand};
use rollcall_core::directory::{PeopleAfter, SourceKind, SourceMode};

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
    #[arg(long, value_parser = crate::commands::source::parse_span)]
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
    #[arg(long, value_parser = crate::commands::source::parse_span)]
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
