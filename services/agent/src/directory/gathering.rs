//! People and groups as they come from Active Directory, OpenLDAP and their kin, entry by entry, and joined once all are there. An entry
//! is let go as soon as its person or group is known; members are kept as digests of their names.

use super::distinguished_name::{first_value, folded};
use super::entry::Entry;
use super::sid::{Sid, sid_of};
use super::{Directory, Person, ReadGroup, Unreadable};
use crate::config::Attributes;
use rollcall_core::clock::Clock;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap, HashSet};

const PEOPLE: &[&str] = &["person", "inetorgperson", "user", "posixaccount"];
const GROUPS: &[&str] = &["group", "groupofnames", "groupofuniquenames", "posixgroup", "groupofmembers"];
/// Computers are people by their classes, and contacts have no account.
const NEITHER: &[&str] = &["computer", "contact", "foreignsecurityprincipal"];
/// `userAccountControl`: the account is disabled.
const DISABLED: i64 = 0x2;
/// ppolicy: locked by an admin, for good.
const LOCKED_FOR_GOOD: &str = "000001010000Z";
/// Attributes that tell classes, states and memberships; servers give operational ones to those alone who ask.
pub(super) const READ_OF_ALL: &[&str] = &["objectClass", "objectSid"];
pub(super) const READ_OF_PEOPLE: &[&str] = &[
    "uid",
    "userAccountControl",
    "accountExpires",
    "primaryGroupID",
    "nsAccountLock",
    "pwdAccountLockedTime",
    "shadowExpire",
];
pub(super) const READ_OF_GROUPS: &[&str] = &["member", "uniqueMember", "memberUid", "sAMAccountName"];

/// Groups that are named in the report.
const REMARKS_MAX: usize = 5;

/// A digest of a distinguished name: equal for names that mean the same.
type Name = [u8; 16];

fn name_of(name: &str) -> Name {
    let digest: [u8; 32] = Sha256::digest(folded(name).as_bytes()).into();
    std::array::from_fn(|at| digest[at])
}

struct GatheredPerson {
    person: Person,
    name: Name,
    uids: Vec<String>,
    sid: Option<Sid>,
    primary_group: Option<u32>,
}

struct GatheredGroup {
    group: ReadGroup,
    name: Name,
    members: Vec<Member>,
    uids: Vec<String>,
    sid: Option<Sid>,
}

enum Member {
    Named(Name),
    /// A principal of another domain stands in a group by its security id.
    Foreign(Sid),
}

/// One domain, or one file.
pub(super) struct Gathering<'a> {
    attributes: &'a Attributes,
    people: BTreeMap<String, GatheredPerson>,
    groups: BTreeMap<String, GatheredGroup>,
    /// The names that were seen, where an entry that is there twice makes a flawed file. A server that is written to meanwhile may give
    /// an entry twice.
    names: Option<HashSet<Name>>,
    expires_next: Option<i64>,
}

enum Kind {
    Person,
    Group,
    Neither,
}

fn kind_of(entry: &Entry) -> Kind {
    let classes: Vec<String> = entry.texts("objectClass").map(str::to_lowercase).collect();
    let is = |wanted: &[&str]| classes.iter().any(|class| wanted.contains(&class.as_str()));
    if is(NEITHER) {
        Kind::Neither
    } else if is(GROUPS) {
        Kind::Group
    } else if is(PEOPLE) {
        Kind::Person
    } else {
        Kind::Neither
    }
}

impl<'a> Gathering<'a> {
    pub(super) fn of_a_file(attributes: &'a Attributes) -> Self {
        Self { names: Some(HashSet::new()), ..Self::of_a_server(attributes) }
    }

    pub(super) fn of_a_server(attributes: &'a Attributes) -> Self {
        Self { attributes, people: BTreeMap::new(), groups: BTreeMap::new(), names: None, expires_next: None }
    }

    pub(super) fn counts(&self) -> (usize, usize) {
        (self.people.len(), self.groups.len())
    }

    /// Takes an entry by its classes.
    ///
    /// # Errors
    /// It has no immutable id, or in a file the name or id of another one.
    pub(super) fn add(&mut self, entry: &Entry) -> Result<(), Unreadable> {
        match kind_of(entry) {
            Kind::Person => self.add_person(entry, false),
            Kind::Group => self.add_group(entry),
            Kind::Neither => Ok(()),
        }
    }

    /// Takes an entry that the search for people found; it need not have a known class.
    pub(super) fn add_found_person(&mut self, entry: &Entry, disabled: bool) -> Result<(), Unreadable> {
        let has_class = entry.text("objectClass").is_some();
        match kind_of(entry) {
            Kind::Group => Ok(()),
            Kind::Neither if has_class && is_neither(entry) => Ok(()),
            Kind::Person | Kind::Neither => self.add_person(entry, disabled),
        }
    }

