//! Passwords: read from places that others cannot read, and never shown.

use crate::config::Domain;
use crate::exit::{Exit, Failure};
use crate::place::{beside, read_secret};
use std::fmt;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// Environment variable of the password of the first domain; those of further ones end in `_2`, `_3`, ….
const VARIABLE: &str = "ROLLCALL_AGENT_BIND_PASSWORD";
/// Name of its systemd credential, with the same endings.
const CREDENTIAL: &str = "rollcall-agent.bind-password";

/// A password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    /// # Errors
    /// An empty one: LDAP takes it for a stranger's sign-in, and it succeeds (RFC 4513, 5.1.2).
    pub(crate) fn new(text: &str, from: &str) -> Result<Self, Failure> {
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            return Err(Exit::Config.because(format!("the password from {from} is empty.")));
        }
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(hidden)")
    }
}

/// The file that `setup` writes a password into.
pub(crate) fn own_file(config: &Path) -> PathBuf {
    beside(config, ".password")
}

/// The password of a domain: from the file that the configuration names, a systemd credential, the environment, or the terminal.
pub(crate) fn password_of(domain: &Domain, number: usize, config: &Path) -> Result<Secret, Failure> {
    let ending = if number == 0 { String::new() } else { format!("_{}", number + 1) };
    if let Some(file) = &domain.password_file {
        let file = config.parent().unwrap_or(Path::new("")).join(file);
        return Secret::new(&read_secret(&file)?, &file.display().to_string());
    }
    let credential = format!("{CREDENTIAL}{ending}");
    if let Some(folder) = std::env::var_os("CREDENTIALS_DIRECTORY") {
        let file = Path::new(&folder).join(&credential);
        // systemd gives the folder to the service alone.
        if let Ok(text) = std::fs::read_to_string(&file) {
            return Secret::new(&text, &format!("the credential {credential}"));
        }
    }
    let variable = format!("{VARIABLE}{ending}");
    if let Ok(text) = std::env::var(&variable) {
        return Secret::new(&text, &variable);
    }
    if std::io::stdin().is_terminal() {
        return asked(&domain.bind_dn);
    }
    Err(Exit::Config.because(format!(
        "there is no password for {}: give password_file, the systemd credential {credential}, or {variable}.",
        domain.bind_dn
    )))
}

/// Asks for the password on the terminal, which does not show it.
pub(crate) fn asked(bind_dn: &str) -> Result<Secret, Failure> {
    let text = rpassword::prompt_password(format!("Password of {bind_dn}: "));
    let text = text.map_err(|error| Exit::Usage.because(format!("the password cannot be asked for: {error}.")))?;
    Secret::new(&text, "the terminal")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_empty_and_not_shown() {
        assert!(Secret::new("\r\n", "a file").is_err());
        let secret = Secret::new(" with spaces \n", "a file").expect("a secret");
        assert_eq!((secret.text(), format!("{secret:?}").as_str()), (" with spaces ", "(hidden)"));
    }
}
