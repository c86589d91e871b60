//! What every identity provider's conversation consists of, and the flows that most of them share.
//!
//! A dialect says how its requests look and in which order they come; whether an answer is good is checked here, once.

use std::future::Future;

use serde_json::Value;

use crate::book::{Book, MemberStep, Team, sends_anchor};
use crate::check;
use crate::client::{Answer, Call, Dress, Link, Sent};
use crate::options::Idp;
use crate::people::{Person, Profile};
use crate::report::Code;
use crate::wire::{GROUP, USER};

/// How often look-up and create may take turns before the IdP reports the person as failed.
const ROUNDS: u32 = 4;

/// The hub at one end, the IdP's directory at the other.
#[derive(Clone, Copy)]
pub(crate) struct Talk<'a> {
    pub(crate) link: &'a Link,
    pub(crate) book: &'a Book,
    pub(crate) idp: Idp,
    /// Someone found at the hub whom the book does not link yet, and the hub's id.
    pub(crate) adopting: Option<(usize, &'a str)>,
}

/// The outcome of a look-up.
pub(crate) enum Found {
    One(Box<Value>),
    Nobody,
    /// The look-up itself failed.
    Unknown,
}

/// The outcome of a creation.
pub(crate) enum Created {
    Id(String),
    /// It may exist already: look up again.
    LookAgain,
    Failed,
}

/// One identity provider's way of talking. `who` and `team` are indexes of the [`Book`].
///
/// Methods that write return whether the hub took it.
pub(crate) trait Conversation: Sync {
    /// Groups are looked up before they are created (Okta pushes them unasked).
    const FINDS_GROUPS_FIRST: bool = true;
    /// A leaver is taken out of the groups first, and a returner put back afterwards.
    const LEAVES_GROUPS: bool = false;
    /// Membership goes person by person, not group by group.
    const PERSON_BY_PERSON: bool = false;
    /// People are ever deleted.
    const DELETES_USERS: bool = true;
    /// Managers are sent in a pass of their own, when everybody is there.
    const LINKS_MANAGERS: bool = false;
    /// Groups without members are not created.
    const SKIPS_EMPTY_GROUPS: bool = false;

    fn dress(&self) -> Dress;

