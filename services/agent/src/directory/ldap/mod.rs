//! LDAP servers as the directory. A read counts only if every search ended with result 0 on its last page, over bases that exist;
//! anything else reads nobody.

mod ber;
mod messages;
mod reading;
mod session;
mod trouble;
pub(crate) mod watch;

use super::Directory;
use super::gathering::{Gathering, joined};
use crate::config::{Config, Domain};
use crate::exit::{Exit, Failure};
use crate::output::progress;
use crate::secret::{Secret, password_of};
use futures_util::FutureExt;
use session::Session;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use trouble::Trouble;

/// Reads all domains of the configuration.
pub(crate) async fn read(config: &Config, path: &Path) -> Result<Directory, Failure> {
    // The library panics on answers that it cannot parse.
    AssertUnwindSafe(read_all(config, path)).catch_unwind().await.unwrap_or_else(|_| Err(unparsable()))
}

fn unparsable() -> Failure {
    Exit::Directory.because("a server answers what is no LDAP.")
}

async fn read_all(config: &Config, path: &Path) -> Result<Directory, Failure> {
    let domains = &config.directory.domains;
    let bases: Vec<&str> = domains
        .iter()
        .flat_map(|domain| domain.user_bases.iter().chain(&domain.group_bases))
        .map(String::as_str)
        .collect();
    let mut gatherings = Vec::new();
    for (number, domain) in domains.iter().enumerate() {
        let password = password_of(domain, number, path)?;
        gatherings.push(of_domain(config, domain, &password, &bases).await?);
    }
    Ok(joined(gatherings))
}

/// Reads a domain from the first of its servers that gives all of it.
async fn of_domain<'a>(
    config: &'a Config,
    domain: &Domain,
    password: &Secret,
    bases: &[&str],
) -> Result<Gathering<'a>, Failure> {
    let mut troubles = Vec::new();
    for server in &domain.servers {
        match from_server(config, domain, server, password, bases).await {
            Ok(gathering) => return Ok(gathering),
            Err(trouble) if trouble.elsewhere => {
                progress(format_args!("note: {server} is not used: {}", trouble.message));
                troubles.push(trouble);
            }
            Err(trouble) => return Err(trouble.failure()),
        }
    }
    Err(trouble::of_all(troubles))
}

async fn from_server<'a>(
    config: &'a Config,
    domain: &Domain,
    server: &str,
    password: &Secret,
    bases: &[&str],
) -> Result<Gathering<'a>, Trouble> {
    let mut session = Session::open(domain, server, password).await?;
    progress(format_args!("{server}: signed in as {}", domain.bind_dn));
    let mut gathering = Gathering::of_a_server(&config.attributes);
    reading::read(&mut session, domain, &config.attributes, bases, &mut gathering).await?;
    session.close().await;
    let (people, groups) = gathering.counts();
    progress(format_args!("{server}: {people} people and {groups} groups are read"));
    Ok(gathering)
}

/// The naming context of the first server that answers, as the base that `setup` proposes.
pub(crate) async fn proposed_base(domain: &Domain, password: &Secret) -> Option<String> {
    let server = domain.servers.first()?;
    let opened = AssertUnwindSafe(Session::open(domain, server, password)).catch_unwind().await;
    let session = opened.ok()?.ok()?;
    let base = session.root.context.clone();
    session.close().await;
    base
}
