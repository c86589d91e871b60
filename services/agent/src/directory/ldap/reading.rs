//! The full read of one domain: its bases are there, every person and group below them, and every member of a group.

use super::super::distinguished_name::is_below;
use super::super::entry::Entry;
use super::super::gathering::{Gathering, READ_OF_ALL, READ_OF_GROUPS, READ_OF_PEOPLE, id_of};
use super::super::{Unreadable, distinguished_name::folded};
use super::messages::Message;
use super::session::{NO_ATTRIBUTE, Search, Session};
use super::trouble::Trouble;
use crate::config::{Attributes, Domain};
use crate::exit::Exit;
use std::collections::{BTreeSet, HashSet};

const PEOPLE_OF_ACTIVE_DIRECTORY: &str = "(&(objectCategory=person)(objectClass=user))";
const PEOPLE: &str = "(|(objectClass=inetOrgPerson)(objectClass=person)(objectClass=posixAccount))";
const GROUPS_OF_ACTIVE_DIRECTORY: &str = "(objectClass=group)";
const GROUPS: &str = "(|(objectClass=groupOfNames)(objectClass=groupOfUniqueNames)(objectClass=groupOfMembers)(objectClass=posixGroup)(objectClass=group))";
/// Partitions that a domain controller always refers to, and that hold no people.
const SYSTEM_PARTITIONS: &[&str] = &["CN=Configuration,", "DC=DomainDnsZones,", "DC=ForestDnsZones,", "CN=Schema,"];
/// The attribute that grows with each change of an entry in Active Directory.
const VERSION: &str = "uSNChanged";
/// Tries to read the members of a group that changes meanwhile.
const TRIES: u32 = 4;

/// Reads one domain into a gathering. `bases` are those of all domains: a referral to one of them leaves nobody out.
pub(super) async fn read(
    session: &mut Session,
    domain: &Domain,
    attributes: &Attributes,
    bases: &[&str],
    gathering: &mut Gathering<'_>,
) -> Result<(), Trouble> {
    for base in domain.user_bases.iter().chain(&domain.group_bases).collect::<BTreeSet<_>>() {
        check_base(session, base).await?;
    }
    let is_active_directory = session.root.is_active_directory;
    let of_either = |windows: &'static str, other: &'static str| if is_active_directory { windows } else { other };
    let people = domain.user_filter.as_deref().unwrap_or(of_either(PEOPLE_OF_ACTIVE_DIRECTORY, PEOPLE));
    let groups = domain.group_filter.as_deref().unwrap_or(of_either(GROUPS_OF_ACTIVE_DIRECTORY, GROUPS));
    let referrals = Referrals { domain, bases, server: session.server.clone() };

    let mut disabled = HashSet::new();
    if let Some(filter) = &domain.disabled_filter {
        for base in &domain.user_bases {
            let asked = with(&attributes.id, &[]);
            let filter = format!("(&{people}{filter})");
            session
                .search(&Search { base, filter: &filter, attributes: &asked }, |message| {
                    referrals
                        .entry(message)
                        .map(|entry| disabled.extend(entry.and_then(|entry| id_of(&entry, attributes))))
                })
                .await?;
        }
    }
    let asked = with(&texts_of_people(attributes), &[READ_OF_ALL, READ_OF_PEOPLE]);
    for base in &domain.user_bases {
        session
            .search(&Search { base, filter: people, attributes: &asked }, |message| {
                let Some(entry) = referrals.entry(message)? else { return Ok(()) };
                let is_disabled = id_of(&entry, attributes).is_some_and(|id| disabled.contains(&id));
                gathering.add_found_person(&entry, is_disabled).map_err(of_entry)
            })
            .await?;
    }
    let asked = with(
        &[attributes.id.clone(), attributes.group_name.clone()].concat(),
        &[READ_OF_ALL, READ_OF_GROUPS, &[VERSION]],
    );
    for base in &domain.group_bases {
        let mut cut = Vec::new();
        session
            .search(&Search { base, filter: groups, attributes: &asked }, |message| {
                let Some(entry) = referrals.entry(message)? else { return Ok(()) };
                if entry.cut.is_empty() && !entry.is_flawed {
                    return gathering.add_found_group(&entry).map_err(of_entry);
                }
                cut.push(entry);
                Ok(())
            })
            .await?;
        for mut entry in cut {
            complete(session, &mut entry).await?;
            gathering.add_found_group(&entry).map_err(of_entry)?;
        }
    }
    Ok(())
}

