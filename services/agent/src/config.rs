//! The configuration: a commented TOML file that `setup` writes and people edit.

mod domain;

use crate::exit::{Exit, Failure};
#[cfg(test)]
pub(crate) use domain::tests::domain as domain_of_tests;
pub(crate) use domain::{Domain, page_size, timeout_seconds};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) hub: Hub,
    pub(crate) directory: Directory,
    #[serde(default)]
    pub(crate) scope: Scope,
    #[serde(default)]
    pub(crate) attributes: Attributes,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(crate) service: Service,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) log: Option<Log>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hub {
    pub(crate) url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca_file: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Directory {
    pub(crate) kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) groups_file: Option<PathBuf>,
    /// The domains of `ldap`, each with servers of its own.
    #[serde(default, rename = "domain", skip_serializing_if = "Vec::is_empty")]
    pub(crate) domains: Vec<Domain>,
}

impl Directory {
    pub(crate) fn of_files(kind: Kind, file: PathBuf, groups_file: Option<PathBuf>) -> Self {
        Self { kind, file: Some(file), groups_file, domains: Vec::new() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Ldap,
    Ldif,
    Csv,
}

/// The people and groups that are uploaded (DA2, DA9, DX6).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Scope {
    pub(crate) user_groups: Vec<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) users_only: bool,
}

/// The times of `service`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Service {
    /// Local time, `HH:MM`.
    pub(crate) full_read_at: String,
    pub(crate) look_every_minutes: u64,
}

impl Default for Service {
    fn default() -> Self {
        Self { full_read_at: "02:00".to_owned(), look_every_minutes: 15 }
    }
}

/// A log file (DX9, LP7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Log {
    pub(crate) file: PathBuf,
    #[serde(default = "log_bytes")]
    pub(crate) bytes_max: u64,
    #[serde(default = "log_files")]
    pub(crate) keep: u32,
}

const fn log_bytes() -> u64 {
    5 << 20
}

const fn log_files() -> u32 {
    5
}

/// Names of attributes, or of columns; the first that an entry has counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Attributes {
    pub(crate) id: Vec<String>,
    pub(crate) user_name: Vec<String>,
    pub(crate) email: Vec<String>,
    pub(crate) given_name: Vec<String>,
    pub(crate) family_name: Vec<String>,
    pub(crate) display_name: Vec<String>,
    pub(crate) group_name: Vec<String>,
}

impl Default for Attributes {
    fn default() -> Self {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            id: names(&["objectGUID", "entryUUID", "ipaUniqueID", "nsUniqueId", "id"]),
            user_name: names(&["sAMAccountName", "uid", "user_name"]),
            email: names(&["mail", "email"]),
            given_name: names(&["givenName", "given_name"]),
            family_name: names(&["sn", "family_name"]),
            display_name: names(&["displayName", "cn", "display_name"]),
            group_name: names(&["cn", "name"]),
        }
    }
}

const HEAD: &str = "# The configuration of rollcall-agent. The key is in the file beside this one that ends in .key. No secret belongs into this file.
#
# [hub] url: the address of the hub. ca_file: certificates in place of the system's.
# [directory] kind: \"ldap\", \"ldif\" or \"csv\". file: the export, complete each time. groups_file: a second CSV with the groups.
# [[directory.domain]] one for each domain of kind \"ldap\". servers: ldaps://HOST, or ldap://HOST for StartTLS; the next one is asked when
#   one does not answer. ca_file: the CA of their certificates. bind_dn, password_file: the account (docs/agent.md tells other places for
#   the password). user_bases, group_bases, user_filter, group_filter: the entries. disabled_filter: people who count as disabled too.
#   ignore_referrals: leave out whatever other servers have. page_size, timeout_seconds: of each request.
# [service] full_read_at: the time of day of the full read. look_every_minutes: a read in case that a change was not announced; 0: none.
# [log] file: a log beside stderr. bytes_max: another file is begun then. keep: former files.
# [scope] user_groups: only people of these groups, by name or DN, nested ones too; empty: everybody. groups: only these groups and
#   those nested in them; empty: all. users_only: no groups at all.
# [attributes] names of attributes or columns; of each list the first that an entry has counts.

