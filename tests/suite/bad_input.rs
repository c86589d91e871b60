//! Bad input gets a clear SCIM error (or problem document) and changes nothing. Each table is one kind of request, each
//! line one kind of error; a test lists every line that failed.

mod admin_routes;

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::Method;
use serde_json::{Value, json};

use admin_routes::{
    bodies_that_no_admin_route_takes, ids_and_pages_that_no_admin_route_knows,
    r15_a_parameter_without_a_value_is_refused_by_every_list_with_the_values_it_takes,
    refused_input_is_named_in_the_words_of_rest, rest_queries_that_cannot_be_understood,
    unknown_parameters_are_refused_by_every_route,
};

use crate::answer::Answer;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::verbs::{GROUP, ScimSource, USER, email, members_value, operation, patch, person, with};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        bodies_that_are_no_scim_resource,
        users_with_values_of_the_wrong_type,
        users_with_values_out_of_bounds,
        user_patches_that_cannot_be_understood,
        groups_with_values_of_the_wrong_type_or_out_of_bounds,
        group_patches_that_cannot_be_understood,
        filters_and_paging_that_cannot_be_understood,
        unknown_ids_in_every_method,
        bodies_of_two_megabytes,
        compressed_bodies_are_counted_as_what_they_stand_for,
        bodies_of_a_thousand_levels,
        refused_input_is_named_in_the_words_of_rest,
        r15_a_parameter_without_a_value_is_refused_by_every_list_with_the_values_it_takes,
        rest_queries_that_cannot_be_understood,
        unknown_parameters_are_refused_by_every_route,
        bodies_that_no_admin_route_takes,
        ids_and_pages_that_no_admin_route_knows,
    ]
}

/// A tenant with a user and a group, reconciled, and its state at that moment.
struct Quiet {
    tenant: Tenant,
    source: ScimSource,
    user: String,
    group: String,
    before: Value,
    failures: Vec<String>,
}

impl Quiet {
    async fn set(hub: &Hub) -> Self {
        let tenant = hub.tenant().create();
        let source = tenant.scim_source();
        let user = source.user("ann").await;
        let group = source.group("Pilots", &[&user]).await;
        tenant.eventually_group("Pilots", &[&email("ann")]).await;
        let before = tenant.everything(&source).await;
        Self {
            tenant,
            source,
            user: format!("/Users/{user}"),
            group: format!("/Groups/{group}"),
            before,
            failures: Vec::new(),
        }
    }

    /// Sends `body` and checks for the SCIM error; `scim_type` only where the RFC leaves no choice.
    async fn refused(
        &mut self,
        what: &str,
        method: Method,
        path: &str,
        body: impl Into<reqwest::Body>,
        status: u16,
        scim_type: Option<&str>,
    ) {
        let answer = self.source.send_text(method, path, body).await;
        self.note(what, answer.check_scim_error(status, scim_type));
    }

    fn note(&mut self, what: &str, outcome: Result<(), String>) {
        if let Err(problem) = outcome {
            self.failures.push(format!("{what}: {problem}"));
        }
    }

    async fn expect_all_refused_and_nothing_changed(mut self) {
        let after = self.tenant.everything(&self.source).await;
        for (key, before) in self.before.as_object().unwrap() {
            if after[key] != *before {
                self.failures.push(format!("{key} changed:\n  before: {before}\n  after:  {}", after[key]));
            }
        }
        assert!(self.failures.is_empty(), "{} failures:\n- {}", self.failures.len(), self.failures.join("\n- "));
    }
}

