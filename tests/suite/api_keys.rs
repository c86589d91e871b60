//! API keys by REST: roles, permissions, rotation, and what a key may not make.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::verbs::within;

pub(crate) fn cases() -> Vec<Case> {
    cases![
        keys_are_made_listed_and_never_shown_again,
        a_key_does_what_it_has_permission_for,
        no_key_makes_a_stronger_one,
        a_rotated_key_works_on_for_its_overlap,
        a_revoked_key_is_refused_within_a_second,
        an_expired_key_is_told_so,
        the_log_names_the_key,
        wrong_keys_are_refused_with_a_reason,
    ]
}

fn with_key(tenant: &Tenant, key: &str) -> Tenant {
    Tenant { key: key.to_owned(), ..tenant.clone() }
}

async fn keys(tenant: &Tenant) -> Vec<Value> {
    let listed = tenant.get("/api/v1/api-keys?order=desc").await.expect(200);
    listed.at("/items").as_array().cloned().unwrap_or_default()
}

async fn keys_are_made_listed_and_never_shown_again(hub: Hub) {
    let tenant = hub.tenant().create();
    let body = json!({ "name": "dashboard", "role": "admin", "permissions": ["read", "runs"],
        "expires_at": "2099-01-01T00:00:00Z" });
    let made = tenant.post("/api/v1/api-keys", &body).await.expect(201);
    let key = made.text_at("/key");
    with_key(&tenant, &key).get("/api/v1/members").await.expect(200);
    let listed = keys(&tenant).await;
    let one = listed.iter().find(|one| one["id"] == made.text_at("/id").as_str()).expect("the new key");
    assert_eq!((&one["name"], &one["role"]), (&json!("dashboard"), &json!("admin")), "{one}");
    assert_eq!((&one["permissions"], &one["prefix"]), (&json!(["read", "runs"]), &json!(key[..8])), "{one}");
    assert!(!Value::Array(listed).to_string().contains(&key), "the secret is shown");
    let session = with_key(&tenant, &key).get("/api/v1/session").await.expect(200);
    assert_eq!(session.at("/permissions"), &json!(["read", "runs"]), "{}", session.describe());
}

async fn a_key_does_what_it_has_permission_for(hub: Hub) {
    let tenant = hub.tenant().create();
    let body = json!({ "role": "owner", "permissions": ["policy"] });
    let key = tenant.post("/api/v1/api-keys", &body).await.expect(201).text_at("/key");
    let key = with_key(&tenant, &key);
    let refused = key.get("/api/v1/members").await.expect_problem(403);
    assert_eq!(refused.text_at("/code"), "not_permitted");
    assert!(refused.text_at("/detail").contains("`read`"), "{}", refused.describe());
    key.post("/api/v1/sources", &json!({})).await.expect_problem(403);
    key.post("/api/v1/api-keys", &json!({ "role": "member" })).await.expect_problem(403);
    let member = json!({ "role": "member" });
    let member = tenant.post("/api/v1/api-keys", &member).await.expect(201);
    assert_eq!(member.at("/permissions"), &json!(["read"]), "{}", member.describe());
    let policy = json!({ "hold_time_hours": 1 });
    let answer = key.send(Method::PATCH, "/api/v1/policy", Some(&policy)).await;
    assert!(matches!(answer.status, 200 | 400), "a policy is the key's to change: {}", answer.describe());
}

async fn no_key_makes_a_stronger_one(hub: Hub) {
    let tenant = hub.tenant().create();
    let make = async |by: &Tenant, body: Value| by.post("/api/v1/api-keys", &body).await;
    let admin = make(&tenant, json!({ "role": "admin" })).await.expect(201);
    let admin = with_key(&tenant, &admin.text_at("/key"));
    make(&admin, json!({ "role": "owner" })).await.expect_problem(403);
    let narrow = make(&admin, json!({ "role": "admin", "permissions": ["access", "read"] })).await.expect(201);
    let narrow = with_key(&tenant, &narrow.text_at("/key"));
    make(&narrow, json!({ "role": "admin", "permissions": ["read", "runs"] })).await.expect_problem(403);
    make(&narrow, json!({ "role": "admin" })).await.expect_problem(403);
    make(&narrow, json!({ "role": "member" })).await.expect(201);
    // Nor by the rotation of one that exists.
    let owners = keys(&tenant).await.into_iter().find(|key| key["role"] == "owner").expect("the first key");
    let path = format!("/api/v1/api-keys/{}/rotate", owners["id"].as_str().unwrap_or_default());
    admin.post(&path, &json!({})).await.expect_problem(403);
    // Nor does one end a stronger one.
    let path = path.trim_end_matches("/rotate");
    admin.send(Method::DELETE, path, None).await.expect_problem(403);
    tenant.get("/api/v1/session").await.expect(200);
}

