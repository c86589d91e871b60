//! Scope of groups and scope of users (DX6): the directory groups that become sharing groups, and the groups whose people
//! are synced. A group outside is ignored; a sharing group whose directory group goes outside stays and is no longer
//! synced, until it is deleted in the product (DX20). A person in no group of the user scope is treated as one whom the
//! source does not have.

use crate::email::fold;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Most entries of all three lists.
const ENTRIES_MAX: usize = 500;
const ENTRY_BYTES_MAX: usize = 256;
/// Entries that a sentence names.
const ENTRIES_TOLD: usize = 5;

/// The key of a scope, for errors.
pub(crate) const GROUP_SCOPE: &str = "group_scope";
pub(crate) const USER_SCOPE: &str = "user_scope";

/// A group is inside when any entry matches it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GroupScope {
    /// Names; case and spacing do not matter.
    pub names: Vec<String>,
    /// Prefixes of names.
    pub prefixes: Vec<String>,
    pub external_ids: Vec<String>,
}

impl GroupScope {
    pub fn holds(&self, name: &str, external_id: Option<&str>) -> bool {
        let name = fold(name);
        self.names.iter().any(|wanted| fold(wanted) == name)
            || self.prefixes.iter().any(|prefix| name.starts_with(&fold(prefix)))
            || external_id.is_some_and(|id| self.external_ids.iter().any(|wanted| wanted == id))
    }

    /// The entries that match none of these groups, which are names with external ids.
    pub fn without_group<'s, 'g>(&'s self, groups: impl Iterator<Item = (&'g str, Option<&'g str>)>) -> Vec<&'s str> {
        let groups: Vec<(String, Option<&str>)> = groups.map(|(name, id)| (fold(name), id)).collect();
        let (names, ids): (HashSet<&str>, HashSet<Option<&str>>) =
            groups.iter().map(|(name, id)| (name.as_str(), *id)).unzip();
        let no_name = |wanted: &&String| !names.contains(fold(wanted).as_str());
        let no_prefix = |prefix: &&String| {
            let prefix = fold(prefix);
            !names.iter().any(|name| name.starts_with(&prefix))
        };
        let no_id = |wanted: &&String| !ids.contains(&Some(wanted.as_str()));
        let unmatched = self.names.iter().filter(no_name).chain(self.prefixes.iter().filter(no_prefix));
        unmatched.chain(self.external_ids.iter().filter(no_id)).map(String::as_str).collect()
    }

    /// The entries for people: `Staff`, `App-*`, an external id.
    pub(crate) fn described(&self) -> String {
        let prefixes = self.prefixes.iter().map(|prefix| format!("{prefix}*"));
        let all: Vec<String> = self.names.iter().cloned().chain(prefixes).chain(self.external_ids.clone()).collect();
        let told = all.iter().take(ENTRIES_TOLD).cloned().collect::<Vec<_>>().join(", ");
        match all.len().saturating_sub(ENTRIES_TOLD) {
            0 => told,
            more => format!("{told} and {more} more"),
        }
    }

    /// # Errors
    /// Names the key and the broken bound.
    pub(crate) fn check(&self, key: &str) -> Result<(), String> {
        let entries = || self.names.iter().chain(&self.prefixes).chain(&self.external_ids);
        match entries().count() {
            0 => return Err(format!("{key} names no group: give names, prefixes or external_ids, or null for all")),
            count if count > ENTRIES_MAX => return Err(format!("{key} has more than {ENTRIES_MAX} entries")),
            _ => {}
        }
        let usable = |entry: &String| !fold(entry).is_empty() && !entry.chars().any(char::is_control);
        if entries().any(|entry| !usable(entry) || entry.len() > ENTRY_BYTES_MAX) {
            return Err(format!("{key}: an entry is 1 to {ENTRY_BYTES_MAX} bytes without control characters"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    #[test]
    fn dx6_a_group_is_inside_by_name_prefix_or_external_id() {
        let scope = GroupScope {
            names: vec!["All  Staff".into()],
            prefixes: vec!["App-".into()],
            external_ids: vec!["g-7".into()],
        };
        let policy = Policy { group_scope: Some(scope), ..Policy::default() };
        for (name, external_id, inside) in [
            ("all staff", None, true),
            ("ALL STAFF", Some("x"), true),
            ("all staff 2", None, false),
            ("app-wiki", None, true),
            ("my app-wiki", None, false),
            ("other", Some("g-7"), true),
            ("other", Some("G-7"), false),
            ("other", None, false),
        ] {
            assert_eq!(policy.feeds_group(name, external_id), inside, "{name} {external_id:?}");
            assert!(Policy::default().feeds_group(name, external_id), "no scope: all");
            assert!(!Policy { group_sync: false, ..policy.clone() }.feeds_group(name, external_id));
        }
    }

    #[test]
    fn dx6_an_entry_without_a_group_is_found() {
        let groups = [("All  Staff", Some("g-1")), ("App-wiki", None)];
        let unmatched = |names: &[&str], prefixes: &[&str], external_ids: &[&str]| {
            let [names, prefixes, external_ids] =
                [names, prefixes, external_ids].map(|list| list.iter().map(|&entry| entry.to_owned()).collect());
            let scope = GroupScope { names, prefixes, external_ids };
            scope.without_group(groups.into_iter()).join(" ")
        };
        assert_eq!(unmatched(&["all staff"], &["app-"], &["g-1"]), "");
        assert_eq!(unmatched(&["all staff", "Stuff"], &["wiki-"], &["g-2"]), "Stuff wiki- g-2");
    }

    #[test]
    fn dx6_a_scope_is_bounded() {
        let names = |names: Vec<String>| GroupScope { names, ..GroupScope::default() };
        assert!(names(vec!["a".into()]).check(USER_SCOPE).is_ok());
        for scope in [
            names(vec![]),
            names(vec![" ".into()]),
            names(vec!["a\0".into()]),
            names(vec!["a".repeat(257)]),
            names(vec!["a".into(); 501]),
        ] {
            let error = scope.check(USER_SCOPE).expect_err("out of bounds");
            assert!(error.starts_with(USER_SCOPE), "{} names: {error}", scope.names.len());
        }
    }

    #[test]
    fn dx6_a_sentence_names_a_few_entries() {
        let scope = GroupScope {
            names: vec!["Staff".into()],
            prefixes: vec!["App-".into()],
            external_ids: (1..6).map(|n| format!("g-{n}")).collect(),
        };
        assert_eq!(scope.described(), "Staff, App-*, g-1, g-2, g-3 and 2 more");
    }
}
