//! No input makes a reader panic, and everything accepted is canonical: reading it again changes nothing.
//! `ROLLCALL_FUZZ_CASES` raises the number of cases.

use proptest::prelude::*;
use rollcall_scim::bulk::BulkRequest;
use rollcall_scim::discovery::BulkCapability;
use rollcall_scim::list::PageLimits;
use rollcall_scim::patch::{apply_to_group, apply_to_user, group_changes};
use rollcall_scim::query::parse_query;
use rollcall_scim::render::{UserParts, render_user};
use rollcall_scim::schema::ENTERPRISE_USER;
use rollcall_scim::{
    AttrPath, Filter, GroupResource, Limits, ListQuery, PatchRequest, Projection, Quirks, ResourceKind, UserResource,
    parse_json,
};
use serde_json::{Map, Value, json};

const PAGES: PageLimits = PageLimits { default: 100, max: 200 };
const NAMES: &[&str] = &[
    "userName",
    "USERNAME",
    "displayName",
    "externalId",
    "active",
    "name",
    "name.givenName",
    "givenName",
    "familyName",
    "emails",
    "value",
    "type",
    "primary",
    "display",
    "$ref",
    "phoneNumbers",
    "addresses",
    "country",
    "roles",
    "members",
    "groups",
    "id",
    "meta",
    "schemas",
    "password",
    "manager",
    "manager.value",
    "department",
    "x509Certificates",
    "Operations",
    "op",
    "path",
    "failOnErrors",
    "method",
    "bulkId",
    "data",
    "filter",
    "count",
    "cursor",
    "attributes",
    "urn:acme:1.0:User",
    "URN:ACME:1.0:user",
    "urn:acme:1.0:User:floor",
    "urn:",
    "urn::",
    "a b",
    "",
    ".",
    "emails[type eq \"work\"].value",
    "emails[",
    "ünï",
    "urn:ietf:params:scim:schemas:core:2.0:User",
    "urn:ietf:params:scim:schemas:core:2.0:Group",
    ENTERPRISE_USER,
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0User",
];
const TEXTS: &[&str] = &[
    "",
    "a",
    "ada@x.de",
    "True",
    "false",
    "add",
    "Replace",
    "remove",
    "POST",
    "/Users",
    "bulkId:a",
    "work",
    "{\"a\":1}",
    "[1]",
    "\0",
    "emails",
    "emails[type eq \"work\"]",
    "emails[type eq \"work\"].value",
    "emails[not (value pr)].primary",
    "members",
    "members[value eq \"a\"]",
    "phoneNumbers.value",
    "name",
    "name.givenName",
    "manager",
    "urn:acme:1.0:User",
    "urn:acme:1.0:User:floor.x",
    "userName eq \"a\"",
    "urn:scim:schemas:core:1.0",
    ENTERPRISE_USER,
    "displayName",
    "externalId",
    "active",
    "title",
    "id",
    "addresses",
];

fn name() -> impl Strategy<Value = String> {
    prop_oneof![9 => prop::sample::select(NAMES).prop_map(str::to_owned), 1 => ".{0,8}"]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![4 => prop::sample::select(TEXTS).prop_map(str::to_owned), 1 => ".{0,12}"]
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        4 => text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            3 => prop::collection::vec((name(), inner), 0..6).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// An object with good chances to be accepted.
fn resource() -> impl Strategy<Value = Value> {
    prop::collection::vec((name(), json_value()), 0..6).prop_map(|members| {
        let mut resource: Map<String, Value> = members.into_iter().collect();
        resource.entry("userName").or_insert_with(|| json!("ada"));
        resource.entry("displayName").or_insert_with(|| json!("Ada"));
        Value::Object(resource)
    })
}

fn patch() -> impl Strategy<Value = Value> {
    let op = prop::sample::select(vec!["add", "Replace", "remove", "replace", "Add"]);
    let path = prop::option::of(prop_oneof![text(), name()]);
    let operation = (op, path, prop::option::of(json_value())).prop_map(|(op, path, value)| {
        let mut operation = json!({ "op": op });
        if let Some(path) = path {
            operation["path"] = json!(path);
        }
        if let Some(value) = value {
            operation["value"] = value;
        }
        operation
    });
    prop::collection::vec(operation, 1..4).prop_map(|operations| json!({ "Operations": operations }))
}

fn filter_text() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        prop::sample::select(vec![
            "eq", "Ne", "co", "gt", "pr", "and", "or", "not", "(", ")", "[", "]", "\"", "\"x\"", "true", "5", "."
        ])
        .prop_map(str::to_owned),
        name(),
        ".{0,6}",
    ];
    prop::collection::vec(word, 0..12).prop_map(|words| words.join(" "))
}

