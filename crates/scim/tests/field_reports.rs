//! What people report of systems of this kind, as far as reading SCIM decides it. Each test carries the id of its report and tries
//! the neighbours of the reported input:
//!
//! * R1: `add`, `replace` and `remove` by path, keys of a path-less value, POST and PUT bodies; attributes and sub-attributes;
//!   evidence in the resource, in the body's `schemas`, and none; users and groups.
//! * R2: append, removal by value and by filter, replacement of one value; plain values and objects; by path, by key, within the
//!   extension's object, and in a list that is a sub-attribute.
//! * R3: dots for colons in front of core and enterprise attributes; unknown URNs of the registry in paths, keys, bodies, filters
//!   and `sortBy`; the other kind's schema.
//! * R4: emails, phoneNumbers, addresses and photos; begun by `primary`, by `type` and by `display`; emptied and filled again;
//!   appended in parts; never completed.
//! * R7, R8: every attribute of the schema with every kind of unusable value, in POST, PUT and PATCH with and without a path.
//! * R9: names in scripts of two, three and four bytes a character.
//! * R11, R12, R15: filters of lists, of searches and within PATCH paths.
//! * R18: with every projection of `members`.

use proptest::prelude::*;
use rollcall_scim::list::PageLimits;
use rollcall_scim::patch::{apply_to_group, apply_to_user, group_changes};
use rollcall_scim::render::{GroupParts, UserParts, render_group, render_user};
use rollcall_scim::schema::{ENTERPRISE_USER, USER};
use rollcall_scim::{
    Filter, GroupChange, GroupResource, Limits, ListQuery, PatchRequest, Projection, Quirk, Quirks, ResourceKind,
    ScimError, UserReplacement, UserResource,
};
use serde_json::{Map, Value, json};

const ACME: &str = "urn:example:params:scim:schemas:extension:acme:2.0:User";

fn user(body: Value) -> UserResource {
    let sent = body.to_string();
    UserResource::from_json(body, &mut Quirks::new()).expect(&sent)
}

/// Somebody with an extension that the server does not define.
fn ann() -> UserResource {
    user(json!({
        "userName": "ann@acme.test", "externalId": "e1", "displayName": "Ann", "name": { "givenName": "Ann" },
        "emails": [{ "value": "ann@home.test", "type": "home", "primary": true }],
        ACME: { "desk": { "room": "K1", "floor": 2 }, "badges": ["amber", "coral", "denim"] },
    }))
}

fn try_patch(before: &UserResource, operations: Value) -> Result<(UserResource, Quirks), ScimError> {
    let mut quirks = Quirks::new();
    let patch =
        PatchRequest::parse(ResourceKind::User, json!({ "Operations": operations }), &Limits::default(), &mut quirks)?;
    Ok((apply_to_user(before, &patch, &mut quirks)?, quirks))
}

fn patched(before: &UserResource, operations: Value) -> Value {
    let sent = operations.to_string();
    let (after, _) = try_patch(before, operations).expect(&sent);
    Value::Object(after.into_attributes())
}

fn acme(attribute: &str) -> String {
    format!("{ACME}:{attribute}")
}

/// The extensions of a user.
fn extensions(user: &Value) -> Vec<&str> {
    user.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).filter(|key| key.starts_with("urn:")).collect()
}

#[test]
fn r1_a_urn_names_what_the_resource_has() {
    for operation in [
        json!({ "op": "replace", "path": acme("desk"), "value": { "room": "K9" } }),
        json!({ "op": "add", "path": acme("desk"), "value": { "room": "K9" } }),
        json!({ "op": "Replace", "path": acme("DESK").to_uppercase(), "value": { "ROOM": "K9" } }),
        json!({ "op": "replace", "value": { (acme("desk")): { "room": "K9" } } }),
        json!({ "op": "add", "value": { (acme("desk")): { "room": "K9" } } }),
        json!({ "op": "replace", "value": { (acme("desk.room")): "K9" } }),
        json!({ "op": "replace", "path": ACME, "value": { "desk": { "room": "K9" } } }),
        json!({ "op": "replace", "value": { ACME: { "desk": { "room": "K9" } } } }),
        json!({ "op": "replace", "path": acme("desk.room"), "value": "K9" }),
    ] {
        let after = patched(&ann(), json!([operation]));
        assert_eq!(after[ACME]["desk"], json!({ "room": "K9", "floor": 2 }), "{operation}");
        assert_eq!(extensions(&after), [ACME], "{operation}");
    }
    let without_floor = patched(&ann(), json!([{ "op": "replace", "path": acme("desk"), "value": { "floor": null } }]));
    assert_eq!(without_floor[ACME]["desk"], json!({ "room": "K1" }));
    for remove in [
        json!({ "op": "remove", "path": acme("desk") }),
        json!({ "op": "replace", "path": acme("desk"), "value": null }),
        json!({ "op": "replace", "value": { (acme("desk")): null } }),
    ] {
        let after = patched(&ann(), json!([remove]));
        assert_eq!(after[ACME], json!({ "badges": ["amber", "coral", "denim"] }), "{remove}");
    }
}

