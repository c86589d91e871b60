//! Reference texts of the program: help, version, completions and man pages, all made of one definition of the command line.

use crate::cli::{Cli, Json};
use crate::output::{bytes, line};
use crate::settings::{DEFAULTS, Settings};
use anyhow::{Context, Result, bail};
use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use rollcall_admin::openapi_document;
use rollcall_core::spelling::did_you_mean;
use serde_json::json;
use std::path::Path;

const NAME: &str = "rollcall";
/// A topic of the help that is no command.
const CONFIG: &str = "config";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// `rollcall help [command …]`, `rollcall help config`.
pub(crate) fn help(topic: &[String]) -> Result<()> {
    if topic == [CONFIG] {
        return help_config();
    }
    let text = found(topic, &[CONFIG])?.render_long_help();
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

/// `rollcall openapi`.
pub(crate) fn openapi() -> Result<()> {
    Ok(line(openapi_document())?)
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
    found(path, &[])
}

/// As [`named`]; a wrong first name may also be meant for one of `topics`.
fn found(path: &[String], topics: &[&str]) -> Result<Command> {
    let mut command = Cli::command();
    command.build();
    for (depth, name) in path.iter().enumerate() {
        let Some(found) = command.find_subcommand(name) else {
            let topics = topics.iter().copied().filter(|_| depth == 0);
            let known: Vec<&str> = command.get_subcommands().map(Command::get_name).chain(topics).collect();
            bail!("there is no command {:?}; `rollcall help` lists them{}", path.join(" "), did_you_mean(name, known));
        };
        command = found.clone();
    }
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rollcall_core::remedy::{self, Way};
    use std::collections::BTreeSet;
    use std::path::PathBuf;

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
        let error = help(&path("confg")).unwrap_err().to_string();
        assert!(error.contains("Did you mean \"config\"?"), "{error}");
        let error = named(&path("confg")).unwrap_err().to_string();
        assert!(!error.contains("config"), "no command and no page of the manual: {error}");
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

    /// True if the program has this command, by its first arguments.
    fn has_command(line: &str) -> bool {
        let words: Vec<String> = line.split(' ').take_while(|word| is_name(word)).map(str::to_owned).collect();
        // After a command without subcommands everything is an argument.
        (1..=words.len()).rev().any(|length| {
            let found = named(&words[..length]);
            found.is_ok_and(|command| length == words.len() || !command.has_subcommands())
        })
    }

    fn is_name(word: &str) -> bool {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-')
    }

    /// Method and path, with every parameter as `{}`: texts call them by other names than the tables.
    fn shape(route: &str) -> String {
        let segments = route.split('/').map(|segment| if segment.starts_with('{') { "{}" } else { segment });
        segments.collect::<Vec<_>>().join("/")
    }

    fn known_routes() -> BTreeSet<String> {
        let scim = rollcall_ingest::routes::endpoints().into_iter().map(|e| format!("{} {}", e.method, e.path));
        let api = rollcall_admin::routes::endpoints().into_iter().map(|e| format!("{} {}", e.method, e.path));
        let health = crate::health::endpoints().into_iter().map(|e| format!("{} {}", e.method, e.path));
        scim.chain(api).chain(health).map(|route| shape(&route)).collect()
    }

    #[test]
    fn f6_f15_every_remedy_can_be_carried_out() {
        let routes = known_routes();
        for remedy in remedy::ALL {
            assert!(!remedy.ways.is_empty() && remedy.sentence.ends_with('.'), "{remedy:?}");
            for way in remedy.ways {
                let exists = match way {
                    Way::Route(route) => routes.contains(&shape(route)),
                    Way::Command(command) => has_command(command),
                    Way::Source | Way::Wait => true,
                };
                assert!(exists, "{way:?} of {:?} does not exist", remedy.sentence);
            }
        }
    }

    #[test]
    fn f6_f15_every_route_and_command_that_a_text_names_exists() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let (routes, mut wrong) = (known_routes(), Vec::new());
        for folder in ["crates", "services", "tools"] {
            for (path, text) in sources_below(&root.join(folder)) {
                for command in text.split("`rollcall ").skip(1).filter_map(|rest| rest.split('`').next()) {
                    if command.split(' ').next().is_some_and(is_name) && !has_command(command) {
                        wrong.push(format!("{}: rollcall {command}", path.display()));
                    }
                }
                let named = named_routes(&text).into_iter().filter(|route| !routes.contains(&shape(route)));
                wrong.extend(named.map(|route| format!("{}: {route}", path.display())));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    /// Sources without the tests at their end.
    fn sources_below(folder: &Path) -> Vec<(PathBuf, String)> {
        let mut sources = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.ends_with("tests") {
                sources.extend(sources_below(&path));
            } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let text = text.split("#[cfg(test)]").next().unwrap_or_default();
                // A text that goes on in the next line.
                let lines: Vec<&str> = text.lines().map(str::trim).collect();
                sources.push((path, lines.join(" ").replace("\\ ", "")));
            }
        }
        sources
    }

    /// `METHOD /api/v1/…` wherever it stands.
    fn named_routes(text: &str) -> Vec<String> {
        let mut found = Vec::new();
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            for rest in text.split(&format!("{method} /api/v1")).skip(1) {
                let end = |c: char| !(c.is_ascii_alphanumeric() || "/{}_-".contains(c));
                let path = rest.split(end).next().unwrap_or_default();
                if !path.is_empty() && !path.ends_with('/') {
                    found.push(format!("{method} /api/v1{path}"));
                }
            }
        }
        found
    }
}