/// The attributes whose change is one of a person, of a group, or of their place.
pub(super) fn attributes_of_people_and_groups(attributes: &Attributes) -> Vec<String> {
    let names = [texts_of_people(attributes), attributes.group_name.clone()].concat();
    with(&names, &[READ_OF_ALL, READ_OF_PEOPLE, READ_OF_GROUPS, &["name", "ou", "isDeleted"]])
}

fn of_entry(error: Unreadable) -> Trouble {
    Trouble::final_one(Exit::Directory, error.to_string())
}

fn texts_of_people(attributes: &Attributes) -> Vec<String> {
    let Attributes { id, user_name, email, given_name, family_name, display_name, .. } = attributes;
    [id, user_name, email, given_name, family_name, display_name].into_iter().flatten().cloned().collect()
}

/// Names of attributes, each once: a server may refuse one that comes twice.
fn with(names: &[String], more: &[&[&str]]) -> Vec<String> {
    let more = more.iter().copied().flatten().map(|name| (*name).to_owned());
    let mut seen = HashSet::new();
    names.iter().cloned().chain(more).filter(|name| seen.insert(name.to_lowercase())).collect()
}

async fn check_base(session: &mut Session, base: &str) -> Result<(), Trouble> {
    if session.entry(base, &[NO_ATTRIBUTE.to_owned()]).await?.is_some() {
        return Ok(());
    }
    let contexts = session.root.contexts.join(", ");
    let why = format!(
        "{}: the base {base:?} is not there, or the account may not read it. The server has {contexts}",
        session.server
    );
    Err(Trouble::final_one(Exit::DirectoryBase, why))
}

/// Referrals of searches. One that leads out of what the configuration names leaves people out, and they would look gone.
struct Referrals<'r> {
    domain: &'r Domain,
    bases: &'r [&'r str],
    server: String,
}

impl Referrals<'_> {
    fn entry(&self, message: Message) -> Result<Option<Entry>, Trouble> {
        match message {
            Message::Entry(entry) => Ok(Some(entry)),
            Message::Intermediate(_) => Ok(None),
            Message::Referral(addresses) => self.check(&addresses).map(|()| None),
        }
    }

    fn check(&self, addresses: &[String]) -> Result<(), Trouble> {
        let may_be_left = |address: &String| {
            let name = name_in(address);
            let name = name.as_deref().unwrap_or_default();
            SYSTEM_PARTITIONS.iter().any(|partition| folded(name).starts_with(&partition.to_lowercase()))
                || (!name.is_empty() && self.bases.iter().any(|base| is_below(base, name)))
        };
        if self.domain.ignore_referrals || addresses.iter().any(may_be_left) {
            return Ok(());
        }
        let why = format!(
            "{} refers to {} for a part of the entries: make it a [[directory.domain]] too, or set ignore_referrals to do without them",
            self.server,
            addresses.join(" or ")
        );
        Err(Trouble::final_one(Exit::DirectoryIncomplete, why))
    }
}

/// The distinguished name in an LDAP address (RFC 4516).
fn name_in(address: &str) -> Option<String> {
    let url = url::Url::parse(address).ok()?;
    let path = url.path().trim_start_matches('/');
    // Read as the only key of a form, so that %C3 and its kin are decoded.
    let form = path.replace('+', "%2B").replace('=', "%3D").replace('&', "%26");
    url::form_urlencoded::parse(form.as_bytes()).map(|(name, _)| name.into_owned()).next()
}