#[test]
fn r1_an_extension_whose_urn_is_longer_is_one_where_it_is_there() {
    let longer = acme("desk");
    let body = json!({ "schemas": [USER, ACME, longer], "userName": "ann", ACME: { "badges": ["a"] }, (longer.as_str()): { "room": "K1" } });
    let before = user(body);
    assert_eq!(before.attributes()[&longer], json!({ "room": "K1" }));
    let after = patched(&before, json!([{ "op": "replace", "path": longer, "value": { "floor": 3 } }]));
    assert_eq!(after[&longer], json!({ "room": "K1", "floor": 3 }));
    assert_eq!(after[ACME], json!({ "badges": ["a"] }));
    let after = patched(&before, json!([{ "op": "remove", "path": longer }]));
    assert_eq!(extensions(&after), [ACME]);
    let refused = try_patch(&before, json!([{ "op": "replace", "path": longer, "value": "K2" }]));
    assert_eq!(refused.expect_err("an extension is an object").status, 400);
}

#[test]
fn r1_the_schemas_of_the_body_settle_what_is_new() {
    let bare = user(json!({ "userName": "ann" }));
    let hr = "urn:acme:hr";
    let operation = json!({ "op": "add", "path": format!("{hr}:badge"), "value": { "no": 7 } });
    let body = |schemas: Value| json!({ "schemas": schemas, "Operations": [operation] });
    let after = |schemas: Value| {
        let patch = PatchRequest::parse(ResourceKind::User, body(schemas), &Limits::default(), &mut Quirks::new());
        let after = apply_to_user(&bare, &patch.expect("a patch"), &mut Quirks::new()).expect("a user");
        Value::Object(after.into_attributes())
    };
    assert_eq!(after(json!([hr]))[hr], json!({ "badge": { "no": 7 } }));
    assert_eq!(after(json!(["urn:acme:hr:badge"]))["urn:acme:hr:badge"], json!({ "no": 7 }));
    let within = json!([{ "op": "add", "value": { "schemas": [hr], (format!("{hr}:badge")): { "no": 7 } } }]);
    assert_eq!(patched(&bare, within)[hr], json!({ "badge": { "no": 7 } }));
    let new = json!([{ "op": "add", "path": ACME, "value": { "desk": { "room": "K1" } } }]);
    assert_eq!(patched(&bare, new)[ACME], json!({ "desk": { "room": "K1" } }), "a new extension");
    let sequence = json!([
        { "op": "add", "path": "urn:acme:hr:badge", "value": "x" },
        { "op": "replace", "path": "urn:acme:hr:desk", "value": { "room": "K1" } },
    ]);
    assert_eq!(patched(&bare, sequence)[hr], json!({ "badge": "x", "desk": { "room": "K1" } }));
}

#[test]
fn r1_bodies_are_settled_by_their_schemas_and_by_what_they_replace() {
    let desk = json!({ "room": "K9" });
    for body in [
        json!({ "schemas": [USER, ACME], "userName": "ann", (acme("desk")): desk }),
        json!({ "userName": "ann", ACME: { "badges": ["a"] }, (acme("desk")): desk }),
        json!({ "userName": "ann", (acme("desk")): desk }),
    ] {
        let read = user(body.clone());
        assert_eq!(read.attributes()[ACME]["desk"], desk, "{body}");
        assert_eq!(extensions(&Value::Object(read.into_attributes())), [ACME], "{body}");
    }
    let hr = "urn:acme:hr";
    let before = user(json!({ "schemas": [hr], "userName": "ann", (hr): { "badge": { "no": 7 }, "floor": 2 } }));
    let put = json!({ "userName": "ann", (format!("{hr}:badge")): { "no": 8 } });
    let put = UserReplacement::from_json(put, &mut Quirks::new()).expect("a user").over(&before, &mut Quirks::new());
    assert_eq!(put.attributes()[hr], json!({ "badge": { "no": 8 } }));
    assert_eq!(extensions(&Value::Object(put.into_attributes())), [hr]);
}

#[test]
fn r1_groups_have_extensions_too() {
    let urn = "urn:acme:2.0:Group";
    let body = json!({ "displayName": "G", (urn): { "owner": { "name": "Ann", "mail": "a@acme.test" } } });
    let before = GroupResource::from_json(body, &Limits::default(), &mut Quirks::new()).expect("a group");
    let operation = json!({ "op": "replace", "path": format!("{urn}:owner"), "value": { "name": "Bea" } });
    let body = json!({ "Operations": [operation] });
    let patch =
        PatchRequest::parse(ResourceKind::Group, body, &Limits::default(), &mut Quirks::new()).expect("a patch");
    let after = apply_to_group(&before, &patch, &mut Quirks::new()).expect("a group");
    assert_eq!(after.attributes()[urn], json!({ "owner": { "name": "Bea", "mail": "a@acme.test" } }));
}

