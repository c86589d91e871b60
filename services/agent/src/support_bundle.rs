//! `support-bundle` (LP7): what a support ticket needs, in one text file, without secrets and without people.

use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::identity::Identity;
use crate::place::{beside, write_private};
use crate::sync::PROGRAM;
use rollcall_core::clock::Clock;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Lines of the log that go along.
const LOG_LINES: usize = 2_000;

/// Writes the bundle beside the configuration, or to `out`.
pub(crate) fn write(config: &Path, out: Option<&Path>) -> Result<PathBuf, Failure> {
    let mut text = format!("{PROGRAM}, {}\n", Clock::System.now().format("%Y-%m-%d %H:%M:%S UTC"));
    // A configuration that cannot be read is what the ticket may be about.
    let settings = Config::load(config);
    match &settings {
        Ok(settings) => {
            let _ = writeln!(text, "\n== configuration\n{}", toml::to_string_pretty(settings).unwrap_or_default());
        }
        Err(failure) => {
            let _ = writeln!(text, "\n== configuration\n{failure}");
        }
    }
    match Identity::load(config) {
        Ok(identity) => {
            let _ = writeln!(text, "== key\n{} {}", identity.key_id, identity.key.public().fingerprint());
        }
        Err(failure) => {
            let _ = writeln!(text, "== key\n{failure}");
        }
    }
    if let Some(log) = settings.ok().and_then(|settings| settings.log) {
        let lines = std::fs::read_to_string(&log.file).unwrap_or_else(|error| format!("it cannot be read: {error}"));
        let lines: Vec<&str> = lines.lines().collect();
        let last = lines[lines.len().saturating_sub(LOG_LINES)..].iter().map(|line| without_people(line));
        let _ = writeln!(text, "\n== log\n{}", last.collect::<Vec<_>>().join("\n"));
    }
    let path = out.map_or_else(|| beside(config, ".support.txt"), Path::to_owned);
    if out.is_some() && path.exists() {
        return Err(Exit::Privileges.because(format!("{} is there already.", path.display())));
    }
    write_private(&path, &text)?;
    Ok(path)
}

/// A line without addresses, whatever has an @ between letters, and without names of entries: a person's begins with one of these
/// attributes, and may have any sign, so the line ends there.
fn without_people(line: &str) -> String {
    let begins = |attribute: &str| {
        line.as_bytes().windows(attribute.len()).position(|part| part.eq_ignore_ascii_case(attribute.as_bytes()))
    };
    if let Some(at) = ["cn=", "uid="].into_iter().filter_map(begins).min() {
        return format!("{}(entry)", without_people(&line[..at]));
    }
    let hidden = line.split(' ').map(|word| match word.split_once('@') {
        Some((local, domain)) if !local.is_empty() && domain.contains('.') => "(address)",
        _ => word,
    });
    hidden.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lp7_addresses_are_left_out() {
        assert_eq!(
            without_people("signed in as svc@corp.test at ldaps://dc1"),
            "signed in as (address) at ldaps://dc1"
        );
        let line = "ldaps://dc1: the members of CN=Zoë Lee, Dr.,OU=People,DC=x cannot be read";
        assert_eq!(without_people(line), "ldaps://dc1: the members of (entry)");
        assert_eq!(without_people("UID=ann is skipped"), "(entry)");
    }
}
