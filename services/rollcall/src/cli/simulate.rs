//! `rollcall simulate-idp …`.

use super::Json;
use clap::Args;
use rollcall_simulator::Idp;
use std::path::PathBuf;

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
    /// Parts of the conversation, separated by commas: all (every part but delete), first-sync (people, groups,
    /// memberships), test-connection, people, groups, memberships, rename, email-change, group-changes, deactivate,
    /// reactivate, resync, read-back, delete.
    #[arg(long, default_value = "all")]
    pub(crate) phases: String,
    /// How many people leave at once, and stay away: more than the tenant's removal limit makes a held run. When left out,
    /// 2 % leave and half of them come back.
    #[arg(long, value_name = "PEOPLE")]
    pub(crate) leave: Option<usize>,
    /// Append each exchange to this file, one line of JSON each; tokens are left out.
    #[arg(long)]
    pub(crate) record: Option<PathBuf>,
    /// Duplicate, reorder and repeat requests, and drop answers, as a bad network does.
    #[arg(long)]
    pub(crate) chaos: bool,
    #[command(flatten)]
    pub(crate) output: Json,
}
