//! Cost of one request: bodies of a mebibyte built to be slow or large are refused by a counted limit, or read in one pass. The
//! tests count work and measure no time.

use rollcall_scim::error::ScimType;
use rollcall_scim::limits::{DOCUMENT_BYTES, EXTENSIONS, KEYS_PER_OBJECT, VALUES_PER_ATTRIBUTE};
use rollcall_scim::patch::apply_to_user;
use rollcall_scim::{
    GroupResource, Limits, PatchRequest, Quirks, ResourceKind, ScimError, UserReplacement, UserResource,
};
use serde_json::{Map, Value, json};

const BODY_BYTES: usize = 1_048_576;
const ACME: &str = "urn:acme:1.0:User";

fn read(body: Value) -> Result<UserResource, ScimError> {
    UserResource::from_json(body, &mut Quirks::new())
}

fn patched(before: &UserResource, operations: Value) -> Result<UserResource, ScimError> {
    let body = json!({ "Operations": operations });
    assert!(body.to_string().len() <= BODY_BYTES, "a body that would be refused before it is read");
    let mut quirks = Quirks::new();
    let patch = PatchRequest::parse(ResourceKind::User, body, &Limits::default(), &mut quirks)?;
    apply_to_user(before, &patch, &mut quirks)
}

fn ada(attributes: Value) -> UserResource {
    let mut body = json!({ "userName": "ada" });
    let more = attributes.as_object().cloned().unwrap_or_default();
    body.as_object_mut().expect("an object").extend(more);
    read(body).expect("a user")
}

/// Five hundred addresses without an ASCII shortcut, which differ at the end.
fn long_emails() -> Value {
    (0..VALUES_PER_ATTRIBUTE).map(|n| json!({ "value": format!("{}{n}@x.example", "ß".repeat(200)) })).collect()
}

fn assert_too_much(refused: Result<UserResource, ScimError>) {
    let error = refused.expect_err("too much work");
    assert_eq!(error.status, 413, "{error:?}");
    assert!(error.detail.contains("in parts"), "the detail says what to do: {error:?}");
}

#[test]
fn comparing_long_lists_over_and_over_is_refused() {
    let before = ada(json!({ "emails": long_emails() }));
    for op in ["add", "remove"] {
        let again =
            json!({ "op": op, "path": "emails", "value": [{ "value": format!("{}7@x.example", "SS".repeat(200)) }] });
        assert_too_much(patched(&before, Value::Array(vec![again; 1_000])));
    }
    let many = (0..VALUES_PER_ATTRIBUTE).map(|n| json!({ "value": format!("{n}") })).collect::<Value>();
    let again = json!({ "op": "add", "path": "emails", "value": many });
    assert_too_much(patched(&ada(json!({ "emails": many })), Value::Array(vec![again; 90])));
}

#[test]
fn filters_over_long_lists_are_refused() {
    let before = ada(json!({ "emails": long_emails() }));
    let filter = (0..60).map(|n| format!("value co \"ß{n}\"")).collect::<Vec<_>>().join(" or ");
    let again = json!({ "op": "remove", "path": format!("emails[{filter}].display") });
    assert_too_much(patched(&before, Value::Array(vec![again; 500])));
    let keys: Map<String, Value> =
        (0..10_000).map(|n| (format!("emails[value co \"ß\" or value eq \"{n}\"].display"), json!("x"))).collect();
    assert_too_much(patched(&before, json!([{ "op": "replace", "value": keys }])));
}

#[test]
fn one_value_copied_into_every_element_is_refused() {
    let few: Value = (0..VALUES_PER_ATTRIBUTE).map(|n| json!({ "value": n.to_string() })).collect();
    let before = ada(json!({ "emails": few, ACME: { "list": few } }));
    for path in ["emails.display", "emails[value pr].display"] {
        let copied = json!({ "op": "replace", "path": path, "value": "x".repeat(8_000) });
        assert_too_much(patched(&before, Value::Array(vec![copied; 100])));
    }
    let copied = |n| json!({ "op": "replace", "path": format!("{ACME}:list.sub{n}"), "value": "x".repeat(8_000) });
    assert_too_much(patched(&before, (0..100).map(copied).collect()));
}

#[test]
fn custom_lists_have_the_limit_of_all_lists() {
    let long: Vec<usize> = (0..100_000).collect();
    let limit = format!("at most {VALUES_PER_ATTRIBUTE} are kept");
    let refusals = [
        read(json!({ "userName": "a", ACME: { "list": long } })),
        read(json!({ "userName": "a", ACME: { "deep": { "list": long } } })),
        patched(&ada(json!({})), json!([{ "op": "add", "path": format!("{ACME}:list"), "value": long }])),
    ];
    for refused in refusals {
        let error = refused.expect_err("a long list");
        assert_eq!((error.scim_type, error.detail.contains(&limit)), (Some(ScimType::InvalidValue), true), "{error:?}");
    }
    let half = |start: usize| json!({ "op": "add", "path": format!("{ACME}:list"), "value": (start..start + 300).collect::<Vec<_>>() });
    assert!(patched(&ada(json!({})), json!([half(0), half(100), half(0)])).is_ok(), "400 different values");
    assert!(patched(&ada(json!({})), json!([half(0), half(300)])).is_err(), "600 different values");
}

