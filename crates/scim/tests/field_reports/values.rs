//! R7, R8 and R9: values that are unusual, unusable or long.

use super::*;

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
        (json!({ "active": "inactive" }), "/active", json!(false)),
        (json!({ "active": "Disabled" }), "/active", json!(false)),
        (json!({ ENTERPRISE_USER: [{ "department": "D" }] }), &format!("/{ENTERPRISE_USER}/department"), json!("D")),
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

#[test]
fn r7_a_list_of_one_is_its_element_as_a_whole_value_too() {
    for operation in [
        json!({ "op": "replace", "value": [{ "active": false }] }),
        json!({ "op": "replace", "value": [{ "active": "False", "title": "a\0b" }] }),
        json!({ "op": "add", "path": "", "value": [{ "active": "no" }] }),
    ] {
        assert_eq!(patched(&ann(), json!([operation]))["active"], false, "{operation}");
    }
    let whole = json!({ "op": "add", "path": ENTERPRISE_USER, "value": [{ "division": "X" }] });
    assert_eq!(patched(&ann(), json!([whole]))[ENTERPRISE_USER], json!({ "division": "X" }));
    let two = json!([{ "op": "replace", "value": [{ "active": false }, { "active": true }] }]);
    assert!(try_patch(&ann(), two).is_err(), "two have no reading");
    let body = json!({ "displayName": "G", "members": [{ "value": ["u1"] }, { "value": { "value": "u2" } }] });
    let mut quirks = Quirks::new();
    let group = GroupResource::from_json(body, &Limits::default(), &mut quirks).expect("a group");
    let ids: Vec<String> = group.members.unwrap_or_default().into_iter().map(|member| member.value).collect();
    assert_eq!((ids, quirks.count(Quirk::WrappedValue)), (vec!["u1".to_owned(), "u2".to_owned()], 2));
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

    /// A value without an interpretation refuses a write that admits a person or changes memberships.
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