#[test]
fn r2_lists_outside_the_schema_grow_and_lose_single_values() {
    let badges = |operation: Value| patched(&ann(), json!([operation]))[ACME]["badges"].clone();
    for (operation, expected) in [
        (json!({ "op": "add", "path": acme("badges"), "value": "ecru" }), json!(["amber", "coral", "denim", "ecru"])),
        (
            json!({ "op": "add", "path": acme("badges"), "value": ["ecru", "amber"] }),
            json!(["amber", "coral", "denim", "ecru"]),
        ),
        (json!({ "op": "add", "value": { (acme("badges")): "ecru" } }), json!(["amber", "coral", "denim", "ecru"])),
        (json!({ "op": "add", "value": { ACME: { "badges": ["ecru"] } } }), json!(["amber", "coral", "denim", "ecru"])),
        (
            json!({ "op": "add", "path": ACME, "value": { "Badges": "ecru" } }),
            json!(["amber", "coral", "denim", "ecru"]),
        ),
        (json!({ "op": "add", "path": acme("badges"), "value": "coral" }), json!(["amber", "coral", "denim"])),
        (json!({ "op": "add", "path": acme("badges"), "value": null }), json!(["amber", "coral", "denim"])),
        (json!({ "op": "remove", "path": acme("badges"), "value": ["coral"] }), json!(["amber", "denim"])),
        (json!({ "op": "remove", "path": acme("badges"), "value": "coral" }), json!(["amber", "denim"])),
        (json!({ "op": "remove", "path": acme("badges"), "value": [{ "value": "coral" }] }), json!(["amber", "denim"])),
        (json!({ "op": "remove", "path": acme("badges"), "value": ["nobody"] }), json!(["amber", "coral", "denim"])),
        (json!({ "op": "remove", "path": acme("badges"), "value": [] }), json!(["amber", "coral", "denim"])),
        (json!({ "op": "remove", "path": acme("badges[value eq \"coral\"]") }), json!(["amber", "denim"])),
        (json!({ "op": "remove", "path": acme("badges[value eq \"coral\"].value") }), json!(["amber", "denim"])),
        (
            json!({ "op": "replace", "path": acme("badges[value eq \"amber\"]"), "value": "jade" }),
            json!(["jade", "coral", "denim"]),
        ),
        (
            json!({ "op": "replace", "path": acme("badges[value eq \"amber\"].value"), "value": "jade" }),
            json!(["jade", "coral", "denim"]),
        ),
        (
            json!({ "op": "replace", "path": acme("badges[value eq \"amber\"]"), "value": ["jade"] }),
            json!(["jade", "coral", "denim"]),
        ),
        (
            json!({ "op": "replace", "value": { (acme("badges[value eq \"amber\"]")): "jade" } }),
            json!(["jade", "coral", "denim"]),
        ),
        (
            json!({ "op": "replace", "path": acme("badges[value eq \"none\"]"), "value": "jade" }),
            json!(["amber", "coral", "denim", "jade"]),
        ),
        (json!({ "op": "replace", "path": acme("badges"), "value": ["jade"] }), json!(["jade"])),
        (json!({ "op": "remove", "path": acme("badges") }), Value::Null),
        (json!({ "op": "remove", "path": acme("badges"), "value": ["amber", "coral", "denim"] }), Value::Null),
    ] {
        assert_eq!(badges(operation.clone()), expected, "{operation}");
    }
}

#[test]
fn r2_objects_and_nested_lists_follow_the_same_rules() {
    let phones = json!([{ "value": "1", "kind": "a" }, { "value": "2", "kind": "b" }]);
    let before =
        user(json!({ "userName": "ann", ACME: { "phones": phones, "desk": { "tags": ["x", "y"] }, "floor": 3 } }));
    for (operation, pointer, expected) in [
        (
            json!({ "op": "add", "path": acme("phones"), "value": { "value": "3" } }),
            "phones",
            json!([{ "value": "1", "kind": "a" }, { "value": "2", "kind": "b" }, { "value": "3" }]),
        ),
        (
            json!({ "op": "remove", "path": acme("phones"), "value": [{ "value": "1" }] }),
            "phones",
            json!([{ "value": "2", "kind": "b" }]),
        ),
        (
            json!({ "op": "remove", "path": acme("phones"), "value": ["1"] }),
            "phones",
            json!([{ "value": "2", "kind": "b" }]),
        ),
        (
            json!({ "op": "replace", "path": acme("phones[kind eq \"a\"].value"), "value": "9" }),
            "phones",
            json!([{ "value": "9", "kind": "a" }, { "value": "2", "kind": "b" }]),
        ),
        (json!({ "op": "add", "path": acme("desk.tags"), "value": "z" }), "desk", json!({ "tags": ["x", "y", "z"] })),
        (json!({ "op": "remove", "path": acme("desk.tags"), "value": ["x"] }), "desk", json!({ "tags": ["y"] })),
        (json!({ "op": "add", "path": acme("floor"), "value": 4 }), "floor", json!(4)),
        (
            json!({ "op": "add", "path": acme("desk"), "value": { "room": "K" } }),
            "desk",
            json!({ "room": "K", "tags": ["x", "y"] }),
        ),
    ] {
        assert_eq!(patched(&before, json!([operation]))[ACME][pointer], expected, "{operation}");
    }
}

