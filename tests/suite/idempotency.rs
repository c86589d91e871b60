//! `Idempotency-Key`: a POST that is sent twice runs once.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use crate::answer::Answer;
use crate::hub::Hub;
use crate::person::{CSRF, Person};
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::verbs::{ScimSource, eventually, unknown_id};

const A_WHILE: Duration = Duration::from_secs(20);

pub(crate) fn cases() -> Vec<Case> {
    cases![
        a_post_that_is_repeated_runs_once_and_shows_no_secret_again,
        of_many_at_once_one_runs,
        a_key_is_for_one_request_of_one_caller,
        a_refusal_is_kept_when_a_repetition_would_be_refused_too,
        refusals_of_a_state_are_not_kept,
        a_caller_who_goes_away_leaves_the_work_and_its_answer,
        an_answer_that_is_too_large_is_not_kept,
        a_preview_takes_no_key,
        keys_that_cannot_be_are_refused,
    ]
}

fn company(hub: &Hub) -> (Tenant, ScimSource) {
    let tenant = hub.tenant().owner("boss@acme.example").create();
    let source = tenant.scim_source();
    (tenant, source)
}

async fn post(tenant: &Tenant, path: &str, key: &str, body: &Value) -> Answer {
    let url = format!("{}{path}", tenant.hub.people_url());
    let request = tenant.hub.http().post(url).bearer_auth(&tenant.key).header("idempotency-key", key);
    Answer::of(request.json(body)).await
}

/// The tokens of a source are these, and no other comes. A list shows a row once no older transaction of the cluster is open.
async fn expect_tokens(tenant: &Tenant, source: &ScimSource, expected: &[&str]) {
    let path = format!("/api/v1/sources/{}/tokens", source.id);
    eventually("the tokens are listed", async || {
        let tokens = tenant.get(&path).await.expect(200);
        let names: Vec<&str> =
            tokens.at("/items").as_array().unwrap().iter().filter_map(|token| token["name"].as_str()).collect();
        if names == expected { Ok(()) } else { Err(tokens.describe()) }
    })
    .await;
}

async fn a_post_that_is_repeated_runs_once_and_shows_no_secret_again(hub: Hub) {
    let (tenant, source) = company(&hub);
    let path = format!("/api/v1/sources/{}/tokens", source.id);
    let key = unknown_id().to_string();
    let first = post(&tenant, &path, &key, &json!({ "name": "once" })).await.expect(201);
    assert!(first.text_at("/token").starts_with("rcs_") && first.header("idempotency-replayed").is_empty());
    for _ in 0..2 {
        let again = post(&tenant, &path, &key, &json!({ "name": "once" })).await.expect(201);
        assert_eq!((again.header("idempotency-replayed"), again.at("/id")), ("true", first.at("/id")));
        assert!(again.at("/token").is_null() && !again.text.contains("rcs_"), "{}", again.describe());
    }
    expect_tokens(&tenant, &source, &["", "once"]).await;
    let made = post(&tenant, &path, &unknown_id().to_string(), &json!({ "name": "once" })).await.expect(201);
    assert_ne!(made.at("/id"), first.at("/id"), "another key is another request");
    // The answer without a secret is the same, byte for byte.
    let body = json!({ "member_ids": [unknown_id()] });
    let key = unknown_id().to_string();
    let one = post(&tenant, "/api/v1/members/block", &key, &body).await.expect(200);
    let other = post(&tenant, "/api/v1/members/block", &key, &body).await.expect(200);
    assert_eq!((&one.text, one.content_type()), (&other.text, other.content_type()));
}

async fn of_many_at_once_one_runs(hub: Hub) {
    let (tenant, source) = company(&hub);
    let path = format!("/api/v1/sources/{}/tokens", source.id);
    let key = unknown_id().to_string();
    let body = json!({ "name": "racing" });
    let answers = join_all((0..12).map(|_| post(&tenant, &path, &key, &body))).await;
    let ran = answers.iter().filter(|answer| answer.status == 201 && answer.header("idempotency-replayed").is_empty());
    assert_eq!(ran.count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.check_problem(409).unwrap();
        assert_eq!(answer.text_at("/code"), "still_running");
    }
    let ids: BTreeSet<String> =
        answers.iter().filter(|answer| answer.status == 201).map(|answer| answer.text_at("/id")).collect();
    assert_eq!(ids.len(), 1);
    expect_tokens(&tenant, &source, &["", "racing"]).await;
}

