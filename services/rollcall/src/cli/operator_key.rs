//! `rollcall operator-key …`.

use super::Json;
use clap::{Args, Subcommand};
use rollcall_core::ids::OperatorKeyId;

#[derive(Subcommand)]
pub(crate) enum OperatorKeyCommand {
    /// Makes a key that reaches every tenant.
    Create(OperatorKeyCreate),
    /// Lists all of them, also those that ended; never a secret.
    List(Json),
    /// Ends a key at once.
    Revoke(OperatorKeyRevoke),
}

#[derive(Args)]
pub(crate) struct OperatorKeyCreate {
    /// The name that people know the key by.
    #[arg(long, default_value = "")]
    pub(crate) name: String,
    /// When the key ends, e.g. 90d, 12h, 30m, 45s; never when left out.
    #[arg(long, value_name = "SPAN", value_parser = crate::commands::source::parse_span)]
    pub(crate) expires_in: Option<chrono::TimeDelta>,
    #[command(flatten)]
    pub(crate) output: Json,
}

#[derive(Args)]
pub(crate) struct OperatorKeyRevoke {
    /// The key's id, as `operator-key create` and `operator-key list` print it.
    #[arg(long, value_name = "ID")]
    pub(crate) key_id: OperatorKeyId,
    #[command(flatten)]
    pub(crate) output: Json,
}
