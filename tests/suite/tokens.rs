//! Tokens of a source by REST: several, with names and expiry, rotated without a gap, revoked within a second.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::deployment::Combination;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::verbs::{ScimSource, eventually, unknown_id, within};

pub(crate) fn cases() -> Vec<Case> {
    let timed = cases![a_revoked_token_is_refused_within_a_second_by_every_process];
    let everywhere = cases![
        tokens_are_made_listed_and_never_shown_again,
        a_rotated_token_works_on_for_its_overlap,
        a_rotation_without_overlap_ends_the_old_token,
        a_rotated_token_keeps_the_length_of_its_life,
        a_replaced_token_or_key_is_not_rotated_again,
        a_revoked_token_is_refused_within_a_second,
        the_last_use_of_a_token_is_shown,
        wrong_tokens_are_refused_with_a_reason,
        the_sources_of_a_tenant_are_listed,
        only_admins_change_tokens,
    ];
    everywhere.into_iter().chain(timed.into_iter().map(|case| case.only_on(Combination::Full).alone())).collect()
}

async fn send(tenant: &Tenant, method: Method, path: &str, body: Option<&Value>) -> Answer {
    let request =
        tenant.hub.http().request(method, format!("{}{path}", tenant.hub.people_url())).bearer_auth(&tenant.key);
    Answer::of(match body {
        Some(body) => request.json(body),
        None => request,
    })
    .await
}

fn with_token(source: &ScimSource, token: &str) -> ScimSource {
    ScimSource { token: token.to_owned(), ..source.clone() }
}

/// The tokens of a source, the oldest first. They are read from the newest on, because an ascending list ends before the oldest
/// open transaction, and a new token may be missing from it for a moment.
async fn tokens(tenant: &Tenant, source: &ScimSource) -> Vec<Value> {
    let listed = tenant.get(&format!("/api/v1/sources/{}/tokens?order=desc", source.id)).await.expect(200);
    assert!(!listed.text.contains(&source.token), "a secret is shown: {}", listed.describe());
    listed.at("/items").as_array().into_iter().flatten().rev().cloned().collect()
}

async fn tokens_are_made_listed_and_never_shown_again(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let path = format!("/api/v1/sources/{}/tokens", source.id);
    let made =
        tenant.post(&path, &json!({ "name": "Okta, new", "expires_at": "2099-01-01T00:00:00Z" })).await.expect(201);
    let token = made.text_at("/token");
    assert!(token.starts_with("rcs_"), "a prefix for secret scanners: {token}");
    with_token(&source, &token).get("/Users").await.expect(200);
    source.get("/Users").await.expect(200);
    let listed = tokens(&tenant, &source).await;
    assert_eq!(listed.len(), 2, "{listed:?}");
    let listed = listed.iter().find(|one| one["id"] == made.text_at("/id").as_str()).expect("the new one");
    assert_eq!((&listed["name"], &listed["prefix"]), (&json!("Okta, new"), &json!(token[..8])), "{listed}");
    assert!(listed["expires_at"].as_str().is_some_and(|end| end.starts_with("2099-01-01")), "{listed}");
    assert!(!listed.to_string().contains(&token), "{listed}");
    // A request without a body makes a token without a name that never expires.
    send(&tenant, Method::POST, &path, None).await.expect(201);
}

async fn a_rotated_token_works_on_for_its_overlap(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let old = source.token_id.clone().unwrap();
    let path = format!("/api/v1/sources/{}/tokens/{old}/rotate", source.id);
    let made = tenant.post(&path, &json!({ "overlap_seconds": 3600 })).await.expect(201);
    assert_eq!(made.text_at("/replaces/id"), old, "{}", made.describe());
    with_token(&source, &made.text_at("/token")).get("/Users").await.expect(200);
    source.get("/Users").await.expect(200);
    let listed = tokens(&tenant, &source).await;
    let listed = listed.iter().find(|one| one["id"] == old.as_str()).expect("the old one");
    assert!(listed["expires_at"].is_string() && listed["revoked_at"].is_null(), "{listed}");
}