/// Reads the values of which the server gives no more than some at a time (`member;range=1500-*`).
async fn complete(session: &mut Session, entry: &mut Entry) -> Result<(), Trouble> {
    if entry.is_flawed {
        return Err(endless(session, entry));
    }
    for (attribute, first) in std::mem::take(&mut entry.cut) {
        let (mut next, mut version) = (first, entry.text(VERSION).map(str::to_owned));
        let mut tries = 1;
        loop {
            let seen = rest_of(session, entry, &attribute, next).await?;
            if seen == version {
                break;
            }
            // A value may have moved over the end of a part that was read before: all are read anew.
            tries += 1;
            if tries > TRIES {
                return Err(endless(session, entry));
            }
            entry.values.remove(&attribute);
            (next, version) = (0, seen);
        }
    }
    Ok(())
}

/// Appends the values of an attribute from a number on; returns the version of the entry that they are of.
async fn rest_of(
    session: &mut Session,
    entry: &mut Entry,
    attribute: &str,
    first: u64,
) -> Result<Option<String>, Trouble> {
    let (mut next, mut version) = (first, None);
    loop {
        let asked = [format!("{attribute};range={next}-*"), VERSION.to_owned()];
        let part = session.entry(&entry.name, &asked).await?;
        let mut part = part.filter(|part| !part.is_flawed).ok_or_else(|| endless(session, entry))?;
        let seen = part.text(VERSION).map(str::to_owned);
        if version.as_ref().is_some_and(|version| *version != seen) {
            return Ok(seen);
        }
        version = Some(seen.clone());
        let values = part.values.remove(attribute).unwrap_or_default();
        let is_empty = values.is_empty();
        entry.values.entry(attribute.to_owned()).or_default().extend(values);
        match part.cut.first() {
            None => return Ok(seen),
            Some((_, following)) if *following > next && !is_empty => next = *following,
            Some(_) => return Err(endless(session, entry)),
        }
    }
}

fn endless(session: &Session, entry: &Entry) -> Trouble {
    let why = format!("{}: the members of {} cannot be read to their end; try later", session.server, entry.name);
    Trouble::final_one(Exit::DirectoryIncomplete, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::domain_of_tests;

    #[test]
    fn referrals_out_of_the_configuration_are_no_full_read() {
        let domain = domain_of_tests("ldaps://dc1.acme.test");
        let bases = ["OU=People,DC=child,DC=acme,DC=test"];
        let referrals = Referrals { domain: &domain, bases: &bases, server: "ldaps://dc1".to_owned() };
        let check = |address: &str| referrals.check(&[address.to_owned()]).map_err(|trouble| trouble.exit);
        assert_eq!(check("ldaps://acme.test/CN=Configuration,DC=acme,DC=test"), Ok(()));
        assert_eq!(check("ldap://DomainDnsZones.acme.test/DC=DomainDnsZones,DC=acme,DC=test"), Ok(()));
        assert_eq!(check("ldap://child.acme.test/DC=child,DC=acme,DC=test"), Ok(()), "a base lies there");
        assert_eq!(check("ldap://other.acme.test/DC=other,DC=acme,DC=test"), Err(Exit::DirectoryIncomplete));
        assert_eq!(check("ldap://other.acme.test"), Err(Exit::DirectoryIncomplete));
        let careless = Domain { ignore_referrals: true, ..domain.clone() };
        let referrals = Referrals { domain: &careless, ..referrals };
        assert!(referrals.check(&["ldap://other.acme.test/DC=other".to_owned()]).is_ok());
        assert_eq!(name_in("ldap://x/OU=S%C3%A3o%20Paulo,DC=x??sub").as_deref(), Some("OU=São Paulo,DC=x"));
    }
}
