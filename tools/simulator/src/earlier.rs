//! Resources that an earlier session of the same seed left at the hub: an identity provider remembers them, a new
//! process must look them up.
//!
//! So a second `simulate-idp` on one source continues the first one, and single phases can be played by separate runs.
//! People are recognised by their immutable id, or by the employee number if the IdP sends no id.

use std::collections::{BTreeSet, HashMap};
use std::io::Write;

use serde_json::Value;

use crate::check;
use crate::conversation::Conversation;
use crate::group_phases::RENAMED;
use crate::lifecycle::Stage;
use crate::options::Phase;
use crate::people::{Person, Profile};
use crate::readback::member_ids;
use crate::talk::Found;

impl<C: Conversation, W: Write> Stage<'_, C, W> {
    /// Before the first phase with a subject: links existing people and groups.
    pub(crate) async fn remember(&mut self, phase: Phase) {
        if std::mem::replace(&mut self.session.remembered, true) {
            return;
        }
        if phase == Phase::People && !self.was_here().await {
            return;
        }
        let users = self.import("earlier-people", "Users").await;
        self.link_people(&users);
        let groups = self.import("earlier-groups", "Groups").await;
        self.link_groups(&groups);
    }

    /// One look-up of a person whose name and address no phase changes shows whether there was an earlier session.
    async fn was_here(&mut self) -> bool {
        let story = &self.session.story;
        let people = 0..self.session.book.people.len();
        let scout = people.into_iter().find(|who| !story.readdressed.contains(who)).unwrap_or_default();
        let found = self
            .side_by_side("earlier-session", vec![scout], |idp, talk, who| async move {
                let found = talk.find_user(idp.user_lookups(talk, who)).await;
                let known = match &found {
                    Found::One(resource) => is_same(talk.person(who), resource),
                    Found::Nobody | Found::Unknown => false,
                };
                (known, true)
            })
            .await;
        found == [true]
    }

    async fn import(&mut self, name: &'static str, resource: &'static str) -> Vec<Value> {
        let imported = self
            .side_by_side(name, vec![resource], |_, talk, resource| async move {
                let all = talk.import(resource).await;
                let good = all.is_some();
                (all.unwrap_or_default(), good)
            })
            .await;
        imported.into_iter().flatten().collect()
    }

    fn link_people(&mut self, users: &[Value]) {
        let people = &mut self.session.book.people;
        let mut known: HashMap<String, usize> = HashMap::new();
        for (who, person) in people.iter().enumerate() {
            known.insert(person.anchor.clone(), who);
            known.insert(person.profile.employee_number.clone(), who);
        }
        for user in users {
            let profile = Profile::from_resource(user);
            let by_number = known.get(&profile.employee_number);
            let Some(who) = known.get(check::text(user, "externalId")).or(by_number) else {
                continue;
            };
            let person = &mut people[*who];
            person.ever_active |= person.profile.active;
            person.profile = profile;
            person.remote = Some(check::text(user, "id").to_owned());
            person.accepted_by_hub();
        }
    }

    fn link_groups(&mut self, groups: &[Value]) {
        let book = &mut self.session.book;
        let people: HashMap<&str, usize> =
            book.people.iter().enumerate().filter_map(|(who, person)| Some((person.remote.as_deref()?, who))).collect();
        for group in groups {
            let name = check::text(group, "displayName");
            let former = name.strip_suffix(RENAMED).unwrap_or(name);
            let members: BTreeSet<usize> =
                member_ids(group).into_iter().filter_map(|id| people.get(id).copied()).collect();
            if let Some(team) = book.teams.iter_mut().find(|team| team.name == former) {
                team.name = name.to_owned();
                team.remote = Some(check::text(group, "id").to_owned());
                team.accepted_name = Some(name.to_owned());
                team.members.clone_from(&members);
                team.accepted_members = members;
                team.remembered = true;
            }
        }
    }
}

fn is_same(person: &Person, resource: &Value) -> bool {
    check::text(resource, "externalId") == person.anchor
        || Profile::from_resource(resource).employee_number == person.profile.employee_number
}
