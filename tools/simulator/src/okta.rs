//! Okta, in the form of its SCIM 2.0 reference and its specification test.
//!
//! Two apps: the integration-network app PATCHes `active` and groups, the wizard's custom app PUTs everything. Neither
//! ever deletes a person. A membership change includes the group's name each time.

use serde_json::{Value, json};

use crate::book::MemberStep;
use crate::call::{Call, Dress};
use crate::check;
use crate::conversation::Conversation;
use crate::people::{Person, Profile};
use crate::report::Code;
use crate::talk::{Found, Talk};
use crate::wire::{ENTERPRISE, GROUP, Json, USER, ordered, patch, percent, quoted};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Okta {
    /// An app of the wizard instead of the integration network.
    pub(crate) custom: bool,
}

impl Okta {
    fn filter(step: &'static str, resource: &str, filter: &str, subject: &str) -> Call {
        let path = format!("{resource}?filter={}&startIndex=1&count=100", percent(filter));
        Call::get(step, path, subject)
    }

    /// GET, change what differs, PUT the whole resource back, with meta, groups and id.
    async fn put_profile(&self, talk: Talk<'_>, who: usize) -> bool {
        let Some(mut body) = talk.read_user("read user", who).await else {
            return false;
        };
        fill(&mut body, talk.person(who));
        let call = Call::put("replace user", talk.user_path(who), &Json::from(body), &talk.person(who).anchor);
        talk.write_user(&call, who, &[200]).await
    }

    async fn put_group(&self, talk: Talk<'_>, team: usize) -> bool {
        let group = talk.team(team);
        let body = ordered!({
            "schemas": [GROUP],
            "id": talk.book.group_id(team).unwrap_or_default(),
            "displayName": &group.name,
            "members": members(talk, &talk.book.known_members(team)),
        });
        let call = Call::put("replace group", talk.group_path(team), &body, &group.anchor);
        talk.write_group(&call, team, &[200]).await
    }

    async fn patch_group(&self, talk: Talk<'_>, team: usize, step: &'static str, operations: Vec<Json>) -> bool {
        let subject = &talk.team(team).anchor;
        let call = Call::patch(step, talk.group_path(team), &patch(operations), subject);
        talk.write_group(&call, team, &[200, 204]).await
    }
}

impl Conversation for Okta {
    const FINDS_GROUPS_FIRST: bool = false;
    const DELETES_USERS: bool = false;

    fn dress(&self) -> Dress {
        Dress {
            user_agent: "Okta SCIM Client 1.0.0",
            content_type: "application/scim+json; charset=utf-8",
            accept: "application/scim+json",
            headers: &[("accept-charset", "utf-8")],
            flag: None,
        }
    }

    /// The read-only steps of Okta's specification test.
    async fn test_connection(&self, talk: Talk<'_>) -> bool {
        let mut good = true;
        let call = Call::get("list users", "Users?count=1&startIndex=1", "test");
        match talk.matches(&call).await {
            Some(users) => {
                for user in users.iter().filter(|user| user.get("active").and_then(Value::as_bool).is_none()) {
                    let got = user.get("active").unwrap_or(&Value::Null).to_string();
                    talk.link.found(Code::ActiveNotBoolean, &call, 200, got);
                }
            }
            None => good = false,
        }
        let call = Self::filter("look up nobody", "Users", "userName eq \"nobody.ever@invalid.example\"", "test");
        good &= talk.finds_nobody(&call).await;
        let call = Call::get("read unknown user", "Users/00919288221112222", "test");
        good &= talk.expect(&call, &[404]).await.is_some();
        let call = Call::get("list groups", "Groups?startIndex=1&count=100", "test");
        good &= talk.matches(&call).await.is_some();
        let call = Call::get("bad token", "Users?count=1&startIndex=1", "test").with_bad_token();
        good &= talk.expect(&call, &[401]).await.is_some();
        good
    }

    fn user_lookups(&self, talk: Talk<'_>, who: usize) -> Vec<Call> {
        let person = talk.person(who);
        let filter = format!("userName eq {}", quoted(&person.profile.user_name));
        vec![Self::filter("look up user", "Users", &filter, &person.anchor)]
    }

    fn create_user(&self, talk: Talk<'_>, who: usize) -> Call {
        let person = talk.person(who);
        let profile = &person.profile;
        let body = ordered!({
            "schemas": [USER, ENTERPRISE],
            "userName": &profile.user_name,
            "name": ordered!({ "givenName": &profile.given_name, "familyName": &profile.family_name }),
            "emails": vec![ordered!({ "primary": true, "value": &profile.email, "type": "work" })],
            "displayName": &profile.display_name,
            "title": &profile.title,
            "locale": &profile.locale,
            "externalId": &person.anchor,
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": enterprise(profile),
            "groups": Vec::<Json>::new(),
            "password": password(&person.anchor),
            "active": profile.active,
        });
        Call::post("create user", "Users", &body, &person.anchor)
    }

    /// A PUT; the integration-network app syncs a new password as well, by PATCH, for every second one.
    async fn update_user(&self, talk: Talk<'_>, who: usize, _before: &Profile) -> bool {
        if !self.put_profile(talk, who).await {
            return false;
        }
        if self.custom || who % 2 == 1 {
            return true;
        }
        let anchor = &talk.person(who).anchor;
        let value = ordered!({ "password": password(anchor) });
        let operation = ordered!({ "op": "replace", "value": value });
        let call = Call::patch("sync password", talk.user_path(who), &patch(vec![operation]), anchor);
        talk.write_user(&call, who, &[200, 204]).await
    }