async fn a_rotation_without_overlap_ends_the_old_token(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    source.get("/Users").await.expect(200);
    let path = format!("/api/v1/sources/{}/tokens/{}/rotate", source.id, source.token_id.as_deref().unwrap());
    let made = tenant.post(&path, &json!({ "overlap_seconds": 0 })).await.expect(201);
    refused_soon(&source).await;
    with_token(&source, &made.text_at("/token")).get("/Users").await.expect(200);
    tenant.post(&path, &json!({})).await.expect_problem(404);
}

async fn a_rotated_token_keeps_the_length_of_its_life(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let tokens = format!("/api/v1/sources/{}/tokens", source.id);
    let rotate = async |ends: Value, asked: Value| {
        let made = tenant.post(&tokens, &json!({ "expires_at": ends })).await.expect(201);
        let rotated = tenant.post(&format!("{tokens}/{}/rotate", made.text_at("/id")), &asked).await.expect(201);
        rotated.json["expires_at"].clone()
    };
    let kept = rotate(json!("2099-01-01T00:00:00Z"), json!({})).await;
    assert!(kept.as_str().is_some_and(|end| end.starts_with("2099-01-01")), "{kept}");
    assert_eq!(rotate(Value::Null, json!({})).await, Value::Null);
    assert_eq!(rotate(json!("2099-01-01T00:00:00Z"), json!({ "expires_at": null })).await, Value::Null);
    let given = rotate(json!("2099-01-01T00:00:00Z"), json!({ "expires_at": "2098-01-01T00:00:00Z" })).await;
    assert!(given.as_str().is_some_and(|end| end.starts_with("2098-01-01")), "{given}");
}

/// The end of a replaced credential is the overlap's: rotated again, it would give one that ends as soon.
async fn a_replaced_token_or_key_is_not_rotated_again(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let of_tokens = format!("/api/v1/sources/{}/tokens", source.id);
    for list in [of_tokens.as_str(), "/api/v1/api-keys"] {
        let new = if list == of_tokens { json!({}) } else { json!({ "role": "admin" }) };
        let old = tenant.post(list, &new).await.expect(201).text_at("/id");
        let rotated = tenant.post(&format!("{list}/{old}/rotate"), &json!({})).await.expect(201);
        let new = rotated.text_at("/id");
        let again = tenant.post(&format!("{list}/{old}/rotate"), &json!({})).await.expect_problem(409);
        assert!(again.text_at("/detail").contains(&new), "the one in its place: {}", again.describe());
        let listed = tenant.get(&format!("{list}?order=desc")).await.expect(200);
        let listed = listed.at("/items").as_array().cloned().unwrap_or_default();
        let of = |id: &str| listed.iter().find(|one| one["id"] == id).expect("listed").clone();
        assert_eq!((&of(&old)["replaced_by"], &of(&new)["replaced_by"]), (&json!(new), &Value::Null), "{listed:?}");
        assert!(of(&old)["created_by"].as_str().is_some_and(|by| by.starts_with("api_key:")), "{listed:?}");
        let third = tenant.post(&format!("{list}/{new}/rotate"), &json!({})).await.expect(201);
        assert_eq!(third.json["expires_at"], Value::Null, "as long a life as the first: {}", third.describe());
    }
}

/// One second is promised; the rest is slack for this machine.
async fn refused_soon(source: &ScimSource) {
    within(Duration::from_secs(3), "the token is refused", async || match source.get("/Users").await {
        answer if answer.status == 401 => Ok(()),
        answer => Err(answer.describe()),
    })
    .await;
}

async fn a_revoked_token_is_refused_within_a_second(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    source.get("/Users").await.expect(200);
    let path = format!("/api/v1/sources/{}/tokens/{}", source.id, source.token_id.as_deref().unwrap());
    send(&tenant, Method::DELETE, &path, None).await.expect(204);
    refused_soon(&source).await;
    // A client that got no answer repeats the request and gets the same result.
    send(&tenant, Method::DELETE, &path, None).await.expect(204);
    assert!(tokens(&tenant, &source).await[0]["revoked_at"].is_string());
}

