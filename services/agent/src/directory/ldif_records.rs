//! People and groups of LDAP entries, of Active Directory, OpenLDAP and their kin.

use super::distinguished_name::folded;
use super::ldif::Entry;
use super::{Directory, Person, ReadGroup, Unreadable};
use crate::config::Attributes;
use std::collections::HashMap;

const PEOPLE: &[&str] = &["person", "inetorgperson", "user", "posixaccount"];
const GROUPS: &[&str] = &["group", "groupofnames", "groupofuniquenames", "posixgroup", "groupofmembers"];
/// Computers are people by their classes, and contacts have no account.
const NEITHER: &[&str] = &["computer", "contact", "foreignsecurityprincipal"];
/// `userAccountControl`: the account is disabled.
const DISABLED: i64 = 0x2;
/// ppolicy: locked by an admin, for good.
const LOCKED_FOR_GOOD: &str = "000001010000Z";

/// Makes the directory of these entries.
///
/// # Errors
/// For an entry without an immutable id, or two with one.
pub(super) fn directory_of(entries: Vec<Entry>, attributes: &Attributes) -> Result<Directory, Unreadable> {
    let mut directory = Directory::default();
    let mut names = Names::default();
    let mut groups = Vec::new();
    for entry in entries {
        let classes: Vec<String> = entry.texts("objectClass").map(str::to_lowercase).collect();
        let is = |wanted: &[&str]| classes.iter().any(|class| wanted.contains(&class.as_str()));
        if is(NEITHER) || !(is(PEOPLE) || is(GROUPS)) {
            continue;
        }
        let id = id_of(&entry, attributes).ok_or_else(|| {
            let asked = attributes.id.join(", ");
            Unreadable::Whole(format!("{} has no immutable id ({asked}); export it too", entry.name))
        })?;
        if names.by_name.insert(folded(&entry.name), id.clone()).is_some() {
            return Err(Unreadable::Whole(format!("{} is there twice", entry.name)));
        }
        let taken = if is(GROUPS) {
            groups.push((id.clone(), entry));
            groups[..groups.len() - 1].iter().any(|(other, _)| *other == id)
        } else {
            names.note_person(&id, &entry);
            directory.people.insert(id.clone(), person_of(&entry, attributes)).is_some()
        };
        if taken {
            return Err(Unreadable::Whole(format!("two entries have the id {id}")));
        }
    }
    for (id, entry) in groups {
        let group = group_of(&id, &entry, attributes, &names, &mut directory.remarks);
        directory.groups.insert(id, group);
    }
    // Groups that are members of groups are told apart from people only once all are known.
    let known: Vec<String> = directory.groups.keys().cloned().collect();
    for group in directory.groups.values_mut() {
        let (inner, people) = std::mem::take(&mut group.people).into_iter().partition(|id| known.contains(id));
        (group.groups, group.people) = (inner, people);
    }
    Ok(directory)
}

/// Ids by the names under which groups call their members.
#[derive(Default)]
struct Names {
    by_name: HashMap<String, String>,
    by_uid: HashMap<String, String>,
    /// People by the RID of their primary group, which lists them nowhere.
    by_primary_group: HashMap<u32, Vec<String>>,
}

impl Names {
    fn note_person(&mut self, id: &str, entry: &Entry) {
        for uid in entry.texts("uid") {
            self.by_uid.insert(uid.to_lowercase(), id.to_owned());
        }
        if let Some(group) = entry.text("primaryGroupID").and_then(|rid| rid.trim().parse().ok()) {
            self.by_primary_group.entry(group).or_default().push(id.to_owned());
        }
    }
}

fn first(entry: &Entry, names: &[String]) -> Option<String> {
    names.iter().find_map(|name| entry.text(name)).map(str::to_owned)
}

/// An id: a GUID of 16 bytes in its usual form, or the text itself.
fn id_of(entry: &Entry, attributes: &Attributes) -> Option<String> {
    let value = attributes.id.iter().find_map(|name| entry.values.get(&name.to_lowercase())?.first())?;
    if let Ok(bytes) = <[u8; 16]>::try_from(value.as_slice())
        && (value.iter().any(|byte| !byte.is_ascii_graphic()))
    {
        return Some(uuid::Uuid::from_bytes_le(bytes).to_string());
    }
    let text = std::str::from_utf8(value).ok()?.trim();
    // One directory writes a GUID in braces and capitals, another in none.
    let bare = text.trim_start_matches('{').trim_end_matches('}');
    Some(uuid::Uuid::parse_str(bare).map_or_else(|_| text.to_owned(), |id| id.to_string()))
}

fn person_of(entry: &Entry, attributes: &Attributes) -> Person {
    let control: i64 = entry.text("userAccountControl").and_then(|control| control.trim().parse().ok()).unwrap_or(0);
    let is_true = |attribute: &str| entry.text(attribute).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let is_locked = entry.text("pwdAccountLockedTime").is_some_and(|since| since.trim() == LOCKED_FOR_GOOD);
    Person {
        user_name: first(entry, &attributes.user_name),
        email: first(entry, &attributes.email),
        given_name: first(entry, &attributes.given_name),
        family_name: first(entry, &attributes.family_name),
        display_name: first(entry, &attributes.display_name),
        active: control & DISABLED == 0 && !is_true("nsAccountLock") && !is_locked && !has_expired(entry),
    }
}

/// `accountExpires`: 100 ns since 1601; 0 and the largest number mean never.
fn has_expired(entry: &Entry) -> bool {
    const BEFORE_1970: i64 = 11_644_473_600;
    let Some(at) = entry.text("accountExpires").and_then(|at| at.trim().parse::<i64>().ok()) else { return false };
    let never = at == 0 || at == i64::MAX;
    !never && at / 10_000_000 - BEFORE_1970 <= rollcall_core::clock::Clock::System.now().timestamp()
}

fn group_of(id: &str, entry: &Entry, attributes: &Attributes, names: &Names, remarks: &mut Vec<String>) -> ReadGroup {
    let mut group = ReadGroup {
        name: first(entry, &attributes.group_name).unwrap_or_default(),
        aliases: vec![folded(&entry.name), id.to_owned()],
        ..ReadGroup::default()
    };
    let mut unknown = 0;
    for member in ["member", "uniqueMember"].iter().flat_map(|attribute| entry.texts(attribute)) {
        match names.by_name.get(&folded(member)) {
            Some(id) => drop(group.people.insert(id.clone())),
            None => unknown += 1,
        }
    }
    for uid in entry.texts("memberUid") {
        match names.by_uid.get(&uid.to_lowercase()) {
            Some(id) => drop(group.people.insert(id.clone())),
            None => unknown += 1,
        }
    }
    if let Some(rid) = entry.values.get("objectsid").and_then(|values| rid_of(values.first()?)) {
        group.people.extend(names.by_primary_group.get(&rid).into_iter().flatten().cloned());
    }
    if unknown > 0 {
        remarks.push(format!("{unknown} members of the group {:?} are not in the export", group.name));
    }
    group
}

/// The last part of a security id, in either of its forms.
fn rid_of(sid: &[u8]) -> Option<u32> {
    if let Some(text) = std::str::from_utf8(sid).ok().filter(|text| text.starts_with("S-1-")) {
        return text.rsplit('-').next()?.parse().ok();
    }
    Some(u32::from_le_bytes(sid.last_chunk().copied()?)).filter(|_| sid.len() >= 12)
}
