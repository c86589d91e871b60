//! Entra ID, in the form of Microsoft's documentation: with and without `?aadOptscim062020` in the tenant URL.
//!
//! By default operations are capitalised, booleans are strings in PATCH, and a removed member is named by a value list.
//! The flag makes operations lower-case, booleans real, attributes one map with dotted and URN keys, and removal a
//! filtered path. Entra pages through nothing: it looks up by filter, excludes members and expects 204 for groups.

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;

use crate::book::MemberStep;
use crate::call::{Call, Dress};
use crate::check;
use crate::conversation::Conversation;
use crate::people::{Profile, guid};
use crate::report::Code;
use crate::talk::{Found, Talk};
use crate::wire::{ENTERPRISE, GROUP, Json, USER, ordered, patch, plus, quoted};

const AD_GROUP: &str = "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group";

#[derive(Clone, Copy, Debug)]
pub(crate) struct Entra {
    /// `?aadOptscim062020`.
    pub(crate) flag: bool,
    pub(crate) seed: u64,
}

impl Entra {
    const fn op(&self, name: Op) -> &'static str {
        match (self.flag, name) {
            (false, Op::Add) => "Add",
            (false, Op::Replace) => "Replace",
            (false, Op::Remove) => "Remove",
            (true, Op::Add) => "add",
            (true, Op::Replace) => "replace",
            (true, Op::Remove) => "remove",
        }
    }

    pub(crate) fn set(&self, op: Op, path: &str, value: impl Into<Json>) -> Json {
        ordered!({ "op": self.op(op), "path": path, "value": value.into() })
    }

    fn lookup(step: &'static str, filter: &str, subject: &str) -> Call {
        Call::get(step, format!("Users?filter={}", plus(filter)), subject)
    }

    fn group_lookup(name: &str, subject: &str) -> Call {
        let filter = plus(&format!("displayName eq {}", quoted(name)));
        let path = format!("Groups?excludedAttributes=members&filter={filter}");
        Call::get("look up group", path, subject)
    }

    /// One operation per attribute by default; with the flag, filtered paths apart and the rest in one map.
    fn operations(&self, before: &Profile, after: &Profile) -> Vec<Json> {
        let formatted = format!("{} {}", after.given_name, after.family_name);
        let named = before.given_name != after.given_name || before.family_name != after.family_name;
        let plain: Vec<(&'static str, &str, bool)> = vec![
            ("displayName", &after.display_name, before.display_name != after.display_name),
            ("name.givenName", &after.given_name, before.given_name != after.given_name),
            ("name.familyName", &after.family_name, before.family_name != after.family_name),
            ("name.formatted", &formatted, named),
            ("title", &after.title, before.title != after.title),
            ("userName", &after.user_name, before.user_name != after.user_name),
            (DEPARTMENT, &after.department, before.department != after.department),
            (EMPLOYEE_NUMBER, &after.employee_number, before.employee_number != after.employee_number),
        ];
        let mut operations = Vec::new();
        if before.email != after.email {
            operations.push(self.set(Op::Replace, "emails[type eq \"work\"].value", &after.email));
        }
        if before.email != after.email && !before.email.is_empty() {
            // The old address stays as a proxy address; Microsoft's default mapping spells `Value` with a capital
            // (docs/scim.md#traps, 7).
            operations.push(self.set(Op::Add, "emails[type eq \"other\"].Value", &before.email));
        }
        if let Some(phone) = after.phone.as_ref().filter(|_| before.phone != after.phone) {
            // A path whose filter matches nothing yet: the hub must create the entry (docs/scim.md#traps, 3).
            operations.push(self.set(Op::Add, "phoneNumbers[type eq \"mobile\"].value", phone));
        }
        if !self.flag && after.phone.is_some() && before.phone != after.phone {
            // Seen in issue threads: a boolean as a string inside a path filter (docs/scim.md#traps, 4).
            operations.push(self.set(Op::Add, "roles[primary eq \"True\"].value", "User"));
        }
        let changed = plain.into_iter().filter(|(_, _, changed)| *changed);
        if self.flag {
            let map: Vec<_> = changed.map(|(path, value, _)| (path.into(), Json::from(value))).collect();
            if !map.is_empty() {
                operations.push(ordered!({ "op": "replace", "value": Json::Object(map) }));
            }
        } else {
            operations.extend(changed.map(|(path, value, _)| self.set(Op::Replace, path, value)));
        }
        operations
    }

    pub(crate) async fn patch_group(&self, talk: Talk<'_>, team: usize, operations: Vec<Json>) -> bool {
        let subject = &talk.team(team).anchor;
        let call = Call::patch("change group", talk.group_path(team), &patch(operations), subject);
        let Some(answer) = talk.expect(&call, &[200, 204]).await else {
            return false;
        };
        if answer.status != 204 {
            let detail = format!("{} bytes", answer.text.len());
            talk.link.found(Code::GroupPatchAnsweredWithBody, &call, answer.status, detail);
        }
        true
    }
}

