//! `rollcall sign-in-link`.

use super::{Json, OfTenant};
use clap::Args;

#[derive(Args)]
pub(crate) struct SignInLinkArgs {
    #[command(flatten)]
    pub(crate) of: OfTenant,
    /// The address of the member: an active owner, admin or billing contact.
    #[arg(long)]
    pub(crate) email: String,
    /// How long the link works, at most 24h, e.g. 15m.
    #[arg(long, value_name = "SPAN", default_value = "15m", value_parser = crate::commands::source::parse_span)]
    pub(crate) expires_in: chrono::TimeDelta,
    #[command(flatten)]
    pub(crate) output: Json,
}
