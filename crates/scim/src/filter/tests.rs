//! Meaning of filters, and agreement of printer and parser.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::dialect::Quirk;
use crate::error::ScimType;

fn parse(text: &str) -> Result<Filter, ScimError> {
    Filter::parse(ResourceKind::User, text, &mut Quirks::new())
}

fn ada() -> Value {
    json!({
        "id": "u1", "externalId": "X1", "userName": "Ada@Example.com", "displayName": "Ådå \"Countess\" O'Neil", "active": true,
        "name": { "familyName": "Lovelace", "givenName": "Ada" },
        "emails": [
            { "value": "ada@example.com", "type": "work", "primary": true },
            { "value": "ada@home.net", "type": "home" },
        ],
        "meta": { "created": "2026-01-01T00:00:00.000Z", "lastModified": "2026-06-01T12:00:00.000Z" },
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "department": "R+D", "manager": { "value": "m1" } },
        "urn:acme:hr:1.0:User": { "floor": 7, "Remote": true, "tags": ["a", "b"] },
    })
}

/// Each line is a filter over resources of every kind and whether it finds Ada, who has no attributes of groups.
#[test]
fn an_attribute_that_only_the_other_kind_has_has_no_value() {
    for (text, found) in [
        ("members pr", false),
        ("not (members pr)", true),
        ("members eq null", true),
        (r#"members.value eq "u1""#, false),
        (r#"members ne "u1""#, true),
        (r#"members[value eq "u1" and type eq "User"]"#, false),
        (r#"members pr or userName sw "ada""#, true),
        (r#"members pr and userName sw "ada""#, false),
        (r#"urn:ietf:params:scim:schemas:core:2.0:Group:members pr"#, false),
    ] {
        let filter = Filter::parse_for_all(ResourceKind::User, text, &mut Quirks::new()).expect(text);
        assert_eq!(filter.matches(&ada()), found, "{text}");
    }
    for text in ["shoe pr", "members.shoe pr", r#"active eq "x""#, "members pr or"] {
        assert!(Filter::parse_for_all(ResourceKind::User, text, &mut Quirks::new()).is_err(), "{text}");
    }
    let of_a_group =
        Filter::parse_for_all(ResourceKind::Group, r#"emails[type eq "work"].value eq "a""#, &mut Quirks::new());
    assert!(!of_a_group.expect("known to users").matches(&json!({ "displayName": "G" })));
    assert!(parse("members pr").is_err(), "a filter of one kind alone");
}

/// Each line is a filter and whether it finds Ada.
#[test]
fn filters_mean_what_the_rfc_says() {
    for (text, found) in [
        (r#"userName eq "ada@example.com""#, true),
        (r#"USERNAME EQ "ADA@EXAMPLE.COM""#, true),
        (r#"userName ne "ada@example.com""#, false),
        (r#"nickName ne "x""#, true),
        (r#"externalId eq "x1""#, false),
        (r#"externalId eq "X1""#, true),
        (r#"id eq "U1""#, false),
        (r#"name.familyName co "LOVE""#, true),
        (r#"name.familyName sw "love" and name.familyName ew "LACE""#, true),
        (r#"displayName sw "ådå""#, true),
        (r#"displayName co "\"countess\" o'""#, true),
        (r#"emails eq "ADA@home.net""#, true),
        (r#"emails co "@home""#, true),
        (r#"emails.type eq "other""#, false),
        (r#"emails[type eq "work" and value co "@home"]"#, false),
        (r#"emails[type eq "work" and value co "@example"]"#, true),
        (r#"emails[not (type eq "work")]"#, true),
        (r#"emails[type eq "work"].value eq "ada@example.com""#, true),
        (r#"emails[type eq "home"].value eq "ada@example.com""#, false),
        (r#"emails[primary eq "True"]"#, true),
        ("emails pr", true),
        ("phoneNumbers pr", false),
        ("nickName eq null", true),
        ("userName ne null", true),
        ("active eq true", true),
        (r#"active eq "False""#, false),
        (r#"meta.lastModified gt "2026-06-01T13:00:00+02:00""#, true),
        (r#"meta.lastModified ge "2026-06-01T14:00:00+02:00""#, true),
        (r#"meta.lastModified lt "2026-06-01T12:00:00""#, false),
        (r#"meta.created eq "2025-12-31T23:00:00-01:00""#, true),
        (r#"id eq "u1" and manager eq "m1""#, true),
        (r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "r+d""#, true),
        ("urn:acme:hr:1.0:User:floor ge 7", true),
        ("urn:acme:hr:1.0:user:remote eq true", true),
        (r#"urn:acme:hr:1.0:User:tags[value eq "B"]"#, true),
        (r#"title pr or userName pr and name.givenName eq "Bob""#, false),
        (r#"(title pr or userName pr) and name.givenName eq "ada""#, true),
        (r#"not (title pr) and not(nickName pr)"#, true),
        (r#"userName gt "ada@" and userName le "ADA@EXAMPLE.COM""#, true),
    ] {
        assert_eq!(parse(text).map(|filter| filter.matches(&ada())), Ok(found), "{text}");
    }
}

#[test]
fn a_user_of_whom_nothing_is_said_is_active() {
    assert_eq!(parse("active eq true").map(|filter| filter.matches(&json!({ "userName": "a" }))), Ok(true));
}

#[test]
fn dialects_are_read_and_noted() {
    for (text, canonical, quirk) in [
        ("externalId eq jyoung", r#"externalId eq "jyoung""#, Quirk::UnquotedFilterValue),
        ("userName eq a@b.c", r#"userName eq "a@b.c""#, Quirk::UnquotedFilterValue),
        ("(emails.value co example.com)", r#"emails.value co "example.com""#, Quirk::UnquotedFilterValue),
        ("userName sw O", r#"userName sw "O""#, Quirk::UnquotedFilterValue),
        (r#"roles[primary eq "True"]"#, "roles[primary eq true]", Quirk::StringBoolean),
        (
            r#"emails[type eq "work"].value eq "x""#,
            r#"emails[type eq "work" and value eq "x"]"#,
            Quirk::ValuePathSubAttribute,
        ),
        (
            r#"manager eq "m""#,
            r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "m""#,
            Quirk::BareExtensionAttribute,
        ),
        (r#"DisplayName eq "x""#, r#"displayName eq "x""#, Quirk::AttributeCase),
    ] {
        let mut quirks = Quirks::new();
        let filter = Filter::parse(ResourceKind::User, text, &mut quirks).expect("a filter");
        assert_eq!(filter.to_string(), canonical);
        assert_eq!(quirks.iter().collect::<Vec<_>>(), [(quirk, 1)], "{text}");
    }
}

#[test]
fn nonsense_is_an_invalid_filter() {
    let deep = format!("{}title pr{}", "(".repeat(33), ")".repeat(33));
    let wide = vec!["title pr"; 101].join(" or ");
    let long = format!(r#"title eq "{}""#, "x".repeat(4096));
    for text in [
        "",
        " ",
        "userName",
        "userName eq",
        r#"userName is "a""#,
        r#"userName eq "a"#,
        r#"userName eq "a" and"#,
        r#"(userName eq "a""#,
        r#"userName eq "a")"#,
        r#"userName eq "a" "b""#,
        r#"shoeSize eq "43""#,
        r#"name eq "Ada""#,
        r#"name.shoe eq "x""#,
        "active gt true",
        "active co true",
        r#"active eq "maybe""#,
        r#"meta.created co "2026""#,
        r#"meta.created gt "yesterday""#,
        r#"userName[type eq "x"]"#,
        r#"emails[type eq "work""#,
        r#"emails[emails[type pr]]"#,
        r#"emails[shoe eq "x"]"#,
        "not userName pr",
        "userName gt bare",
        "userName gt null",
        r#"x509Certificates gt "a""#,
        r#"userName eq "\u0000""#,
        r#"userName eq "\x""#,
        "emails[]",
        "()",
        "and",
        "title pr or",
        r#""a" eq title"#,
        "urn:acme:1.0:User:floor co 7",
        "ünï eq \"x\"",
        &deep,
        &wide,
        &long,
    ] {
        let error = parse(text).expect_err(text);
        assert_eq!((error.status, error.scim_type), (400, Some(ScimType::InvalidFilter)), "{text}");
    }
}

#[test]
fn the_deepest_allowed_filter_parses() {
    assert!(parse(&format!("{}title pr{}", "(".repeat(32), ")".repeat(32))).is_ok());
    assert!(parse(&vec!["title pr"; 100].join(" and ")).is_ok());
}

fn value_for(kind: crate::schema::Kind) -> BoxedStrategy<(CompareOp, CompareValue)> {
    use crate::schema::Kind;
    let equal = prop_oneof![Just(CompareOp::Eq), Just(CompareOp::Ne)];
    let order =
        prop_oneof![equal.clone(), Just(CompareOp::Gt), Just(CompareOp::Ge), Just(CompareOp::Lt), Just(CompareOp::Le)];
    let part = prop_oneof![Just(CompareOp::Co), Just(CompareOp::Sw), Just(CompareOp::Ew)];
    match kind {
        Kind::Boolean => (equal, any::<bool>().prop_map(CompareValue::Boolean)).boxed(),
        Kind::DateTime => (order, -4_000_000_000_i64..9_000_000_000, 0_u32..1_000_000_000)
            .prop_map(|(op, seconds, nanos)| {
                (op, CompareValue::DateTime(DateTime::from_timestamp(seconds, nanos).expect("in range")))
            })
            .boxed(),
        Kind::Any => (order, any::<i64>().prop_map(|number| CompareValue::Number(number.into()))).boxed(),
        _ => {
            (prop_oneof![order, part], "[^\\x00]{0,12}").prop_map(|(op, text)| (op, CompareValue::String(text))).boxed()
        }
    }
}

fn comparison(names: &'static [&'static str]) -> BoxedStrategy<Filter> {
    prop::sample::select(names)
        .prop_flat_map(|name| {
            let path = AttrPath::resolve(ResourceKind::User, name, &mut Quirks::new()).expect("a path");
            let present = Just(Filter::Present(path.clone()));
            let compare =
                value_for(path.kind).prop_map(move |(op, value)| Filter::Compare { path: path.clone(), op, value });
            prop_oneof![1 => present, 4 => compare]
        })
        .boxed()
}

fn nested(leaf: BoxedStrategy<Filter>) -> BoxedStrategy<Filter> {
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::all),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::any),
            inner.prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    })
    .boxed()
}

fn any_filter() -> BoxedStrategy<Filter> {
    let plain = comparison(&[
        "userName",
        "externalId",
        "name.givenName",
        "active",
        "meta.created",
        "emails.value",
        "emails.primary",
        "manager.value",
        "urn:acme:hr:1.0:User:floor",
        "urn:acme:hr:1.0:User:badge.colour",
    ]);
    let inside = nested(comparison(&["emails.value", "emails.type", "emails.primary"])).prop_map(|filter| {
        let path = AttrPath::resolve(ResourceKind::User, "emails", &mut Quirks::new()).expect("a path");
        Filter::ValuePath { path, filter: Box::new(filter) }
    });
    nested(prop_oneof![3 => plain, 1 => inside].boxed())
}

proptest! {
    #[test]
    fn parsing_what_is_printed_gives_the_filter_back(filter in any_filter()) {
        let text = filter.to_string();
        prop_assume!(text.len() <= crate::limits::FILTER_BYTES);
        let mut quirks = Quirks::new();
        prop_assert_eq!(Filter::parse(ResourceKind::User, &text, &mut quirks), Ok(filter), "{}", text);
        prop_assert!(quirks.is_empty() || text.contains("manager"), "canonical text has no quirks: {}", text);
    }

    #[test]
    fn negation_is_exact_and_ne_is_not_eq(filter in any_filter()) {
        let resource = ada();
        prop_assert_ne!(filter.matches(&resource), Filter::Not(Box::new(filter.clone())).matches(&resource));
        if let Filter::Compare { path, op: CompareOp::Eq, value } = filter {
            let eq = Filter::Compare { path: path.clone(), op: CompareOp::Eq, value: value.clone() };
            let ne = Filter::Compare { path, op: CompareOp::Ne, value };
            prop_assert_ne!(eq.matches(&resource), ne.matches(&resource));
        }
    }
}
