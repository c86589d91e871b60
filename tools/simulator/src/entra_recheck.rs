//! The re-sync of Entra ID: it never reads members, but checks each by a filter.

use serde_json::Value;

use crate::call::Call;
use crate::check;
use crate::entra::{Entra, Op, references};
use crate::report::Code;
use crate::talk::{Found, Talk};
use crate::wire::{GROUP, plus, quoted};

impl Entra {
    /// Reads of a restarted cycle besides people: groups without members, references by filter, redundant adds.
    pub(crate) async fn recheck(&self, talk: Talk<'_>) -> bool {
        let mut good = true;
        let alive =
            (0..talk.book.teams.len()).filter(|team| !talk.team(*team).deleted && talk.book.group_id(*team).is_some());
        for team in alive.clone().take(5) {
            good &= Self::read_group(talk, team).await.is_some();
            let member = talk.team(team).accepted_members.iter().find_map(|who| talk.user_id(*who));
            if let (Some(group), Some(member)) = (talk.book.group_id(team), member) {
                let filter = format!("id eq {} and members eq {}", quoted(group), quoted(member));
                good &= Self::has_reference(talk, "Groups", &filter, group).await;
            }
        }
        if let Some(team) = alive.clone().find(|team| talk.team(*team).accepted_members.len() > 1) {
            good &= self.redundant_add(talk, team).await;
        }
        let managed = talk.book.people.iter().filter(|person| person.manager_accepted && !person.deleted);
        for person in managed.take(3) {
            let manager = person.manager.and_then(|manager| talk.user_id(manager));
            if let (Some(id), Some(manager)) = (&person.remote, manager) {
                let filter = format!("id eq {} and manager eq {}", quoted(id), quoted(manager));
                good &= Self::has_reference(talk, "Users", &filter, id).await;
            }
        }
        good & Self::finds_in_microsofts_spelling(talk).await
    }

    /// The group in Entra's form, without its members.
    pub(crate) async fn read_group(talk: Talk<'_>, team: usize) -> Option<Value> {
        let path = format!("{}?excludedAttributes=members", talk.group_path(team));
        let call = Call::get("read group", path, &talk.team(team).anchor);
        let answer = talk.expect(&call, &[200]).await?;
        let (_, body) = check::resource(talk.link, &call, &answer, GROUP)?;
        if body.get("members").is_some() {
            talk.link.found(Code::MembersReturnedThoughExcluded, &call, 200, "members");
        }
        talk.same_name(&call, 200, body, &talk.team(team).name);
        answer.json
    }

    /// "Requests to determine whether a reference attribute has a certain value are requests about the members attribute."
    async fn has_reference(talk: Talk<'_>, resource: &str, filter: &str, subject: &str) -> bool {
        let excluded = if resource == "Groups" { "excludedAttributes=members&" } else { "" };
        let path = format!("{resource}?{excluded}filter={}", plus(filter));
        let call = Call::get("check reference", path, subject);
        match talk.find_one(&call).await {
            Found::One(_) => true,
            Found::Nobody => {
                talk.link.found(Code::LookupMissedResource, &call, 200, "totalResults 0");
                false
            }
            Found::Unknown => false,
        }
    }

    /// Every present member is added once more, as Entra does after a removal: a success without a change.
    async fn redundant_add(&self, talk: Talk<'_>, team: usize) -> bool {
        let members = talk.book.known_members(team);
        let Some(before) = Self::read_group(talk, team).await else {
            return false;
        };
        let some: Vec<usize> = members.into_iter().take(20).collect();
        let operation = self.set(Op::Add, "members", references(talk, &some));
        let added = self.patch_group(talk, team, vec![operation]).await;
        let Some(after) = Self::read_group(talk, team).await else {
            return false;
        };
        for field in ["/meta/lastModified", "/meta/version"] {
            if before.pointer(field) != after.pointer(field) {
                let call = Call::get("read group", talk.group_path(team), &talk.team(team).anchor);
                talk.link.found(Code::UnchangedWriteMovedVersion, &call, 200, field);
            }
        }
        added
    }

    /// The look-up of Microsoft's public Postman collection: a slash before the query, capitals, `+` for a space.
    async fn finds_in_microsofts_spelling(talk: Talk<'_>) -> bool {
        let people = &talk.book.people;
        let Some(person) = people.iter().find(|person| person.accepted.is_some() && !person.deleted) else {
            return true;
        };
        let name = person.accepted.as_ref().map_or("", |profile| &profile.display_name);
        let filter = plus(&format!("DisplayName eq {}", quoted(name)));
        let call = Call::get("look up by name", format!("Users/?filter={filter}"), &person.anchor);
        let Some(found) = talk.matches(&call).await else {
            return false;
        };
        let there = found.iter().any(|user| Some(check::text(user, "id")) == person.remote.as_deref());
        if !there {
            let detail = format!("{} others found", found.len());
            talk.link.found(Code::LookupMissedResource, &call, 200, detail);
        }
        there
    }
}
