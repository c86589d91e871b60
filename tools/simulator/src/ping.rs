//! PingFederate and PingOne: PUT only, for people and for groups; one address per type, sometimes two primaries.
//!
//! The admin chooses the filter, so one run uses the three forms of the documentation, person by person. Groups have a
//! name and members only; every second one is merged (read, then written back) instead of overwritten.

use std::collections::BTreeSet;

use crate::book::MemberStep;
use crate::call::{Call, Dress};
use crate::check;
use crate::conversation::Conversation;
use crate::people::Profile;
use crate::readback::member_ids;
use crate::talk::{Found, Talk};
use crate::wire::{ENTERPRISE, GROUP, Json, USER, ordered, percent, quoted};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Ping;

impl Ping {
    fn body(talk: Talk<'_>, who: usize) -> Json {
        let person = talk.person(who);
        let profile = &person.profile;
        let mut emails = vec![ordered!({ "type": "work", "value": &profile.email, "primary": true })];
        if who % 8 == 1 {
            // Two primaries: the hub keeps one, the first.
            let home = format!("home.{}", profile.email);
            emails.push(ordered!({ "type": "home", "value": home, "primary": true }));
        }
        let mut body = ordered!({
            "schemas": [USER, ENTERPRISE],
            "userName": &profile.user_name,
            "name": ordered!({ "givenName": &profile.given_name, "familyName": &profile.family_name }),
            "displayName": &profile.display_name,
            "title": &profile.title,
            "emails": emails,
            "active": profile.active,
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": ordered!({
                "department": &profile.department,
                "employeeNumber": &profile.employee_number,
            }),
        });
        if let Some(phone) = &profile.phone {
            body.push("phoneNumbers", vec![ordered!({ "type": "mobile", "value": phone })]);
        }
        body
    }

    async fn put(talk: Talk<'_>, who: usize) -> bool {
        let call = Call::put("replace user", talk.user_path(who), &Self::body(talk, who), &talk.person(who).anchor);
        talk.write_user(&call, who, &[200]).await
    }

    /// Overwrites a group; `leaving` are removed from the merged members.
    async fn put_group(talk: Talk<'_>, team: usize, leaving: &[usize]) -> bool {
        let group = talk.team(team);
        let known = talk.book.known_members(team);
        let mut members: BTreeSet<String> =
            known.iter().filter_map(|who| talk.user_id(*who)).map(str::to_owned).collect();
        if team % 2 == 1 {
            let call = Call::get("read group", talk.group_path(team), &group.anchor);
            let Some(answer) = talk.expect(&call, &[200]).await else {
                return false;
            };
            let Some((_, body)) = check::resource(talk.link, &call, &answer, GROUP) else {
                return false;
            };
            members.extend(member_ids(body).into_iter().map(str::to_owned));
            for who in leaving {
                if let Some(id) = talk.user_id(*who) {
                    members.remove(id);
                }
            }
        }
        let members: Vec<Json> = members.into_iter().map(|id| ordered!({ "value": id })).collect();
        let body = ordered!({ "schemas": [GROUP], "displayName": &group.name, "members": members });
        let call = Call::put("replace group", talk.group_path(team), &body, &group.anchor);
        talk.write_group(&call, team, &[200, 204]).await
    }
}

impl Conversation for Ping {
    fn puts_groups(&self) -> bool {
        true
    }

    fn dress(&self) -> Dress {
        Dress {
            user_agent: "rollcall-simulator (PingFederate)",
            content_type: "application/scim+json",
            accept: "application/scim+json, application/json",
            headers: &[],
            flag: None,
        }
    }

    /// Ping only tests its credentials, here by a look-up without a match.
    async fn test_connection(&self, talk: Talk<'_>) -> bool {
        let filter = percent("userName eq \"pingfederate-connection-test\"");
        let call = Call::get("look up nobody", format!("Users?filter={filter}"), "test");
        talk.finds_nobody(&call).await
    }

    /// The default, the workEmail mode, and an overridden expression as PingOne's page shows it.
    fn user_lookups(&self, talk: Talk<'_>, who: usize) -> Vec<Call> {
        let person = talk.person(who);
        let filter = match who % 3 {
            0 => format!("userName eq {}", quoted(&person.profile.user_name)),
            1 => format!("emails eq {}", quoted(&person.profile.email)),
            _ => format!("username Eq {}", quoted(&person.profile.user_name)),
        };
        let path = format!("Users?filter={}", percent(&filter));
        vec![Call::get("look up user", path, &person.anchor)]
    }

    fn create_user(&self, talk: Talk<'_>, who: usize) -> Call {
        Call::post("create user", "Users", &Self::body(talk, who), &talk.person(who).anchor)
    }

    async fn update_user(&self, talk: Talk<'_>, who: usize, _before: &Profile) -> bool {
        Self::put(talk, who).await
    }

    async fn push_active(&self, talk: Talk<'_>, who: usize) -> bool {
        Self::put(talk, who).await
    }

    async fn find_group(&self, talk: Talk<'_>, team: usize) -> Found {
        let group = talk.team(team);
        let filter = percent(&format!("displayName eq {}", quoted(&group.name)));
        let call = Call::get("look up group", format!("Groups?filter={filter}"), &group.anchor);
        talk.find_one(&call).await
    }

    fn create_group(&self, talk: Talk<'_>, team: usize) -> Call {
        let group = talk.team(team);
        let body = ordered!({ "schemas": [GROUP], "displayName": &group.name });
        Call::post("create group", "Groups", &body, &group.anchor).not_repeatable()
    }

    async fn change_members(&self, talk: Talk<'_>, step: &MemberStep) -> bool {
        Self::put_group(talk, step.team, &step.remove).await
    }

    async fn rename_group(&self, talk: Talk<'_>, team: usize) -> bool {
        Self::put_group(talk, team, &[]).await
    }
}
