//! What the program says of itself: help, version, completions and man pages, all made of one definition of the command line.

use crate::cli::{Cli, Json};
use crate::output::{bytes, line};
use crate::settings::{DEFAULTS, Settings};
use anyhow::{Context, Result, bail};
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use rollcall_core::spelling::did_you_mean;
use serde_json::json;
use std::path::Path;

const NAME: &str = "rollcall";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// `rollcall help [command …]`, `rollcall help config`.
pub(crate) fn help(topic: &[String]) -> Result<()> {
    if topic == ["config"] {
        return help_config();
    }
    let text = named(topic)?.render_long_help();
    Ok(line(text.to_string().trim_end())?)
}

fn help_config() -> Result<()> {
    line(DEFAULTS)?;
    line("# As environment variables:")?;
    for (variable, key) in Settings::variables()? {
        line(format_args!("#   {variable:<45} {key}"))?;
    }
    Ok(())
}

/// `rollcall version`.
pub(crate) fn version(output: &Json) -> Result<()> {
    if output.json {
        line(json!({ "version": VERSION }))?;
    } else {
        line(format_args!("{NAME} {VERSION}"))?;
    }
    Ok(())
}

/// `rollcall completions SHELL`.
pub(crate) fn completions(shell: Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), NAME, &mut script);
    Ok(bytes(&script)?)
}

/// `rollcall man [command …] [--dir DIR]`: one page on stdout, or a page of each command in a folder.
pub(crate) fn man(command: &[String], dir: Option<&Path>) -> Result<()> {
    let command = named(command)?;
    if let Some(dir) = dir {
        std::fs::create_dir_all(dir)
            .and_then(|()| clap_mangen::generate_to(command, dir))
            .with_context(|| format!("the pages cannot be written to {}", dir.display()))?;
        return Ok(());
    }
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    Ok(bytes(&page)?)
}

/// A command by its path, e.g. `tenant create`, with the options that all commands have.
fn named(path: &[String]) -> Result<Command> {
    let mut command = Cli::command();
    command.build();
    for name in path {
        let Some(found) = command.find_subcommand(name) else {
            let known: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
            bail!("there is no command {:?}; `rollcall help` lists them{}", path.join(" "), did_you_mean(name, known));
        };
        command = found.clone();
    }
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_command(command: Command) -> Vec<Command> {
        let below: Vec<Command> = command.get_subcommands().cloned().flat_map(every_command).collect();
        std::iter::once(command).chain(below).collect()
    }

    #[test]
    fn f8_every_command_and_every_flag_has_a_description() {
        for command in every_command(named(&[]).unwrap()) {
            let name = command.get_name().to_owned();
            assert!(command.get_about().is_some(), "`{name}` has no description");
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "`{name}` says nothing of {}", argument.get_id());
            }
        }
    }

    #[test]
    fn f8_a_command_is_found_by_its_path_and_a_wrong_one_is_corrected() {
        let path = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let text = named(&path("tenant create")).unwrap().render_long_help().to_string();
        assert!(
            text.contains("rollcall tenant create") && text.contains("--seats") && text.contains("--data"),
            "{text}"
        );
        let error = named(&path("tenant crate")).unwrap_err().to_string();
        assert!(error.contains("Did you mean \"create\"?"), "{error}");
    }

    #[test]
    fn f8_help_lists_the_phases_and_the_policy_keys() {
        let help = |text: &str| {
            let path: Vec<String> = text.split(' ').map(str::to_owned).collect();
            named(&path).unwrap().render_long_help().to_string()
        };
        let phases = help("simulate-idp");
        for phase in rollcall_simulator::Phase::LIFECYCLE {
            assert!(phases.contains(phase.name()), "{} is missing in {phases}", phase.name());
        }
        let policy = help("tenant create");
        for key in rollcall_core::policy::Policy::setting_keys() {
            assert!(policy.contains(&key), "{key} is missing in {policy}");
        }
    }
}
