//! `ETag` and `If-Match` of the REST API: a thing is changed as it was read, or not at all.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::routes::{Ids, table};
use crate::verbs::{email, unknown_id};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        every_thing_that_is_read_and_changed_has_a_version,
        a_write_to_another_version_changes_nothing,
        of_many_writers_of_one_version_one_wins,
        a_write_that_has_no_version_takes_no_if_match,
    ]
}

const VERSIONED: [&str; 6] = [
    "/api/v1/groups/{id}",
    "/api/v1/members/{id}",
    "/api/v1/policy",
    "/api/v1/sign-in-connections/{id}",
    "/api/v1/sources/{id}",
    "/api/v1/webhooks/{id}",
];
/// Things that are read and changed under one path, and have no version: the caller's own session, and a list.
const UNVERSIONED: [&str; 2] = ["/api/v1/members/{id}/identities", "/api/v1/session"];

async fn send(tenant: &Tenant, method: Method, path: &str, tag: &str, body: &Value) -> Answer {
    let request = tenant.hub.http().request(method, format!("{}{path}", tenant.hub.people_url()));
    Answer::of(request.bearer_auth(&tenant.key).header("if-match", tag).json(body)).await
}

async fn tag_of(tenant: &Tenant, path: &str) -> String {
    tenant.get(path).await.expect(200).header("etag").to_owned()
}

/// A tenant with one thing of each kind that a test can make without an identity provider, and their ids.
async fn company(hub: &Hub) -> (Tenant, Ids) {
    let tenant = hub.tenant().policy("onboarding", "federated").owner("boss@acme.example").create();
    let source = tenant.scim_source();
    let user = source.user("ann").await;
    source.group("Pilots", &[&user]).await;
    let sharing_group = tenant.eventually_group("Pilots", &[&email("ann")]).await.id;
    tenant.eventually_status(&email("ann"), "active").await;
    let member = tenant.member(&email("ann")).await.unwrap().id;
    (tenant, Ids { source: source.id, member, sharing_group, ..Ids::all(&unknown_id().to_string()) })
}

async fn every_thing_that_is_read_and_changed_has_a_version(hub: Hub) {
    let mut methods: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let routes = table(&hub);
    for route in routes.iter().filter(|route| route.auth == "api") {
        methods.entry(route.path.clone()).or_default().insert(route.method().to_string());
    }
    let changed =
        |methods: &BTreeSet<String>| ["PATCH", "PUT", "DELETE"].iter().any(|method| methods.contains(*method));
    methods.retain(|_, methods| methods.contains("GET") && changed(methods));
    let expected: Vec<&str> = VERSIONED.iter().chain(&UNVERSIONED).copied().collect();
    let mut found: Vec<&str> = methods.keys().map(String::as_str).collect();
    found.retain(|path| !expected.contains(path));
    assert!(found.is_empty(), "neither with a version nor without: {found:?}");

    let (tenant, ids) = company(&hub).await;
    for path in VERSIONED.iter().filter(|path| !path.contains("connections") && !path.contains("webhooks")) {
        let route = routes.iter().find(|route| route.path == **path).unwrap();
        let path = route.filled(&ids);
        let tag = tag_of(&tenant, &path).await;
        assert!(tag.len() == 34 && tag.starts_with('"') && tag.ends_with('"'), "{path}: {tag}");
        assert_eq!(tag_of(&tenant, &path).await, tag, "{path}: nothing changed");
    }
    for path in UNVERSIONED {
        let route = routes.iter().find(|route| route.path == path && route.method() == Method::GET).unwrap();
        assert_eq!(tenant.get(&route.filled(&ids)).await.expect(200).header("etag"), "", "{path}");
    }
    let described: Value = hub.get(&format!("{}/api/openapi.json", hub.people_url())).await.expect(200).json.clone();
    for path in VERSIONED {
        for (method, operation) in described["paths"][path].as_object().unwrap() {
            let told = match method.as_str() {
                "get" => &operation["responses"]["200"]["headers"]["ETag"],
                _ => &operation["responses"]["412"],
            };
            assert!(told.is_object(), "{method} {path}: {operation}");
        }
    }
}

