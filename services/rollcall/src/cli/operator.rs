//! `rollcall operator …`.

use super::Json;
use clap::{Args, Subcommand};
use rollcall_core::ids::OperatorId;

#[derive(Subcommand)]
pub(crate) enum OperatorCommand {
    /// Lists the operators who signed in once, also those who were revoked.
    List(Json),
    /// Ends an operator's access at once.
    Revoke(OneOperator),
    /// Lets a revoked operator sign in again.
    Restore(OneOperator),
}

#[derive(Args)]
pub(crate) struct OneOperator {
    /// The operator's id, as `operator list` prints it.
    #[arg(long, value_name = "ID")]
    pub(crate) operator_id: OperatorId,
    #[command(flatten)]
    pub(crate) output: Json,
}