    /// Takes an entry that the search for groups found.
    pub(super) fn add_found_group(&mut self, entry: &Entry) -> Result<(), Unreadable> {
        match kind_of(entry) {
            Kind::Person => Ok(()),
            Kind::Neither if is_neither(entry) => Ok(()),
            Kind::Group | Kind::Neither => self.add_group(entry),
        }
    }

    fn add_person(&mut self, entry: &Entry, disabled: bool) -> Result<(), Unreadable> {
        let (id, name) = self.checked(entry)?;
        let mut person = self.person_of(entry);
        person.active &= !disabled;
        let gathered = GatheredPerson {
            person,
            name,
            uids: entry.texts("uid").map(str::to_lowercase).collect(),
            sid: entry.values.get("objectsid").and_then(|values| sid_of(values.first()?)),
            primary_group: entry.text("primaryGroupID").and_then(|rid| rid.trim().parse().ok()),
        };
        self.people.insert(id, gathered);
        Ok(())
    }

    fn add_group(&mut self, entry: &Entry) -> Result<(), Unreadable> {
        let (id, name) = self.checked(entry)?;
        let mut group = ReadGroup {
            name: first(entry, &self.attributes.group_name).unwrap_or_default(),
            aliases: vec![folded(&entry.name), id.clone()],
            ..ReadGroup::default()
        };
        group.aliases.extend(entry.text("sAMAccountName").map(str::to_owned));
        let members = ["member", "uniqueMember"].iter().flat_map(|attribute| entry.texts(attribute));
        let gathered = GatheredGroup {
            group,
            name,
            members: members.map(member_of).collect(),
            uids: entry.texts("memberUid").map(str::to_lowercase).collect(),
            sid: entry.values.get("objectsid").and_then(|values| sid_of(values.first()?)),
        };
        self.groups.insert(id, gathered);
        Ok(())
    }

    fn checked(&mut self, entry: &Entry) -> Result<(String, Name), Unreadable> {
        let id = id_of(entry, self.attributes).ok_or_else(|| {
            let asked = self.attributes.id.join(", ");
            Unreadable::Whole(format!(
                "{} has no immutable id ({asked}); export it too, or name it in attributes.id",
                entry.name
            ))
        })?;
        let name = name_of(&entry.name);
        if let Some(names) = &mut self.names {
            if !names.insert(name) {
                return Err(Unreadable::Whole(format!("{} is there twice", entry.name)));
            }
            if self.people.contains_key(&id) || self.groups.contains_key(&id) {
                return Err(Unreadable::Whole(format!("two entries have the id {id}")));
            }
        }
        Ok((id, name))
    }

    fn person_of(&mut self, entry: &Entry) -> Person {
        let attributes = self.attributes;
        let control: i64 =
            entry.text("userAccountControl").and_then(|control| control.trim().parse().ok()).unwrap_or(0);
        let is_true = |attribute: &str| entry.text(attribute).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let is_locked = entry.text("pwdAccountLockedTime").is_some_and(|since| since.trim() == LOCKED_FOR_GOOD);
        let now = Clock::System.now().timestamp();
        let end = end_of(entry);
        let has_ended = end.is_some_and(|end| end <= now);
        if let Some(end) = end.filter(|_| !has_ended) {
            self.expires_next = Some(self.expires_next.map_or(end, |next| next.min(end)));
        }
        Person {
            user_name: first(entry, &attributes.user_name),
            email: first(entry, &attributes.email),
            given_name: first(entry, &attributes.given_name),
            family_name: first(entry, &attributes.family_name),
            display_name: first(entry, &attributes.display_name),
            active: control & DISABLED == 0 && !is_true("nsAccountLock") && !is_locked && !has_ended,
        }
    }
}

fn is_neither(entry: &Entry) -> bool {
    entry.texts("objectClass").any(|class| NEITHER.contains(&class.to_lowercase().as_str()))
}

fn first(entry: &Entry, names: &[String]) -> Option<String> {
    names.iter().find_map(|name| entry.text(name)).map(str::to_owned)
}

fn member_of(name: &str) -> Member {
    match first_value(name).and_then(|value| sid_of(value.as_bytes())) {
        Some(sid) => Member::Foreign(sid),
        None => Member::Named(name_of(name)),
    }
}

