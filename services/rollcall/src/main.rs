//! `rollcall`: the server, its roles, and the commands of its operators.

mod cli;
mod commands;
mod health;
mod http;
mod ports;
mod settings;

use anyhow::Result;
use clap::Parser;
use cli::{Cli, Command};
use settings::Settings;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // One crypto provider for every client; reqwest brings none of its own.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        eprintln!("rollcall: another crypto provider is installed already");
        return ExitCode::FAILURE;
    }
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rollcall: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    match cli.command {
        // These need no settings and bring their own runtime or none.
        Command::Bench(args) => return Ok(rollcall_bench::run(args)?),
        Command::Routes(args) => return commands::routes::run(&args),
        Command::Help { topic } => return commands::help(topic.as_deref()),
        _ => {}
    }
    let settings = Settings::load(cli.config.as_deref(), std::env::vars())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(commands::run(cli.command, cli.data.as_deref(), settings))
}