#[test]
fn extensions_and_their_attributes_are_counted() {
    let keys = |count: usize| (0..count).map(|n| (format!("k{n}"), json!(1))).collect::<Map<_, _>>();
    let refused = |outcome: Result<UserResource, ScimError>, limit: usize| {
        let error = outcome.expect_err("too many");
        let named = error.detail.contains(&format!("at most {limit} are kept"));
        assert_eq!((error.scim_type, named), (Some(ScimType::InvalidValue), true), "{error:?}");
    };
    assert!(read(json!({ "userName": "a", ACME: keys(KEYS_PER_OBJECT) })).is_ok());
    refused(read(json!({ "userName": "a", ACME: keys(80_000) })), KEYS_PER_OBJECT);
    refused(read(json!({ "userName": "a", ACME: { "deep": keys(KEYS_PER_OBJECT + 1) } })), KEYS_PER_OBJECT);
    let one_by_one = |count: usize| {
        let mut body: Map<_, _> = (0..count).map(|n| (format!("{ACME}:k{n}"), json!(1))).collect();
        body.insert("userName".to_owned(), json!("a"));
        read(Value::Object(body))
    };
    assert!(one_by_one(KEYS_PER_OBJECT).is_ok());
    refused(one_by_one(30_000), KEYS_PER_OBJECT);
    let extensions = |count: usize| {
        let mut body: Map<_, _> = (0..count).map(|n| (format!("urn:acme:{n}:User"), json!({ "k": 1 }))).collect();
        body.insert("userName".to_owned(), json!("a"));
        body
    };
    let full = read(Value::Object(extensions(EXTENSIONS))).expect("as many as there may be");
    refused(read(Value::Object(extensions(EXTENSIONS + 1))), EXTENSIONS);
    for operation in [
        json!({ "op": "add", "path": "urn:acme:one:more:User:k", "value": 1 }),
        json!({ "op": "add", "value": { "urn:acme:one:more:User": { "k": 1 } } }),
    ] {
        refused(patched(&full, json!([operation])), EXTENSIONS);
    }
    let full = ada(json!({ ACME: keys(KEYS_PER_OBJECT) }));
    refused(patched(&full, json!([{ "op": "add", "path": format!("{ACME}:more"), "value": 1 }])), KEYS_PER_OBJECT);
    assert!(patched(&full, json!([{ "op": "add", "path": format!("{ACME}:K7"), "value": 2 }])).is_ok(), "it is there");
    refused(patched(&ada(json!({})), json!([{ "op": "add", "path": ACME, "value": keys(50_000) }])), KEYS_PER_OBJECT);
}

#[test]
fn one_name_in_a_thousand_spellings_is_one_name() {
    let spelt = |bits: usize| -> String {
        let letter = |place: usize| if bits >> place & 1 == 1 { 'K' } else { 'k' };
        (0..14).map(letter).collect()
    };
    let spellings: Map<_, _> =
        (0..1_usize << 14).map(|bits| (format!("{ACME}:{}", spelt(bits)), json!(bits))).collect();
    let user = ada(Value::Object(spellings.clone()));
    assert_eq!(user.attributes()[ACME].as_object().map(Map::len), Some(1));
    let full = ada(json!({ ACME: (1..KEYS_PER_OBJECT).map(|n| (format!("k{n}"), json!(1))).collect::<Map<_, _>>() }));
    assert_too_much(patched(&full, json!([{ "op": "add", "value": spellings }])));
}

#[test]
fn a_resource_has_a_largest_size_however_it_gets_there() {
    let photos =
        |count: usize| (0..count).map(|n| format!("https://x.example/{n}/{}", "p".repeat(4_000))).collect::<Vec<_>>();
    let refused = |error: ScimError| {
        let named = error.detail.contains(&format!("at most {DOCUMENT_BYTES} are kept"));
        assert_eq!((error.scim_type, named), (Some(ScimType::InvalidValue), true), "{error:?}");
    };
    let body = json!({ "userName": "ada", "photos": photos(70) });
    refused(read(body.clone()).expect_err("too large"));
    refused(UserReplacement::from_json(body, &mut Quirks::new()).expect_err("too large"));
    let almost = ada(json!({ "photos": photos(60) }));
    let more = json!([{ "op": "add", "path": "x509Certificates", "value": photos(10) }]);
    refused(patched(&almost, more).expect_err("too large"));
    let extension: Map<_, _> = (0..70).map(|n| (format!("k{n}"), json!("v".repeat(4_000)))).collect();
    let group = json!({ "displayName": "G", "urn:acme:1.0:Group": extension });
    refused(GroupResource::from_json(group, &Limits::default(), &mut Quirks::new()).expect_err("too large"));
}

#[test]
fn what_was_kept_before_there_was_a_limit_may_still_be_changed() {
    let photos: Vec<Value> = (0..600).map(|n| json!({ "value": format!("{n}{}", "p".repeat(1_000)) })).collect();
    let stored = json!({ "userName": "ada", "active": true, "photos": photos });
    let before = UserResource::from_stored(stored.as_object().cloned().expect("an object"));
    let after = patched(&before, json!([{ "op": "replace", "path": "active", "value": false }])).expect("a way out");
    assert!(!after.active());
    assert!(patched(&before, json!([{ "op": "add", "path": "title", "value": "larger still" }])).is_err());
}

#[test]
fn an_honest_patch_of_a_thousand_operations_is_taken() {
    let emails: Value = (0..20).map(|n| json!({ "value": format!("ada{n}@x.example"), "type": "work" })).collect();
    let before = ada(json!({ "emails": emails, "title": "Countess", ACME: { "floor": 7 } }));
    let operations = (0..1_000).map(|n| match n % 4 {
        0 => json!({ "op": "replace", "path": "emails[value eq \"ada3@x.example\"].display", "value": n.to_string() }),
        1 => json!({ "op": "add", "path": "emails", "value": [{ "value": "ADA7@x.example" }] }),
        2 => json!({ "op": "replace", "path": format!("{ACME}:floor"), "value": n }),
        _ => json!({ "op": "replace", "path": "title", "value": n.to_string() }),
    });
    let after = patched(&before, operations.collect()).expect("an honest patch");
    assert_eq!(after.attributes()["title"], "999");
}
