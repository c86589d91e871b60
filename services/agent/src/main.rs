//! `rollcall-agent`: reads a directory beside it and uploads what the hub does not have yet, signed with a key that never leaves this
//! machine. docs/agent.md tells how to install it.

mod cli;
mod commands;
mod config;
mod directory;
mod exit;
mod hub;
mod identity;
mod log_file;
mod one_at_a_time;
mod output;
mod place;
mod schedule;
mod secret;
mod service;
mod setup;
mod support_bundle;
mod sync;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    // Two calls of one program share it; the second one finds it there.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = cli::Cli::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let json = cli.wants_json();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(commands::run(cli)),
        Err(error) => Err(exit::Exit::Internal.because(format!("the program cannot start: {error}"))),
    };
    match done {
        Ok(code) => code,
        Err(failure) => output::failed(&failure, json),
    }
}