#[test]
fn r3_nearly_known_urns_are_read_or_ignored_and_never_stored() {
    const E: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0";
    for urn in [format!("{E}:User.department"), format!("{E}.User:department"), format!("{E}User.department")] {
        for operation in [
            json!({ "op": "replace", "path": urn, "value": "D" }),
            json!({ "op": "add", "value": { (urn.as_str()): "D" } }),
        ] {
            let after = patched(&ann(), json!([operation]));
            assert_eq!(after[ENTERPRISE_USER], json!({ "department": "D" }), "{operation}");
            assert_eq!(extensions(&after), [ACME, ENTERPRISE_USER], "{operation}");
        }
        let read = user(json!({ "userName": "ann", (urn.as_str()): "D" }));
        assert_eq!(read.attributes()[ENTERPRISE_USER], json!({ "department": "D" }), "{urn}");
        let filter =
            Filter::parse(ResourceKind::User, &format!("{urn} eq \"D\""), &mut Quirks::new()).expect("a filter");
        assert!(filter.matches(&Value::Object(read.into_attributes())), "{urn}");
    }
    let after =
        patched(&ann(), json!([{ "op": "replace", "path": format!("{USER}.name.familyName"), "value": "Marlow" }]));
    assert_eq!(after["name"]["familyName"], "Marlow");
    let whole = patched(&ann(), json!([{ "op": "add", "path": format!("{E}.User"), "value": { "division": "X" } }]));
    assert_eq!(whole[ENTERPRISE_USER], json!({ "division": "X" }));
}

#[test]
fn r3_unknown_urns_of_the_registry_are_ignored_and_refused_in_filters() {
    let all = Value::Object(ann().into_attributes());
    for urn in [
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:Users:department",
        "urn:ietf:params:scim:schemas:extension:enterprise:2:User:department",
        "urn:ietf:params:scim:schemas:core:2.0:Group:displayName",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0",
        "urn:ietf:params:scim:schema:extension:enterprise:2.0:User:department",
    ] {
        for value in [json!("x"), json!({ "department": "x" })] {
            for operation in [
                json!({ "op": "replace", "path": urn, "value": value }),
                json!({ "op": "add", "value": { (urn): value } }),
                json!({ "op": "remove", "path": urn }),
            ] {
                let (after, quirks) = try_patch(&ann(), json!([operation])).expect("a patch");
                assert_eq!(Value::Object(after.into_attributes()), all, "{operation}");
                assert_eq!(quirks.count(Quirk::UnknownAttribute), 1, "{operation}");
            }
            let mut quirks = Quirks::new();
            let read =
                UserResource::from_json(json!({ "userName": "ann", (urn): value }), &mut quirks).expect("a user");
            assert_eq!(Value::Object(read.into_attributes()), json!({ "userName": "ann", "active": true }));
            assert_eq!(quirks.count(Quirk::UnknownAttribute), 1, "{urn}");
        }
        let refused = Filter::parse(ResourceKind::User, &format!("{urn} eq \"x\""), &mut Quirks::new());
        assert_eq!(refused.expect_err(urn).status, 400);
    }
    let pages = PageLimits { default: 10, max: 10 };
    let sorted = json!({ "sortBy": "urn:ietf:params:scim:schemas:extension:enterprise:2.0:Users:department" });
    assert!(ListQuery::from_search(ResourceKind::User, &sorted, pages, &mut Quirks::new()).is_err());
}

#[test]
fn r4_operations_complete_each_other_before_the_outcome_is_tidied() {
    let orders: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    for (list, sub) in [("emails", "value"), ("phoneNumbers", "value"), ("addresses", "country"), ("photos", "value")] {
        let before = user(json!({ "userName": "ann", list: [{ (sub): "h", "type": "home", "primary": true }] }));
        for order in orders {
            let parts = [("primary", json!(true)), ("type", json!("work")), (sub, json!("w"))];
            let operations: Vec<Value> = order
                .iter()
                .map(|index| {
                    let (name, value) = &parts[*index];
                    json!({ "op": "add", "path": format!("{list}[type eq \"work\"].{name}"), "value": value })
                })
                .collect();
            let after = patched(&before, json!(operations));
            let expected = json!([{ (sub): "h", "type": "home", "primary": false }, { (sub): "w", "type": "work", "primary": true }]);
            assert_eq!(after[list], expected, "{operations:?}");
        }
        let refilled = json!([
            { "op": "remove", "path": format!("{list}[type eq \"home\"].{sub}") },
            { "op": "add", "path": format!("{list}[type eq \"home\"].{sub}"), "value": "new" },
        ]);
        assert_eq!(patched(&before, refilled)[list], json!([{ (sub): "new", "type": "home", "primary": true }]));
        let in_parts = json!([
            { "op": "add", "path": list, "value": [{ "type": "work", "primary": true }] },
            { "op": "replace", "path": format!("{list}[type eq \"work\"].{sub}"), "value": "w" },
        ]);
        let expected =
            json!([{ (sub): "h", "type": "home", "primary": false }, { (sub): "w", "type": "work", "primary": true }]);
        assert_eq!(patched(&before, in_parts)[list], expected);
        let replaced = json!([
            { "op": "replace", "path": list, "value": [{ "type": "work", "primary": true }] },
            { "op": "add", "path": format!("{list}[type eq \"work\"].{sub}"), "value": "w" },
        ]);
        assert_eq!(patched(&before, replaced)[list], json!([{ (sub): "w", "type": "work", "primary": true }]));
        let never_completed =
            json!([{ "op": "add", "path": format!("{list}[type eq \"work\"].primary"), "value": true }]);
        assert_eq!(patched(&before, never_completed), Value::Object(before.attributes().clone()));
    }
}

