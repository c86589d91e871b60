//! `rollcall tenant …`.

use super::Json;
use clap::{Args, Subcommand};

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
