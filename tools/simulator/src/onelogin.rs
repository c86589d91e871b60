//! OneLogin, "SCIM V2" app: PUT for people, one person per group request, groups found by reading the whole list.

use crate::book::MemberStep;
use crate::call::{Call, Dress};
use crate::check;
use crate::conversation::Conversation;
use crate::people::Profile;
use crate::talk::{Found, Talk};
use crate::wire::{ENTERPRISE, GROUP, Json, PATCH_OP, USER, ordered, percent, quoted};

#[derive(Clone, Copy, Debug)]
pub(crate) struct OneLogin;

impl OneLogin {
    /// The key order of its POST identifies it; unmapped attributes are null (docs/scim.md#traps, 8).
    fn body(talk: Talk<'_>, who: usize, with_id: bool) -> Json {
        let person = talk.person(who);
        let profile = &person.profile;
        // Some templates leave the type of the address out.
        let email = if who % 4 == 3 {
            ordered!({ "primary": true, "value": &profile.email })
        } else {
            ordered!({ "primary": true, "type": "work", "value": &profile.email })
        };
        let manager = person.manager.and_then(|manager| talk.user_id(manager));
        let mut body = ordered!({
            "userName": &profile.user_name,
            "name": ordered!({ "givenName": &profile.given_name, "familyName": &profile.family_name }),
            "schemas": [USER, ENTERPRISE],
            "emails": vec![email],
            "active": profile.active,
            "displayName": &profile.display_name,
            "title": &profile.title,
            "externalId": Json::NULL,
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": ordered!({
                "department": &profile.department,
                "employeeNumber": &profile.employee_number,
                "manager": manager.map_or(Json::NULL, |id| ordered!({ "value": id })),
            }),
        });
        if let Some(phone) = &profile.phone {
            body.push("phoneNumbers", vec![ordered!({ "value": phone, "type": "mobile" })]);
        }
        if with_id {
            body.push("id", talk.user_id(who).unwrap_or_default());
        }
        body
    }

    async fn put(talk: Talk<'_>, who: usize) -> bool {
        let body = Self::body(talk, who, true);
        let call = Call::put("replace user", talk.user_path(who), &body, &talk.person(who).anchor);
        talk.write_user(&call, who, &[200]).await
    }

    async fn patch_group(talk: Talk<'_>, team: usize, subject: &str, operation: Json) -> bool {
        let body = ordered!({ "schemas": [PATCH_OP], "Operations": vec![operation] });
        let call = Call::patch("change group", talk.group_path(team), &body, subject);
        talk.write_group(&call, team, &[200, 204]).await
    }

    /// Pages through all groups until it finds the name.
    async fn group_by_list(talk: Talk<'_>, name: &str) -> Found {
        const PAGE: u64 = 100;
        let mut start = 1;
        loop {
            let path = format!("Groups?count={PAGE}&startIndex={start}");
            let call = Call::get("list groups", path, name);
            let Some(answer) = talk.expect(&call, &[200]).await else {
                return Found::Unknown;
            };
            let Some((total, groups)) = check::list(talk.link, &call, &answer) else {
                return Found::Unknown;
            };
            let found = groups.iter().find(|group| check::text(group, "displayName") == name);
            if let Some(group) = found {
                return Found::One(Box::new(group.clone()));
            }
            start += PAGE;
            if groups.is_empty() || start > total {
                return Found::Nobody;
            }
        }
    }
}

impl Conversation for OneLogin {
    const LEAVES_GROUPS: bool = true;
    const PERSON_BY_PERSON: bool = true;

    fn dress(&self) -> Dress {
        Dress {
            user_agent: "rollcall-simulator (OneLogin)",
            content_type: "application/json",
            accept: "application/json",
            headers: &[],
            flag: None,
        }
    }

    async fn test_connection(&self, talk: Talk<'_>) -> bool {
        let filter = percent("userName eq \"never-existing-user\"");
        let call = Call::get("look up nobody", format!("Users?filter={filter}"), "test");
        talk.finds_nobody(&call).await
    }

    fn user_lookups(&self, talk: Talk<'_>, who: usize) -> Vec<Call> {
        let person = talk.person(who);
        let filter = percent(&format!("userName eq {}", quoted(&person.profile.user_name)));
        vec![Call::get("look up user", format!("Users?filter={filter}"), &person.anchor)]
    }

    fn create_user(&self, talk: Talk<'_>, who: usize) -> Call {
        Call::post("create user", "Users", &Self::body(talk, who, false), &talk.person(who).anchor)
    }

    async fn update_user(&self, talk: Talk<'_>, who: usize, _before: &Profile) -> bool {
        Self::put(talk, who).await
    }

    async fn push_active(&self, talk: Talk<'_>, who: usize) -> bool {
        Self::put(talk, who).await
    }

    async fn find_group(&self, talk: Talk<'_>, team: usize) -> Found {
        Self::group_by_list(talk, &talk.team(team).name).await
    }

    fn create_group(&self, talk: Talk<'_>, team: usize) -> Call {
        let group = talk.team(team);
        let body = ordered!({ "displayName": &group.name, "schemas": [GROUP] });
        Call::post("create group", "Groups", &body, &group.anchor).not_repeatable()
    }

    fn members_per_request(&self) -> Option<usize> {
        Some(1)
    }

    async fn change_members(&self, talk: Talk<'_>, step: &MemberStep) -> bool {
        let mut good = true;
        let changes = step.remove.iter().map(|who| ("remove", *who));
        for (op, who) in changes.chain(step.add.iter().map(|who| ("add", *who))) {
            let Some(id) = talk.user_id(who) else {
                continue;
            };
            let operation = ordered!({ "value": vec![ordered!({ "value": id })], "op": op, "path": "members" });
            good &= Self::patch_group(talk, step.team, &talk.person(who).anchor, operation).await;
        }
        good
    }

    /// No capture of a rename exists; this is the form of its other group requests.
    async fn rename_group(&self, talk: Talk<'_>, team: usize) -> bool {
        let group = talk.team(team);
        let operation = ordered!({ "value": &group.name, "op": "replace", "path": "displayName" });
        Self::patch_group(talk, team, &group.anchor, operation).await
    }

    async fn resync_tail(&self, talk: Talk<'_>) -> bool {
        talk.page_through("Users").await && talk.page_through("Groups").await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_patch_has_onelogins_key_order() {
        let operation = ordered!({ "value": vec![ordered!({ "value": "u" })], "op": "remove", "path": "members" });
        assert_eq!(operation.text(), r#"{"value":[{"value":"u"}],"op":"remove","path":"members"}"#);
        let parsed: Value = serde_json::from_str(&operation.text()).expect("JSON");
        assert_eq!(parsed["op"], "remove");
    }
}