#[test]
fn r4_what_was_emptied_may_be_filled_again() {
    let before = user(json!({
        "userName": "ann", "name": { "givenName": "Ann" }, ENTERPRISE_USER: { "department": "D" }, ACME: { "Desk": { "Room": "K" } },
    }));
    let operations = json!([
        { "op": "remove", "path": "name.givenName" }, { "op": "add", "path": "name.familyName", "value": "M" },
        { "op": "remove", "path": "department" }, { "op": "add", "path": "division", "value": "X" },
        { "op": "remove", "path": acme("desk.room") }, { "op": "add", "path": acme("desk.row"), "value": 1 },
    ]);
    let after = patched(&before, operations);
    assert_eq!(after["name"], json!({ "familyName": "M" }));
    assert_eq!(after[ENTERPRISE_USER], json!({ "division": "X" }));
    assert_eq!(after[ACME], json!({ "Desk": { "row": 1 } }));
    let emptied = json!([{ "op": "remove", "path": "name.givenName" }, { "op": "remove", "path": "department" }, { "op": "remove", "path": acme("desk.room") }]);
    assert_eq!(patched(&before, emptied), json!({ "userName": "ann", "active": true }));
}

#[test]
fn r7_a_scalar_with_one_reading_is_taken_and_counted() {
    for (sent, pointer, read) in [
        (json!({ "active": [false] }), "/active", json!(false)),
        (json!({ "active": "0" }), "/active", json!(false)),
        (json!({ "active": { "value": "False" } }), "/active", json!(false)),
        (json!({ "name": { "familyName": ["Marlow"] } }), "/name/familyName", json!("Marlow")),
        (json!({ "addresses": [{ "postalCode": 80027 }] }), "/addresses/0/postalCode", json!("80027")),
        (
            json!({ ENTERPRISE_USER: { "employeeNumber": 4711 } }),
            &format!("/{ENTERPRISE_USER}/employeeNumber"),
            json!("4711"),
        ),
        (json!({ "externalId": 77 }), "/externalId", json!("77")),
        (json!({ "phoneNumbers": [5551234] }), "/phoneNumbers/0/value", json!("5551234")),
        (json!({ "emails": [{ "value": ["a@x.test"], "primary": ["True"] }] }), "/emails/0/primary", json!(true)),
        (json!({ "title": [] }), "/title", Value::Null),
    ] {
        let mut quirks = Quirks::new();
        let (mut body, text) = (sent.clone(), sent.to_string());
        body["userName"] = json!("ann");
        let posted = UserResource::from_json(body, &mut quirks).expect(&text);
        let found = Value::Object(posted.into_attributes()).pointer(pointer).cloned().unwrap_or_default();
        assert_eq!(found, read, "{sent}");
        assert!(!quirks.is_empty(), "{sent} is in the ledger");
        for operation in [json!({ "op": "replace", "value": sent }), json!({ "op": "add", "value": sent })] {
            let after = patched(&user(json!({ "userName": "ann" })), json!([operation]));
            assert_eq!(after.pointer(pointer).cloned().unwrap_or_default(), read, "{operation}");
        }
    }
    for (path, value, read) in [
        ("active", json!([false]), json!(false)),
        ("displayName", json!(["Ann"]), json!("Ann")),
        ("externalId", json!(77), json!("77")),
    ] {
        let after = patched(&ann(), json!([{ "op": "replace", "path": path, "value": value }]));
        assert_eq!(after[path], read, "{path}");
    }
    let after = patched(
        &ann(),
        json!([{ "op": "replace", "path": "emails[type eq \"home\"].value", "value": ["b@home.test"] }]),
    );
    assert_eq!(after["emails"][0]["value"], "b@home.test");
}

/// Values that have no reading for most attributes, and some that are too large.
fn unusable() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!({})),
        Just(json!(["a", "b"])),
        Just(json!([[["a"]]])),
        Just(json!({ "x": { "y": [1, { "z": null }] } })),
        Just(json!(true)),
        Just(json!(1e300)),
        Just(json!("a\0b")),
        Just(json!("x".repeat(9_000))),
        Just(json!("x".repeat(300_000))),
        Just(json!(vec!["x"; 600])),
        Just(json!([{ "value": "x".repeat(9_000) }])),
        Just(json!(null)),
        Just(json!(-1)),
    ]
}