    fn test_connection(&self, talk: Talk<'_>) -> impl Future<Output = bool> + Send;

    /// Look-ups by each matching attribute, best first.
    fn user_lookups(&self, talk: Talk<'_>, who: usize) -> Vec<Call>;

    fn create_user(&self, talk: Talk<'_>, who: usize) -> Call;

    /// Brings the hub's copy, last known as `before`, to what the IdP says now.
    fn update_user(
        &self,
        talk: Talk<'_>,
        who: usize,
        before: &Profile,
    ) -> impl Future<Output = bool> + Send;

    /// Pushes `active` as the IdP says now.
    fn push_active(&self, talk: Talk<'_>, who: usize) -> impl Future<Output = bool> + Send;

    /// A second pass over people, where [`Conversation::LINKS_MANAGERS`]: the manager as a reference.
    fn link_manager(&self, _talk: Talk<'_>, _who: usize) -> impl Future<Output = bool> + Send {
        std::future::ready(true)
    }

    fn find_group(&self, talk: Talk<'_>, team: usize) -> impl Future<Output = Found> + Send;

    fn create_group(&self, talk: Talk<'_>, team: usize) -> Call;

    fn change_members(
        &self,
        talk: Talk<'_>,
        step: &MemberStep,
    ) -> impl Future<Output = bool> + Send;

    fn rename_group(&self, talk: Talk<'_>, team: usize) -> impl Future<Output = bool> + Send;

    /// Groups are written whole by PUT, so one group's changes must follow each other.
    fn puts_groups(&self) -> bool {
        false
    }

    /// A membership change is cut into requests of at most this many people, removals apart from additions; `None`
    /// for one request with everything.
    fn members_per_request(&self) -> Option<usize> {
        None
    }

    /// Requests at the end of the re-sync that are about nobody in particular.
    fn resync_tail(&self, _talk: Talk<'_>) -> impl Future<Output = bool> + Send {
        std::future::ready(true)
    }

    /// Looks, then creates; what exists already is brought up to date. The hub's id, if there is one in the end.
    fn provision(&self, talk: Talk<'_>, who: usize) -> impl Future<Output = Option<String>> + Send {
        async move {
            let mut call = self.create_user(talk, who);
            for _ in 0..ROUNDS {
                match talk.find_user(self.user_lookups(talk, who)).await {
                    Found::Unknown => return None,
                    Found::Nobody => {}
                    Found::One(resource) => {
                        let id = check::text(&resource, "id").to_owned();
                        let before = Profile::from_resource(&resource);
                        let adopting = Talk {
                            adopting: Some((who, &id)),
                            ..talk
                        };
                        return self.update_user(adopting, who, &before).await.then_some(id);
                    }
                }
                call = self.create_user(talk, who);
                match talk.create_user(&call, who).await {
                    Created::Id(id) => return Some(id),
                    Created::Failed => return None,
                    Created::LookAgain => {}
                }
            }
            talk.link.found(
                Code::ConflictWithoutMatch,
                &call,
                409,
                format!("{ROUNDS} rounds"),
            );
            None
        }
    }

    fn provision_group(
        &self,
        talk: Talk<'_>,
        team: usize,
    ) -> impl Future<Output = Option<String>> + Send {
        async move {
            let mut look = Self::FINDS_GROUPS_FIRST;
            let mut call = self.create_group(talk, team);
            for _ in 0..ROUNDS {
                if look {
                    match self.find_group(talk, team).await {
                        Found::Unknown => return None,
                        Found::Nobody => {}
                        Found::One(resource) => {
                            return Some(check::text(&resource, "id").to_owned());
                        }
                    }
                }
                call = self.create_group(talk, team);
                match talk.create_group(&call, team).await {
                    Created::Id(id) => return Some(id),
                    Created::Failed => return None,
                    Created::LookAgain => look = true,
                }
            }
            talk.link.found(
                Code::ConflictWithoutMatch,
                &call,
                409,
                format!("{ROUNDS} rounds"),
            );
            None
        }
    }

    /// In a re-sync: finds the person again and nothing to change.
    fn recheck_user(&self, talk: Talk<'_>, who: usize) -> impl Future<Output = bool> + Send {
        async move {
            let lookups = self.user_lookups(talk, who);
            let Some(call) = lookups.first().cloned() else {
                return true;
            };
            match talk.find_user(lookups).await {
                Found::One(resource) => talk.same_user(&call, who, &resource),
                Found::Nobody => {
                    talk.link
                        .found(Code::LookupMissedResource, &call, 200, "totalResults 0");
                    false
                }
                Found::Unknown => false,
            }
        }
    }

    fn delete_user(&self, talk: Talk<'_>, who: usize) -> impl Future<Output = bool> + Send {
        async move {
            match talk.user_id(who) {
                Some(id) => {
                    talk.delete(
                        "delete user",
                        &format!("Users/{id}"),
                        &talk.person(who).anchor,
                    )
                    .await
                }
                None => false,
            }
        }
    }

    fn delete_group(&self, talk: Talk<'_>, team: usize) -> impl Future<Output = bool> + Send {
        async move {
            match talk.book.group_id(team) {
                Some(id) => {
                    talk.delete(
                        "delete group",
                        &format!("Groups/{id}"),
                        &talk.team(team).anchor,
                    )
                    .await
                }
                None => false,
            }
        }
    }
}

impl<'a> Talk<'a> {
    pub(crate) fn person(&self, who: usize) -> &'a Person {
        &self.book.people[who]
    }

    pub(crate) fn team(&self, team: usize) -> &'a Team {
        &self.book.teams[team]
    }

    /// The hub's id of a person, if it has them.
    pub(crate) fn user_id(&self, who: usize) -> Option<&'a str> {
        match self.adopting {
            Some((adopted, id)) if adopted == who => Some(id),
            _ => self.book.user_id(who),
        }
    }

    /// Where the hub keeps a person; empty when it never took them.
    pub(crate) fn user_path(&self, who: usize) -> String {
        format!("Users/{}", self.user_id(who).unwrap_or_default())
    }

    pub(crate) fn group_path(&self, team: usize) -> String {
        format!("Groups/{}", self.book.group_id(team).unwrap_or_default())
    }

    /// Sends and wants one of these statuses.
    pub(crate) async fn expect(&self, call: &Call, statuses: &[u16]) -> Option<Answer> {
        let answer = self.link.send(call).await.answer()?;
        check::status(self.link, call, &answer, statuses).then_some(answer)
    }

    /// Sends a filter and wants a list; the matches.
    pub(crate) async fn matches(&self, call: &Call) -> Option<Vec<Value>> {
        let answer = self.expect(call, &[200]).await?;
        let (total, resources) = check::list(self.link, call, &answer)?;
        if total < resources.len() as u64 {
            let detail = format!("totalResults {total}, {} entries", resources.len());
            self.link
                .found(Code::ListCountNotInteger, call, answer.status, detail);
        }
        Some(resources.to_vec())
    }

    /// A filter on a unique value: nobody or one.
    pub(crate) async fn find_one(&self, call: &Call) -> Found {
        match self.matches(call).await {
            None => Found::Unknown,
            Some(mut found) => {
                if found.len() > 1 {
                    let detail = format!("{} matches", found.len());
                    self.link.found(Code::LookupAmbiguous, call, 200, detail);
                }
                if found.is_empty() {
                    Found::Nobody
                } else {
                    Found::One(Box::new(found.swap_remove(0)))
                }
            }
        }
    }

    /// Tries the matching attributes in turn.
    pub(crate) async fn find_user(&self, lookups: Vec<Call>) -> Found {
        for call in &lookups {
            match self.find_one(call).await {
                Found::Nobody => {}
                other => return other,
            }
        }
        Found::Nobody
    }

    /// A filter that must find nothing: the heart of most connection tests.
    pub(crate) async fn finds_nobody(&self, call: &Call) -> bool {
        match self.matches(call).await {
            Some(found) if found.is_empty() => true,
            Some(found) => {
                let detail = format!("{} matches for an unknown value", found.len());
                self.link
                    .found(Code::LookupFoundStranger, call, 200, detail);
                false
            }
            None => false,
        }
    }

    pub(crate) async fn create_user(&self, call: &Call, who: usize) -> Created {
        let Sent::Answered(answer) = self.link.send(call).await else {
            return Created::Failed;
        };
        if answer.status == 409 {
            return Created::LookAgain;
        }
        if !check::status(self.link, call, &answer, &[201]) {
            return Created::Failed;
        }
        check::location(self.link, call, &answer);
        let Some((id, body)) = check::resource(self.link, call, &answer, USER) else {
            return Created::Failed;
        };
        self.echo(call, answer.status, who, body);
        Created::Id(id.to_owned())
    }

    pub(crate) async fn create_group(&self, call: &Call, team: usize) -> Created {
        let Sent::Answered(answer) = self.link.send(call).await else {
            return Created::LookAgain;
        };
        if answer.status == 409 {
            return Created::LookAgain;
        }
        if !check::status(self.link, call, &answer, &[201]) {
            return Created::Failed;
        }
        check::location(self.link, call, &answer);
        let Some((id, body)) = check::resource(self.link, call, &answer, GROUP) else {
            return Created::Failed;
        };
        self.same_name(call, answer.status, body, &self.team(team).name);
        Created::Id(id.to_owned())
    }

    /// A write of a person: 200 with the whole resource, or 204 where the IdP accepts it.
    pub(crate) async fn write_user(&self, call: &Call, who: usize, statuses: &[u16]) -> bool {
        let Some(answer) = self.expect(call, statuses).await else {
            return false;
        };
        if answer.status == 204 {
            return true;
        }
        let Some((id, body)) = check::resource(self.link, call, &answer, USER) else {
            return false;
        };
        if Some(id) != self.user_id(who) {
            self.link.found(Code::IdChanged, call, answer.status, id);
        }
        self.echo(call, answer.status, who, body);
        true
    }

    /// A write of a group: 204, or 200 with the resource where the IdP accepts it.
    pub(crate) async fn write_group(&self, call: &Call, team: usize, statuses: &[u16]) -> bool {
        let Some(answer) = self.expect(call, statuses).await else {
            return false;
        };
        if answer.status == 200
            && let Some((id, body)) = check::resource(self.link, call, &answer, GROUP)
        {
            if Some(id) != self.book.group_id(team) {
                self.link.found(Code::IdChanged, call, answer.status, id);
            }
            self.same_name(call, answer.status, body, &self.team(team).name);
        }
        true
    }

    /// 204; 404 is as good when the first answer got lost.
    pub(crate) async fn delete(&self, step: &'static str, path: &str, anchor: &str) -> bool {
        let call = Call::delete(step, path, anchor);
        let Some(answer) = self.link.send(&call).await.answer() else {
            return false;
        };
        if !(answer.repeated && answer.status == 404)
            && !check::status(self.link, &call, &answer, &[204])
        {
            return false;
        }
        let call = Call::get("read deleted", path, anchor);
        match self.link.send(&call).await.answer() {
            Some(answer) if answer.status == 404 => true,
            Some(answer) => {
                self.link
                    .found(Code::DeletedStillVisible, &call, answer.status, path);
                false
            }
            None => true,
        }
    }

    /// The current resource, by id.
    pub(crate) async fn read_user(&self, step: &'static str, who: usize) -> Option<Value> {
        let call = Call::get(step, self.user_path(who), &self.person(who).anchor);
        let answer = self.link.send(&call).await.answer()?;
        if answer.status == 404 && self.user_id(who).is_some() {
            self.link
                .found(Code::InactiveUserHidden, &call, 404, "read by id");
            return None;
        }
        check::status(self.link, &call, &answer, &[200]).then_some(())?;
        check::resource(self.link, &call, &answer, USER)?;
        answer.json
    }

    /// Whether what was found is the person as the hub last took it; differences are findings.
    pub(crate) fn same_user(&self, call: &Call, who: usize, resource: &Value) -> bool {
        let id = check::text(resource, "id");
        if Some(id) != self.user_id(who) {
            self.link
                .found(Code::LookupFoundStranger, call, 200, format!("id {id}"));
            return false;
        }
        let person = self.person(who);
        let last = person.accepted.as_ref().unwrap_or(&person.profile);
        check::user_echo(self.link, call, 200, resource, last, self.sent_anchor(who));
        true
    }

    pub(crate) fn same_name(&self, call: &Call, status: u16, body: &Value, name: &str) {
        let got = check::text(body, "displayName");
        if got != name {
            let detail = format!("displayName: sent {name:?}, answered {got:?}");
            self.link.found(Code::AttributeLost, call, status, detail);
        }
    }

    fn echo(&self, call: &Call, status: u16, who: usize, body: &Value) {
        check::user_echo(
            self.link,
            call,
            status,
            body,
            &self.person(who).profile,
            self.sent_anchor(who),
        );
    }

    fn sent_anchor(&self, who: usize) -> Option<&'a str> {
        sends_anchor(self.idp).then_some(self.person(who).anchor.as_str())
    }
}
