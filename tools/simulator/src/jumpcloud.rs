//! JumpCloud's custom SCIM integration, after provider samples: PUT with every attribute, with null and empty lists, a
//! connection test that creates and deletes resources, groups only with members.

use serde_json::json;

use crate::book::MemberStep;
use crate::call::{Call, Dress};
use crate::check;
use crate::conversation::Conversation;
use crate::people::Profile;
use crate::talk::{Found, Talk};
use crate::wire::{ENTERPRISE, GROUP, Json, USER, ordered, patch, percent, quoted};

#[derive(Clone, Debug)]
pub(crate) struct JumpCloud {
    /// The address that the admin gave for the connection test.
    pub(crate) test_email: String,
}

impl JumpCloud {
    fn create_body(talk: Talk<'_>, who: usize) -> Json {
        let person = talk.person(who);
        let profile = &person.profile;
        let address = json!({
            "country": "US", "locality": "Boulder", "postalCode": "80027", "primary": true, "region": "CO",
            "streetAddress": "361 Centennial Pkwy", "type": "work",
        });
        let phone = profile.phone.as_deref().unwrap_or_default();
        ordered!({
            "active": profile.active,
            "addresses": vec![Json::from(address)],
            "displayName": &profile.display_name,
            "emails": vec![ordered!({ "primary": true, "type": "work", "value": &profile.email })],
            "externalId": &person.anchor,
            "locale": &profile.locale,
            "name": ordered!({ "familyName": &profile.family_name, "givenName": &profile.given_name }),
            "phoneNumbers": vec![ordered!({ "primary": true, "type": "work", "value": phone })],
            "preferredLanguage": &profile.locale,
            "schemas": [USER, ENTERPRISE],
            "title": &profile.title,
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": enterprise(profile),
            "userName": &profile.user_name,
        })
    }

    /// The full PUT: empty lists, a photo without type, the schemas the other way round.
    fn put_body(talk: Talk<'_>, who: usize) -> Json {
        let person = talk.person(who);
        let profile = &person.profile;
        let phones: Vec<Json> =
            profile.phone.iter().map(|phone| ordered!({ "primary": true, "type": "work", "value": phone })).collect();
        ordered!({
            "active": profile.active,
            "addresses": Vec::<Json>::new(),
            "displayName": &profile.display_name,
            "emails": vec![ordered!({ "primary": true, "type": "work", "value": &profile.email })],
            "externalId": &person.anchor,
            "id": talk.user_id(who).unwrap_or_default(),
            "locale": &profile.locale,
            "name": ordered!({ "familyName": &profile.family_name, "givenName": &profile.given_name }),
            "phoneNumbers": phones,
            "photos": vec![ordered!({ "value": format!("https://img.example.test/{}.png", person.anchor) })],
            "preferredLanguage": &profile.locale,
            "schemas": [ENTERPRISE, USER],
            "title": &profile.title,
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": enterprise(profile),
            "userName": &profile.user_name,
        })
    }

    async fn put(talk: Talk<'_>, who: usize) -> bool {
        let body = Self::put_body(talk, who);
        let call = Call::put("replace user", talk.user_path(who), &body, &talk.person(who).anchor);
        talk.write_user(&call, who, &[200]).await
    }

    fn lookup(resource: &str, filter: &str, subject: &str) -> Call {
        let step = if resource == "Users" { "look up user" } else { "look up group" };
        Call::get(step, format!("{resource}?filter={}", percent(filter)), subject)
    }

    async fn patch_group(talk: Talk<'_>, team: usize, subject: &str, operation: Json) -> bool {
        let call = Call::patch("change group", talk.group_path(team), &patch(vec![operation]), subject);
        talk.write_group(&call, team, &[200, 204]).await
    }

    /// Creates the test user, or reuses the one of an earlier test. Returns the hub's id.
    async fn make_test_user(&self, talk: Talk<'_>) -> Option<String> {
        let email = &self.test_email;
        let lookup = Self::lookup("Users", &format!("userName eq {}", quoted(email)), "test");
        if let Found::One(left) = talk.find_one(&lookup).await {
            return Some(check::text(&left, "id").to_owned());
        }
        let body = ordered!({
            "active": true,
            "emails": vec![ordered!({ "primary": true, "type": "work", "value": email })],
            "name": ordered!({ "familyName": "lastname", "givenName": "firstname" }),
            "schemas": [USER],
            "userName": email,
        });
        let call = Call::post("create test user", "Users", &body, "test");
        let answer = talk.expect(&call, &[201, 409]).await?;
        if answer.status == 409 {
            return match talk.find_one(&lookup).await {
                Found::One(resource) => Some(check::text(&resource, "id").to_owned()),
                _ => None,
            };
        }
        let (id, _) = check::resource(talk.link, &call, &answer, USER)?;
        Some(id.to_owned())
    }

