//! A signed-in connection to one server, and its searches: page by page, each ending with result 0 or failing.

use super::super::entry::Entry;
use super::ber::{INTEGER, OCTETS, integer, number, octets, of_sequence, sequence};
use super::messages::{Message, message_of};
use super::trouble::{Trouble, of_error, of_policy, of_result};
use crate::config::Domain;
use crate::exit::Exit;
use crate::secret::Secret;
use ldap3::controls::RawControl;
use ldap3::{Ldap, LdapConnAsync, LdapConnSettings, LdapResult, Scope};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const PAGED: &str = "1.2.840.113556.1.4.319";
const PASSWORD_POLICY: &str = "1.3.6.1.4.1.42.2.27.8.5.1";
const ACTIVE_DIRECTORY: &str = "1.2.840.113556.1.4.800";
const SYNC: &str = "1.3.6.1.4.1.4203.1.9.1.1";
const CONNECT_TIME: Duration = Duration::from_secs(15);
/// Pages without an entry after which a server is thought to go round in a circle.
const EMPTY_PAGES_MAX: u32 = 1_000;
pub(super) const EVERYTHING: &str = "(objectClass=*)";
/// No attribute (RFC 4511, 4.5.1.8).
pub(super) const NO_ATTRIBUTE: &str = "1.1";

/// The server as its root entry tells it.
#[derive(Debug, Default)]
pub(crate) struct Root {
    pub(crate) is_active_directory: bool,
    /// RFC 4533.
    pub(crate) has_sync: bool,
    /// The naming context to begin with.
    pub(crate) context: Option<String>,
    pub(crate) contexts: Vec<String>,
}

pub(crate) struct Session {
    pub(super) ldap: Ldap,
    pub(super) root: Root,
    pub(super) server: String,
    domain: Domain,
}

/// A search of the part of the tree below a base.
pub(super) struct Search<'s> {
    pub(super) base: &'s str,
    pub(super) filter: &'s str,
    pub(super) attributes: &'s [String],
}

impl Session {
    /// Connects by TLS and signs in.
    pub(super) async fn open(domain: &Domain, server: &str, password: &Secret) -> Result<Self, Trouble> {
        let failed = |error: &ldap3::LdapError| of_error(error, domain, server);
        let mut settings = LdapConnSettings::new().set_conn_timeout(CONNECT_TIME).set_starttls(!domain.plain);
        if let Some(file) = &domain.ca_file {
            settings = settings.set_config(tls_of(file)?);
        }
        let opened = LdapConnAsync::with_settings(settings, server).await;
        let (connection, ldap) = opened.map_err(|error| match error {
            ldap3::LdapError::Timeout { .. } => Trouble {
                exit: Exit::DirectoryAway,
                message: format!("{server} does not answer within {} s", CONNECT_TIME.as_secs()),
                elsewhere: true,
            },
            error => failed(&error),
        })?;
        // The connection ends with the last handle. Its errors reach whoever waits for an answer.
        tokio::spawn(connection.drive());
        let domain = domain.clone();
        let mut session = Self { ldap, root: Root::default(), server: server.to_owned(), domain };
        session.sign_in(password).await?;
        session.root = session.read_root().await?;
        Ok(session)
    }

    async fn sign_in(&mut self, password: &Secret) -> Result<(), Trouble> {
        let policy = RawControl { ctype: PASSWORD_POLICY.to_owned(), crit: false, val: None };
        self.ldap.with_timeout(self.timeout()).with_controls(vec![policy]);
        let bound = self.ldap.simple_bind(&self.domain.bind_dn, password.text()).await;
        let bound = bound.map_err(|error| self.failed(&error))?;
        if let Some(trouble) = policy_error(&bound).and_then(|error| of_policy(error, &self.server)) {
            return Err(trouble);
        }
        if bound.rc == 0 { Ok(()) } else { Err(of_result(&bound, &self.server, "the sign-in")) }
    }

    async fn read_root(&mut self) -> Result<Root, Trouble> {
        let asked = ["supportedCapabilities", "supportedControl", "defaultNamingContext", "namingContexts"];
        let root = self.entry("", &asked.map(str::to_owned)).await?.unwrap_or_default();
        let has = |attribute: &str, oid: &str| root.texts(attribute).any(|value| value == oid);
        let contexts: Vec<String> = root.texts("namingContexts").map(str::to_owned).collect();
        Ok(Root {
            is_active_directory: has("supportedCapabilities", ACTIVE_DIRECTORY),
            has_sync: has("supportedControl", SYNC),
            context: root.text("defaultNamingContext").map(str::to_owned).or_else(|| contexts.first().cloned()),
            contexts,
        })
    }

