//! Reads the hub's SCIM resources back: page by page as an import does, and one by one against the IdP's view.

use std::collections::{BTreeSet, HashSet};

use serde_json::Value;

use crate::call::Call;
use crate::check;
use crate::report::Code;
use crate::talk::Talk;
use crate::wire::GROUP;

const PAGE: usize = 100;
/// Deep pages cost time in a large tenant; beyond this an import is sampled from the front.
const MOST_PAGES: usize = 60;

impl Talk<'_> {
    /// `count=100&startIndex=…` until the end: no page too long, no resource twice, none missing.
    pub(crate) async fn page_through(&self, resource: &str) -> bool {
        let mut seen = HashSet::new();
        let mut complete = false;
        for page in 0..MOST_PAGES {
            let path = format!("{resource}?startIndex={}&count={PAGE}", page * PAGE + 1);
            let call = Call::get("list page", path, resource);
            let Some(answer) = self.expect(&call, &[200]).await else {
                return false;
            };
            let Some((total, resources)) = check::list(self.link, &call, &answer) else {
                return false;
            };
            if resources.len() > PAGE {
                let detail = format!("{} entries", resources.len());
                self.link.found(Code::ListPageTooLong, &call, 200, detail);
            }
            for entry in resources {
                let id = check::text(entry, "id").to_owned();
                if !seen.insert(id.clone()) {
                    self.link.found(Code::ListRepeatsResource, &call, 200, id);
                }
            }
            complete = seen.len() as u64 >= total;
            if complete || resources.is_empty() {
                break;
            }
        }
        self.all_seen(resource, &seen, complete)
    }

    /// All resources of one kind, for a session that continues an earlier one.
    pub(crate) async fn import(&self, resource: &str) -> Option<Vec<Value>> {
        let mut all = Vec::new();
        loop {
            let path = format!("{resource}?startIndex={}&count={PAGE}", all.len() + 1);
            let call = Call::get("list page", path, resource);
            let answer = self.expect(&call, &[200]).await?;
            let (total, resources) = check::list(self.link, &call, &answer)?;
            all.extend_from_slice(resources);
            if resources.is_empty() || all.len() as u64 >= total {
                return Some(all);
            }
        }
    }

    fn all_seen(&self, resource: &str, seen: &HashSet<String>, complete: bool) -> bool {
        if !complete && seen.len() >= MOST_PAGES * PAGE {
            return true;
        }
        let known: Vec<&str> = if resource == "Users" {
            let people = self.book.people.iter().filter(|person| !person.deleted);
            people.filter_map(|person| person.remote.as_deref()).collect()
        } else {
            let teams = self.book.teams.iter().filter(|team| !team.deleted);
            teams.filter_map(|team| team.remote.as_deref()).collect()
        };
        let missing = known.iter().filter(|id| !seen.contains(**id)).count();
        if missing > 0 {
            let call = Call::get("list page", resource, resource);
            let detail = format!("{missing} of {} missing", known.len());
            self.link.found(Code::ListMissesResource, &call, 200, detail);
        }
        missing == 0
    }

    /// One person, by id, in the state of the IdP.
    pub(crate) async fn read_back_user(&self, who: usize) -> bool {
        let person = self.person(who);
        let call = Call::get("read user back", self.user_path(who), &person.anchor);
        match self.expect(&call, &[200]).await {
            Some(answer) => answer.json.is_some_and(|resource| self.same_user(&call, who, &resource)),
            None => false,
        }
    }

    /// One group with exactly the accepted members (docs/scim.md#traps, 1 and 2).
    pub(crate) async fn read_back_group(&self, team: usize) -> bool {
        let group = self.team(team);
        let call = Call::get("read group back", self.group_path(team), &group.anchor);
        let Some(answer) = self.expect(&call, &[200]).await else {
            return false;
        };
        let Some((_, body)) = check::resource(self.link, &call, &answer, GROUP) else {
            return false;
        };
        self.same_name(&call, 200, body, group.accepted_name.as_deref().unwrap_or_default());
        let got = member_ids(body);
        let expected: BTreeSet<&str> = group
            .accepted_members
            .iter()
            .filter(|who| !self.person(**who).deleted)
            .filter_map(|who| self.user_id(*who))
            .collect();
        let missing = expected.difference(&got).count();
        // An earlier session with more people put those there whom this one does not know.
        let is_known = |id: &&&str| self.book.people.iter().any(|person| person.remote.as_deref() == Some(**id));
        let extra = got.difference(&expected).filter(|id| !group.remembered || is_known(id)).count();
        if missing + extra > 0 {
            let detail =
                format!("{} expected, {} there: {missing} missing, {extra} too many", expected.len(), got.len());
            self.link.found(Code::GroupMembersDiffer, &call, 200, detail);
        }
        missing + extra == 0
    }
}

/// Ids of the members in a group's body; none when the attribute is absent.
pub(crate) fn member_ids(group: &Value) -> BTreeSet<&str> {
    group
        .get("members")
        .and_then(Value::as_array)
        .map(|members| members.iter().map(|member| check::text(member, "value")).collect())
        .unwrap_or_default()
}