/// An id: a GUID of 16 bytes in its usual form, or the text itself.
pub(super) fn id_of(entry: &Entry, attributes: &Attributes) -> Option<String> {
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

/// The end of an account, in seconds since 1970: `accountExpires` counts 100 ns since 1601, and 0 and the largest number mean never;
/// `shadowExpire` counts days.
fn end_of(entry: &Entry) -> Option<i64> {
    const BEFORE_1970: i64 = 11_644_473_600;
    let number = |attribute: &str| entry.text(attribute).and_then(|at| at.trim().parse::<i64>().ok());
    let windows =
        number("accountExpires").filter(|at| *at != 0 && *at != i64::MAX).map(|at| at / 10_000_000 - BEFORE_1970);
    let shadow = number("shadowExpire").filter(|day| *day >= 0).map(|day| day.saturating_mul(86_400));
    windows.into_iter().chain(shadow).min()
}

/// Joins domains: members are found by name in their own and then in all, user ids (`memberUid`) in their own alone.
pub(super) fn joined(gatherings: Vec<Gathering<'_>>) -> Directory {
    let mut names = Names::default();
    for (domain, gathering) in gatherings.iter().enumerate() {
        names.note(domain, gathering);
    }
    let (mut directory, mut unknown) = (Directory::default(), Vec::new());
    for (domain, gathering) in gatherings.into_iter().enumerate() {
        directory.expires_next = directory.expires_next.into_iter().chain(gathering.expires_next).min();
        for (id, gathered) in gathering.groups {
            let (group, count) = names.members(domain, gathered);
            if count > 0 {
                unknown.push((count, group.name.clone()));
            }
            directory.groups.insert(id, group);
        }
        directory.people.extend(gathering.people.into_iter().map(|(id, gathered)| (id, gathered.person)));
    }
    directory.remarks = about_unknown(&unknown);
    directory
}

/// A directory has many groups with a member who is a contact, a computer, or in no base.
fn about_unknown(unknown: &[(usize, String)]) -> Vec<String> {
    let (named, rest) = unknown.split_at(unknown.len().min(REMARKS_MAX));
    let one =
        |(count, name): &(usize, String)| format!("{count} members of the group {name:?} are not among what was read");
    let mut remarks: Vec<String> = named.iter().map(one).collect();
    if !rest.is_empty() {
        let count: usize = rest.iter().map(|(count, _)| count).sum();
        remarks.push(format!("nor are {count} members of {} other groups", rest.len()));
    }
    remarks
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Is {
    Person,
    Group,
}

/// Ids by the names under which groups call their members.
#[derive(Default)]
struct Names {
    /// One for each domain: two of them may have the same suffix.
    by_name: Vec<HashMap<Name, (Is, String)>>,
    by_sid: HashMap<Sid, (Is, String)>,
    by_uid: HashMap<(usize, String), String>,
    /// People by their primary group, which lists them nowhere. An export may lack the person's own security id.
    by_primary_group: HashMap<(Option<Sid>, u32), Vec<String>>,
}

impl Names {
    fn note(&mut self, domain: usize, gathering: &Gathering<'_>) {
        let mut by_name = HashMap::new();
        for (id, group) in &gathering.groups {
            by_name.insert(group.name, (Is::Group, id.clone()));
            self.by_sid.extend(group.sid.iter().map(|sid| (sid.clone(), (Is::Group, id.clone()))));
        }
        for (id, person) in &gathering.people {
            by_name.insert(person.name, (Is::Person, id.clone()));
            self.by_sid.extend(person.sid.iter().map(|sid| (sid.clone(), (Is::Person, id.clone()))));
            self.by_uid.extend(person.uids.iter().map(|uid| ((domain, uid.clone()), id.clone())));
            if let Some(rid) = person.primary_group {
                let own = person.sid.as_ref().map(Sid::domain);
                self.by_primary_group.entry((own, rid)).or_default().push(id.clone());
            }
        }
        self.by_name.push(by_name);
    }

    /// The entry of a name: in the group's own domain, else in another one.
    fn named(&self, domain: usize, name: &Name) -> Option<&(Is, String)> {
        let own = self.by_name.get(domain).and_then(|names| names.get(name));
        own.or_else(|| self.by_name.iter().find_map(|names| names.get(name)))
    }

    /// A group with the ids of its members, and the number of those who are not known.
    fn members(&self, domain: usize, gathered: GatheredGroup) -> (ReadGroup, usize) {
        let GatheredGroup { mut group, members, uids, sid, .. } = gathered;
        let mut unknown = 0;
        for member in members {
            let found = match &member {
                Member::Named(name) => self.named(domain, name),
                Member::Foreign(sid) => self.by_sid.get(sid),
            };
            match found {
                Some((Is::Person, id)) => drop(group.people.insert(id.clone())),
                Some((Is::Group, id)) => drop(group.groups.insert(id.clone())),
                None => unknown += 1,
            }
        }
        for uid in uids {
            match self.by_uid.get(&(domain, uid)) {
                Some(id) => drop(group.people.insert(id.clone())),
                None => unknown += 1,
            }
        }
        if let Some(sid) = sid {
            for own in [Some(sid.domain()), None] {
                let people = self.by_primary_group.get(&(own, sid.rid()));
                group.people.extend(people.into_iter().flatten().cloned());
            }
        }
        (group, unknown)
    }
}