";

impl Config {
    pub(crate) fn load(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Exit::Config.because(format!("{} cannot be read: {error}.", path.display())))?;
        let config: Self =
            toml::from_str(&text).map_err(|error| Exit::Config.because(format!("{}: {error}.", path.display())))?;
        config.check()?;
        Ok(config)
    }

    pub(crate) fn to_text(&self) -> Result<String, Failure> {
        let text = toml::to_string_pretty(self).map_err(|error| Exit::Internal.because(error.to_string()))?;
        Ok(format!("{HEAD}{text}"))
    }

    /// People's data travels by TLS alone, but to this machine itself.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let wrong = |why: &str| Err(Exit::Config.because(format!("hub.url is {:?}; {why}.", self.hub.url)));
        let Ok(url) = url::Url::parse(&self.hub.url) else { return wrong("it is no address") };
        let is_here = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        match url.scheme() {
            "https" => {}
            "http" if is_here => {}
            _ => return wrong("it begins with https://, since people's data travels by TLS"),
        }
        if url.path() != "/" || url.query().is_some() {
            return wrong("it is scheme and host alone");
        }
        self.check_directory()?;
        crate::schedule::TimeOfDay::parse(&self.service.full_read_at).map(drop).ok_or_else(|| {
            Exit::Config.because(format!("service.full_read_at is {:?}; it is HH:MM.", self.service.full_read_at))
        })
    }

    fn check_directory(&self) -> Result<(), Failure> {
        let Directory { kind, file, groups_file, domains } = &self.directory;
        let wrong = |why: &str| Err(Exit::Config.because(format!("{why}.")));
        match kind {
            Kind::Ldap if domains.is_empty() => {
                wrong("directory.kind is \"ldap\", and there is no [[directory.domain]]")
            }
            Kind::Ldap if file.is_some() || groups_file.is_some() => {
                wrong("directory.file is of \"ldif\" and \"csv\" alone")
            }
            Kind::Ldap => domains.iter().try_for_each(Domain::check),
            Kind::Ldif | Kind::Csv if file.is_none() => wrong("directory.file is missing"),
            Kind::Ldif | Kind::Csv if !domains.is_empty() => wrong("[[directory.domain]] is of \"ldap\" alone"),
            Kind::Ldif | Kind::Csv => Ok(()),
        }
    }

    pub(crate) fn base(&self) -> &str {
        self.hub.url.trim_end_matches('/')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str) -> Config {
        Config {
            hub: Hub { url: url.to_owned(), ca_file: None },
            directory: Directory::of_files(Kind::Ldif, "people.ldif".into(), None),
            scope: Scope::default(),
            attributes: Attributes::default(),
            service: Service::default(),
            log: None,
        }
    }

    #[test]
    fn dx11_the_file_that_is_written_is_read_again() {
        let config = config("https://hub.example");
        assert_eq!(toml::from_str::<Config>(&config.to_text().expect("a text")).expect("a file"), config);
        let short = "[hub]\nurl = \"https://hub.example\"\n[directory]\nkind = \"ldif\"\nfile = \"people.ldif\"\n";
        assert_eq!(toml::from_str::<Config>(short).expect("a short file"), config);
        assert!(toml::from_str::<Config>(&short.replace("file =", "fiel =")).is_err());
    }

    #[test]
    fn dx17_lp10_people_travel_by_tls_alone() {
        for (url, good) in [
            ("https://hub.example", true),
            ("https://hub.example:8443/", true),
            ("http://127.0.0.1:8080", true),
            ("http://hub.example", false),
            ("http://127.0.0.1.evil.example", false),
            ("ftp://hub.example", false),
            ("hub.example", false),
            ("https://hub.example/path", false),
        ] {
            assert_eq!(config(url).check().is_ok(), good, "{url}");
        }
    }
}
