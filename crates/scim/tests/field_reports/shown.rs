//! R10 and R18: what GET shows.

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// PUT of a GET's answer changes nothing.
    #[test]
    fn r10_get_then_put_is_the_identity(body in stored_user()) {
        let before = UserResource::from_json(body, &mut Quirks::new());
        prop_assume!(before.is_ok());
        let before = before.expect("stored");
        let parts = UserParts {
            id: "u1",
            attributes: before.attributes().clone(),
            groups: &[("g".to_owned(), "G".to_owned())],
            created: chrono::DateTime::UNIX_EPOCH,
            last_modified: chrono::DateTime::UNIX_EPOCH,
            version: 1,
            location: "https://h/s/Users/u1",
        };
        let shown = render_user(parts, &Projection::all());
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
fn r18_an_empty_group_has_an_empty_list_where_members_are_asked_for() {
    let attributes = Map::from_iter([("displayName".to_owned(), json!("G"))]);
    let parts = GroupParts {
        id: "g1",
        attributes,
        members: &[],
        created: chrono::DateTime::UNIX_EPOCH,
        last_modified: chrono::DateTime::UNIX_EPOCH,
        version: 1,
        location: "https://h/s/Groups/g1",
    };
    let shown = |included, excluded| {
        let projection = Projection::parse(ResourceKind::Group, included, excluded).expect("few names");
        render_group(parts.clone(), &projection).get("members").cloned()
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
