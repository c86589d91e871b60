//! R1 and R3: targets of URNs.

use super::*;

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