fn attribute_name() -> impl Strategy<Value = String> {
    let mut names: Vec<String> = ResourceKind::User.attributes().map(|attribute| attribute.name.to_owned()).collect();
    names.retain(|name| name != "active");
    names.extend([ENTERPRISE_USER, "manager", ACME, "shoeSize"].map(str::to_owned));
    names.extend([format!("{ENTERPRISE_USER}:department"), acme("desk"), "name.givenName".to_owned()]);
    names.extend(["emails[type eq \"work\"].value", "emails[", "a b", "emails[x eq", "userName"].map(str::to_owned));
    prop::sample::select(names)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// R7, R8: whatever else a write holds, `active: false` in it ends access.
    #[test]
    fn r7_r8_a_write_that_says_inactive_ends_access(
        rest in prop::collection::vec((attribute_name(), unusable()), 0..6),
        op in prop::sample::select(vec!["add", "replace", "Replace", "remove", "move"]),
        position in 0_usize..6,
    ) {
        let before = ann();
        let mut body: Map<String, Value> = rest.iter().cloned().collect();
        body.insert("active".to_owned(), json!(false));
        let put = UserReplacement::from_json(Value::Object(body.clone()), &mut Quirks::new());
        let put = put.map(|put| put.over(&before, &mut Quirks::new()));
        prop_assert!(put.as_ref().is_ok_and(|user| !user.active() && !user.user_name().is_empty()), "PUT {:?}", put);
        let posted = UserResource::from_json(json!({ "userName": "new", "active": false }), &mut Quirks::new());
        prop_assert!(posted.is_ok_and(|user| !user.active()));

        let mut by_path: Vec<Value> =
            rest.iter().map(|(path, value)| json!({ "op": op, "path": path, "value": value })).collect();
        by_path.insert(position.min(by_path.len()), json!({ "op": "replace", "path": "active", "value": "False" }));
        let patch = try_patch(&before, json!(by_path));
        prop_assert!(patch.as_ref().is_ok_and(|(user, _)| !user.active()), "PATCH {:?}", patch);
        let by_key = try_patch(&before, json!([{ "op": "replace", "value": body }]));
        prop_assert!(by_key.as_ref().is_ok_and(|(user, _)| !user.active()), "PATCH {:?}", by_key);
    }

    /// A value with no reading refuses a write that lets somebody in or changes who is in.
    #[test]
    fn r7_what_is_left_out_is_left_out_of_a_leavers_write_only(path in prop::sample::select(vec!["displayName", "title", "nickName"])) {
        let operation = json!({ "op": "replace", "path": path, "value": { "x": 1 } });
        let refused = try_patch(&ann(), json!([operation.clone()])).expect_err("no reading");
        prop_assert!(refused.detail.starts_with(path), "{}", refused.detail);
        let back = json!([operation.clone(), { "op": "replace", "path": "active", "value": false }, { "op": "replace", "path": "active", "value": true }]);
        prop_assert!(try_patch(&ann(), back).is_err(), "the last word is true");
        let (after, quirks) = try_patch(&ann(), json!([operation, { "op": "replace", "path": "active", "value": false }])).expect("a leaver");
        prop_assert_eq!(quirks.count(Quirk::ValueLeftOut), 1);
        prop_assert_eq!(after.display_name(), Some("Ann"));
    }

    /// What GET gives, PUT takes, and nothing changes.
    #[test]
    fn r10_get_then_put_is_the_identity(body in stored_user()) {
        let before = UserResource::from_json(body, &mut Quirks::new());
        prop_assume!(before.is_ok());
        let before = before.expect("stored");
        let parts = UserParts {
            id: "u1",
            attributes: before.attributes(),
            groups: &[("g".to_owned(), "G".to_owned())],
            created: chrono::DateTime::UNIX_EPOCH,
            last_modified: chrono::DateTime::UNIX_EPOCH,
            version: 1,
            location: "https://h/s/Users/u1",
        };
        let shown = render_user(&parts, &Projection::all());
        let put = UserReplacement::from_json(shown, &mut Quirks::new()).expect("what GET gave");
        prop_assert_eq!(put.over(&before, &mut Quirks::new()), before);
    }
}

