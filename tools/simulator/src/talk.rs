//! The common steps of conversations: look up, create, write, delete, with a check of the answer.

use serde_json::Value;

use crate::book::{Book, Team, sends_anchor};
use crate::call::{Answer, Call, Sent};
use crate::check;
use crate::client::Link;
use crate::options::Idp;
use crate::people::Person;
use crate::report::Code;
use crate::wire::{GROUP, USER};

/// The hub at one end, the IdP's directory at the other.
#[derive(Clone, Copy)]
pub(crate) struct Talk<'a> {
    pub(crate) link: &'a Link,
    pub(crate) book: &'a Book,
    pub(crate) idp: Idp,
    /// A person found at the hub whom the book does not link yet, with the hub's id.
    pub(crate) adopting: Option<(usize, &'a str)>,
}

/// Result of a look-up.
pub(crate) enum Found {
    One(Box<Value>),
    Nobody,
    /// The look-up itself failed.
    Unknown,
}

/// Result of a creation.
pub(crate) enum Created {
    Id(String),
    /// It may exist already, so look up again.
    LookAgain,
    Failed,
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

    /// The path of a person at the hub; empty when it never accepted them.
    pub(crate) fn user_path(&self, who: usize) -> String {
        format!("Users/{}", self.user_id(who).unwrap_or_default())
    }

    pub(crate) fn group_path(&self, team: usize) -> String {
        format!("Groups/{}", self.book.group_id(team).unwrap_or_default())
    }

    /// Sends and expects one of these statuses.
    pub(crate) async fn expect(&self, call: &Call, statuses: &[u16]) -> Option<Answer> {
        let answer = self.link.send(call).await.answer()?;
        check::status(self.link, call, &answer, statuses).then_some(answer)
    }

    /// Sends a filter and expects a list; returns the matches.
    pub(crate) async fn matches(&self, call: &Call) -> Option<Vec<Value>> {
        let answer = self.expect(call, &[200]).await?;
        let (total, resources) = check::list(self.link, call, &answer)?;
        if total < resources.len() as u64 {
            let detail = format!("totalResults {total}, {} entries", resources.len());
            self.link.found(Code::ListCountNotInteger, call, answer.status, detail);
        }
        Some(resources.to_vec())
    }

    /// A filter on a unique value: at most one match.
    pub(crate) async fn find_one(&self, call: &Call) -> Found {
        match self.matches(call).await {
            None => Found::Unknown,
            Some(mut found) => {
                if found.len() > 1 {
                    let detail = format!("{} matches", found.len());
                    self.link.found(Code::LookupAmbiguous, call, 200, detail);
                }
                if found.is_empty() { Found::Nobody } else { Found::One(Box::new(found.swap_remove(0))) }
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

    /// A filter that must find nothing, the core of most connection tests.
    pub(crate) async fn finds_nobody(&self, call: &Call) -> bool {
        match self.matches(call).await {
            Some(found) if found.is_empty() => true,
            Some(found) => {
                let detail = format!("{} matches for an unknown value", found.len());
                self.link.found(Code::LookupFoundStranger, call, 200, detail);
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

    /// A write of a person: 200 with the whole resource, or 204 if the IdP accepts it.
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

    /// A write of a group: 204, or 200 with the resource if the IdP accepts it.
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

    /// 204; 404 is as good when the first answer was lost.
    pub(crate) async fn delete(&self, step: &'static str, path: &str, anchor: &str) -> bool {
        let call = Call::delete(step, path, anchor);
        let Some(answer) = self.link.send(&call).await.answer() else {
            return false;
        };
        let gone_before = answer.repeated && answer.status == 404;
        if !gone_before && !check::status(self.link, &call, &answer, &[204]) {
            return false;
        }
        let call = Call::get("read deleted", path, anchor);
        match self.link.send(&call).await.answer() {
            Some(answer) if answer.status == 404 => true,
            Some(answer) => {
                self.link.found(Code::DeletedStillVisible, &call, answer.status, path);
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
            self.link.found(Code::InactiveUserHidden, &call, 404, "read by id");
            return None;
        }
        check::status(self.link, &call, &answer, &[200]).then_some(())?;
        check::resource(self.link, &call, &answer, USER)?;
        answer.json
    }

    /// True if the found person equals the one that the hub last accepted; differences are findings.
    pub(crate) fn same_user(&self, call: &Call, who: usize, resource: &Value) -> bool {
        let id = check::text(resource, "id");
        if Some(id) != self.user_id(who) {
            self.link.found(Code::LookupFoundStranger, call, 200, format!("id {id}"));
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
        check::user_echo(self.link, call, status, body, &self.person(who).profile, self.sent_anchor(who));
    }

    fn sent_anchor(&self, who: usize) -> Option<&'a str> {
        sends_anchor(self.idp).then_some(self.person(who).anchor.as_str())
    }
}
