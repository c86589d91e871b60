//! `rollcall sealing-key …`.

use super::Json;
use clap::Subcommand;

#[derive(Subcommand)]
pub(crate) enum SealingKeyCommand {
    /// Prints a new key for `sealing.keys`. Put it before the old ones, so that it seals and they still open.
    New(Json),
    /// Seals the secrets of all tenants with the first of `sealing.keys`; then the others are needed no longer.
    Reseal(Json),
}
