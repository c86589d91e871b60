//! The command line: the contract for scripts (docs/design.md#contract). It stays stable.

mod api_key;
mod operator;
mod operator_key;
mod sealing_key;
mod sign_in_link;
mod simulate;
mod source;
mod tenant;

pub(crate) use api_key::ApiKeyCommand;
pub(crate) use operator::OperatorCommand;
pub(crate) use operator_key::OperatorKeyCommand;
pub(crate) use sealing_key::SealingKeyCommand;
pub(crate) use sign_in_link::SignInLinkArgs;
pub(crate) use simulate::SimulateArgs;
pub(crate) use source::{SourceCommand, SourceConfigure, SourceCreate, SourceDetach, SourcePromote, SourceRewind};
pub(crate) use tenant::{TenantCommand, TenantCreate, TenantSetQuota, TenantSetSeats};

use chrono::{DateTime, Utc};
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use rollcall_bench::BenchArgs;
use rollcall_core::ids::SourceId;
use std::ffi::OsString;
use std::path::PathBuf;

/// Keeps the members and groups of organisations in line with their directories.
#[derive(Parser)]
#[command(name = "rollcall", version, disable_help_subcommand = true)]
pub(crate) struct Cli {
    /// A settings file; `rollcall help config` prints the settings and their defaults.
    #[arg(long, global = true, env = "ROLLCALL_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The folder of an embedded hub (SQLite) [default: ./data]. When it is given, commands work there, else on
    /// DATABASE_URL when that is set.
    #[arg(long, global = true, env = "ROLLCALL_DATA", value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Everything in one process: SQLite, queue and cache inside it.
    Up(Up),
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
    /// Checks every dependency and names the remedy of what is wrong. It changes nothing.
    Doctor,
    /// Asks the hub of this machine whether it is ready, and fails when it is not: a probe for containers.
    Healthcheck(Healthcheck),
    /// Makes, lists, shows and renames tenants, and sets their seats.
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// Makes and lists what feeds a tenant, switches it, and makes its tokens.
    #[command(subcommand)]
    Source(SourceCommand),
    /// Makes, lists and ends keys for the REST API.
    #[command(subcommand)]
    ApiKey(ApiKeyCommand),
    /// Makes, lists and ends keys of the operator, which reach every tenant.
    #[command(subcommand)]
    OperatorKey(OperatorKeyCommand),
    /// Lists the people of a hosted service, and ends or gives back their access.
    #[command(subcommand)]
    Operator(OperatorCommand),
    /// Makes keys that seal secrets in the database, and changes them.
    #[command(subcommand)]
    SealingKey(SealingKeyCommand),
    /// Makes a link with which a member signs in once, where no other way is left.
    SignInLink(SignInLinkArgs),
    /// Plays an identity provider's provisioning conversation against a hub.
    SimulateIdp(SimulateArgs),
    /// A hub with demo tenants: plays Okta and Entra, tells what happened, and stays up.
    Demo(Listen),
    /// Lists every route of the hub and the credential it wants.
    Routes(Json),
    /// Measures a hub or another SCIM server.
    Bench(BenchArgs),
    /// Prints the OpenAPI document of the REST API, as `/api/openapi.json` has it.
    Openapi,
    /// Prints the version.
    Version(Json),
    /// Prints a script that completes commands and flags in a shell.
    Completions {
        /// The shell that reads the script.
        shell: Shell,
    },
    /// Prints the manual page of the program or of a command.
    Man {
        /// The command, e.g. `tenant create`; the program itself when left out.
        command: Vec<String>,
        /// Write the pages of the command and of all below it into this folder instead.
        #[arg(long)]
        dir: Option<PathBuf>,
    },
    /// Prints help; `help tenant create` that of a command, `help config` every setting.
    Help {
        /// A command, e.g. `tenant create`, or `config`.
        topic: Vec<String>,
    },
}

#[derive(Args)]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) listen: Listen,
    /// The address of the first owner: a hub without any tenant makes one, and prints a link with which the owner signs in.
    #[arg(long, value_name = "EMAIL")]
    pub(crate) owner: Option<String>,
    /// The name of that tenant.
    #[arg(long, value_name = "NAME", default_value = "My organisation", requires = "owner", value_parser = name)]
    pub(crate) organisation: String,
    /// The seats of that tenant.
    #[arg(long, value_name = "NUMBER", default_value_t = 100, requires = "owner", allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) seats: u32,
}

