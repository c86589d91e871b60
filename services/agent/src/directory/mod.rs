//! A directory as it was read: people, groups, and who is in which. Readers fill it, the scope cuts it, and entries come of it.

mod csv_files;
mod distinguished_name;
mod entry;
mod gathering;
pub(crate) mod ldap;
mod ldif;
mod scope;
mod sid;

use crate::config::{Config, Kind};
use crate::exit::{Exit, Failure};
use rollcall_snapshot::entry::{GROUPS_MAX, ID_BYTES_MAX, TEXT_CHARACTERS_MAX};
use rollcall_snapshot::{Entry, Group, User};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// A person as a reader found them. The groups are those that name the person directly.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) user_name: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) given_name: Option<String>,
    pub(crate) family_name: Option<String>,
    pub(crate) display_name: Option<String>,
    pub(crate) active: bool,
}

/// A group by its names; a distinguished name is one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReadGroup {
    pub(crate) name: String,
    /// Other names by which the configuration may call it.
    pub(crate) aliases: Vec<String>,
    pub(crate) people: BTreeSet<String>,
    pub(crate) groups: BTreeSet<String>,
}

/// Everything by its immutable id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Directory {
    pub(crate) people: BTreeMap<String, Person>,
    pub(crate) groups: BTreeMap<String, ReadGroup>,
    /// Sentences about what was left out, for the report.
    pub(crate) remarks: Vec<String>,
    /// The next end of an account, in seconds since 1970: nothing announces it.
    pub(crate) expires_next: Option<i64>,
}

/// Why a directory cannot be believed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("line {line}: {why}")]
    Line { line: usize, why: String },
    #[error("{0}")]
    Whole(String),
}

/// The entries of an upload, in the order of their places, and the remarks about them.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) entries: Vec<Entry>,
    pub(crate) users: u64,
    pub(crate) groups: u64,
    pub(crate) remarks: Vec<String>,
    pub(crate) expires_next: Option<i64>,
}

/// Reads the directory of the configuration and cuts it to its scope.
pub(crate) async fn read(config: &Config, path: &Path, users_only: bool) -> Result<Found, Failure> {
    let directory = match config.directory.kind {
        Kind::Ldap => ldap::read(config, path).await?,
        Kind::Ldif | Kind::Csv => of_files(config)?,
    };
    let directory = scope::cut(directory, &config.scope).map_err(|why| Exit::Directory.because(format!("{why}.")))?;
    let found = entries(directory, users_only || config.scope.users_only);
    if found.users == 0 {
        let from = config
            .directory
            .file
            .as_ref()
            .map_or_else(|| "the directory".to_owned(), |file| file.display().to_string());
        return Err(Exit::NoUsers.because(format!("{from} names nobody in scope.")));
    }
    Ok(found)
}

fn of_files(config: &Config) -> Result<Directory, Failure> {
    let Some(file) = &config.directory.file else { return Err(Exit::Config.because("directory.file is missing.")) };
    let of_file = |error: Unreadable| Exit::Directory.because(format!("{}: {error}.", file.display()));
    let text = text_of(file)?;
    if config.directory.kind == Kind::Ldif {
        return ldif::read(&text, &config.attributes).map_err(of_file);
    }
    let groups = config.directory.groups_file.as_deref().map(text_of).transpose()?;
    csv_files::read(&text, groups.as_deref(), &config.attributes).map_err(of_file)
}

fn text_of(path: &Path) -> Result<String, Failure> {
    let failed = |why: String| Exit::Directory.because(format!("{} cannot be read: {why}.", path.display()));
    let bytes = fs::read(path).map_err(|error| failed(error.to_string()))?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
    String::from_utf8(bytes.to_vec()).map_err(|_| failed("it is no UTF-8".to_owned()))
}

/// A text that travels: without signs that are none, cut to its length, and none instead of an empty one.
fn carried(text: Option<String>) -> Option<String> {
    let text: String = text?.chars().filter(|sign| !sign.is_control()).take(TEXT_CHARACTERS_MAX).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= ID_BYTES_MAX && !id.chars().any(char::is_control)
}

/// The groups of each person, nested ones too: a circle of groups is walked once.
pub(crate) fn memberships(groups: &BTreeMap<String, ReadGroup>) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut of_person: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for id in groups.keys() {
        for inner in nested(groups, id) {
            for person in groups.get(inner).into_iter().flat_map(|group| &group.people) {
                of_person.entry(person).or_default().insert(id);
            }
        }
    }
    of_person
}

/// A group and all that are nested in it.
pub(crate) fn nested<'g>(groups: &'g BTreeMap<String, ReadGroup>, id: &'g str) -> BTreeSet<&'g str> {
    let (mut seen, mut waiting) = (BTreeSet::new(), vec![id]);
    while let Some(next) = waiting.pop() {
        if seen.insert(next) {
            waiting.extend(groups.get(next).into_iter().flat_map(|group| &group.groups).map(String::as_str));
        }
    }
    seen
}

fn entries(directory: Directory, users_only: bool) -> Found {
    let Directory { people, groups, mut remarks, expires_next } = directory;
    let groups = if users_only { BTreeMap::new() } else { groups };
    let named = |group: &ReadGroup| carried(Some(group.name.clone()));
    let mut found = Found { expires_next, ..Found::default() };
    let mut kept: BTreeSet<&str> = BTreeSet::new();
    for (id, group) in &groups {
        match named(group).filter(|_| is_id(id)) {
            Some(name) => {
                kept.insert(id);
                found.entries.push(Entry::Group(Group { id: id.clone(), name }));
            }
            None => remarks.push(format!("the group {id:?} has no usable name or id and is left out")),
        }
    }
    found.groups = kept.len() as u64;
    let of_person = memberships(&groups);
    let mut without_email = 0;
    for (id, person) in people {
        if !is_id(&id) {
            remarks.push(format!("a person has the id {id:?}, which is none, and is left out"));
            continue;
        }
        let mut own: Vec<String> =
            of_person.get(id.as_str()).into_iter().flatten().map(|id| (*id).to_owned()).collect();
        own.retain(|group| kept.contains(group.as_str()));
        if own.len() > GROUPS_MAX {
            remarks.push(format!("the person {id} is in more than {GROUPS_MAX} groups; the others are left out"));
            own.truncate(GROUPS_MAX);
        }
        let Person { user_name, email, given_name, family_name, display_name, active } = person;
        let email = carried(email);
        without_email += u64::from(email.is_none());
        found.users += 1;
        found.entries.push(Entry::User(User {
            id,
            user_name: carried(user_name),
            email,
            given_name: carried(given_name),
            family_name: carried(family_name),
            display_name: carried(display_name),
            active,
            groups: own,
        }));
    }
    if without_email > 0 {
        remarks.push(format!("{without_email} people have no email address; the hub skips and lists them"));
    }
    found.entries.sort_by_cached_key(Entry::place);
    found.remarks = remarks;
    found
}

#[cfg(test)]
mod tests;