fn cases() -> u32 {
    std::env::var("ROLLCALL_FUZZ_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(3_000)
}

/// Reading canonical attributes again must give the same, except that an unassigned `active` becomes assigned.
fn assert_canonical(user: &UserResource) -> Result<(), TestCaseError> {
    let mut attributes = user.attributes().clone();
    if !attributes.get("active").is_some_and(Value::is_boolean) {
        attributes.insert("active".to_owned(), json!(user.active()));
    }
    let again = UserResource::from_json(Value::Object(attributes.clone()), &mut Quirks::new());
    prop_assert_eq!(again.map(UserResource::into_attributes), Ok(attributes));
    Ok(())
}

fn show(user: &UserResource, included: &str, excluded: &str) {
    let parts = UserParts {
        id: "u1",
        attributes: user.attributes().clone(),
        groups: &[],
        created: chrono::DateTime::UNIX_EPOCH,
        last_modified: chrono::DateTime::UNIX_EPOCH,
        version: 1,
        location: "https://h/Users/u1",
    };
    let shown =
        render_user(parts, &Projection::parse(ResourceKind::User, Some(included), Some(excluded)).expect("few names"));
    assert!(shown["id"].is_string() && shown["schemas"].is_array());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn what_is_read_is_canonical(body in resource(), included in name(), excluded in text()) {
        if let Ok(user) = UserResource::from_json(body.clone(), &mut Quirks::new()) {
            assert_canonical(&user)?;
            show(&user, &included, &excluded);
        }
        if let Ok(group) = GroupResource::from_json(body, &Limits::default(), &mut Quirks::new()) {
            prop_assert!(!group.display_name().is_empty());
        }
    }

    #[test]
    fn what_a_patch_leaves_is_canonical(before in resource(), body in patch()) {
        let mut quirks = Quirks::new();
        let user = UserResource::from_json(before.clone(), &mut quirks);
        let request = PatchRequest::parse(ResourceKind::User, body.clone(), &Limits::default(), &mut quirks);
        if let (Ok(user), Ok(request)) = (user, request) && let Ok(after) = apply_to_user(&user, &request, &mut quirks) {
            assert_canonical(&after)?;
        }
        let group = GroupResource::from_json(before, &Limits::default(), &mut quirks);
        if let (Ok(group), Ok(request)) = (group, PatchRequest::parse(ResourceKind::Group, body, &Limits::default(), &mut quirks)) {
            let _ = group_changes(&request);
            let _ = apply_to_group(&group, &request, &mut quirks);
        }
    }

    #[test]
    fn any_json_is_answered(body in json_value()) {
        let mut quirks = Quirks::new();
        for kind in [ResourceKind::User, ResourceKind::Group] {
            let _ = PatchRequest::parse(kind, body.clone(), &Limits::default(), &mut quirks);
            let _ = ListQuery::from_search(kind, &body, PAGES, &mut quirks);
        }
        if let Ok(bulk) = BulkRequest::parse(body, BulkCapability { max_operations: 10, max_payload_bytes: 1 }) {
            prop_assert_eq!(bulk.execution_order().len(), bulk.operations.len());
        }
    }

    #[test]
    fn any_bytes_and_texts_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..64), text in filter_text(), other in ".{0,40}") {
        let _ = parse_json(&bytes);
        for text in [&text, &other] {
            let mut quirks = Quirks::new();
            let _ = parse_query(text, &mut quirks).map(|pairs| ListQuery::from_pairs(ResourceKind::User, &pairs, PAGES, &mut quirks));
            let _ = AttrPath::resolve(ResourceKind::User, text, &mut quirks);
            let _ = Projection::parse(ResourceKind::Group, Some(text), None);
            if let Ok(filter) = Filter::parse(ResourceKind::User, text, &mut quirks) {
                let _ = filter.matches(&json!({ "userName": "a" }));
                prop_assert_eq!(Filter::parse(ResourceKind::User, &filter.to_string(), &mut quirks), Ok(filter));
            }
        }
    }
}