async fn a_rotated_key_works_on_for_its_overlap(hub: Hub) {
    let tenant = hub.tenant().create();
    let body = json!({ "name": "sync", "role": "admin", "permissions": ["read"] });
    let old = tenant.post("/api/v1/api-keys", &body).await.expect(201);
    let path = format!("/api/v1/api-keys/{}/rotate", old.id());
    let new = tenant.post(&path, &json!({ "overlap_seconds": 3600 })).await.expect(201);
    assert_eq!(new.at("/replaces/id"), old.id().as_str(), "{}", new.describe());
    for key in [old.text_at("/key"), new.text_at("/key")] {
        let session = with_key(&tenant, &key).get("/api/v1/session").await.expect(200);
        assert_eq!((session.at("/role"), session.at("/permissions")), (&json!("admin"), &json!(["read"])));
    }
    let path = format!("/api/v1/api-keys/{}/rotate", new.id());
    tenant.post(&path, &json!({ "overlap_seconds": 0 })).await.expect(201);
    within(Duration::from_secs(1), "a key without overlap has ended", async || {
        let answer = with_key(&tenant, &new.text_at("/key")).get("/api/v1/session").await;
        if answer.status == 401 { Ok(()) } else { Err(answer.describe()) }
    })
    .await;
    let other = hub.tenant().create();
    other.post(&path, &json!({})).await.expect_problem(404);
}

async fn a_revoked_key_is_refused_within_a_second(hub: Hub) {
    let tenant = hub.tenant().create();
    let made = tenant.post("/api/v1/api-keys", &json!({ "role": "member" })).await.expect(201);
    let key = with_key(&tenant, &made.text_at("/key"));
    key.get("/api/v1/members").await.expect(200);
    let path = format!("/api/v1/api-keys/{}", made.id());
    hub.tenant().create().send(Method::DELETE, &path, None).await.expect_problem(404);
    tenant.send(Method::DELETE, &path, None).await.expect(204);
    within(Duration::from_secs(1), "a revoked key is refused", async || {
        let answer = key.get("/api/v1/members").await;
        if answer.status == 401 { Ok(()) } else { Err(answer.describe()) }
    })
    .await;
    tenant.send(Method::DELETE, &path, None).await.expect(204);
}

async fn an_expired_key_is_told_so(hub: Hub) {
    let tenant = hub.tenant().create();
    let made =
        hub.json_command(&["api-key", "create", "--tenant", &tenant.slug, "--role", "member", "--expires-in", "1s"]);
    let key = with_key(&tenant, made["key"].as_str().unwrap());
    within(Duration::from_secs(3), "the key has expired", async || {
        let answer = key.get("/api/v1/session").await;
        let said = answer.at("/detail").as_str().is_some_and(|detail| detail.contains("expired"));
        if answer.status == 401 && said { Ok(()) } else { Err(answer.describe()) }
    })
    .await;
}

async fn the_log_names_the_key(hub: Hub) {
    let tenant = hub.tenant().create();
    let made = tenant.post("/api/v1/api-keys", &json!({ "role": "owner", "name": "nightly job" })).await.expect(201);
    let job = with_key(&tenant, &made.text_at("/key"));
    job.post("/api/v1/api-keys", &json!({ "role": "member" })).await.expect(201);
    let events = tenant.get("/api/v1/audit-events?kind=credential.created&order=desc&limit=1").await.expect(200);
    assert_eq!(events.at("/items/0/actor"), &json!(format!("api_key:{}", made.id())), "{}", events.describe());
    assert_eq!(events.at("/items/0/actor_name"), "nightly job", "{}", events.describe());
}

async fn wrong_keys_are_refused_with_a_reason(hub: Hub) {
    let tenant = hub.tenant().create();
    let refuse = async |body: Value| -> Answer { tenant.post("/api/v1/api-keys", &body).await.expect_problem(400) };
    for (body, said) in [
        (json!({}), "role"),
        (json!({ "role": "king" }), "owner"),
        (json!({ "role": "admin", "permissions": ["write"] }), "read"),
        (json!({ "role": "member", "expires_at": "2020-01-01T00:00:00Z" }), "future"),
        (json!({ "role": "member", "name": "x".repeat(201) }), "200 characters"),
        (json!({ "role": "member", "scopes": [] }), "scopes"),
        (json!({ "role": "member", "permissions": ["runs"] }), "read"),
        (json!({ "role": "admin", "permissions": [] }), "leave them out"),
    ] {
        let answer = refuse(body).await;
        assert!(answer.text_at("/detail").contains(said), "{said}: {}", answer.describe());
    }
}