async fn a_key_is_for_one_request_of_one_caller(hub: Hub) {
    let (tenant, source) = company(&hub);
    let path = format!("/api/v1/sources/{}/tokens", source.id);
    let key = unknown_id().to_string();
    post(&tenant, &path, &key, &json!({ "name": "one" })).await.expect(201);
    for (path, body) in [(path.as_str(), json!({ "name": "two" })), ("/api/v1/api-keys", json!({ "name": "one" }))] {
        let refused = post(&tenant, path, &key, &body).await.expect_problem(422);
        assert_eq!(refused.text_at("/code"), "key_reused");
    }
    let second = hub.json_command(&["api-key", "create", "--tenant", &tenant.slug, "--role", "owner"]);
    let second = Tenant { key: second["key"].as_str().unwrap().to_owned(), ..tenant.clone() };
    post(&second, &path, &key, &json!({ "name": "two" })).await.expect(201);
    let (other, theirs) = company(&hub);
    post(&other, &format!("/api/v1/sources/{}/tokens", theirs.id), &key, &json!({ "name": "one" })).await.expect(201);
    let boss = Person::sign_in(&tenant, "boss@acme.example").await;
    let by_person = async || {
        let request = boss.request(reqwest::Method::POST, &path).header("idempotency-key", &key);
        Answer::of(request.header(CSRF.0, CSRF.1).json(&json!({ "name": "three" }))).await
    };
    let made = by_person().await.expect(201);
    assert_eq!(by_person().await.expect(201).at("/id"), made.at("/id"));
    expect_tokens(&tenant, &source, &["", "one", "two", "three"]).await;
}

async fn a_refusal_is_kept_when_a_repetition_would_be_refused_too(hub: Hub) {
    let (tenant, source) = company(&hub);
    let path = format!("/api/v1/sources/{}/tokens", source.id);
    let key = unknown_id().to_string();
    let wrong = json!({ "name": 7 });
    let first = post(&tenant, &path, &key, &wrong).await.expect_problem(400);
    let again = post(&tenant, &path, &key, &wrong).await.expect_problem(400);
    assert_eq!((&again.text, again.header("idempotency-replayed")), (&first.text, "true"));
    // A caller who may not is refused before the key is looked at, and a key that ran nothing is free.
    let reader = hub.json_command(&["api-key", "create", "--tenant", &tenant.slug, "--role", "member"]);
    let reader = Tenant { key: reader["key"].as_str().unwrap().to_owned(), ..tenant.clone() };
    for _ in 0..2 {
        let refused = post(&reader, &path, &unknown_id().to_string(), &json!({})).await.expect_problem(403);
        assert!(refused.header("idempotency-replayed").is_empty());
    }
    let stranger = Tenant { key: "rck_unknown".to_owned(), ..tenant.clone() };
    post(&stranger, &path, &key, &wrong).await.expect_problem(401);
    let key = unknown_id().to_string();
    let large = json!({ "name": "x".repeat(70_000) });
    post(&tenant, &path, &key, &large).await.expect_problem(413);
    assert!(post(&tenant, &path, &key, &large).await.expect_problem(413).header("idempotency-replayed").is_empty());
}

/// A repetition may find another state: it runs.
async fn refusals_of_a_state_are_not_kept(hub: Hub) {
    let (tenant, _) = company(&hub);
    let unknown = unknown_id();
    let key = unknown_id().to_string();
    let path = format!("/api/v1/members/{unknown}/block");
    for _ in 0..2 {
        let refused = post(&tenant, &path, &key, &json!({})).await.expect_problem(404);
        assert!(refused.header("idempotency-replayed").is_empty());
    }
    let boss = tenant.member("boss@acme.example").await.unwrap().id;
    let key = unknown_id().to_string();
    for _ in 0..2 {
        let refused = post(&tenant, &format!("/api/v1/members/{boss}/approve"), &key, &json!({})).await;
        assert!(refused.expect_problem(409).header("idempotency-replayed").is_empty());
    }
}