#[derive(Clone, Copy)]
pub(crate) enum Op {
    Add,
    Replace,
    Remove,
}

const DEPARTMENT: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department";
const EMPLOYEE_NUMBER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber";
const MANAGER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager";

impl Conversation for Entra {
    const LINKS_MANAGERS: bool = true;

    fn dress(&self) -> Dress {
        Dress {
            user_agent: "rollcall-simulator (Entra ID)",
            content_type: "application/scim+json; charset=utf-8",
            accept: "application/scim+json",
            // Its value is not documented; servers check its presence.
            headers: &[("adscimversion", "2.0")],
            flag: if self.flag { Some("aadOptscim062020") } else { None },
        }
    }

    /// A random user and a random group, which must be an empty list and not an error.
    async fn test_connection(&self, talk: Talk<'_>) -> bool {
        let mut rng = StdRng::seed_from_u64(self.seed ^ 0xe17a);
        let filter = format!("userName eq \"{}\"", guid(&mut rng));
        let user = talk.finds_nobody(&Self::lookup("look up nobody", &filter, "test")).await;
        let group = talk.finds_nobody(&Self::group_lookup(&guid(&mut rng), "test")).await;
        user && group
    }

    /// `userName` first; every tenth person by a second matching attribute as well, as an admin may configure it.
    fn user_lookups(&self, talk: Talk<'_>, who: usize) -> Vec<Call> {
        let person = talk.person(who);
        let mut filters = vec![format!("userName eq {}", quoted(&person.profile.user_name))];
        match who % 10 {
            3 => filters.push(format!("externalId eq {}", quoted(&person.anchor))),
            6 => filters.push(format!("emails[type eq \"work\"].value eq {}", quoted(&person.profile.email))),
            _ => {}
        }
        let lookups = filters.iter();
        lookups.map(|filter| Self::lookup("look up user", filter, &person.anchor)).collect()
    }