/// For every method of every such path.
async fn a_write_to_another_version_changes_nothing(hub: Hub) {
    let (tenant, ids) = company(&hub).await;
    let routes = table(&hub);
    let writes = routes.iter().filter(|route| {
        // Connections and webhooks take things of their own; their suites have them.
        let has_own = ["connections", "webhooks"].iter().any(|own| route.path.contains(own));
        VERSIONED.contains(&route.path.as_str()) && route.method() != Method::GET && !has_own
    });
    let mut walked = 0;
    for route in writes {
        let path = route.filled(&ids);
        let body = match route.path.as_str() {
            "/api/v1/policy" => json!({ "policy": { "adopt_existing": false } }),
            "/api/v1/sources/{id}" => json!({ "plain_discovery": true }),
            "/api/v1/members/{id}" => json!({ "billing_contact": true }),
            _ => Value::Null,
        };
        let before = tenant.get(&path).await.expect(200);
        let policy = tenant.get("/api/v1/policy").await.expect(200);
        let body = if route.method() == Method::PUT { policy.json.clone() } else { body };
        for tag in ["\"00000000000000000000000000000001\"", "\"x\"", "W/\"1\"", "x"] {
            let refused = send(&tenant, route.method(), &path, tag, &body).await.expect_problem(412);
            assert_eq!(refused.text_at("/code"), "outdated", "{}", refused.describe());
            assert!(refused.text_at("/detail").contains("read it again"), "{}", refused.describe());
        }
        let after = tenant.get(&path).await.expect(200);
        assert_eq!((&after.text, after.header("etag")), (&before.text, before.header("etag")), "{path}");
        walked += 1;
    }
    assert_eq!(walked, 6, "PATCH of three, PUT of the policy, DELETE of the group and of the member");
    // With the tag that was read they do what they say.
    let source = format!("/api/v1/sources/{}", ids.source);
    let tag = tag_of(&tenant, &source).await;
    let changed = send(&tenant, Method::PATCH, &source, &tag, &json!({ "plain_discovery": true })).await.expect(200);
    assert_eq!(changed.at("/plain_discovery"), &json!(true));
    assert_ne!(tag_of(&tenant, &source).await, tag);
    send(&tenant, Method::PATCH, &source, &tag, &json!({ "plain_discovery": false })).await.expect_problem(412);
    send(&tenant, Method::PATCH, &source, "*", &json!({ "plain_discovery": false })).await.expect(200);
    // The source feeds the group: the version is right, and the state is not.
    let group = format!("/api/v1/groups/{}", ids.sharing_group);
    let tag = tag_of(&tenant, &group).await;
    send(&tenant, Method::DELETE, &group, &tag, &Value::Null).await.expect_problem(409);
    let nobody = format!("/api/v1/members/{}", unknown_id());
    send(&tenant, Method::PATCH, &nobody, &tag, &json!({ "billing_contact": true })).await.expect_problem(404);
}

/// The check and the write are one transaction.
async fn of_many_writers_of_one_version_one_wins(hub: Hub) {
    let (tenant, ids) = company(&hub).await;
    for (path, body) in [
        (format!("/api/v1/members/{}", ids.member), "billing_contact"),
        (format!("/api/v1/sources/{}", ids.source), "plain_discovery"),
    ] {
        let tag = tag_of(&tenant, &path).await;
        let body = json!({ body: true });
        let writers = (0..8).map(|_| send(&tenant, Method::PATCH, &path, &tag, &body));
        let answers = futures_util::future::join_all(writers).await;
        let won = answers.iter().filter(|answer| answer.status == 200).count();
        let outdated = answers.iter().filter(|answer| answer.check_problem(412).is_ok()).count();
        assert_eq!((won, outdated), (1, 7), "{path}: {:?}", answers.iter().map(Answer::describe).collect::<Vec<_>>());
    }
}

async fn a_write_that_has_no_version_takes_no_if_match(hub: Hub) {
    let (tenant, ids) = company(&hub).await;
    let tag = tag_of(&tenant, "/api/v1/policy").await;
    for (method, path) in [
        (Method::POST, format!("/api/v1/members/{}/block", ids.member)),
        (Method::POST, "/api/v1/sources".to_owned()),
        (Method::DELETE, format!("/api/v1/api-keys/{}", unknown_id())),
    ] {
        let refused = send(&tenant, method, &path, &tag, &json!({})).await.expect_problem(400);
        assert!(refused.text_at("/detail").contains("If-Match"), "{}", refused.describe());
    }
    let several = format!("{tag}, \"00000000000000000000000000000001\"");
    let body = json!({ "policy": {} });
    let refused = send(&tenant, Method::PATCH, "/api/v1/policy", &several, &body).await.expect_problem(400);
    assert!(refused.text_at("/detail").contains("one ETag"), "{}", refused.describe());
    assert_eq!(tenant.member(&email("ann")).await.unwrap().status, "active");
}