#[derive(Args)]
pub(crate) struct Listen {
    /// Address to listen on, e.g. localhost:9000, or :9000 for that port of 127.0.0.1; port 0 takes a free one [default:
    /// http.listen, 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
}

#[derive(Args)]
pub(crate) struct Healthcheck {
    /// The address on which the hub listens [default: the one that the hub of --data noted, else http.listen, 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    /// Ask only whether the process runs (/healthz), not whether it is ready (/readyz).
    #[arg(long)]
    pub(crate) live: bool,
}

#[derive(Args)]
pub(crate) struct Json {
    /// Print one JSON value and nothing else.
    #[arg(long)]
    pub(crate) json: bool,
}

/// The arguments with `--json` after the command that takes it, wherever it was written. It has no value, so its place says nothing.
pub(crate) fn json_last(arguments: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let all: Vec<OsString> = arguments.collect();
    let end = all.iter().position(|argument| argument == "--").unwrap_or(all.len());
    let (options, rest) = all.split_at(end);
    let (json, others): (Vec<_>, Vec<_>) = options.iter().cloned().partition(|argument| argument == "--json");
    others.into_iter().chain(json).chain(rest.iter().cloned()).collect()
}

/// A time of RFC 3339.
fn time(text: &str) -> Result<DateTime<Utc>, String> {
    let time = DateTime::parse_from_rfc3339(text);
    let wrong = |_| "it takes a time with its offset like 2026-11-29T12:28:07Z or 2026-11-29T13:28:07+01:00 (RFC 3339)";
    Ok(time.map_err(wrong)?.with_timezone(&Utc))
}

/// A name that says something; the store bounds its length.
fn name(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("a name has at least one character".into()) } else { Ok(text.to_owned()) }
}

/// The tenant that a command is about.
#[derive(Args)]
pub(crate) struct OfTenant {
    /// The tenant's slug, as `tenant create` and `tenant list` print it.
    #[arg(long, value_name = "SLUG")]
    pub(crate) tenant: String,
}

/// The source that a command is about.
#[derive(Args)]
pub(crate) struct OfSource {
    /// The tenant's slug, as `tenant create` and `tenant list` print it.
    #[arg(long, value_name = "SLUG")]
    pub(crate) tenant: String,
    /// The source's id, as `source create` and `source list` print it.
    #[arg(long, value_name = "ID")]
    pub(crate) source: SourceId,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Cli, String> {
        let words = line.split(' ').map(OsString::from);
        Cli::try_parse_from(json_last(words)).map_err(|error| error.to_string())
    }

    #[test]
    fn f8_json_is_understood_before_the_command_and_within_it() {
        for line in ["rollcall --json routes", "rollcall routes --json", "rollcall --data d --json routes"] {
            let parsed = parsed(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert!(matches!(parsed.command, Command::Routes(Json { json: true })), "{line}");
        }
        for line in ["rollcall --json tenant list", "rollcall tenant --json list", "rollcall tenant list --json"] {
            let parsed = parsed(line).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert!(matches!(parsed.command, Command::Tenant(TenantCommand::List(Json { json: true }))), "{line}");
        }
        let refused = parsed("rollcall --json migrate").err().expect("it prints no JSON");
        assert!(refused.contains("--json"), "{refused}");
    }

    #[test]
    fn f8_a_wrong_time_is_told_with_the_form_and_an_example() {
        let rewind = |since: &str| {
            parsed(&format!(
                "rollcall source rewind --tenant acme --source 01890a5d-ac96-774b-bcce-b302099a8057 --since {since}"
            ))
        };
        for wrong in ["yesterday", "2026-11-29", "2026-11-29T12:28:07", "1764419287", "2026-13-01T00:00:00Z"] {
            let error = rewind(wrong).err().expect(wrong);
            assert!(error.contains("2026-11-29T12:28:07Z") && error.contains("RFC 3339"), "{error}");
        }
        assert!(rewind("2026-11-29T13:28:07+01:00").is_ok());
    }
}