    /// A group with the test user in it, renamed, emptied, deleted.
    async fn test_group(&self, talk: Talk<'_>, user: &str) -> bool {
        let name = "JumpCloud test group";
        let member = || vec![ordered!({ "value": user })];
        let body = ordered!({ "displayName": name, "members": member(), "schemas": [GROUP] });
        let lookup = Self::lookup("Groups", &format!("displayName eq {}", quoted(name)), "test");
        let id = match talk.find_one(&lookup).await {
            Found::One(left) => check::text(&left, "id").to_owned(),
            _ => {
                let call = Call::post("create test group", "Groups", &body, "test").not_repeatable();
                match talk.link.send(&call).await.answer() {
                    Some(answer) if check::status(talk.link, &call, &answer, &[201]) => {
                        match check::resource(talk.link, &call, &answer, GROUP) {
                            Some((id, _)) => id.to_owned(),
                            None => return false,
                        }
                    }
                    Some(_) => return false,
                    None => match talk.find_one(&lookup).await {
                        Found::One(found) => check::text(&found, "id").to_owned(),
                        _ => return false,
                    },
                }
            }
        };
        let path = format!("Groups/{id}");
        let mut good = true;
        for operation in [
            ordered!({ "op": "replace", "path": "displayName", "value": "JumpCloud test group 2" }),
            ordered!({ "op": "remove", "path": "members", "value": member() }),
        ] {
            let call = Call::patch("change test group", &path, &patch(vec![operation]), "test");
            good &= talk.expect(&call, &[200, 204]).await.is_some();
        }
        talk.delete("delete test group", &path, "test").await && good
    }
}

impl Conversation for JumpCloud {
    const DELETES_USERS: bool = false;
    const SKIPS_EMPTY_GROUPS: bool = true;

    fn dress(&self) -> Dress {
        Dress {
            user_agent: "rollcall-simulator (JumpCloud)",
            content_type: "application/json",
            accept: "application/json",
            headers: &[],
            flag: None,
        }
    }

    /// Creates, updates, deactivates and deletes a test user and a test group.
    async fn test_connection(&self, talk: Talk<'_>) -> bool {
        let Some(id) = self.make_test_user(talk).await else {
            return false;
        };
        let path = format!("Users/{id}");
        // The minimal PUT of the samples: `emails` is null.
        let put = |active: bool| {
            let body = ordered!({
                "active": active,
                "emails": Json::NULL,
                "id": &id,
                "name": ordered!({ "familyName": "lastname", "givenName": "firstname" }),
                "schemas": [USER],
                "userName": &self.test_email,
            });
            Call::put("replace test user", &path, &body, "test")
        };
        let mut good = talk.expect(&put(true), &[200]).await.is_some();
        good &= self.test_group(talk, &id).await;
        let call = put(false);
        match talk.expect(&call, &[200]).await.and_then(|answer| answer.json) {
            Some(body) => check::active(talk.link, &call, 200, &body, false),
            None => good = false,
        }
        talk.delete("delete test user", &path, "test").await && good
    }

    fn test_user(&self) -> Option<&str> {
        Some(&self.test_email)
    }

    fn user_lookups(&self, talk: Talk<'_>, who: usize) -> Vec<Call> {
        let person = talk.person(who);
        let filter = format!("userName eq {}", quoted(&person.profile.user_name));
        vec![Self::lookup("Users", &filter, &person.anchor)]
    }

    fn create_user(&self, talk: Talk<'_>, who: usize) -> Call {
        Call::post("create user", "Users", &Self::create_body(talk, who), &talk.person(who).anchor)
    }

    async fn update_user(&self, talk: Talk<'_>, who: usize, _before: &Profile) -> bool {
        Self::put(talk, who).await
    }

    /// By PUT for one half, by a PATCH with one operation for the other: both were seen.
    async fn push_active(&self, talk: Talk<'_>, who: usize) -> bool {
        if who.is_multiple_of(2) {
            return Self::put(talk, who).await;
        }
        let person = talk.person(who);
        let operation = ordered!({ "op": "replace", "path": "active", "value": person.profile.active });
        let call = Call::patch("set active", talk.user_path(who), &patch(vec![operation]), &person.anchor);
        talk.write_user(&call, who, &[200, 204]).await
    }

    /// Takes over an existing group of the same name.
    async fn find_group(&self, talk: Talk<'_>, team: usize) -> Found {
        let group = talk.team(team);
        let filter = format!("displayName eq {}", quoted(&group.name));
        talk.find_one(&Self::lookup("Groups", &filter, &group.anchor)).await
    }

    fn create_group(&self, talk: Talk<'_>, team: usize) -> Call {
        let group = talk.team(team);
        let body = ordered!({ "displayName": &group.name, "schemas": [GROUP] });
        Call::post("create group", "Groups", &body, &group.anchor).not_repeatable()
    }

    /// No limit was seen, but removals and additions are requests of their own.
    fn members_per_request(&self) -> Option<usize> {
        Some(1000)
    }

    async fn change_members(&self, talk: Talk<'_>, step: &MemberStep) -> bool {
        let mut good = true;
        for (op, people) in [("remove", &step.remove), ("add", &step.add)] {
            let ids = people.iter().filter_map(|who| talk.user_id(*who));
            let list: Vec<Json> = ids.map(|id| ordered!({ "value": id })).collect();
            if let (Some(first), false) = (people.first(), list.is_empty()) {
                let operation = ordered!({ "op": op, "path": "members", "value": list });
                good &= Self::patch_group(talk, step.team, &talk.person(*first).anchor, operation).await;
            }
        }
        good
    }

    async fn rename_group(&self, talk: Talk<'_>, team: usize) -> bool {
        let group = talk.team(team);
        let operation = ordered!({ "op": "replace", "path": "displayName", "value": &group.name });
        Self::patch_group(talk, team, &group.anchor, operation).await
    }

    async fn resync_tail(&self, talk: Talk<'_>) -> bool {
        talk.page_through("Users").await && talk.page_through("Groups").await
    }
}

fn enterprise(profile: &Profile) -> Json {
    ordered!({ "department": &profile.department, "employeeNumber": &profile.employee_number })
}
