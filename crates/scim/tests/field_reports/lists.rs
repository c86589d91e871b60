//! R2 and R4: lists and objects under PATCH.

use super::*;

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
