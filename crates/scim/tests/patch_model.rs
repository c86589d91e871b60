//! PATCH against a plain model in memory: any sequence of changes, in any dialects, has the result of a few lines of ordinary
//! code.
//! Length: the reference model of PATCH stands beside the generators that feed it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rollcall_scim::patch::{apply_to_user, group_changes};
use rollcall_scim::schema::ENTERPRISE_USER;
use rollcall_scim::{GroupChange, Limits, PatchRequest, Quirks, ResourceKind, UserResource};
use serde_json::{Value, json};

const ACME: &str = "urn:acme:2.0:User";

/// A user in the model.
#[derive(Debug, Clone, Default, PartialEq)]
struct Person {
    title: Option<String>,
    given_name: Option<String>,
    active: Option<bool>,
    department: Option<String>,
    manager: Option<String>,
    /// Type and number. One without a number is there until the patch ends, so that a later operation may complete it.
    phones: Vec<(&'static str, Option<String>)>,
    /// Attributes of an extension that the server does not define.
    badges: Vec<String>,
    desk: BTreeMap<&'static str, String>,
    floor: Option<String>,
}

#[derive(Debug, Clone)]
enum Wish {
    Title(Option<String>),
    GivenName(Option<String>),
    /// `None` leaves it unchanged.
    Active(Option<bool>),
    Department(Option<String>),
    Manager(Option<String>),
    SetPhone(&'static str, String),
    DropPhone(&'static str),
    /// The element stays without its number.
    ClearPhone(&'static str),
    AddPhone(&'static str, String),
    Phones(Vec<(&'static str, String)>),
    Floor(Option<String>),
    /// Sub-attributes that are not named stay.
    Desk(&'static str, Option<String>),
    NoDesk,
    Badges(Vec<String>),
    AddBadges(Vec<String>),
    DropBadges(Vec<String>),
    /// Replaces one badge by another, or adds the new one when the old one is missing.
    SwapBadge(String, String),
}

impl Person {
    fn grant(&mut self, wish: &Wish) {
        match wish.clone() {
            Wish::Title(title) => self.title = title,
            Wish::GivenName(name) => self.given_name = name,
            Wish::Active(active) => self.active = active.or(self.active),
            Wish::Department(department) => self.department = department,
            Wish::Manager(manager) => self.manager = manager,
            Wish::SetPhone(kind, number) => {
                if !self.phones.iter().any(|(other, _)| *other == kind) {
                    self.phones.push((kind, None));
                }
                self.set_phones(kind, Some(&number));
            }
            Wish::DropPhone(kind) => self.phones.retain(|(other, _)| *other != kind),
            Wish::ClearPhone(kind) => self.set_phones(kind, None),
            Wish::AddPhone(kind, number) => {
                if !self.phones.contains(&(kind, Some(number.clone()))) {
                    self.phones.push((kind, Some(number)));
                }
            }
            Wish::Phones(phones) => {
                self.phones = phones.into_iter().map(|(kind, number)| (kind, Some(number))).collect();
            }
            Wish::Floor(floor) => self.floor = floor,
            Wish::Desk(part, Some(value)) => {
                self.desk.insert(part, value);
            }
            Wish::Desk(part, None) => {
                self.desk.remove(part);
            }
            Wish::NoDesk => self.desk.clear(),
            Wish::Badges(badges) => self.badges = badges,
            Wish::AddBadges(badges) => {
                for badge in badges {
                    if !self.badges.contains(&badge) {
                        self.badges.push(badge);
                    }
                }
            }
            Wish::DropBadges(badges) => self.badges.retain(|badge| !badges.contains(badge)),
            Wish::SwapBadge(old, new) => {
                if !self.badges.contains(&old) {
                    self.badges.push(old.clone());
                }
                for badge in self.badges.iter_mut().filter(|badge| **badge == old) {
                    badge.clone_from(&new);
                }
            }
        }
    }

    fn set_phones(&mut self, kind: &str, number: Option<&String>) {
        for phone in self.phones.iter_mut().filter(|(other, _)| *other == kind) {
            phone.1 = number.cloned();
        }
    }

    /// The end of a patch.
    fn tidy(&mut self) {
        self.phones.retain(|(_, number)| number.is_some());
    }

    fn attributes(&self) -> Value {
        let mut shown = json!({ "userName": "ada" });
        if let Some(title) = &self.title {
            shown["title"] = json!(title);
        }
        if let Some(name) = &self.given_name {
            shown["name"] = json!({ "givenName": name });
        }
        shown["active"] = json!(self.active.unwrap_or(true));
        if let Some(department) = &self.department {
            shown[ENTERPRISE_USER]["department"] = json!(department);
        }
        if let Some(manager) = &self.manager {
            shown[ENTERPRISE_USER]["manager"] = json!({ "value": manager });
        }
        if !self.phones.is_empty() {
            shown["phoneNumbers"] =
                self.phones.iter().map(|(kind, number)| json!({ "type": kind, "value": number })).collect();
        }
        if let Some(floor) = &self.floor {
            shown[ACME]["floor"] = json!(floor);
        }
        if !self.desk.is_empty() {
            shown[ACME]["desk"] = json!(self.desk);
        }
        if !self.badges.is_empty() {
            shown[ACME]["badges"] = json!(self.badges);
        }
        shown
    }
}

fn phones_json(phones: &[(&'static str, String)]) -> Value {
    phones.iter().map(|(kind, number)| json!({ "type": kind, "value": number })).collect()
}

/// Writes a change in one of the dialects.
fn say(wish: &Wish, dialect: usize) -> Value {
    let pick = |forms: Vec<Value>| forms[dialect % forms.len()].clone();
    match wish {
        Wish::Title(value) => pick(simple("title", "Title", value.as_ref())),
        Wish::GivenName(value) => {
            let mut forms = simple("name.givenName", "Name.GIVENNAME", value.as_ref());
            forms.push(json!({ "op": "replace", "path": "name", "value": { "givenName": value } }));
            forms.push(json!({ "op": "Replace", "value": { "name": { "givenName": value } } }));
            pick(forms)
        }
        Wish::Active(None) => pick(vec![
            json!({ "op": "Replace", "path": "active", "value": null }),
            json!({ "op": "replace", "value": { "active": null } }),
        ]),
        Wish::Active(Some(truth)) => pick(vec![
            json!({ "op": "replace", "path": "active", "value": truth }),
            json!({ "op": "Replace", "path": "active", "value": if *truth { "True" } else { "False" } }),
            json!({ "op": "add", "value": { "active": truth } }),
        ]),
        Wish::Department(value) => {
            let urn = format!("{ENTERPRISE_USER}:department");
            let mut forms = simple(&urn, &urn.to_uppercase(), value.as_ref());
            forms.push(json!({ "op": "replace", "value": { (ENTERPRISE_USER): { "department": value } } }));
            forms.push(json!({ "op": "replace", "path": ENTERPRISE_USER, "value": { "Department": value } }));
            pick(forms)
        }
        Wish::Manager(Some(id)) => pick(vec![
            json!({ "op": "Add", "path": "manager", "value": [{ "value": id }] }),
            json!({ "op": "replace", "path": "manager", "value": id }),
            json!({ "op": "replace", "path": "manager.value", "value": id }),
            json!({ "op": "replace", "value": { "manager": { "value": id } } }),
            json!({ "op": "add", "value": { (format!("{ENTERPRISE_USER}:manager")): id } }),
        ]),
        Wish::Manager(None) => pick(vec![
            json!({ "op": "remove", "path": format!("{ENTERPRISE_USER}:manager") }),
            json!({ "op": "replace", "path": "manager", "value": null }),
            json!({ "op": "Replace", "path": "manager", "value": "" }),
        ]),
        Wish::SetPhone(kind, number) => {
            let path = format!("phoneNumbers[type eq \"{kind}\"].value");
            pick(vec![
                json!({ "op": "Replace", "path": path, "value": number }),
                json!({ "op": "add", "path": path, "value": number }),
                json!({ "op": "replace", "value": { (path): number } }),
                json!({ "op": "replace", "path": format!("phoneNumbers[Type EQ \"{kind}\"]"), "value": { "value": number } }),
            ])
        }
        Wish::DropPhone(kind) => pick(vec![
            json!({ "op": "Remove", "path": format!("phoneNumbers[type eq \"{kind}\"]") }),
            json!({ "op": "replace", "path": format!("phoneNumbers[type eq \"{kind}\"]"), "value": null }),
        ]),
        Wish::ClearPhone(kind) => pick(vec![
            json!({ "op": "remove", "path": format!("phoneNumbers[type eq \"{kind}\"].value") }),
            json!({ "op": "replace", "path": format!("phoneNumbers[type eq \"{kind}\"].value"), "value": null }),
        ]),
        Wish::AddPhone(kind, number) => {
            let phone = json!({ "type": kind, "value": number });
            pick(vec![
                json!({ "op": "add", "path": "phoneNumbers", "value": [phone] }),
                json!({ "op": "Add", "path": "phoneNumbers", "value": phone }),
                json!({ "op": "add", "value": { "phoneNumbers": [phone] } }),
            ])
        }
        Wish::Phones(phones) => pick(vec![
            json!({ "op": "replace", "path": "phoneNumbers", "value": phones_json(phones) }),
            json!({ "op": "Replace", "value": { "phonenumbers": phones_json(phones) } }),
        ]),
        of_the_extension => say_custom(of_the_extension, dialect),
    }
}

/// Says a wish about the extension that the server does not define.
fn say_custom(wish: &Wish, dialect: usize) -> Value {
    let pick = |forms: Vec<Value>| forms[dialect % forms.len()].clone();
    let path = |name: &str| format!("{ACME}:{name}");
    let within = |value: Value| json!({ (ACME): value });
    match wish {
        Wish::Floor(value) => {
            let mut forms = simple(&path("floor"), &path("floor"), value.as_ref());
            forms.push(json!({ "op": "replace", "path": ACME, "value": { "floor": value } }));
            forms.push(json!({ "op": "replace", "value": within(json!({ "floor": value })) }));
            pick(forms)
        }
        Wish::Desk(part, value) => {
            let mut forms = simple(&path(&format!("desk.{part}")), &path(&format!("desk.{part}")), value.as_ref());
            forms.push(json!({ "op": "replace", "path": path("desk"), "value": { (*part): value } }));
            forms.push(json!({ "op": "replace", "value": { (path("desk")): { (*part): value } } }));
            forms.push(json!({ "op": "replace", "path": ACME, "value": { "desk": { (*part): value } } }));
            forms.push(json!({ "op": "replace", "value": within(json!({ "desk": { (*part): value } })) }));
            if value.is_some() {
                forms.push(json!({ "op": "add", "path": path("desk"), "value": { (*part): value } }));
            }
            pick(forms)
        }
        Wish::NoDesk => pick(vec![
            json!({ "op": "remove", "path": path("desk") }),
            json!({ "op": "replace", "value": within(json!({ "desk": null })) }),
        ]),
        Wish::Badges(badges) => pick(vec![
            json!({ "op": "replace", "path": path("badges"), "value": badges }),
            json!({ "op": "replace", "value": within(json!({ "badges": badges })) }),
        ]),
        Wish::AddBadges(badges) => pick(vec![
            json!({ "op": "add", "path": path("badges"), "value": badges }),
            json!({ "op": "Add", "value": within(json!({ "badges": badges })) }),
            json!({ "op": "add", "path": ACME, "value": { "badges": badges } }),
        ]),
        Wish::DropBadges(badges) => pick(vec![
            json!({ "op": "remove", "path": path("badges"), "value": badges }),
            json!({ "op": "remove", "path": path(&format!("badges[{}]", any_of(badges))) }),
        ]),
        Wish::SwapBadge(old, new) => pick(vec![
            json!({ "op": "replace", "path": path(&format!("badges[value eq \"{old}\"]")), "value": new }),
            json!({ "op": "replace", "value": { (path(&format!("badges[value eq \"{old}\"]"))): new } }),
        ]),
        other => unreachable!("{other:?}"),
    }
}

fn any_of(values: &[String]) -> String {
    let terms: Vec<String> = values.iter().map(|value| format!("value eq \"{value}\"")).collect();
    if terms.is_empty() { "not (value pr)".to_owned() } else { terms.join(" or ") }
}

/// The ways to set or unassign a single value.
fn simple(path: &str, other_spelling: &str, value: Option<&String>) -> Vec<Value> {
    match value {
        Some(value) => vec![
            json!({ "op": "replace", "path": path, "value": value }),
            json!({ "op": "Add", "path": other_spelling, "value": value }),
            json!({ "op": "replace", "value": { (path): value } }),
        ],
        None => vec![
            json!({ "op": "remove", "path": path }),
            json!({ "op": "Replace", "path": other_spelling, "value": null }),
            json!({ "op": "replace", "value": { (path): null } }),
        ],
    }
}

fn word() -> impl Strategy<Value = String> {
    "[a-c]{1,2}"
}

fn phone_kind() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["work", "mobile", "home"])
}

fn wish() -> impl Strategy<Value = Wish> {
    let maybe = || prop::option::of(word());
    prop_oneof![
        maybe().prop_map(Wish::Title),
        maybe().prop_map(Wish::GivenName),
        prop::option::of(any::<bool>()).prop_map(Wish::Active),
        maybe().prop_map(Wish::Department),
        maybe().prop_map(Wish::Manager),
        (phone_kind(), "[1-3]").prop_map(|(kind, number)| Wish::SetPhone(kind, number)),
        phone_kind().prop_map(Wish::DropPhone),
        phone_kind().prop_map(Wish::ClearPhone),
        (phone_kind(), "[1-3]").prop_map(|(kind, number)| Wish::AddPhone(kind, number)),
        prop::collection::vec((phone_kind(), "[1-3]"), 0..3).prop_map(Wish::Phones),
        maybe().prop_map(Wish::Floor),
        (prop::sample::select(vec!["room", "row"]), maybe()).prop_map(|(part, value)| Wish::Desk(part, value)),
        Just(Wish::NoDesk),
        badges().prop_map(Wish::Badges),
        badges().prop_map(Wish::AddBadges),
        badges().prop_map(Wish::DropBadges),
        ("[a-c]", "[d-f]").prop_map(|(old, new)| Wish::SwapBadge(old, new)),
    ]
}

fn badges() -> impl Strategy<Value = Vec<String>> {
    prop::collection::btree_set("[a-d]", 0..3).prop_map(|badges| badges.into_iter().collect())
}

fn parse(kind: ResourceKind, operations: &[Value]) -> PatchRequest {
    let body = json!({ "Operations": operations });
    PatchRequest::parse(kind, body, &Limits::default(), &mut Quirks::new()).expect("a valid patch")
}

#[derive(Debug, Clone)]
enum Membership {
    Add(Vec<String>),
    Remove(Vec<String>),
    Replace(Vec<String>),
    Clear,
    /// Must change no membership.
    Rename,
}

fn ids() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[a-f]", 0..4)
}

fn membership() -> impl Strategy<Value = Membership> {
    prop_oneof![
        4 => ids().prop_map(Membership::Add),
        3 => ids().prop_map(Membership::Remove),
        1 => ids().prop_map(Membership::Replace),
        1 => Just(Membership::Clear),
        2 => Just(Membership::Rename),
    ]
}

/// Writes a membership change in one of the dialects, in one or more operations.
fn say_membership(change: &Membership, dialect: usize) -> Vec<Value> {
    let objects = |ids: &[String]| -> Value { ids.iter().map(|id| json!({ "$ref": null, "value": id })).collect() };
    match (change, dialect % 3) {
        (Membership::Add(ids), 0) => vec![json!({ "op": "Add", "path": "members", "value": objects(ids) })],
        (Membership::Add(ids), 1) => {
            ids.iter().map(|id| json!({ "op": "add", "path": "members", "value": id })).collect()
        }
        (Membership::Add(ids), _) => vec![json!({ "op": "add", "value": { "members": ids } })],
        (Membership::Remove(ids), 0) => vec![json!({ "value": objects(ids), "op": "Remove", "path": "members" })],
        (Membership::Remove(ids), _) => {
            ids.iter().map(|id| json!({ "op": "remove", "path": format!("members[value eq \"{id}\"]") })).collect()
        }
        (Membership::Replace(ids), 0) => vec![json!({ "op": "replace", "path": "members", "value": objects(ids) })],
        (Membership::Replace(ids), _) => vec![json!({ "op": "Replace", "value": { "members": objects(ids) } })],
        (Membership::Clear, 0) => vec![json!({ "op": "replace", "path": "members", "value": [] })],
        (Membership::Clear, _) => vec![json!({ "op": "remove", "path": "members" })],
        (Membership::Rename, 0) => vec![json!({ "op": "replace", "value": { "id": "g", "displayName": "New" } })],
        (Membership::Rename, _) => vec![json!({ "op": "Replace", "path": "displayName", "value": "New" })],
    }
}

/// The effect in a store, row by row.
fn store(rows: &mut BTreeSet<String>, change: GroupChange) {
    match change {
        GroupChange::AddMembers(members) => rows.extend(members.into_iter().map(|member| member.value)),
        GroupChange::RemoveMembers(ids) => rows.retain(|row| !ids.contains(row)),
        GroupChange::RemoveMembersWhere(filter) => rows.retain(|row| !filter.matches_element(&json!({ "value": row }))),
        GroupChange::ReplaceMembers(members) => *rows = members.into_iter().map(|member| member.value).collect(),
        GroupChange::ClearMembers => rows.clear(),
    }
}

/// True if a wish has the same outcome from any start: the others depend on the former state.
fn settles(wish: &Wish) -> bool {
    !matches!(
        wish,
        Wish::AddPhone(..)
            | Wish::DropPhone(_)
            | Wish::ClearPhone(_)
            | Wish::AddBadges(_)
            | Wish::DropBadges(_)
            | Wish::SwapBadge(..)
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn a_user_ends_as_the_model_says(patches in prop::collection::vec(prop::collection::vec((wish(), 0_usize..60), 1..5), 1..6)) {
        let mut person = Person::default();
        let mut user = UserResource::from_json(person.attributes(), &mut Quirks::new()).expect("a user");
        for patch in patches {
            let operations: Vec<Value> = patch.iter().map(|(wish, dialect)| say(wish, *dialect)).collect();
            patch.iter().for_each(|(wish, _)| person.grant(wish));
            person.tidy();
            let request = parse(ResourceKind::User, &operations);
            user = apply_to_user(&user, &request, &mut Quirks::new()).expect("a valid outcome");
            prop_assert_eq!(Value::Object(user.attributes().clone()), person.attributes(), "{:?}", operations);
        }
    }

    #[test]
    fn the_same_patch_again_changes_nothing(wishes in prop::collection::vec((wish(), 0_usize..60), 1..5)) {
        let settled: Vec<_> = wishes.into_iter().filter(|(wish, _)| settles(wish)).collect();
        prop_assume!(!settled.is_empty());
        let operations: Vec<Value> = settled.iter().map(|(wish, dialect)| say(wish, *dialect)).collect();
        let request = parse(ResourceKind::User, &operations);
        let user = UserResource::from_json(json!({ "userName": "ada", "title": "a" }), &mut Quirks::new()).expect("a user");
        let once = apply_to_user(&user, &request, &mut Quirks::new()).expect("a valid outcome");
        let twice = apply_to_user(&once, &request, &mut Quirks::new()).expect("a valid outcome");
        prop_assert_eq!(twice, once, "{:?}", operations);
    }

    #[test]
    fn membership_ends_as_the_model_says(patches in prop::collection::vec(prop::collection::vec((membership(), 0_usize..3), 1..5), 1..6)) {
        let mut model = BTreeSet::new();
        let mut rows = BTreeSet::new();
        for patch in patches {
            let operations: Vec<Value> = patch.iter().flat_map(|(change, dialect)| say_membership(change, *dialect)).collect();
            for (change, _) in &patch {
                match change {
                    Membership::Add(ids) => model.extend(ids.iter().cloned()),
                    Membership::Remove(ids) => model.retain(|id| !ids.contains(id)),
                    Membership::Replace(ids) => model = ids.iter().cloned().collect(),
                    Membership::Clear => model.clear(),
                    Membership::Rename => {}
                }
            }
            if operations.is_empty() {
                continue;
            }
            for change in group_changes(&parse(ResourceKind::Group, &operations)) {
                store(&mut rows, change);
            }
            prop_assert_eq!(&rows, &model, "{:?}", operations);
        }
    }
}
