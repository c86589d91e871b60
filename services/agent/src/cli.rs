//! The command line.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Uploads the people and groups of a directory to a Rollcall hub.
#[derive(Parser)]
#[command(name = "rollcall-agent", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Makes the key, enrols it with an install token, tests each step and writes the configuration.
    Setup(Box<Setup>),
    /// Tests each step, and says what to fix; uploads nothing.
    Check(Common),
    /// Reads the directory once and uploads what differs.
    Run(Run),
    /// Prints what the hub would do with what `run` would send; changes nothing.
    Preview(Run),
    /// Stays, and uploads at once when the directory changes.
    Service(Common),
    /// Shows the key, and the state of the source at the hub.
    Status(Common),
    /// Makes another key, which an admin verifies like the first.
    RotateKey(Common),
    /// Writes log and configuration into one file for a support ticket, without secrets and without people.
    SupportBundle(SupportBundle),
    /// Lists the exit codes, with what to do about each.
    ExitCodes(JsonFlag),
}

#[derive(Args)]
pub(crate) struct JsonFlag {
    /// Print one JSON object and nothing else.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Common {
    /// The configuration that `setup` wrote.
    #[arg(long, env = "ROLLCALL_AGENT_CONFIG", value_name = "FILE", default_value = "/etc/rollcall-agent/agent.toml")]
    pub(crate) config: PathBuf,
    #[command(flatten)]
    pub(crate) output: JsonFlag,
}

#[derive(Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) common: Common,
    /// People who may leave by this run, in place of the policy's limit, once.
    #[arg(long, value_name = "N")]
    pub(crate) removal_limit: Option<u32>,
    /// Longest wait for the outcome, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub(crate) wait: u64,
}

#[derive(Args)]
pub(crate) struct SupportBundle {
    #[command(flatten)]
    pub(crate) common: Common,
    /// The file to write, in place of the one beside the configuration.
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct Setup {
    #[command(flatten)]
    pub(crate) common: Common,
    /// The address of the hub, such as <https://rollcall.example.com>.
    #[arg(long, value_name = "URL")]
    pub(crate) hub: Option<String>,
    /// The token that the hub showed when the source was made, or a file that holds it.
    #[arg(long, value_name = "TOKEN", env = "ROLLCALL_AGENT_INSTALL_TOKEN", hide_env_values = true)]
    pub(crate) install_token: Option<String>,
    #[arg(long, value_name = "FILE", conflicts_with = "install_token")]
    pub(crate) install_token_file: Option<PathBuf>,
    /// A file of certificates that the hub's is signed with, in place of the system's.
    #[arg(long, value_name = "FILE")]
    pub(crate) hub_ca_file: Option<PathBuf>,
    /// A server of the directory: <ldaps://dc1.example.com>, or ldap:// for StartTLS; several stand in for each other.
    #[arg(long, value_name = "URL", num_args = 1.., conflicts_with_all = ["ldif", "csv"])]
    pub(crate) ldap: Vec<String>,
    /// The account that reads, as a DN or as `user@domain`.
    #[arg(long, value_name = "DN")]
    pub(crate) bind_dn: Option<String>,
    /// A file with its password, which the agent's account alone may read. Without it the password is asked for and kept beside the
    /// configuration.
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// The CA that signed the certificates of the servers, in PEM, in place of the system's.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// A part of the directory with people; may be repeated.
    #[arg(long, value_name = "DN", num_args = 1..)]
    pub(crate) user_base: Vec<String>,
    /// A part with groups; may be repeated. The bases of people when left out.
    #[arg(long, value_name = "DN", num_args = 1..)]
    pub(crate) group_base: Vec<String>,
    /// A filter for people, in place of the usual classes.
    #[arg(long, value_name = "FILTER")]
    pub(crate) user_filter: Option<String>,
    /// A filter for groups.
    #[arg(long, value_name = "FILTER")]
    pub(crate) group_filter: Option<String>,
    /// No TLS, for a server on this machine alone.
    #[arg(long)]
    pub(crate) plain: bool,
    /// An LDIF file as the directory.
    #[arg(long, value_name = "FILE", conflicts_with = "csv")]
    pub(crate) ldif: Option<PathBuf>,
    /// A CSV file of people as the directory.
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,
    /// A CSV file of groups beside it.
    #[arg(long, value_name = "FILE", requires = "csv")]
    pub(crate) csv_groups: Option<PathBuf>,
    /// Only people of these groups, nested ones too; may be repeated.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub(crate) user_group: Vec<String>,
    /// Only these groups and those nested in them; may be repeated. All when left out.
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Vec<String>,
    /// Upload people and no groups.
    #[arg(long)]
    pub(crate) users_only: bool,
    /// The attribute, or the column, that holds the email address.
    #[arg(long, value_name = "NAME")]
    pub(crate) email_attribute: Option<String>,
    /// The agent's name for this machine, as admins see it.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Overwrite a configuration that is there.
    #[arg(long)]
    pub(crate) yes: bool,
}

impl Cli {
    pub(crate) fn wants_json(&self) -> bool {
        match &self.command {
            Command::Setup(setup) => setup.common.output.json,
            Command::Check(common)
            | Command::Service(common)
            | Command::Status(common)
            | Command::RotateKey(common) => common.output.json,
            Command::Run(run) | Command::Preview(run) => run.common.output.json,
            Command::SupportBundle(bundle) => bundle.common.output.json,
            Command::ExitCodes(output) => output.json,
        }
    }
}