fn stored_user() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        "[a-z]{0,3}".prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        (-5_i64..5).prop_map(Value::from),
        Just(Value::Null),
    ];
    let custom = leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
            prop::collection::btree_map("[a-c]{1,2}", inner, 0..3)
                .prop_map(|it| Value::Object(it.into_iter().collect())),
        ]
    });
    let urn = prop::sample::select(vec![
        ACME.to_owned(),
        acme("desk"),
        acme("badges"),
        "urn:acme:hr".to_owned(),
        "urn:acme:hr:1.0".to_owned(),
        "urn:acme:hr:1.0:User".to_owned(),
    ]);
    let extensions = prop::collection::vec((urn, custom), 0..4);
    let announced = prop::sample::subsequence(vec![ACME.to_owned(), acme("desk"), "urn:acme:hr".to_owned()], 0..3);
    (extensions, announced, any::<bool>()).prop_map(|(extensions, announced, active)| {
        let mut body = json!({
            "userName": "ann", "active": active, "schemas": announced, "emails": ["a@x.test", { "value": "b@x.test", "primary": true }],
            "name": { "givenName": "Ann" }, "roles": ["r", "s"], "manager": "m",
        });
        body.as_object_mut().expect("an object").extend(extensions);
        body
    })
}

#[test]
fn r8_what_the_roster_does_not_read_is_bounded_by_the_record_alone() {
    let photo = json!([{ "value": format!("data:image/png;base64,{}", "A".repeat(30_000)), "type": "photo" }]);
    let certificate = json!([{ "value": "B".repeat(9_000) }]);
    for (name, value) in [("photos", photo), ("x509Certificates", certificate), ("title", json!("t".repeat(9_000)))] {
        let posted = user(json!({ "userName": "ann", (name): value }));
        let after =
            patched(&user(json!({ "userName": "ann" })), json!([{ "op": "add", "path": name, "value": value }]));
        assert_eq!(after[name], posted.attributes()[name], "{name}");
        let put = UserReplacement::from_json(
            json!({ "userName": "ann", "active": false, (name): value }),
            &mut Quirks::new(),
        );
        let put = put.expect("a leaver").over(&ann(), &mut Quirks::new());
        assert!(!put.active() && put.attributes().contains_key(name), "{name}");
    }
    let huge = json!([{ "value": "A".repeat(300_000) }]);
    let refused = UserResource::from_json(json!({ "userName": "ann", "photos": huge }), &mut Quirks::new())
        .expect_err("too large");
    assert!(refused.detail.contains("photos takes"), "{}", refused.detail);
    let put = UserReplacement::from_json(
        json!({ "userName": "ann", "active": false, "photos": huge, "title": "T" }),
        &mut Quirks::new(),
    );
    let put = put.expect("a leaver").over(&ann(), &mut Quirks::new());
    assert_eq!((put.active(), put.attributes().get("photos"), &put.attributes()["title"]), (false, None, &json!("T")));
    let (after, _) = try_patch(
        &ann(),
        json!([{ "op": "add", "path": "photos", "value": huge }, { "op": "replace", "path": "active", "value": false }]),
    )
    .expect("a leaver");
    assert!(!after.active() && !after.attributes().contains_key("photos"));
}

#[test]
fn r9_names_are_counted_in_characters() {
    for letter in ["x", "ж", "名", "𝒜"] {
        let name = |characters: usize| letter.repeat(characters);
        let body = |user: usize, display: usize, external: usize| json!({ "userName": name(user), "displayName": name(display), "externalId": name(external), "name": { "familyName": name(256) } });
        assert!(UserResource::from_json(body(320, 256, 512), &mut Quirks::new()).is_ok(), "{letter}");
        for (body, named) in
            [(body(321, 1, 1), "userName"), (body(1, 257, 1), "displayName"), (body(1, 1, 513), "externalId")]
        {
            let refused = UserResource::from_json(body, &mut Quirks::new()).expect_err("too long");
            assert!(refused.detail.starts_with(named) && refused.detail.ends_with("characters"), "{}", refused.detail);
        }
        let group = |characters: usize| {
            let body = json!({ "displayName": name(characters), "externalId": name(512) });
            GroupResource::from_json(body, &Limits::default(), &mut Quirks::new())
        };
        assert!(group(256).is_ok() && group(257).is_err(), "{letter}");
    }
}

#[test]
fn r11_other_quotes_are_read_as_quotes() {
    let found = json!({ "userName": "ann@acme.test", "displayName": "Ann O'Brien", "emails": [{ "type": "work", "value": "ann@acme.test" }] });
    for (filter, matches) in [
        ("userName eq 'ann@acme.test'", true),
        ("userName eq “ann@acme.test”", true),
        ("userName eq ‘ann@acme.test’", true),
        ("userName eq „ann@acme.test“", true),
        ("userName eq «ann@acme.test»", true),
        ("userName eq 'bea@acme.test'", false),
        ("displayName eq 'Ann O'Brien'", true),
        ("(userName eq 'ann@acme.test') and displayName sw 'Ann O'", true),
        ("emails[type eq 'work' and value eq “ann@acme.test”]", true),
        ("emails[type eq 'work'].value eq 'ann@acme.test'", true),
    ] {
        let mut quirks = Quirks::new();
        let parsed = Filter::parse(ResourceKind::User, filter, &mut quirks).expect(filter);
        assert_eq!(parsed.matches(&found), matches, "{filter}");
        assert!(quirks.count(Quirk::WrongQuotes) > 0, "{filter}");
    }
    for refused in
        ["userName eq 'ann", "userName eq ann'", "userName eq “ann", "userName eq ann”", "userName eq \"ann”"]
    {
        let error = Filter::parse(ResourceKind::User, refused, &mut Quirks::new()).expect_err(refused);
        assert_eq!(error.status, 400, "{refused}");
    }
    let path = json!([{ "op": "replace", "path": "emails[type eq 'home'].value", "value": "b@home.test" }]);
    assert_eq!(patched(&ann(), path)["emails"][0]["value"], "b@home.test");
}

