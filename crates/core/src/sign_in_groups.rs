//! Groups that a sign-in asserts fill sharing groups (DS8): a group of the same name is the same group, and a membership by sign-in is a
//! loan, as a role by rule is (decision 0091).

use crate::email::fold;
use crate::ids::SharingGroupId;
use crate::text_enum::text_enum;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use std::collections::{BTreeMap, BTreeSet};

/// Longest name of a claim, in bytes.
const CLAIM_BYTES_MAX: usize = 256;
/// Longest name of a group, in characters: as long as a source may send.
const NAME_CHARACTERS_MAX: usize = 256;
/// Most groups of one sign-in that are looked at. A person of more gets and loses none, since nobody could say which.
pub const GROUPS_MAX: usize = 200;

text_enum! {
    /// The sharing groups that sign-ins fill.
    Fill {
        /// Those that no source manages: a source alone decides who is in its groups.
        Own = "own_groups",
        /// Also those of a source, in which the last word counts.
        All = "all_groups",
    }
}

/// A connection's setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GroupsFromSignIn {
    /// The claim that names the person's groups.
    pub claim: String,
    pub fill: Fill,
}

impl GroupsFromSignIn {
    /// # Errors
    /// The problem, for people.
    pub fn check(&self) -> Result<(), String> {
        let claim = &self.claim;
        if claim.is_empty() || claim.len() > CLAIM_BYTES_MAX || claim.chars().any(char::is_control) {
            return Err(format!("the claim has 1 to {CLAIM_BYTES_MAX} bytes, and no control characters"));
        }
        Ok(())
    }

    /// The names of the person's groups by their folded form; `None` where they are not known: the claim is kept elsewhere
    /// (OpenID Connect Core §5.6.2), the provider did not answer a question for it, or it has too many.
    pub fn asserted(&self, claims: &Map<String, Json>, unanswered: bool) -> Option<BTreeMap<String, String>> {
        let named = match claims.get(&self.claim) {
            Some(Json::Array(items)) => items.iter().filter_map(Json::as_str).collect(),
            Some(Json::String(name)) => vec![name.as_str()],
            Some(_) => Vec::new(),
            None => {
                let elsewhere = claims.get("_claim_names").and_then(Json::as_object);
                let is_elsewhere = elsewhere.is_some_and(|named| named.contains_key(&self.claim));
                if unanswered || is_elsewhere {
                    return None;
                }
                Vec::new()
            }
        };
        let names: BTreeMap<String, String> =
            named.into_iter().filter(|name| is_name(name)).map(|name| (fold(name), name.trim().to_owned())).collect();
        (names.len() <= GROUPS_MAX).then_some(names)
    }
}

fn is_name(name: &str) -> bool {
    !name.trim().is_empty() && name.chars().count() <= NAME_CHARACTERS_MAX && !name.chars().any(char::is_control)
}

/// A sharing group, as a sign-in of one member finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundGroup {
    pub id: SharingGroupId,
    pub folded_name: String,
    /// A source decides who is in it.
    pub of_source: bool,
    /// The member is in it, and whether by a sign-in alone.
    pub inside: bool,
    pub lent: bool,
    /// The source has the member in it by now.
    pub wanted_by_source: bool,
}

/// One change by a sign-in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GroupStep {
    /// Makes the group of this name, with the member in it.
    Create(String),
    Join(SharingGroupId),
    /// The source gives what was lent.
    Keep(SharingGroupId),
    Leave(SharingGroupId),
}

