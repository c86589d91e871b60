//! PATCH: the decisions of RFC 7644 §3.5.2 and the traps that break real tenants (docs/scim.md#traps).
//! Length: one table of decisions, read from the top to the bottom.

use serde_json::{Value, json};

use super::*;
use crate::dialect::Quirk;
use crate::error::ScimType;
use crate::schema::ENTERPRISE_USER;

fn user(attributes: Value) -> UserResource {
    UserResource::from_json(attributes, &mut Quirks::new()).expect("a valid user")
}

fn ada() -> UserResource {
    user(json!({
        "userName": "ada@x.de", "externalId": "e1", "active": true, "title": "Countess",
        "name": { "givenName": "Ada", "familyName": "Byron" },
        "emails": [{ "value": "ada@x.de", "type": "work", "primary": true }],
        ENTERPRISE_USER: { "department": "Maths", "manager": { "value": "m1", "$ref": "../Users/m1" } },
        "urn:acme:1.0:User": { "floor": 7, "tags": ["a"] },
    }))
}

fn try_patch(before: &UserResource, operations: Value) -> Result<(UserResource, Quirks), ScimError> {
    let mut quirks = Quirks::new();
    let body = json!({ "schemas": [PATCH_SCHEMA], "Operations": operations });
    let patch = PatchRequest::parse(ResourceKind::User, body, &Limits::default(), &mut quirks)?;
    Ok((apply_to_user(before, &patch, &mut quirks)?, quirks))
}

/// Ada after one operation.
fn patched(operation: Value) -> Value {
    let (after, _) =
        try_patch(&ada(), json!([operation.clone()])).unwrap_or_else(|error| panic!("{operation}: {error}"));
    Value::Object(after.into_attributes())
}

fn refusal(operations: Value) -> Option<ScimType> {
    try_patch(&ada(), operations.clone()).expect_err(&operations.to_string()).scim_type
}

fn changes(operations: Value) -> Vec<GroupChange> {
    group_changes(&group_patch(operations).expect("a patch"))
}

fn group_patch(operations: Value) -> Result<PatchRequest, ScimError> {
    let limits = Limits { members_per_request: 5, patch_operations: 6 };
    PatchRequest::parse(ResourceKind::Group, json!({ "Operations": operations }), &limits, &mut Quirks::new())
}

fn refs(ids: &[&str]) -> Vec<MemberRef> {
    ids.iter().map(|id| MemberRef::of_id(*id)).collect()
}

