//! R11, R12 and R15: filters.

use super::*;

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
            .into_iter()
            // Quotes that were escaped for HTML, or twice for a URL: no name has them, and "none" would make a second person.
            .chain([
                "userName eq &quot;ann&quot;",
                "userName eq %22ann%22",
                "externalId eq &#39;7&#39;",
                "nickName eq %27a",
            ])
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