/// Three processes that serve SCIM have the token in their caches; none of them made or revoked it.
async fn a_revoked_token_is_refused_within_a_second_by_every_process(hub: Hub) {
    let hub = hub.another().apart(0).start().await;
    let others = [hub.add_ingest().await, hub.add_ingest().await];
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let through = |url: &String| ScimSource { base: format!("{url}/scim/v2/{}", source.id), ..source.clone() };
    let doors: Vec<ScimSource> = others.iter().map(through).chain([source.clone()]).collect();
    for round in 0..3 {
        let made = tenant.post(&format!("/api/v1/sources/{}/tokens", source.id), &json!({})).await.expect(201);
        let doors: Vec<ScimSource> = doors.iter().map(|door| with_token(door, &made.text_at("/token"))).collect();
        for door in &doors {
            door.get("/Users?count=1").await.expect(200);
        }
        let path = format!("/api/v1/sources/{}/tokens/{}", source.id, made.text_at("/id"));
        send(&tenant, Method::DELETE, &path, None).await.expect(204);
        let revoked = Instant::now();
        join_all(doors.iter().map(async |door| {
            // The time of sending counts, not the time that this machine took to answer.
            let mut sent = revoked.elapsed();
            while door.get("/Users?count=1").await.status != 401 {
                assert!(sent <= Duration::from_secs(1), "round {round}: still taken {sent:?} after the revocation");
                // A pace that does not use up the source's rate tokens.
                tokio::time::sleep(Duration::from_millis(20)).await;
                sent = revoked.elapsed();
            }
        }))
        .await;
    }
    source.get("/Users").await.expect(200);
}

async fn the_last_use_of_a_token_is_shown(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    assert!(tokens(&tenant, &source).await[0]["last_used_at"].is_null());
    source.get("/Users").await.expect(200);
    eventually("the token's last use is written", async || match tokens(&tenant, &source).await {
        tokens if tokens[0]["last_used_at"].is_string() => Ok(()),
        tokens => Err(format!("{tokens:?}")),
    })
    .await;
    let listed = tenant.get(&format!("/api/v1/sources/{}", source.id)).await.expect(200);
    assert!(listed.at("/last_used_at").is_string(), "{}", listed.describe());
}

async fn wrong_tokens_are_refused_with_a_reason(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let path = format!("/api/v1/sources/{}/tokens", source.id);
    tenant.post(&path, &json!({ "expires_at": "2001-01-01T00:00:00Z" })).await.expect_problem(400);
    tenant.post(&path, &json!({ "expires_at": "soon" })).await.expect_problem(400);
    tenant.post(&path, &json!({ "shoe": 1 })).await.expect_problem(400);
    tenant.post(&path, &json!({ "name": "x".repeat(201) })).await.expect_problem(400);
    tenant.post(&format!("{path}/{}/rotate", unknown_id()), &json!({})).await.expect_problem(404);
    send(&tenant, Method::DELETE, &format!("{path}/{}", unknown_id()), None).await.expect_problem(404);
    // The tenant's API key is a credential too, but not of this source.
    let other = hub.tenant().create();
    let path = format!("/api/v1/sources/{}/tokens/{}", source.id, source.token_id.as_deref().unwrap());
    send(&other, Method::DELETE, &path, None).await.expect_problem(404);
    source.get("/Users").await.expect(200);
}

async fn the_sources_of_a_tenant_are_listed(hub: Hub) {
    let tenant = hub.tenant().create();
    let live = tenant.new_source().argument("--name").argument("Okta").create();
    let other = tenant.new_source().argument("--mode").argument("simulate").create();
    let listed = tenant.get("/api/v1/sources").await.expect(200);
    let items = listed.at("/items").as_array().cloned().unwrap_or_default();
    let row = |id: &str| items.iter().find(|one| one["id"] == id).cloned().unwrap_or_default();
    assert_eq!(items.len(), 2, "{}", listed.describe());
    let live = row(&live.id);
    assert_eq!(
        (&live["name"], &live["kind"], &live["mode"]),
        (&json!("Okta"), &json!("scim"), &json!("live")),
        "{live}"
    );
    assert_eq!(row(&other.id)["mode"], "simulate");
}

async fn only_admins_change_tokens(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let key = hub.json_command(&["api-key", "create", "--tenant", &tenant.slug, "--role", "member"]);
    let reader = Tenant { key: key["key"].as_str().unwrap_or_default().to_owned(), ..tenant.clone() };
    let path = format!("/api/v1/sources/{}/tokens", source.id);
    reader.get(&path).await.expect(200);
    reader.post(&path, &json!({})).await.expect_problem(403);
    let path = format!("{path}/{}", source.token_id.as_deref().unwrap());
    send(&reader, Method::DELETE, &path, None).await.expect_problem(403);
}
