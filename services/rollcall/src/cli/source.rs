//! `rollcall source …`.

use super::{Json, OfSource, OfTenant};
use clap::{Args, Subcommand};
use rollcall_core::directory::{PeopleAfter, SourceKind, SourceMode};
use rollcall_core::ids::CredentialId;

#[derive(Subcommand)]
pub(crate) enum SourceCommand {
    /// Makes a source and its first token.
    Create(SourceCreate),
    /// Lists the sources of a tenant.
    List(SourceList),
    /// Gives a source another name.
    Rename(SourceRename),
    /// Deletes a source that never sent anything. One that did is left behind by `source detach`.
    Delete(SourceDelete),
    /// Switches a source; of a tenant's sources one at most is live.
    SetMode(SourceSetMode),
    /// Changes the switches of a source: whether it takes groups, and what discovery shows.
    Configure(SourceConfigure),
    /// Makes a source in simulation the authority. Without --digest it only shows what that would do.
    Promote(SourcePromote),
    /// Ends the quarantine of a source: what was held is planned again.
    Release(SourceRelease),
    /// Plans to take back everything that a source did since an instant, as one run that an admin approves.
    Rewind(SourceRewind),
    /// Leaves a source behind. Without --digest it only shows what that would do.
    Detach(SourceDetach),
    /// Makes one more token, so that the old one can be replaced without a gap.
    CreateToken(TokenCreate),
    /// Ends a token; processes notice within a second.
    RevokeToken(TokenRevoke),
}

#[derive(Args)]
pub(crate) struct SourceCreate {
    #[command(flatten)]
    pub(crate) of: OfTenant,
    /// scim, or agent for a directory that an on-prem agent uploads.
    #[arg(long)]
    pub(crate) kind: SourceKind,
    /// live changes members, simulate only plans, off refuses [default: live].
    #[arg(long)]
    pub(crate) mode: Option<SourceMode>,
    /// The name that people call it.
    #[arg(long, default_value = "")]
    pub(crate) name: String,
    /// Take users only: groups are neither shown nor taken.
    #[arg(long)]
    pub(crate) users_only: bool,
    /// Show nothing beyond RFC 7643 in discovery, for clients that refuse attributes they do not know.
    #[arg(long)]
    pub(crate) plain_discovery: bool,
    /// When the token ends, e.g. 90d, 12h, 30m, 45s; never when left out.
    #[arg(long, value_name = "SPAN", value_parser = crate::commands::source::parse_span)]
    pub(crate) token_expires_in: Option<chrono::TimeDelta>,
    #[command(flatten)]
    pub(crate) output: Json,
}

#[derive(Args)]
pub(crate) struct SourceList {
    #[command(flatten)]
    pub(crate) of: OfTenant,
    #[command(flatten)]
    pub(crate) output: Json,
}

#[derive(Args)]
pub(crate) struct SourceRename {
    #[command(flatten)]
    pub(crate) of: OfSource,
    /// The new name.
    #[arg(long)]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) output: Json,
}

#[derive(Args)]
pub(crate) struct SourceDelete {
    #[command(flatten)]
    pub(crate) of: OfSource,
    #[command(flatten)]
    pub(crate) output: Json,
}

#[derive(Args)]
pub(crate) struct SourceSetMode {
    #[command(flatten)]
    pub(crate) of: OfSource,
    /// live changes members, simulate only plans, off refuses.
    #[arg(long)]
    pub(crate) mode: SourceMode,
    #[command(flatten)]
    pub(crate) output: Json,
}

#[derive(Args)]
#[command(group = clap::ArgGroup::new("switch").required(true).multiple(true))]
pub(crate) struct SourceConfigure {
    #[command(flatten)]
    pub(crate) of: OfSource,
    /// true: groups are neither shown nor taken.
    #[arg(long, value_name = "true|false", group = "switch", action = clap::ArgAction::Set)]
    pub(crate) users_only: Option<bool>,
    /// true: discovery shows nothing beyond RFC 7643, for clients that refuse attributes they do not know.
    #[arg(long, value_name = "true|false", group = "switch", action = clap::ArgAction::Set)]
    pub(crate) plain_discovery: Option<bool>,
    #[command(flatten)]
    pub(crate) output: Json,
}

#[derive(Args)]
pub(crate) struct SourcePromote {
    #[command(flatten)]
    pub(crate) of: OfSource,
    /// The digest of the plan as it was shown.
    #[arg(long)]
    pub(crate) digest: Option<String>,
    #[command(flatten)]
    pub(crate) output: Json,
}

#[derive(Args)]
pub(crate) struct SourceRelease {
    #[command(flatten)]
    pub(crate) of: OfSource,
    #[command(flatten)]
    pub(crate) output: Json,
}

#[derive(Args)]
pub(crate) struct SourceRewind {
    #[command(flatten)]
    pub(crate) of: OfSource,
    /// The instant, as RFC 3339: 2026-11-29T12:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = super::time)]
    pub(crate) since: chrono::DateTime<chrono::Utc>,
    #[command(flatten)]
    pub(crate) output: Json,
}

#[derive(Args)]
pub(crate) struct SourceDetach {
    #[command(flatten)]
    pub(crate) of: OfSource,
    /// keep: its members stay, unmanaged; remove: they leave, under the removal limit.
    #[arg(long)]
    pub(crate) people: PeopleAfter,
    /// The digest of the plan as it was shown.
    #[arg(long)]
    pub(crate) digest: Option<String>,
    #[command(flatten)]
    pub(crate) output: Json,
}

#[derive(Args)]
pub(crate) struct TokenCreate {
    #[command(flatten)]
    pub(crate) of: OfSource,
    /// The name that people know the token by.
    #[arg(long, default_value = "")]
    pub(crate) name: String,
    /// When the token ends, e.g. 90d, 12h, 30m, 45s; never when left out.
    #[arg(long, value_name = "SPAN", value_parser = crate::commands::source::parse_span)]
    pub(crate) expires_in: Option<chrono::TimeDelta>,
    #[command(flatten)]
    pub(crate) output: Json,
}

#[derive(Args)]
pub(crate) struct TokenRevoke {
    #[command(flatten)]
    pub(crate) of: OfTenant,
    /// The token's id, as `source create` and `source create-token` print it with --json.
    #[arg(long, value_name = "ID")]
    pub(crate) token_id: CredentialId,
    #[command(flatten)]
    pub(crate) output: Json,
}
