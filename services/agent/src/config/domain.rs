//! A domain of LDAP servers: addresses, account, and the entries to read (LP14, DX17).

use crate::exit::{Exit, Failure};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use url::Url;

/// Entries of a page; Active Directory gives 1,000 at most.
const PAGE_SIZES: std::ops::RangeInclusive<u32> = 1..=5_000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Domain {
    /// Servers of one and the same directory: the next is asked when one does not answer.
    pub(crate) servers: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) bind_dn: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) password_file: Option<PathBuf>,
    pub(crate) user_bases: Vec<String>,
    #[serde(default)]
    pub(crate) group_bases: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) user_filter: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) group_filter: Option<String>,
    /// People whom this filter finds are disabled, whatever their other attributes say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) disabled_filter: Option<String>,
    #[serde(default = "page_size")]
    pub(crate) page_size: u32,
    #[serde(default = "timeout_seconds")]
    pub(crate) timeout_seconds: u64,
    #[serde(default)]
    pub(crate) ignore_referrals: bool,
    /// Without TLS; taken for this machine itself alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) plain: bool,
}

pub(crate) const fn page_size() -> u32 {
    500
}

pub(crate) const fn timeout_seconds() -> u64 {
    60
}

impl Domain {
    /// Tells the first thing that is wrong with it.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let wrong = |why: String| Err(Exit::Config.because(format!("[[directory.domain]] {why}.")));
        if self.servers.is_empty() || self.user_bases.iter().all(|base| base.trim().is_empty()) {
            return wrong("needs servers and user_bases".to_owned());
        }
        if self.bind_dn.trim().is_empty() {
            return wrong("needs bind_dn: the agent does not read as a stranger".to_owned());
        }
        if !PAGE_SIZES.contains(&self.page_size) || self.timeout_seconds == 0 {
            return wrong("page_size is 1 to 5000, and timeout_seconds at least 1".to_owned());
        }
        for server in &self.servers {
            if let Err(why) = self.check_server(server) {
                return wrong(format!("server {server:?} {why}"));
            }
        }
        Ok(())
    }

    fn check_server(&self, server: &str) -> Result<(), &'static str> {
        let url = Url::parse(server).map_err(|_| "is no address such as ldaps://dc1.example.com")?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or("names no host")?;
        if !matches!(url.path(), "" | "/") || url.query().is_some() {
            return Err("is scheme, host and port alone; bases have settings of their own");
        }
        let is_here = matches!(host, "127.0.0.1" | "localhost" | "[::1]");
        match url.scheme() {
            "ldaps" if self.plain => Err("is encrypted, and plain is set; take plain away"),
            "ldap" if self.plain && !is_here => {
                Err("is another machine, and plain is set: people's data travels by TLS; take plain away")
            }
            "ldaps" | "ldap" => Ok(()),
            _ => Err("begins with ldaps://, or with ldap:// for StartTLS"),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn domain(server: &str) -> Domain {
        Domain {
            servers: vec![server.to_owned()],
            ca_file: None,
            bind_dn: "cn=agent,dc=acme,dc=test".to_owned(),
            password_file: None,
            user_bases: vec!["dc=acme,dc=test".to_owned()],
            group_bases: vec!["dc=acme,dc=test".to_owned()],
            user_filter: None,
            group_filter: None,
            disabled_filter: None,
            page_size: page_size(),
            timeout_seconds: timeout_seconds(),
            ignore_referrals: false,
            plain: false,
        }
    }

    #[test]
    fn dx17_servers_are_reached_by_tls_but_on_this_machine() {
        for (server, plain, good) in [
            ("ldaps://dc1.acme.test", false, true),
            ("ldaps://dc1.acme.test:3269", false, true),
            ("ldap://dc1.acme.test", false, true),
            ("ldap://127.0.0.1:3890", true, true),
            ("ldap://dc1.acme.test", true, false),
            ("ldaps://127.0.0.1", true, false),
            ("http://dc1.acme.test", false, false),
            ("ldaps://dc1.acme.test/dc=acme", false, false),
            ("ldaps://", false, false),
            ("dc1.acme.test", false, false),
        ] {
            let domain = Domain { plain, ..domain(server) };
            assert_eq!(domain.check().is_ok(), good, "{server} {plain}");
        }
        let stranger = Domain { bind_dn: String::new(), ..domain("ldaps://dc1.acme.test") };
        assert!(stranger.check().is_err());
    }
}