#[test]
fn r12_a_sub_attribute_may_be_fully_qualified() {
    for filter in [
        format!("emails[{USER}:type eq \"work\"]"),
        format!("emails[{USER}:emails.type eq \"work\"]"),
        "emails[emails.type eq \"work\"]".to_owned(),
        format!("emails[{}:Type eq \"work\"]", USER.to_uppercase()),
        format!("{USER}:emails[{USER}:type eq \"work\" and {USER}:value sw \"a\"]"),
    ] {
        let parsed = Filter::parse(ResourceKind::User, &filter, &mut Quirks::new()).expect(&filter);
        let work = json!({ "emails": [{ "type": "work", "value": "a" }] });
        assert!(
            parsed.matches(&work) && !parsed.matches(&json!({ "emails": [{ "type": "home", "value": "a" }] })),
            "{filter}"
        );
    }
    let own = format!("{}[{}:kind eq \"a\"]", acme("phones"), ACME);
    let parsed = Filter::parse(ResourceKind::User, &own, &mut Quirks::new()).expect("a filter");
    assert!(parsed.matches(&json!({ ACME: { "phones": [{ "kind": "a" }] } })));
    let path =
        json!([{ "op": "replace", "path": format!("emails[{USER}:type eq \"home\"].value"), "value": "b@home.test" }]);
    assert_eq!(patched(&ann(), path)["emails"][0]["value"], "b@home.test");
    let other =
        Filter::parse(ResourceKind::User, &format!("emails[{ENTERPRISE_USER}:type eq \"work\"]"), &mut Quirks::new());
    assert!(other.is_err(), "the enterprise extension has no emails");
}

#[test]
fn r15_ids_have_one_rule() {
    const ID: &str = "0194f0c2-1b7a-7c3d-8e4f-0123456789ab";
    for spelt in [
        ID.to_owned(),
        ID.to_uppercase(),
        format!("{{{ID}}}"),
        format!("urn:uuid:{ID}"),
        format!("URN:UUID:{}", ID.to_uppercase()),
        ID.replace('-', ""),
    ] {
        let parse = |kind, filter: String| Filter::parse(kind, &filter, &mut Quirks::new()).expect("a filter");
        let user = parse(ResourceKind::User, format!("id eq \"{spelt}\" or groups.value eq \"{spelt}\""));
        assert!(user.matches(&json!({ "id": ID })) && user.matches(&json!({ "groups": [{ "value": ID }] })), "{spelt}");
        for filter in [format!("members eq \"{spelt}\""), format!("members[value eq \"{spelt}\"]")] {
            assert!(parse(ResourceKind::Group, filter).matches(&json!({ "members": [{ "value": ID }] })), "{spelt}");
        }
        let path = json!({ "Operations": [{ "op": "remove", "path": format!("members[value eq \"{spelt}\"]") }] });
        let patch =
            PatchRequest::parse(ResourceKind::Group, path, &Limits::default(), &mut Quirks::new()).expect("a patch");
        assert_eq!(group_changes(&patch), [GroupChange::RemoveMembers(vec![ID.to_owned()])], "{spelt}");
    }
    let other = Filter::parse(
        ResourceKind::User,
        "externalId eq \"{0194F0C2-1B7A-7C3D-8E4F-0123456789AB}\"",
        &mut Quirks::new(),
    );
    assert!(
        other.expect("a filter").matches(&json!({ "externalId": "{0194F0C2-1B7A-7C3D-8E4F-0123456789AB}" })),
        "not ours"
    );
}

#[test]
fn r18_an_empty_group_has_an_empty_list_where_members_are_asked_for() {
    let attributes = Map::from_iter([("displayName".to_owned(), json!("G"))]);
    let parts = GroupParts {
        id: "g1",
        attributes: &attributes,
        members: &[],
        created: chrono::DateTime::UNIX_EPOCH,
        last_modified: chrono::DateTime::UNIX_EPOCH,
        version: 1,
        location: "https://h/s/Groups/g1",
    };
    let shown = |included, excluded| {
        let projection = Projection::parse(ResourceKind::Group, included, excluded).expect("few names");
        render_group(&parts, &projection).get("members").cloned()
    };
    for (included, excluded, expected) in [
        (None, None, Some(json!([]))),
        (Some("members"), None, Some(json!([]))),
        (Some("members.value"), None, Some(json!([]))),
        (None, Some("members.type"), Some(json!([]))),
        (Some("displayName"), None, None),
        (None, Some("members"), None),
    ] {
        assert_eq!(shown(included, excluded), expected, "{included:?} {excluded:?}");
    }
}