async fn bodies_that_are_no_scim_resource(hub: Hub) {
    let mut quiet = Quiet::set(&hub).await;
    let bodies: [(&str, &[u8]); 8] = [
        ("cut off", br#"{"userName": "#),
        ("empty", b""),
        ("plain text", b"hello"),
        ("a list", b"[]"),
        ("a string", br#""ann""#),
        ("null", b"null"),
        ("not UTF-8", b"{\"userName\":\"\xff\xfe@acme.example\"}"),
        ("two objects", b"{}{}"),
    ];
    for (what, body) in bodies {
        for (method, path) in [
            (Method::POST, "/Users".to_owned()),
            (Method::PUT, quiet.user.clone()),
            (Method::PATCH, quiet.user.clone()),
            (Method::POST, "/Groups".to_owned()),
            (Method::PUT, quiet.group.clone()),
            (Method::PATCH, quiet.group.clone()),
        ] {
            let line = format!("{what} in {method} {path}");
            quiet.refused(&line, method, &path, body, 400, Some("invalidSyntax")).await;
        }
    }
    quiet.expect_all_refused_and_nothing_changed().await;
}

async fn users_with_values_of_the_wrong_type(hub: Hub) {
    let mut quiet = Quiet::set(&hub).await;
    let bea = person("bea");
    let bodies = [
        ("no userName", with(bea.clone(), json!({ "userName": null }))),
        ("userName is a boolean", with(bea.clone(), json!({ "userName": true }))),
        ("userName is an empty list", with(bea.clone(), json!({ "userName": [] }))),
        ("userName is a list of two", with(bea.clone(), json!({ "userName": ["bea", "cem"] }))),
        ("active is a string", with(bea.clone(), json!({ "active": "perhaps" }))),
        ("active is an object", with(bea.clone(), json!({ "active": {} }))),
        ("name is text", with(bea.clone(), json!({ "name": "Bea" }))),
        ("name.givenName is a list of two", with(bea.clone(), json!({ "name": { "givenName": ["Bea", "B."] } }))),
        ("emails is a boolean", with(bea.clone(), json!({ "emails": true }))),
        ("an email is a list", with(bea.clone(), json!({ "emails": [["bea@acme.example"]] }))),
        ("an email's value is an object", with(bea.clone(), json!({ "emails": [{ "value": {} }] }))),
        ("displayName is a boolean", with(bea.clone(), json!({ "displayName": true }))),
        ("externalId is a list of two", with(bea.clone(), json!({ "externalId": ["e1", "e2"] }))),
        ("externalId lost digits", with(bea.clone(), json!({ "externalId": 1e300 }))),
    ];
    for (what, body) in bodies {
        let user = quiet.user.clone();
        quiet
            .refused(&format!("POST {what}"), Method::POST, "/Users", body.to_string(), 400, Some("invalidValue"))
            .await;
        quiet.refused(&format!("PUT {what}"), Method::PUT, &user, body.to_string(), 400, Some("invalidValue")).await;
    }
    quiet.expect_all_refused_and_nothing_changed().await;
}

async fn users_with_values_out_of_bounds(hub: Hub) {
    let mut quiet = Quiet::set(&hub).await;
    let bea = person("bea");
    let long = "x".repeat(20_000);
    let address = |text: &str| json!({ "emails": [{ "type": "work", "value": text, "primary": true }] });
    let bodies = [
        ("userName is empty", with(bea.clone(), json!({ "userName": "" }))),
        ("userName is blank", with(bea.clone(), json!({ "userName": "   " }))),
        ("NUL in userName", with(bea.clone(), json!({ "userName": "be\u{0}a@acme.example" }))),
        ("NUL in displayName", with(bea.clone(), json!({ "displayName": "be\u{0}a" }))),
        ("NUL in externalId", with(bea.clone(), json!({ "externalId": "be\u{0}a" }))),
        ("NUL in a name", with(bea.clone(), json!({ "name": { "givenName": "be\u{0}a" } }))),
        ("NUL in an email", with(bea.clone(), address("be\u{0}a@acme.example"))),
        ("over-long userName", with(bea.clone(), json!({ "userName": format!("{long}@acme.example") }))),
        ("over-long displayName", with(bea.clone(), json!({ "displayName": long }))),
        ("over-long externalId", with(bea.clone(), json!({ "externalId": long }))),
        ("over-long name", with(bea.clone(), json!({ "name": { "familyName": long } }))),
        ("over-long email", with(bea.clone(), address(&format!("{long}@acme.example")))),
    ];
    for (what, body) in bodies {
        let user = quiet.user.clone();
        quiet
            .refused(&format!("POST {what}"), Method::POST, "/Users", body.to_string(), 400, Some("invalidValue"))
            .await;
        quiet.refused(&format!("PUT {what}"), Method::PUT, &user, body.to_string(), 400, Some("invalidValue")).await;
    }
    quiet.expect_all_refused_and_nothing_changed().await;
}

async fn user_patches_that_cannot_be_understood(hub: Hub) {
    let mut quiet = Quiet::set(&hub).await;
    let long = "x".repeat(20_000);
    let bodies = [
        ("no Operations", json!({ "schemas": [] }), None),
        ("no operation", patch(vec![]), None),
        ("Operations is an object", json!({ "Operations": {} }), None),
        ("an operation is text", patch(vec![json!("replace")]), None),
        ("no op", patch(vec![json!({ "path": "title", "value": "x" })]), None),
        ("unknown op", patch(vec![operation("move", "title", json!("x"))]), None),
        ("op is a number", patch(vec![json!({ "op": 1, "path": "title", "value": "x" })]), None),
        (
            "an open bracket",
            patch(vec![operation("replace", "emails[type eq \"work\"", json!("x"))]),
            Some("invalidPath"),
        ),
        (
            "an empty sub-attribute",
            patch(vec![operation("replace", "name..givenName", json!("x"))]),
            Some("invalidPath"),
        ),
        (
            "a filter that is none",
            patch(vec![operation("replace", "emails[work].value", json!("x"))]),
            Some("invalidFilter"),
        ),
        ("path is a number", patch(vec![json!({ "op": "replace", "path": 5, "value": "x" })]), None),
        ("remove without a path", patch(vec![json!({ "op": "remove" })]), Some("noTarget")),
        ("remove what is required", patch(vec![json!({ "op": "remove", "path": "userName" })]), None),
        ("the read-only id", patch(vec![operation("replace", "id", json!("x"))]), Some("mutability")),
        (
            "the read-only meta",
            patch(vec![operation("replace", "meta.created", json!("2020-01-01T00:00:00Z"))]),
            Some("mutability"),
        ),
        (
            "the read-only groups",
            patch(vec![operation("add", "groups", json!([{ "value": "x" }]))]),
            Some("mutability"),
        ),
        ("no path and a text", patch(vec![json!({ "op": "replace", "value": "x" })]), None),
        ("no path and no value", patch(vec![json!({ "op": "add" })]), None),
        ("active is a string", patch(vec![operation("replace", "active", json!("perhaps"))]), Some("invalidValue")),
        ("userName is empty", patch(vec![operation("replace", "userName", json!(""))]), Some("invalidValue")),
        (
            "displayName is a list of two",
            patch(vec![operation("replace", "displayName", json!(["x", "y"]))]),
            Some("invalidValue"),
        ),
        (
            "NUL in displayName",
            patch(vec![operation("replace", "displayName", json!("a\u{0}b"))]),
            Some("invalidValue"),
        ),
        ("over-long displayName", patch(vec![operation("replace", "displayName", json!(long))]), Some("invalidValue")),
    ];
    for (what, body, scim_type) in bodies {
        let user = quiet.user.clone();
        quiet.refused(what, Method::PATCH, &user, body.to_string(), 400, scim_type).await;
    }
    quiet.expect_all_refused_and_nothing_changed().await;
}

async fn groups_with_values_of_the_wrong_type_or_out_of_bounds(hub: Hub) {
    let mut quiet = Quiet::set(&hub).await;
    let crew = json!({ "schemas": [GROUP], "displayName": "Crew" });
    let long = "x".repeat(20_000);
    let bodies = [
        ("no displayName", with(crew.clone(), json!({ "displayName": null }))),
        ("displayName is a boolean", with(crew.clone(), json!({ "displayName": true }))),
        ("displayName is empty", with(crew.clone(), json!({ "displayName": "" }))),
        ("displayName is blank", with(crew.clone(), json!({ "displayName": " \t" }))),
        ("NUL in displayName", with(crew.clone(), json!({ "displayName": "a\u{0}b" }))),
        ("over-long displayName", with(crew.clone(), json!({ "displayName": long }))),
        ("over-long externalId", with(crew.clone(), json!({ "externalId": long }))),
        ("members is a string", with(crew.clone(), json!({ "members": "everybody" }))),
        ("a member without a value", with(crew.clone(), json!({ "members": [{ "display": "ann" }] }))),
        ("a member's value is a number", with(crew.clone(), json!({ "members": [{ "value": 7 }] }))),
        ("an unknown member", with(crew.clone(), json!({ "members": [{ "value": crate::verbs::unknown_id() }] }))),
        ("a member that is no id", with(crew.clone(), json!({ "members": [{ "value": "ann" }] }))),
    ];
    for (what, body) in bodies {
        let group = quiet.group.clone();
        quiet
            .refused(&format!("POST {what}"), Method::POST, "/Groups", body.to_string(), 400, Some("invalidValue"))
            .await;
        quiet.refused(&format!("PUT {what}"), Method::PUT, &group, body.to_string(), 400, Some("invalidValue")).await;
    }
    quiet.expect_all_refused_and_nothing_changed().await;
}

async fn group_patches_that_cannot_be_understood(hub: Hub) {
    let mut quiet = Quiet::set(&hub).await;
    let stranger = crate::verbs::unknown_id().to_string();
    let bodies = [
        ("unknown op", patch(vec![operation("empty", "members", json!([]))]), None),
        ("no Operations", json!({ "schemas": [] }), None),
        (
            "an open bracket",
            patch(vec![json!({ "op": "remove", "path": "members[value eq \"x\"" })]),
            Some("invalidPath"),
        ),
        ("remove without a path", patch(vec![json!({ "op": "remove" })]), Some("noTarget")),
        ("remove the displayName", patch(vec![json!({ "op": "remove", "path": "displayName" })]), None),
        ("members is a number", patch(vec![operation("add", "members", json!(7))]), Some("invalidValue")),
        (
            "an unknown member",
            patch(vec![operation("add", "members", members_value(&[&stranger]))]),
            Some("invalidValue"),
        ),
        (
            "a group in which one member is unknown",
            patch(vec![operation("replace", "members", members_value(&[&stranger]))]),
            Some("invalidValue"),
        ),
        ("displayName is empty", patch(vec![operation("replace", "displayName", json!(""))]), Some("invalidValue")),
        ("the read-only id", patch(vec![operation("replace", "id", json!("x"))]), Some("mutability")),
        (
            "a good operation before a bad one",
            patch(vec![
                operation("replace", "displayName", json!("Half")),
                operation("add", "members", members_value(&[&stranger])),
            ]),
            Some("invalidValue"),
        ),
    ];
    for (what, body, scim_type) in bodies {
        let group = quiet.group.clone();
        quiet.refused(what, Method::PATCH, &group, body.to_string(), 400, scim_type).await;
    }
    quiet.expect_all_refused_and_nothing_changed().await;
}

async fn filters_and_paging_that_cannot_be_understood(hub: Hub) {
    let mut quiet = Quiet::set(&hub).await;
    let deep = format!("{}userName eq \"a\"{}", "(".repeat(1_000), ")".repeat(1_000));
    let long = format!("userName eq \"{}\"", "x".repeat(6_000));
    let filters = [
        "userName eq",
        "userName",
        "eq \"a\"",
        "userName is \"a\"",
        "userName eq \"a",
        "(userName eq \"a\"",
        "userName eq \"a\")",
        "userName eq \"a\" and",
        "and",
        "userName eq \"a\" userName eq \"b\"",
        "emails[type eq \"work\".value eq \"a\"",
        "user name eq \"a\"",
        "userName == \"a\"",
        &deep,
        &long,
    ];
    for path in ["/Users", "/Groups"] {
        for filter in filters {
            let filter = if path == "/Groups" { filter.replace("userName", "displayName") } else { filter.to_owned() };
            let encoded: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
            let what = format!("filter {}", filter.chars().take(60).collect::<String>());
            quiet
                .refused(&what, Method::GET, &format!("{path}?filter={encoded}"), "", 400, Some("invalidFilter"))
                .await;
        }
        let nul = format!("{path}?filter=displayName+eq+%22a%00%22");
        quiet.refused("NUL in a filter", Method::GET, &nul, "", 400, None).await;
        for query in ["startIndex=one", "count=many", "startIndex=1.5"] {
            quiet.refused(query, Method::GET, &format!("{path}?{query}"), "", 400, Some("invalidValue")).await;
        }
    }
    quiet.expect_all_refused_and_nothing_changed().await;
}

async fn unknown_ids_in_every_method(hub: Hub) {
    let mut quiet = Quiet::set(&hub).await;
    let rename = |path: &str| patch(vec![operation("replace", path, json!("x"))]).to_string();
    let group = json!({ "schemas": [GROUP], "displayName": "Crew" }).to_string();
    // The id of a group is not the id of a user, nor the other way round.
    let user_of = quiet.group.trim_start_matches("/Groups/").to_owned();
    let group_of = quiet.user.trim_start_matches("/Users/").to_owned();
    let random = crate::verbs::unknown_id().to_string();
    for id in [random.as_str(), "nonsense", "%00", "..%2F..%2Fetc", "1'%20OR%20'1'='1", &user_of] {
        let path = format!("/Users/{id}");
        quiet.refused(id, Method::GET, &path, "", 404, None).await;
        quiet.refused(id, Method::PUT, &path, person("bea").to_string(), 404, None).await;
        quiet.refused(id, Method::PATCH, &path, rename("displayName"), 404, None).await;
        quiet.refused(id, Method::DELETE, &path, "", 404, None).await;
    }
    for id in [random.as_str(), "nonsense", "%00", &group_of] {
        let path = format!("/Groups/{id}");
        quiet.refused(id, Method::GET, &path, "", 404, None).await;
        quiet.refused(id, Method::PUT, &path, group.clone(), 404, None).await;
        quiet.refused(id, Method::PATCH, &path, rename("displayName"), 404, None).await;
        quiet.refused(id, Method::DELETE, &path, "", 404, None).await;
    }
    quiet.expect_all_refused_and_nothing_changed().await;
}

async fn bodies_of_two_megabytes(hub: Hub) {
    let mut quiet = Quiet::set(&hub).await;
    let huge = "x".repeat(2 * 1024 * 1024);
    let user = with(person("bea"), json!({ "displayName": huge })).to_string();
    let group = json!({ "schemas": [GROUP], "displayName": "Crew", "externalId": huge }).to_string();
    let change = patch(vec![operation("replace", "displayName", json!(huge))]).to_string();
    // A body has room for 10,000 members, or as many groups of a user (R10), so only a larger one is refused unread.
    let huger = "x".repeat(12 * 1024 * 1024);
    let large_user = with(person("bea"), json!({ "displayName": huger })).to_string();
    let large_group = json!({ "schemas": [GROUP], "displayName": "Crew", "externalId": huger }).to_string();
    let large_change = patch(vec![operation("replace", "displayName", json!(huger))]).to_string();
    let (user_path, group_path) = (quiet.user.clone(), quiet.group.clone());
    let invalid = Some("invalidValue");
    quiet.refused("POST a user", Method::POST, "/Users", user.clone(), 400, invalid).await;
    quiet.refused("PUT a user", Method::PUT, &user_path, user, 400, invalid).await;
    quiet.refused("PATCH a user", Method::PATCH, &user_path, change.clone(), 400, invalid).await;
    quiet.refused("POST a group", Method::POST, "/Groups", group, 400, invalid).await;
    quiet.refused("PATCH a group", Method::PATCH, &group_path, change, 400, invalid).await;
    quiet.refused("POST a larger user", Method::POST, "/Users", large_user.clone(), 413, None).await;
    quiet.refused("PUT a larger user", Method::PUT, &user_path, large_user, 413, None).await;
    quiet.refused("PATCH a larger user", Method::PATCH, &user_path, large_change.clone(), 413, None).await;
    quiet.refused("POST a larger group", Method::POST, "/Groups", large_group, 413, None).await;
    quiet.refused("PATCH a larger group", Method::PATCH, &group_path, large_change, 413, None).await;
    quiet.expect_all_refused_and_nothing_changed().await;
}

async fn compressed_bodies_are_counted_as_what_they_stand_for(hub: Hub) {
    let source = hub.tenant().create().scim_source();
    let send = async |encoding: &str, bytes: Vec<u8>| {
        Answer::of(source.request(Method::POST, "/Users").header("content-encoding", encoding).body(bytes)).await
    };
    let gzip = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    send("gzip", gzip(person("ann").to_string().as_bytes())).await.expect(201);
    send("gzip", gzip(&vec![b' '; 64 << 20])).await.expect_scim_error(413, None);
    send("gzip", person("bea").to_string().into_bytes()).await.expect_scim_error(400, Some("invalidSyntax"));
    send("br", person("bea").to_string().into_bytes()).await.expect_scim_error(415, None);
    assert_eq!(source.get("/Users").await.expect(200).at("/totalResults"), 1);
}

async fn bodies_of_a_thousand_levels(hub: Hub) {
    let mut quiet = Quiet::set(&hub).await;
    let lists = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
    let objects = format!("{}1{}", "{\"a\":".repeat(1_000), "}".repeat(1_000));
    for (what, deep) in [("lists", lists), ("objects", objects)] {
        let user = format!("{{\"schemas\":[\"{USER}\"],\"userName\":\"{}\",\"shoeSize\":{deep}}}", email("bea"));
        let change = format!("{{\"Operations\":[{{\"op\":\"add\",\"path\":\"title\",\"value\":{deep}}}]}}");
        let (user_path, group_path) = (quiet.user.clone(), quiet.group.clone());
        quiet.refused(&format!("POST {what}"), Method::POST, "/Users", user, 400, None).await;
        quiet.refused(&format!("PATCH a user, {what}"), Method::PATCH, &user_path, change.clone(), 400, None).await;
        quiet.refused(&format!("PATCH a group, {what}"), Method::PATCH, &group_path, change, 400, None).await;
    }
    quiet.expect_all_refused_and_nothing_changed().await;
}
