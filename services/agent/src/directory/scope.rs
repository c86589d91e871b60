//! The part of a directory that is uploaded: people of the user groups, and the chosen groups (DA2, DX6).
//!
//! If the same groups choose people and groups, a group with somebody outside is not synced, and is told. If they differ, people
//! outside are left out of the synced groups.

use super::distinguished_name::folded;
use super::{Directory, ReadGroup, memberships, nested};
use crate::config::Scope;
use std::collections::{BTreeMap, BTreeSet};

/// Cuts a directory.
///
/// # Errors
/// A sentence that names a group of the configuration that the directory does not have: it may have been renamed, and everybody in it
/// would leave.
pub(super) fn cut(mut directory: Directory, scope: &Scope) -> Result<Directory, String> {
    // Everything is in scope: no second copy of the groups is made.
    if scope.user_groups.is_empty() && scope.groups.is_empty() {
        return Ok(directory);
    }
    let all = directory.groups.clone();
    let user_groups = find_all(&all, &scope.user_groups)?;
    let chosen = find_all(&all, &scope.groups)?;
    if !user_groups.is_empty() {
        let of_person = memberships(&all);
        let is_in = |id: &str| of_person.get(id).is_some_and(|groups| !groups.is_disjoint(&borrowed(&user_groups)));
        directory.people.retain(|id, _| is_in(id));
    }
    if !chosen.is_empty() {
        let mut kept: BTreeSet<String> = BTreeSet::new();
        for id in &chosen {
            kept.extend(nested(&all, id).into_iter().map(str::to_owned));
        }
        directory.groups.retain(|id, _| kept.contains(id));
    }
    if !user_groups.is_empty() && chosen == user_groups {
        let outside: Vec<String> =
            directory.groups.keys().filter(|id| has_others(&all, id, &directory)).cloned().collect();
        for id in outside {
            if let Some(group) = directory.groups.remove(&id) {
                let name = group.name;
                directory.remarks.push(format!("the group {name:?} has people outside of the scope and is not synced"));
            }
        }
    }
    flatten(&mut directory, &all);
    Ok(directory)
}

fn borrowed(ids: &BTreeSet<String>) -> BTreeSet<&str> {
    ids.iter().map(String::as_str).collect()
}

fn has_others(all: &BTreeMap<String, ReadGroup>, id: &str, directory: &Directory) -> bool {
    let mut people = nested(all, id).into_iter().filter_map(|inner| all.get(inner)).flat_map(|group| &group.people);
    people.any(|person| !directory.people.contains_key(person))
}

/// Names all people of a group directly, since groups that are not synced may stand between them.
fn flatten(directory: &mut Directory, all: &BTreeMap<String, ReadGroup>) {
    for (id, group) in &mut directory.groups {
        let inner = nested(all, id).into_iter().filter_map(|inner| all.get(inner)).flat_map(|inner| &inner.people);
        group.people = inner.filter(|person| directory.people.contains_key(*person)).cloned().collect();
        group.groups.clear();
    }
}

fn find_all(groups: &BTreeMap<String, ReadGroup>, names: &[String]) -> Result<BTreeSet<String>, String> {
    let mut found = BTreeSet::new();
    for name in names {
        let is_named = |group: &ReadGroup| {
            group.name.eq_ignore_ascii_case(name)
                || group.aliases.iter().any(|alias| *alias == *name || *alias == folded(name))
        };
        let of_name: Vec<&String> = groups.iter().filter(|(_, group)| is_named(group)).map(|(id, _)| id).collect();
        match of_name.as_slice() {
            [id] => drop(found.insert((*id).clone())),
            [] => return Err(format!("the directory has no group {name:?}, which the configuration names")),
            _ => return Err(format!("the directory has several groups {name:?}; name the one by its DN or id")),
        }
    }
    Ok(found)
}
