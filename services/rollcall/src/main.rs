//! `rollcall`: the server, its roles, and the commands of its operators.

// A closed pipe must not end a command with a panic: everything is printed by `output`.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod address;
mod cli;
mod commands;
mod data_folder;
mod descriptors;
mod health;
mod http;
mod output;
mod ports;
mod settings;

use anyhow::Result;
use clap::Parser;
use cli::{Cli, Command};
use output::Unwritten;
use settings::Settings;
use std::process::ExitCode;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Longest wait for threads at the end of the process.
const LAST_WAIT: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    // One crypto provider for every client; reqwest brings none of its own.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        output::remark("rollcall: another crypto provider is installed already");
        return ExitCode::FAILURE;
    }
    match run(Cli::parse_from(cli::json_last(std::env::args_os()))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if Unwritten::reader_has_gone(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::remark(format_args!("rollcall: {}", output::told(&error)));
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    match cli.command {
        // These need no settings and bring their own runtime or none.
        Command::Bench(args) => return Ok(rollcall_bench::run(args)?),
        Command::Routes(args) => return commands::routes::run(&args),
        Command::Help { topic } => return commands::reference::help(&topic),
        Command::Openapi => return commands::reference::openapi(),
        Command::Version(args) => return commands::reference::version(&args),
        Command::Completions { shell } => return commands::reference::completions(shell),
        Command::Man { command, dir } => return commands::reference::man(&command, dir.as_deref()),
        _ => {}
    }
    let settings = Settings::load(cli.config.as_deref(), std::env::vars())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(commands::run(cli.command, cli.data.as_deref(), settings));
    // Work in other threads was told to end; the process does not wait for it.
    runtime.shutdown_timeout(LAST_WAIT);
    done
}