fn ids(ids: &[&str]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

#[test]
fn trap1_remove_with_a_value_list_removes_only_those() {
    for value in [
        json!([{ "value": "u1" }]),
        json!([{ "$ref": null, "value": "u1" }]),
        json!({ "value": "u1" }),
        json!(["u1"]),
        json!("u1"),
    ] {
        let operation = json!({ "op": "Remove", "path": "members", "value": value });
        assert_eq!(changes(json!([operation])), [GroupChange::RemoveMembers(ids(&["u1"]))], "{value}");
    }
    for nobody in [json!([]), Value::Null] {
        assert_eq!(changes(json!([{ "op": "remove", "path": "members", "value": nobody }])), [], "{nobody}");
    }
    assert_eq!(changes(json!([{ "op": "remove", "path": "members" }])), [GroupChange::ClearMembers]);
    assert_eq!(
        patched(json!({ "op": "remove", "path": "emails", "value": [{ "value": "other@x.de" }] }))["emails"],
        json!([{ "value": "ada@x.de", "type": "work", "primary": true }])
    );
}

#[test]
fn trap2_nothing_but_an_explicit_word_empties_a_group() {
    for harmless in [
        json!({ "op": "replace", "value": { "id": "g", "displayName": "New" } }),
        json!({ "op": "replace", "path": "displayName", "value": "New" }),
        json!({ "op": "replace", "path": "members", "value": null }),
        json!({ "op": "replace", "value": { "members": null, "displayName": "New" } }),
        json!({ "op": "add", "path": "members", "value": [] }),
        json!({ "op": "add", "value": { "members": [] } }),
        json!({ "op": "replace", "path": "members[value eq \"u1\"].display", "value": "U" }),
        json!({ "op": "remove", "path": "members[value eq \"u1\"].display" }),
        json!({ "op": "remove", "path": "externalId" }),
    ] {
        assert_eq!(changes(json!([harmless])), [], "{harmless}");
    }
    assert_eq!(changes(json!([{ "op": "replace", "path": "members", "value": [] }])), [GroupChange::ClearMembers]);
    assert_eq!(changes(json!([{ "op": "Replace", "value": { "Members": [] } }])), [GroupChange::ClearMembers]);
    assert_eq!(
        changes(json!([{ "op": "replace", "path": "members", "value": [{ "value": "a" }, "b", "a"] }])),
        [GroupChange::ReplaceMembers(refs(&["a", "b"]))]
    );
}

#[test]
fn trap3_a_filtered_path_without_a_match_creates_the_element() {
    for op in ["Add", "Replace"] {
        let after = patched(json!({ "op": op, "path": "phoneNumbers[type eq \"mobile\"].value", "value": "555" }));
        assert_eq!(after["phoneNumbers"], json!([{ "type": "mobile", "value": "555" }]));
        let after = patched(json!({ "op": op, "path": "emails[type eq \"home\"].value", "value": "a@home.de" }));
        assert_eq!(
            after["emails"],
            json!([{ "value": "ada@x.de", "type": "work", "primary": true }, { "type": "home", "value": "a@home.de" }]),
            "a created email is not primary"
        );
        let after = patched(json!({ "op": op, "path": "addresses[type eq \"work\"]", "value": { "country": "DE" } }));
        assert_eq!(after["addresses"], json!([{ "type": "work", "country": "DE" }]));
        let after = patched(json!({ "op": op, "path": "roles[primary eq \"True\"].value", "value": "admin" }));
        assert_eq!(after["roles"], json!([{ "primary": true, "value": "admin" }]));
    }
    let (_, quirks) = try_patch(&ada(), json!([{ "op": "add", "path": "ims[type eq \"xmpp\"].value", "value": "a" }]))
        .expect("a patch");
    assert_eq!(quirks.count(Quirk::CreateOnMiss), 1);
    assert_eq!(
        patched(json!({ "op": "remove", "path": "phoneNumbers[type eq \"mobile\"]" })),
        Value::Object(ada().into_attributes())
    );
    assert_eq!(
        refusal(
            json!([{ "op": "replace", "path": "phoneNumbers[type eq \"a\" or type eq \"b\"].value", "value": "5" }])
        ),
        Some(ScimType::NoTarget)
    );
}

#[test]
fn trap4_booleans_come_as_strings_by_path_in_objects_and_in_filters() {
    for operation in [
        json!({ "op": "Replace", "path": "active", "value": "False" }),
        json!({ "op": "replace", "value": { "active": "false" } }),
        json!({ "op": "Add", "path": "active", "value": false }),
    ] {
        assert_eq!(patched(operation)["active"], json!(false));
    }
    let after = patched(json!({ "op": "replace", "path": "emails[primary eq \"True\"].value", "value": "b@x.de" }));
    assert_eq!(after["emails"][0]["value"], "b@x.de");
}

#[test]
fn trap5_keys_of_a_value_without_path_are_paths() {
    let (after, quirks) = try_patch(
        &ada(),
        json!([{ "op": "replace", "value": {
            "displayName": "B", "name.givenName": "K", (format!("{ENTERPRISE_USER}:employeeNumber")): "A",
            "emails[type eq \"work\"].value": "k@x.de", "urn:acme:1.0:User": { "floor": 8 }, "urn:acme:1.0:User:tags": ["b"],
            (ENTERPRISE_USER): { "department": null, "manager.value": "m2" },
        } }]),
    )
    .expect("a patch");
    let after = Value::Object(after.into_attributes());
    assert_eq!(after["displayName"], "B");
    assert_eq!(after["name"], json!({ "givenName": "K", "familyName": "Byron" }));
    assert_eq!(after[ENTERPRISE_USER], json!({ "employeeNumber": "A", "manager": { "value": "m2" } }));
    assert_eq!(after["emails"][0]["value"], "k@x.de");
    assert_eq!(after["urn:acme:1.0:User"], json!({ "floor": 8, "tags": ["b"] }));
    assert_eq!((quirks.count(Quirk::DottedKey), quirks.count(Quirk::UrnKey)), (2, 2));
}

#[test]
fn trap6_the_manager_comes_in_every_form() {
    let forms = [
        json!({ "op": "Add", "path": "manager", "value": [{ "$ref": "http://h/Users/m", "value": "m" }] }),
        json!({ "op": "replace", "path": "manager", "value": { "$ref": "http://h/Users/m", "value": "m" } }),
        json!({ "op": "replace", "value": { (ENTERPRISE_USER): { "manager": { "value": "m", "$ref": "http://h/Users/m" } } } }),
    ];
    for form in forms {
        assert_eq!(
            patched(form.clone())[ENTERPRISE_USER]["manager"],
            json!({ "value": "m", "$ref": "http://h/Users/m" }),
            "{form}"
        );
    }
    for form in [
        json!({ "op": "replace", "path": "manager", "value": "m" }),
        json!({ "op": "replace", "path": "manager.value", "value": "m" }),
        json!({ "op": "replace", "path": format!("{ENTERPRISE_USER}:manager"), "value": { "value": "m" } }),
        json!({ "op": "replace", "value": { "manager": "m" } }),
    ] {
        let manager = &patched(form.clone())[ENTERPRISE_USER]["manager"];
        assert_eq!(*manager, json!({ "value": "m" }), "the former manager's $ref must not stay: {form}");
    }
    for form in [
        json!({ "op": "remove", "path": "manager" }),
        json!({ "op": "replace", "path": "manager", "value": "" }),
        json!({ "op": "replace", "path": "manager", "value": [] }),
        json!({ "op": "replace", "value": { "manager": null } }),
    ] {
        assert_eq!(patched(form.clone())[ENTERPRISE_USER], json!({ "department": "Maths" }), "{form}");
    }
}

#[test]
fn trap7_operations_and_names_ignore_case() {
    let after = patched(
        json!({ "OP": "REPLACE", "Path": "Emails[TYPE EQ \"WORK\" AND Primary eq true].Value", "Value": "b@x.de" }),
    );
    assert_eq!(after["emails"][0]["value"], "b@x.de");
    assert_eq!(patched(json!({ "op": "Add", "path": "NAME.FamilyName", "value": "L" }))["name"]["familyName"], "L");
}

#[test]
fn only_a_word_brings_a_disabled_user_back() {
    for active in [true, false] {
        let (before, _) =
            try_patch(&ada(), json!([{ "op": "replace", "path": "active", "value": active }])).expect("a patch");
        for nothing in [
            json!({ "op": "replace", "path": "active", "value": null }),
            json!({ "op": "add", "path": "active", "value": null }),
            json!({ "op": "replace", "value": { "active": null } }),
            json!({ "op": "replace", "path": "urn:ietf:params:scim:schemas:core:2.0:User", "value": { "active": null } }),
        ] {
            let (after, _) = try_patch(&before, json!([nothing.clone()])).expect("a patch");
            assert_eq!(after, before, "{nothing}");
        }
        for remove in [
            json!({ "op": "remove", "path": "active" }),
            json!({ "op": "remove", "path": "active", "value": true }),
            json!({ "op": "remove", "path": "Active", "value": null }),
        ] {
            let (after, _) = try_patch(&before, json!([remove.clone(), remove.clone()])).expect("a patch");
            assert_eq!(after.active(), active, "{remove}");
            assert_ne!(after.attributes().get("active"), Some(&json!(active)), "{remove}: it is not shown");
        }
    }
}

#[test]
fn an_empty_string_unassigns_what_is_not_required() {
    for (operation, path) in [
        (json!({ "op": "replace", "path": "title", "value": "" }), "/title"),
        (json!({ "op": "replace", "value": { "externalId": "" } }), "/externalId"),
        (json!({ "op": "replace", "path": "name.givenName", "value": "" }), "/name/givenName"),
        (json!({ "op": "replace", "path": "name", "value": { "familyName": "" } }), "/name/familyName"),
        (json!({ "op": "replace", "path": "emails[type eq \"work\"].type", "value": "" }), "/emails/0/type"),
        (
            json!({ "op": "replace", "path": "department", "value": "" }),
            "/urn:ietf:params:scim:schemas:extension:enterprise:2.0:User/department",
        ),
        (json!({ "op": "replace", "path": "urn:acme:1.0:User:floor", "value": "" }), "/urn:acme:1.0:User/floor"),
    ] {
        assert!(Value::Object(ada().into_attributes()).pointer(path).is_some(), "{path}");
        let (after, quirks) = try_patch(&ada(), json!([operation.clone()])).expect("a patch");
        assert_eq!(Value::Object(after.into_attributes()).pointer(path), None, "{operation}");
        assert_eq!(quirks.count(Quirk::EmptyValue), 1, "{operation}");
    }
    let same = patched(json!({ "op": "add", "path": "title", "value": "" }));
    assert_eq!(same, Value::Object(ada().into_attributes()), "nothing to add");
    for required in [
        json!({ "op": "replace", "path": "userName", "value": "" }),
        json!({ "op": "add", "path": "userName", "value": "" }),
    ] {
        assert_eq!(refusal(json!([required])), Some(ScimType::InvalidValue));
    }
    let made = patched(json!({ "op": "add", "path": "roles[type eq \"\"].value", "value": "r" }));
    assert_eq!(made["roles"], json!([{ "value": "r" }]));
}

#[test]
fn the_mistyped_urn_of_entra_means_the_enterprise_extension() {
    let path = "urn:ietf:params:scim:schemas:extension:enterprise:2.0User:department";
    let after = patched(json!({ "op": "replace", "path": path, "value": "D" }));
    assert_eq!(after[ENTERPRISE_USER]["department"], "D");
}

#[test]
fn a_patch_of_scim_1_gets_a_hint() {
    for body in [
        json!({ "schemas": ["urn:scim:schemas:core:1.0"], "displayName": "G" }),
        json!({ "members": [{ "value": "a", "operation": "delete" }] }),
    ] {
        let error = PatchRequest::parse(ResourceKind::Group, body, &Limits::default(), &mut Quirks::new())
            .expect_err("SCIM 1.1");
        assert!(error.scim_type == Some(ScimType::InvalidSyntax) && error.detail.contains("SCIM V2"), "{error:?}");
    }
}

#[test]
fn trap8_nulls_unassign_and_unknown_things_are_ignored() {
    assert!(patched(json!({ "op": "replace", "path": "title", "value": null })).get("title").is_none());
    assert!(patched(json!({ "op": "replace", "value": { "emails": null, "name": null } })).get("emails").is_none());
    assert_eq!(
        patched(json!({ "op": "replace", "value": { "name": { "familyName": null } } }))["name"],
        json!({ "givenName": "Ada" })
    );
    for nothing in [
        json!({ "op": "add", "path": "title", "value": null }),
        json!({ "op": "replace", "path": "shoeSize", "value": 43 }),
        json!({ "op": "replace", "path": "name.shoe", "value": "x" }),
        json!({ "op": "add", "value": { "shoeSize": 43, "@odata.type": "x", "id": "x", "schemas": [], "meta": {}, "groups": [] } }),
        json!({ "op": "replace", "name": "addMember", "value": { "title": "Countess" } }),
        json!({ "op": "replace", "path": "password", "value": "secret" }),
        json!({ "op": "replace", "path": "schemas", "value": [] }),
        json!({ "op": "replace", "path": "members", "value": [] }),
        json!({ "op": "add", "value": "{\"schemas\":[]}" }),
    ] {
        assert_eq!(patched(nothing.clone()), Value::Object(ada().into_attributes()), "{nothing}");
    }
}

#[test]
fn add_sets_merges_and_appends() {
    assert_eq!(patched(json!({ "op": "add", "path": "nickName", "value": "A" }))["nickName"], "A");
    let after = patched(json!({ "op": "add", "path": "name", "value": { "middleName": "K" } }));
    assert_eq!(after["name"], json!({ "givenName": "Ada", "middleName": "K", "familyName": "Byron" }));
    let after = patched(json!({ "op": "add", "path": "emails", "value": { "value": "b@x.de", "primary": true } }));
    assert_eq!(
        after["emails"],
        json!([{ "value": "ada@x.de", "type": "work", "primary": false }, { "value": "b@x.de", "primary": true }])
    );
    assert_eq!(
        patched(json!({ "op": "add", "path": "urn:acme:1.0:User:tags", "value": ["b", "a"] }))["urn:acme:1.0:User"]["tags"],
        json!(["a", "b"])
    );
    assert_eq!(
        patched(json!({ "op": "add", "path": "urn:new:1.0:User", "value": { "k": 1 } }))["urn:new:1.0:User"],
        json!({ "k": 1 })
    );
    assert_eq!(
        patched(json!({ "op": "add", "path": ENTERPRISE_USER, "value": { "division": "D" } }))[ENTERPRISE_USER]["division"],
        "D"
    );
}

#[test]
fn adding_what_is_there_changes_nothing() {
    for again in [
        json!({ "op": "add", "path": "emails", "value": [{ "value": "ADA@x.de" }] }),
        json!({ "op": "add", "path": "emails", "value": [{ "value": "ada@x.de", "type": "WORK" }] }),
        json!({ "op": "replace", "path": "active", "value": "True" }),
        json!({ "op": "replace", "path": "emails[type eq \"work\"].value", "value": "ada@x.de" }),
    ] {
        let after = patched(again.clone());
        let folded = |value: &Value| value.to_string().to_lowercase();
        assert_eq!(folded(&after), folded(&Value::Object(ada().into_attributes())), "{again}");
    }
    let (after, _) =
        try_patch(&ada(), json!([{ "op": "replace", "path": "title", "value": "Countess" }])).expect("a patch");
    assert_eq!(after, ada());
}

#[test]
fn replace_sets_whole_lists_and_merges_objects() {
    let after = patched(json!({ "op": "replace", "path": "emails", "value": [{ "value": "b@x.de" }] }));
    assert_eq!(after["emails"], json!([{ "value": "b@x.de" }]));
    let after = patched(json!({ "op": "replace", "path": "emails", "value": { "value": "b@x.de" } }));
    assert_eq!(after["emails"], json!([{ "value": "b@x.de" }]), "one object is a list of one");
    assert!(patched(json!({ "op": "replace", "path": "emails", "value": [] })).get("emails").is_none());
    let after =
        patched(json!({ "op": "replace", "path": "emails[type eq \"work\"]", "value": { "primary": "False" } }));
    assert_eq!(after["emails"], json!([{ "value": "ada@x.de", "type": "work", "primary": false }]));
    let untouched = patched(json!({ "op": "replace", "path": "emails[type eq \"work\"]", "value": {} }));
    assert_eq!(untouched, Value::Object(ada().into_attributes()));
    let after = patched(json!({ "op": "replace", "path": "name", "value": { "givenName": "A" } }));
    assert_eq!(after["name"], json!({ "givenName": "A", "familyName": "Byron" }));
    let after = patched(json!({ "op": "replace", "path": "emails[type eq \"work\"]", "value": { "value": "b@x.de" } }));
    assert_eq!(after["emails"], json!([{ "value": "b@x.de", "type": "work", "primary": true }]));
}

#[test]
fn remove_unassigns_what_the_path_selects() {
    let all = Value::Object(ada().into_attributes());
    let without = |name: &str| {
        let mut all = all.clone();
        all.as_object_mut().expect("an object").remove(name);
        all
    };
    for (path, expected) in [
        ("title", without("title")),
        ("emails", without("emails")),
        ("emails[type eq \"work\"]", without("emails")),
        ("emails[type eq \"work\"].value", without("emails")),
        ("emails.value", without("emails")),
        (ENTERPRISE_USER, without(ENTERPRISE_USER)),
        ("urn:acme:1.0:User", without("urn:acme:1.0:User")),
        ("emails[type eq \"home\"]", all.clone()),
    ] {
        assert_eq!(patched(json!({ "op": "remove", "path": path })), expected, "{path}");
    }
    assert_eq!(
        patched(json!({ "op": "remove", "path": "URN:acme:1.0:user:FLOOR" }))["urn:acme:1.0:User"],
        json!({ "tags": ["a"] })
    );
    assert_eq!(patched(json!({ "op": "remove", "path": "name.givenName" }))["name"], json!({ "familyName": "Byron" }));
    let (after, _) = try_patch(
        &ada(),
        json!([{ "op": "remove", "path": "name.givenName" }, { "op": "remove", "path": "name.familyName" }]),
    )
    .expect("a patch");
    assert!(after.attributes().get("name").is_none(), "an emptied object goes");
}

#[test]
fn refusals_have_the_keyword_of_the_rfc() {
    for (operation, expected) in [
        (json!({ "op": "move", "path": "title" }), ScimType::InvalidSyntax),
        (json!({ "path": "title", "value": "x" }), ScimType::InvalidSyntax),
        (json!({ "op": 1, "path": "title", "value": "x" }), ScimType::InvalidSyntax),
        (json!("add"), ScimType::InvalidSyntax),
        (json!({ "op": "remove" }), ScimType::NoTarget),
        (json!({ "op": "remove", "value": { "title": "x" } }), ScimType::NoTarget),
        (json!({ "op": "replace", "path": "title" }), ScimType::InvalidValue),
        (json!({ "op": "replace", "value": "title" }), ScimType::InvalidSyntax),
        (json!({ "op": "replace", "value": [1] }), ScimType::InvalidValue),
        (json!({ "op": "replace" }), ScimType::InvalidValue),
        (json!({ "op": "replace", "path": 5, "value": 1 }), ScimType::InvalidPath),
        (json!({ "op": "replace", "path": "emails[type eq \"work\"", "value": "x" }), ScimType::InvalidPath),
        (json!({ "op": "replace", "path": "emails[type eq \"work\"]value", "value": "x" }), ScimType::InvalidPath),
        (json!({ "op": "replace", "path": "a b", "value": "x" }), ScimType::InvalidPath),
        (json!({ "op": "replace", "path": "name[givenName eq \"Ada\"]", "value": {} }), ScimType::InvalidPath),
        (json!({ "op": "replace", "path": "emails[shoe eq 1]", "value": {} }), ScimType::InvalidFilter),
        (json!({ "op": "replace", "path": "id", "value": "x" }), ScimType::Mutability),
        (json!({ "op": "replace", "path": "meta.created", "value": "x" }), ScimType::Mutability),
        (json!({ "op": "remove", "path": "groups[value eq \"g\"]" }), ScimType::Mutability),
        (json!({ "op": "replace", "path": "active", "value": "perhaps" }), ScimType::InvalidValue),
        (json!({ "op": "replace", "path": "title", "value": {} }), ScimType::InvalidValue),
        (json!({ "op": "remove", "path": "userName" }), ScimType::InvalidValue),
        (json!({ "op": "replace", "value": { "userName": "" } }), ScimType::InvalidValue),
        (json!({ "op": "replace", "path": ENTERPRISE_USER, "value": 7 }), ScimType::InvalidValue),
        (
            json!({ "op": "replace", "path": "emails[type eq \"work\"]", "value": [{ "value": "a@x.de" }, { "value": "b@x.de" }] }),
            ScimType::InvalidValue,
        ),
    ] {
        assert_eq!(refusal(json!([operation.clone()])), Some(expected), "{operation}");
    }
    for body in [json!([]), json!({}), json!({ "Operations": [] }), json!({ "Operations": {} })] {
        let error = PatchRequest::parse(ResourceKind::User, body, &Limits::default(), &mut Quirks::new())
            .expect_err("no patch");
        assert_eq!(error.scim_type, Some(ScimType::InvalidSyntax));
    }
}

#[test]
fn all_operations_or_none() {
    let operations =
        json!([{ "op": "replace", "path": "title", "value": "X" }, { "op": "remove", "path": "userName" }]);
    assert!(try_patch(&ada(), operations).is_err());
}

#[test]
fn members_are_changed_by_filter_and_by_list_in_order() {
    assert_eq!(
        changes(json!([
            { "op": "remove", "path": "members[value eq \"a\"]" },
            { "op": "remove", "path": "members[Value EQ \"b\" or value eq \"c\"]" },
            { "op": "add", "path": "members", "value": [{ "value": "d", "display": "d@x" }] },
            { "op": "add", "path": "members", "value": "d" },
            { "op": "replace", "path": "members[value eq \"e\"].value", "value": "f" },
        ])),
        [
            GroupChange::RemoveMembers(ids(&["a", "b", "c"])),
            GroupChange::AddMembers(vec![MemberRef { display: Some("d@x".into()), ..MemberRef::of_id("d") }]),
            GroupChange::RemoveMembers(ids(&["e"])),
            GroupChange::AddMembers(refs(&["f"])),
        ]
    );
    let removed = changes(json!([{ "op": "remove", "path": "members[type eq \"Group\"]" }]));
    assert!(
        matches!(&removed[..], [GroupChange::RemoveMembersWhere(filter)] if filter.matches_element(&json!({ "type": "group" })))
    );
    assert_eq!(
        changes(json!([{ "op": "add", "path": "members[value eq \"g\"]", "value": {"value": "g"} }])),
        [GroupChange::AddMembers(refs(&["g"]))]
    );
}

#[test]
fn a_group_patch_tells_whether_attributes_are_touched() {
    assert!(
        !group_patch(json!([{ "op": "add", "path": "members", "value": ["a"] }]))
            .expect("a patch")
            .changes_attributes()
    );
    let patch = group_patch(json!([{ "op": "replace", "value": { "displayName": "New", "members": ["a"] } }]))
        .expect("a patch");
    assert!(patch.changes_attributes());
    let group = GroupResource::from_json(json!({ "displayName": "Old" }), &Limits::default(), &mut Quirks::new())
        .expect("a group");
    let after = apply_to_group(&group, &patch, &mut Quirks::new()).expect("a group");
    assert_eq!(after.display_name(), "New");
    let unnamed = group_patch(json!([{ "op": "remove", "path": "displayName" }])).expect("a patch");
    assert_eq!(
        apply_to_group(&group, &unnamed, &mut Quirks::new()).expect_err("no name").scim_type,
        Some(ScimType::InvalidValue)
    );
}

#[test]
fn limits_hold_over_all_operations_together() {
    let add = |ids: &[&str]| json!({ "op": "add", "path": "members", "value": ids });
    assert!(group_patch(json!([add(&["a", "b", "c"]), add(&["d", "e"])])).is_ok());
    assert_eq!(
        group_patch(json!([add(&["a", "b", "c"]), add(&["d", "e", "f"])])).expect_err("six members").status,
        413
    );
    let many = vec![json!({ "op": "remove", "path": "externalId" }); 7];
    assert_eq!(group_patch(Value::Array(many)).expect_err("seven operations").status, 413);
}