    /// One entry; None if the server has none by that name, or hides it.
    pub(super) async fn entry(&mut self, name: &str, attributes: &[String]) -> Result<Option<Entry>, Trouble> {
        let mut found = None;
        let done = self.one_search(name, Scope::Base, EVERYTHING, attributes, Vec::new(), |message| {
            if let Message::Entry(entry) = message {
                found = Some(entry);
            }
            Ok(())
        });
        let done = done.await?;
        match done.rc {
            0 => Ok(found),
            32 => Ok(None),
            _ => Err(of_result(&done, &self.server, &format!("reading {name:?}"))),
        }
    }

    /// Reads all pages of a search, and hands over each message.
    pub(super) async fn search(
        &mut self,
        search: &Search<'_>,
        mut take: impl FnMut(Message) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        let Search { base, filter, attributes } = search;
        let (mut cookie, mut empty) = (Vec::new(), 0);
        loop {
            let value = sequence(&[integer(i64::from(self.domain.page_size)), octets(&cookie)]);
            let paged = RawControl { ctype: PAGED.to_owned(), crit: false, val: Some(value) };
            empty += 1;
            let searched = self.one_search(base, Scope::Subtree, filter, attributes, vec![paged], |message| {
                empty = 0;
                take(message)
            });
            let done = searched.await?;
            if done.rc != 0 {
                return Err(of_result(&done, &self.server, &format!("the search below {base:?}")));
            }
            cookie = cookie_of(&done).ok_or_else(|| self.unparsable())?;
            if cookie.is_empty() {
                return Ok(());
            }
            if empty > EMPTY_PAGES_MAX {
                let why = format!("{}: the search below {base:?} goes on for ever", self.server);
                return Err(Trouble::final_one(Exit::DirectoryIncomplete, why));
            }
        }
    }

    pub(super) async fn one_search(
        &mut self,
        base: &str,
        scope: Scope,
        filter: &str,
        attributes: &[String],
        controls: Vec<RawControl>,
        mut take: impl FnMut(Message) -> Result<(), Trouble>,
    ) -> Result<LdapResult, Trouble> {
        self.ldap.with_timeout(self.timeout());
        if !controls.is_empty() {
            self.ldap.with_controls(controls);
        }
        let begun = self.ldap.streaming_search(base, scope, filter, attributes).await;
        let mut stream = begun.map_err(|error| of_error(&error, &self.domain, &self.server))?;
        while let Some(item) = stream.next().await.map_err(|error| of_error(&error, &self.domain, &self.server))? {
            take(message_of(item).ok_or_else(|| unparsable(&self.server))?)?;
        }
        // A search that was cut off ends as one that was not, but for this result.
        Ok(stream.finish().await)
    }

    pub(super) async fn close(mut self) {
        let _ = self.ldap.with_timeout(Duration::from_secs(2)).unbind().await;
    }

    pub(super) fn timeout(&self) -> Duration {
        Duration::from_secs(self.domain.timeout_seconds)
    }

    pub(super) fn failed(&self, error: &ldap3::LdapError) -> Trouble {
        of_error(error, &self.domain, &self.server)
    }

    pub(super) fn unparsable(&self) -> Trouble {
        unparsable(&self.server)
    }
}

fn unparsable(server: &str) -> Trouble {
    Trouble::final_one(Exit::Directory, format!("{server} answers what is no LDAP"))
}

/// Trusts the authorities of a file alone.
fn tls_of(file: &Path) -> Result<Arc<rustls::ClientConfig>, Trouble> {
    let failed = |why: String| Trouble::final_one(Exit::Config, format!("ca_file {}: {why}", file.display()));
    let mut trusted = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|error| failed(error.to_string()))? {
        let certificate = certificate.map_err(|error| failed(error.to_string()))?;
        trusted.add(certificate).map_err(|error| failed(error.to_string()))?;
    }
    if trusted.is_empty() {
        return Err(failed("it holds no certificate in PEM".to_owned()));
    }
    Ok(Arc::new(rustls::ClientConfig::builder().with_root_certificates(trusted).with_no_client_auth()))
}

pub(super) fn control_of<'r>(result: &'r LdapResult, oid: &str) -> Option<&'r [u8]> {
    result.ctrls.iter().find(|control| control.1.ctype == oid).and_then(|control| control.1.val.as_deref())
}

/// The cookie of the next page; empty after the last one, and None if it cannot be read.
fn cookie_of(result: &LdapResult) -> Option<Vec<u8>> {
    let Some(value) = control_of(result, PAGED) else { return Some(Vec::new()) };
    match of_sequence(value)?.as_slice() {
        [(INTEGER, _), (OCTETS, cookie)] => Some(cookie.to_vec()),
        _ => None,
    }
}

/// `PasswordPolicyResponseValue ::= SEQUENCE { warning [0] …, error [1] ENUMERATED }`.
fn policy_error(result: &LdapResult) -> Option<i64> {
    let parts = of_sequence(control_of(result, PASSWORD_POLICY)?)?;
    parts.into_iter().find(|(tag, _)| *tag == 0x81).and_then(|(_, body)| number(body))
}
