//! The commands.

mod api_key;
mod cutover;
mod demo;
mod doctor;
mod healthcheck;
mod migrate;
mod operator;
mod operator_key;
mod operators;
pub(crate) mod reference;
pub(crate) mod routes;
mod sealing_key;
mod serve;
mod sign_in_link;
mod simulate;
pub(crate) mod source;
mod tenant;

use crate::cli::Command;
use crate::data_folder::DataFolder;
use crate::http::Services;
use crate::ports::Backend;
use crate::settings::Settings;
use anyhow::Result;
use serve::FirstTenant;
use std::path::Path;

pub(crate) async fn run(command: Command, data: Option<&Path>, mut settings: Settings) -> Result<()> {
    let mut listen = |given: Option<String>| -> Result<()> {
        if let Some(address) = given {
            settings.listen_on(&address)?;
        }
        Ok(())
    };
    match command {
        Command::Up(args) => {
            listen(args.listen.listen)?;
            let first = args.owner.map(|owner| FirstTenant { owner, name: args.organisation, seats: args.seats });
            serve::up(data, first, settings).await
        }
        Command::All(args) => {
            listen(args.listen)?;
            serve::role("rollcall", Services { ingest: true, admin: true }, true, settings).await
        }
        Command::Ingest(args) => {
            listen(args.listen)?;
            serve::role("rollcall-ingest", Services { ingest: true, admin: false }, false, settings).await
        }
        Command::Worker(args) => {
            listen(args.listen)?;
            serve::role("rollcall-worker", Services { ingest: false, admin: false }, true, settings).await
        }
        Command::Admin(args) => {
            listen(args.listen)?;
            serve::role("rollcall-admin", Services { ingest: false, admin: true }, false, settings).await
        }
        Command::Demo(args) => {
            listen(args.listen)?;
            demo::run(data, settings).await
        }
        Command::Migrate => migrate::run(&Backend::of_command(data, &settings), &settings).await,
        Command::Doctor => doctor::run(&Backend::of_command(data, &settings), &settings).await,
        Command::Healthcheck(args) => {
            listen(args.listen.or_else(|| data.and_then(noted_address)))?;
            healthcheck::run(args.live, &settings)
        }
        Command::Tenant(command) => tenant::run(command, &Backend::of_command(data, &settings), &settings).await,
        Command::Source(command) => source::run(command, &Backend::of_command(data, &settings), &settings).await,
        Command::ApiKey(command) => api_key::run(command, &Backend::of_command(data, &settings), &settings).await,
        Command::OperatorKey(command) => {
            operator_key::run(command, &Backend::of_command(data, &settings), &settings).await
        }
        Command::Operator(command) => operators::run(command, &Backend::of_command(data, &settings), &settings).await,
        Command::SealingKey(command) => {
            sealing_key::run(command, &Backend::of_command(data, &settings), &settings).await
        }
        Command::SignInLink(args) => sign_in_link::run(args, &Backend::of_command(data, &settings), &settings).await,
        Command::SimulateIdp(args) => simulate::run(args).await,
        Command::Bench(_)
        | Command::Routes(_)
        | Command::Help { .. }
        | Command::Openapi
        | Command::Version(_)
        | Command::Completions { .. }
        | Command::Man { .. } => Ok(()),
    }
}

/// The address on which the hub of a folder listens, if it noted that.
fn noted_address(folder: &Path) -> Option<String> {
    let url = DataFolder::given_or_default(Some(folder)).address()?;
    url.strip_prefix("http://").filter(|address| address.contains(':')).map(ToOwned::to_owned)
}