    fn create_user(&self, talk: Talk<'_>, who: usize) -> Call {
        let person = talk.person(who);
        let profile = &person.profile;
        // Some mappings make a string of a boolean in POST, too (docs/scim.md#traps, 4).
        let active = if !self.flag && who % 5 == 4 {
            Json::from(if profile.active { "True" } else { "False" })
        } else {
            Json::from(profile.active)
        };
        let body = ordered!({
            "schemas": [USER, ENTERPRISE],
            "externalId": &person.anchor,
            "userName": &profile.user_name,
            "active": active,
            "displayName": &profile.display_name,
            "title": &profile.title,
            "emails": vec![ordered!({ "primary": true, "type": "work", "value": &profile.email })],
            "meta": ordered!({ "resourceType": "User" }),
            "name": ordered!({
                "formatted": format!("{} {}", profile.given_name, profile.family_name),
                "familyName": &profile.family_name,
                "givenName": &profile.given_name,
            }),
            "roles": Vec::<Json>::new(),
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": ordered!({
                "employeeNumber": &profile.employee_number,
                "department": &profile.department,
            }),
        });
        Call::post("create user", "Users", &body, &person.anchor)
    }

    async fn update_user(&self, talk: Talk<'_>, who: usize, before: &Profile) -> bool {
        let after = &talk.person(who).profile;
        let mut operations = self.operations(before, after);
        if talk.adopting.is_some() {
            // Matched by name or address: from now on the immutable id links the two.
            operations.push(self.set(Op::Replace, "externalId", &talk.person(who).anchor));
        }
        if before.active != after.active {
            operations.push(self.active_operation(after.active));
        }
        if operations.is_empty() {
            return true;
        }
        if talk.read_user("read user", who).await.is_none() {
            return false;
        }
        let call = Call::patch("update user", talk.user_path(who), &patch(operations), &talk.person(who).anchor);
        talk.write_user(&call, who, &[200, 204]).await
    }

    async fn push_active(&self, talk: Talk<'_>, who: usize) -> bool {
        let person = talk.person(who);
        let operation = self.active_operation(person.profile.active);
        let call = Call::patch("set active", talk.user_path(who), &patch(vec![operation]), &person.anchor);
        if !talk.write_user(&call, who, &[200, 204]).await {
            return false;
        }
        // Disabled people stay visible, by id and by filter (docs/scim.md#traps, 9).
        let Some(resource) = talk.read_user("read user", who).await else {
            return false;
        };
        check::active(talk.link, &call, 200, &resource, person.profile.active);
        let lookup = &self.user_lookups(talk, who)[0];
        let visible = matches!(talk.find_one(lookup).await, Found::One(_));
        if !visible {
            talk.link.found(Code::InactiveUserHidden, lookup, 200, "found by filter");
        }
        visible
    }

    /// Reference attributes are sent after all people, in each of the forms that were seen (docs/scim.md#traps, 6).
    async fn link_manager(&self, talk: Talk<'_>, who: usize) -> bool {
        let person = talk.person(who);
        let Some(manager) = person.manager.and_then(|manager| talk.user_id(manager)) else {
            return true;
        };
        let operation = match (self.flag, who % 3) {
            (true, 0) => {
                let map = vec![(MANAGER.into(), Json::from(manager))];
                ordered!({ "op": "add", "value": Json::Object(map) })
            }
            (false, 0) => {
                let reference = format!("{}/Users/{manager}", talk.link.base());
                let value = vec![ordered!({ "$ref": reference, "value": manager })];
                self.set(Op::Add, "manager", value)
            }
            (_, 1) => self.set(Op::Add, MANAGER, manager),
            _ => self.set(Op::Replace, MANAGER, ordered!({ "value": manager })),
        };
        let call = Call::patch("set manager", talk.user_path(who), &patch(vec![operation]), &person.anchor);
        let Some(answer) = talk.expect(&call, &[200, 204]).await else {
            return false;
        };
        if let Some(body) = &answer.json {
            let got = body.get(ENTERPRISE).and_then(|extension| extension.pointer("/manager/value"));
            if got.and_then(Value::as_str) != Some(manager) {
                let detail = format!("sent {manager}, answered {}", got.unwrap_or(&Value::Null));
                talk.link.found(Code::ManagerLost, &call, answer.status, detail);
            }
        }
        true
    }

    async fn find_group(&self, talk: Talk<'_>, team: usize) -> Found {
        let group = talk.team(team);
        talk.find_one(&Self::group_lookup(&group.name, &group.anchor)).await
    }

    fn create_group(&self, talk: Talk<'_>, team: usize) -> Call {
        let group = talk.team(team);
        let body = ordered!({
            "schemas": [GROUP, AD_GROUP],
            "externalId": &group.anchor,
            "displayName": &group.name,
            "meta": ordered!({ "resourceType": "Group" }),
        });
        Call::post("create group", "Groups", &body, &group.anchor).not_repeatable()
    }

    /// Microsoft does not document the size of one request; lists of some dozens were seen.
    fn members_per_request(&self) -> Option<usize> {
        Some(50)
    }

    async fn change_members(&self, talk: Talk<'_>, step: &MemberStep) -> bool {
        let mut good = true;
        if !step.remove.is_empty() {
            let operations = if self.flag {
                let leaving = step.remove.iter().filter_map(|who| talk.user_id(*who));
                leaving
                    .map(|id| ordered!({ "op": "remove", "path": format!("members[value eq {}]", quoted(id)) }))
                    .collect()
            } else {
                // A value list removes only those people (docs/scim.md#traps, 1).
                vec![self.set(Op::Remove, "members", references(talk, &step.remove))]
            };
            good &= self.patch_group(talk, step.team, operations).await;
        }
        if !step.add.is_empty() {
            let operation = self.set(Op::Add, "members", references(talk, &step.add));
            good &= self.patch_group(talk, step.team, vec![operation]).await;
        }
        good
    }

    async fn rename_group(&self, talk: Talk<'_>, team: usize) -> bool {
        let operation = self.set(Op::Replace, "displayName", &talk.team(team).name);
        self.patch_group(talk, team, vec![operation]).await && Self::read_group(talk, team).await.is_some()
    }

    async fn resync_tail(&self, talk: Talk<'_>) -> bool {
        self.recheck(talk).await
    }
}

impl Entra {
    fn active_operation(&self, active: bool) -> Json {
        if self.flag {
            return self.set(Op::Replace, "active", active);
        }
        self.set(Op::Replace, "active", if active { "True" } else { "False" })
    }
}

/// `[{"$ref":null,"value":id}]`.
pub(crate) fn references(talk: Talk<'_>, people: &[usize]) -> Vec<Json> {
    let ids = people.iter().filter_map(|who| talk.user_id(*who));
    ids.map(|id| ordered!({ "$ref": Json::NULL, "value": id })).collect()
}