    async fn push_active(&self, talk: Talk<'_>, who: usize) -> bool {
        let person = talk.person(who);
        if self.custom || person.profile.active {
            // A returning person is found by filter first, though inactive, then PUT with the profile
            // (docs/scim.md#traps, 9).
            if person.profile.active {
                match talk.find_user(self.user_lookups(talk, who)).await {
                    Found::One(_) => {}
                    _ => {
                        let call = &self.user_lookups(talk, who)[0];
                        talk.link.found(Code::InactiveUserHidden, call, 200, "found by filter");
                        return false;
                    }
                }
            }
            return self.put_profile(talk, who).await;
        }
        let operation = ordered!({ "op": "replace", "value": ordered!({ "active": false }) });
        let call = Call::patch("deactivate user", talk.user_path(who), &patch(vec![operation]), &person.anchor);
        talk.write_user(&call, who, &[200, 204]).await && talk.read_user("read inactive user", who).await.is_some()
    }

    async fn find_group(&self, talk: Talk<'_>, team: usize) -> Found {
        let group = talk.team(team);
        let filter = format!("displayName eq {}", quoted(&group.name));
        talk.find_one(&Self::filter("look up group", "Groups", &filter, &group.anchor)).await
    }

    fn create_group(&self, talk: Talk<'_>, team: usize) -> Call {
        let group = talk.team(team);
        let body = ordered!({
            "schemas": [GROUP],
            "displayName": &group.name,
            "members": Vec::<Json>::new(),
        });
        Call::post("create group", "Groups", &body, &group.anchor).not_repeatable()
    }

    fn puts_groups(&self) -> bool {
        self.custom
    }

    async fn change_members(&self, talk: Talk<'_>, step: &MemberStep) -> bool {
        if self.custom {
            return self.put_group(talk, step.team).await;
        }
        let renamed = self.rename_group(talk, step.team).await;
        let mut operations = Vec::new();
        if step.first {
            // "Push now": the whole set, even an empty one (docs/scim.md#traps, 2).
            operations.push(ordered!({ "op": "replace", "path": "members", "value": members(talk, &step.add) }));
        } else {
            for who in step.remove.iter().filter_map(|who| talk.user_id(*who)) {
                let path = format!("members[value eq {}]", quoted(who));
                operations.push(ordered!({ "op": "remove", "path": path }));
            }
            if !step.add.is_empty() {
                operations.push(ordered!({ "op": "add", "path": "members", "value": members(talk, &step.add) }));
            }
        }
        renamed && self.patch_group(talk, step.team, "change members", operations).await
    }

    async fn rename_group(&self, talk: Talk<'_>, team: usize) -> bool {
        if self.custom {
            return self.put_group(talk, team).await;
        }
        let value = ordered!({
            "id": talk.book.group_id(team).unwrap_or_default(),
            "displayName": &talk.team(team).name,
        });
        let operation = ordered!({ "op": "replace", "value": value });
        self.patch_group(talk, team, "name group", vec![operation]).await
    }

    /// An import: both lists, page by page, in a stable order; and the look-up that ignores case.
    async fn resync_tail(&self, talk: Talk<'_>) -> bool {
        let users = talk.page_through("Users").await;
        let groups = talk.page_through("Groups").await;
        let mut folded = true;
        if let Some(person) = talk.book.people.iter().find(|person| person.remote.is_some() && !person.deleted) {
            let filter = format!("userName eq {}", quoted(&person.profile.user_name.to_uppercase()));
            let call = Self::filter("look up in capitals", "Users", &filter, &person.anchor);
            match talk.find_one(&call).await {
                Found::One(found) if Some(check::text(&found, "id")) == person.remote.as_deref() => {}
                _ => {
                    talk.link.found(Code::LookupMissedResource, &call, 200, "userName in capitals");
                    folded = false;
                }
            }
        }
        users && groups && folded
    }
}

/// Okta writes a member with the address beside the id.
fn members(talk: Talk<'_>, people: &[usize]) -> Vec<Json> {
    let known = people.iter().filter_map(|who| Some((talk.user_id(*who)?, talk.person(*who))));
    known.map(|(id, person)| ordered!({ "value": id, "display": &person.profile.user_name })).collect()
}

fn enterprise(profile: &Profile) -> Json {
    ordered!({ "employeeNumber": &profile.employee_number, "department": &profile.department })
}

/// The initial password that Okta generates; the hub must accept it and never show it.
fn password(anchor: &str) -> String {
    anchor.chars().rev().take(8).collect::<String>().to_lowercase()
}

/// Writes the IdP's profile into the body of the hub's answer.
fn fill(body: &mut Value, person: &Person) {
    let profile = &person.profile;
    let Some(fields) = body.as_object_mut() else {
        return;
    };
    fields.insert("externalId".into(), json!(person.anchor));
    fields.insert("userName".into(), json!(profile.user_name));
    fields.insert("displayName".into(), json!(profile.display_name));
    fields.insert("title".into(), json!(profile.title));
    fields.insert("active".into(), json!(profile.active));
    fields.insert("name".into(), json!({ "givenName": profile.given_name, "familyName": profile.family_name }));
    fields.insert("emails".into(), json!([{ "primary": true, "value": profile.email, "type": "work" }]));
    if let Some(phone) = &profile.phone {
        fields.insert("phoneNumbers".into(), json!([{ "value": phone, "type": "mobile" }]));
    }
    fields.insert(
        ENTERPRISE.into(),
        json!({ "employeeNumber": profile.employee_number, "department": profile.department }),
    );
    fields.insert("schemas".into(), json!([USER, ENTERPRISE]));
}