/// The hub asks a name server, which is slow to answer; the caller does not wait.
async fn a_caller_who_goes_away_leaves_the_work_and_its_answer(hub: Hub) {
    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let asked_at = server.local_addr().unwrap().to_string();
    let hub = hub.another().setting("ROLLCALL_SIGN_IN_DNS_SERVER", &asked_at).start().await;
    let (tenant, _) = company(&hub);
    let made = tenant.post("/api/v1/domains", &json!({ "domain": "acme.example" })).await.expect(201);
    let path = format!("/api/v1/domains/{}/check", made.text_at("/id"));
    let key = unknown_id().to_string();
    let host = hub.people_url().trim_start_matches("http://").to_owned();
    let mut caller = TcpStream::connect(&host).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {}\r\nidempotency-key: {key}\r\n\
         content-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}",
        tenant.key
    );
    caller.write_all(head.as_bytes()).await.unwrap();
    let mut query = vec![0; 4096];
    let (length, from) = timeout(A_WHILE, server.recv_from(&mut query)).await.expect("a question").unwrap();
    caller.shutdown().await.unwrap();
    let mut answer = Vec::new();
    let closed = timeout(A_WHILE, caller.read_to_end(&mut answer)).await;
    assert!(closed.is_ok() && answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
    let early = post(&tenant, &path, &key, &json!({})).await.expect_problem(409);
    assert_eq!(early.text_at("/code"), "still_running");
    // There is no such name.
    query.truncate(length);
    (query[2], query[3]) = (0x81, 0x83);
    server.send_to(&query, from).await.unwrap();
    let kept = eventually("the answer is kept", async || {
        let again = post(&tenant, &path, &key, &json!({})).await;
        if again.status == 409 { Err(again.describe()) } else { Ok(again) }
    })
    .await;
    assert_eq!(kept.expect(200).header("idempotency-replayed"), "true");
}

async fn an_answer_that_is_too_large_is_not_kept(hub: Hub) {
    let (tenant, _) = company(&hub);
    let body = json!({ "member_ids": (0..1_000).map(|_| unknown_id()).collect::<Vec<_>>() });
    let key = unknown_id().to_string();
    let first = post(&tenant, "/api/v1/members/block", &key, &body).await.expect(200);
    assert!(first.text.len() > 64 * 1024, "{} bytes", first.text.len());
    let again = post(&tenant, "/api/v1/members/block", &key, &body).await.expect_problem(409);
    assert_eq!(again.text_at("/code"), "answer_not_kept", "{}", again.describe());
    assert!(again.text_at("/detail").contains("answered with 200"), "{}", again.describe());
}

async fn a_preview_takes_no_key(hub: Hub) {
    let (tenant, source) = company(&hub);
    source.users(&["ann"]).await;
    let key = unknown_id().to_string();
    let preview = async |name: &str| {
        let mapping = json!({ "display_name": format!("'{name}'") });
        let body = json!({ "source_id": source.id, "mapping": mapping, "sample": 1 });
        post(&tenant, "/api/v1/policy/mapping/preview", &key, &body).await.expect(200)
    };
    for name in ["one", "two"] {
        let shown = preview(name).await;
        assert_eq!(shown.at("/items/0/display_name"), &json!(name), "{}", shown.describe());
        assert!(shown.header("idempotency-replayed").is_empty());
    }
}

async fn keys_that_cannot_be_are_refused(hub: Hub) {
    let (tenant, source) = company(&hub);
    let path = format!("/api/v1/sources/{}/tokens", source.id);
    for key in ["", "   ", &"x".repeat(256)] {
        let refused = post(&tenant, &path, key, &json!({})).await.expect_problem(400);
        assert!(refused.text_at("/detail").contains("Idempotency-Key"), "{}", refused.describe());
    }
    let url = format!("{}{path}", hub.people_url());
    let twice =
        hub.http().post(&url).bearer_auth(&tenant.key).header("idempotency-key", "a").header("idempotency-key", "b");
    Answer::of(twice.json(&json!({}))).await.expect_problem(400);
    let read = hub.http().get(&url).bearer_auth(&tenant.key).header("idempotency-key", "a");
    assert!(Answer::of(read).await.expect(200).at("/items").is_array(), "a GET needs none");
}