/// The changes of one member's memberships: they join the groups that the sign-in asserts, and leave those that an earlier one lent and
/// this one does not assert. A sign-in takes nothing away that a source gave.
pub fn steps(fill: Fill, asserted: &BTreeMap<String, String>, found: &[FoundGroup]) -> Vec<GroupStep> {
    let fills = |group: &FoundGroup| fill == Fill::All || !group.of_source;
    let known: BTreeSet<&str> = found.iter().map(|group| group.folded_name.as_str()).collect();
    let changed = found.iter().filter_map(|group| {
        let wanted = asserted.contains_key(&group.folded_name) && fills(group);
        match (wanted, group.inside) {
            (true, false) => Some(GroupStep::Join(group.id)),
            (false, true) if group.lent && group.wanted_by_source => Some(GroupStep::Keep(group.id)),
            (false, true) if group.lent => Some(GroupStep::Leave(group.id)),
            _ => None,
        }
    });
    let made = asserted.iter().filter(|(folded, _)| !known.contains(folded.as_str()));
    changed.chain(made.map(|(_, name)| GroupStep::Create(name.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use uuid::Uuid;

    fn setting() -> GroupsFromSignIn {
        GroupsFromSignIn { claim: "groups".into(), fill: Fill::Own }
    }

    fn asserted(claims: Json, unanswered: bool) -> Option<Vec<String>> {
        let claims = claims.as_object().expect("an object").clone();
        setting().asserted(&claims, unanswered).map(|names| names.into_values().collect())
    }

    fn group(number: u128, name: &str) -> FoundGroup {
        FoundGroup {
            id: Uuid::from_u128(number).into(),
            folded_name: fold(name),
            of_source: false,
            inside: false,
            lent: false,
            wanted_by_source: false,
        }
    }

    #[test]
    fn ds8_the_claim_is_a_list_or_a_text_and_what_is_no_name_is_no_group() {
        let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(asserted(json!({ "groups": ["Crew", " Pilots "] }), false), names(&["Crew", "Pilots"]));
        assert_eq!(asserted(json!({ "groups": "Crew" }), false), names(&["Crew"]));
        assert_eq!(
            asserted(json!({ "groups": ["Crew", "CREW", "", " ", "a\u{7}b", 7, null] }), false).map(|n| n.len()),
            Some(1)
        );
        for claims in [json!({}), json!({ "groups": null }), json!({ "groups": { "a": 1 } }), json!({ "groups": [] })] {
            assert_eq!(asserted(claims, false), names(&[]));
        }
    }

    #[test]
    fn ds8_groups_that_are_not_known_change_nothing() {
        assert_eq!(asserted(json!({}), true), None);
        assert_eq!(asserted(json!({ "_claim_names": { "groups": "src1" } }), false), None);
        let many: Vec<String> = (0..=GROUPS_MAX).map(|number| format!("g{number}")).collect();
        assert_eq!(asserted(json!({ "groups": many }), false), None);
        assert!(asserted(json!({ "groups": many[1..] }), true).is_some(), "the token has it");
    }

    #[test]
    fn ds8_a_sign_in_joins_makes_and_leaves_only_what_is_its_own() {
        let wanted: BTreeMap<String, String> =
            ["Crew", "Pilots", "Sales", "New"].iter().map(|name| (fold(name), (*name).to_owned())).collect();
        let found = [
            group(1, "CREW"),
            FoundGroup { of_source: true, ..group(2, "Pilots") },
            FoundGroup { of_source: true, inside: true, ..group(3, "Sales") },
            FoundGroup { inside: true, lent: true, ..group(4, "Old") },
            FoundGroup { inside: true, ..group(5, "By hand") },
            FoundGroup { of_source: true, inside: true, lent: true, wanted_by_source: true, ..group(6, "Staff") },
            group(7, "Others"),
        ];
        let id = |number: u128| SharingGroupId(Uuid::from_u128(number));
        let own = steps(Fill::Own, &wanted, &found);
        let end = [GroupStep::Leave(id(4)), GroupStep::Keep(id(6)), GroupStep::Create("New".into())];
        assert_eq!(own, [&[GroupStep::Join(id(1))][..], &end].concat());
        let all = steps(Fill::All, &wanted, &found);
        assert_eq!(all, [&[GroupStep::Join(id(1)), GroupStep::Join(id(2))][..], &end].concat());
    }

    #[test]
    fn ds8_a_sign_in_that_is_repeated_changes_nothing() {
        let wanted = BTreeMap::from([(fold("Crew"), "Crew".to_owned())]);
        let found = [FoundGroup { inside: true, lent: true, ..group(1, "Crew") }];
        assert_eq!(steps(Fill::Own, &wanted, &found), []);
        assert_eq!(steps(Fill::Own, &BTreeMap::new(), &[group(1, "Crew")]), []);
    }
}
