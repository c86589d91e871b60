//! The dialect ledger: departures of an identity provider from the RFC are counted and explained, and requests that could not be
//! parsed are kept for a while, shown without names, and can be replayed.

use reqwest::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::verbs::{ScimSource, email, eventually, operation, person, unknown_id, with};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        rc13_quirks_are_counted_by_source_and_day_with_advice,
        a_source_that_speaks_plainly_has_an_empty_ledger,
        a_rejected_request_is_shown_without_what_people_are_called,
        a_replay_that_is_still_not_understood_says_why,
        rc13_a_replay_never_undoes_what_was_said_later,
        passwords_are_never_kept,
        an_operation_of_a_bulk_is_rejected_by_itself,
        a_source_keeps_a_hundred_rejected_requests_at_most,
        what_was_understood_and_refused_is_not_kept,
    ]
}

async fn ledger(tenant: &Tenant, source: &ScimSource) -> Answer {
    tenant.get(&format!("/api/v1/sources/{}/dialect", source.id)).await.expect(200)
}

async fn rejected(tenant: &Tenant, source: &ScimSource) -> Vec<Value> {
    tenant.list(&format!("/api/v1/sources/{}/rejected", source.id)).await
}

pub(crate) async fn eventually_rejected(tenant: &Tenant, source: &ScimSource, count: usize) -> Vec<Value> {
    eventually(&format!("{count} rejected requests are kept"), async || match rejected(tenant, source).await {
        kept if kept.len() == count => Ok(kept),
        kept => Err(format!("{kept:#?}")),
    })
    .await
}

async fn replay(tenant: &Tenant, source: &ScimSource, rejected: &Value) -> Answer {
    let id = rejected["id"].as_str().unwrap_or_default();
    tenant.post(&format!("/api/v1/sources/{}/rejected/{id}/replay", source.id), &json!({})).await
}

fn count(ledger: &Answer, quirk: &str) -> u64 {
    let quirks = ledger.at("/quirks").as_array().cloned().unwrap_or_default();
    quirks.iter().find(|one| one["quirk"] == quirk).and_then(|one| one["count"].as_u64()).unwrap_or(0)
}

async fn rc13_quirks_are_counted_by_source_and_day_with_advice(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let ann = source.user("ann").await;
    for value in ["False", "True", "False"] {
        source.patch(&format!("/Users/{ann}"), vec![operation("Replace", "active", json!(value))]).await.expect(200);
    }
    source.get("/Users/?filter=userName+eq+%22x%22").await.expect(200);
    let shown = eventually("the ledger counts five requests", async || match ledger(&tenant, &source).await {
        shown if shown.at("/requests") == 5 => Ok(shown),
        shown => Err(shown.describe()),
    })
    .await;
    assert_eq!(count(&shown, "string_boolean"), 3, "{}", shown.describe());
    assert_eq!(count(&shown, "capitalised_op"), 3, "{}", shown.describe());
    assert_eq!(count(&shown, "trailing_slash"), 1, "{}", shown.describe());
    assert!(count(&shown, "plus_for_space") >= 1, "{}", shown.describe());
    let advice = shown.at("/advice").to_string();
    assert!(advice.contains("aadOptscim062020") && advice.contains("3 string booleans"), "{advice}");
    assert!(shown.at("/by_day/0/counts/string_boolean") == 3, "{}", shown.describe());
    tenant.get(&format!("/api/v1/sources/{}/dialect?days=0", source.id)).await.expect_problem(400);
    tenant.get(&format!("/api/v1/sources/{}/dialect", unknown_id())).await.expect_problem(404);
}

async fn a_source_that_speaks_plainly_has_an_empty_ledger(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    source.user("ann").await;
    let shown = eventually("the request is counted", async || match ledger(&tenant, &source).await {
        shown if shown.at("/requests") == 1 => Ok(shown),
        shown => Err(shown.describe()),
    })
    .await;
    assert_eq!((shown.at("/quirks"), shown.at("/advice")), (&json!([]), &json!([])), "{}", shown.describe());
}

async fn a_rejected_request_is_shown_without_what_people_are_called(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let ann = source.user("ann").await;
    let wrong = vec![operation("Replac", "displayName", json!("Ann Example"))];
    source.patch(&format!("/Users/{ann}"), wrong).await.expect_scim_error(400, None);
    source.get("/Users?filter=userName%20is%20%22ann%40acme.example%22").await.expect_scim_error(400, None);
    let body = "{ \"userName\": \"ann@acme.example\", ";
    source.send_text(Method::POST, "/Users", body).await.expect_scim_error(400, None);
    let kept = eventually_rejected(&tenant, &source, 3).await;
    let all = json!(kept).to_string();
    assert!(!all.contains("acme.example") && !all.contains("Ann Example"), "{all}");
    let patch = kept.iter().find(|one| one["method"] == "PATCH").expect("the PATCH");
    assert_eq!(patch["path"], format!("/Users/{ann}"), "{patch}");
    assert_eq!(patch["body"]["Operations"][0]["op"], "Replac", "the shape is what a fix needs: {patch}");
    assert_eq!(patch["answer"]["status"], 400, "{patch}");
    assert!(patch["expires_at"].is_string(), "{patch}");
    let stranger = hub.tenant().create();
    stranger.get(&format!("/api/v1/sources/{}/rejected", source.id)).await.expect_problem(404);
}

async fn a_replay_that_is_still_not_understood_says_why(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    source.post("/Users", &json!({ "displayName": "Nameless" })).await.expect_scim_error(400, None);
    let kept = eventually_rejected(&tenant, &source, 1).await;
    for _ in 0..2 {
        let answer = replay(&tenant, &source, &kept[0]).await.expect(200);
        assert_eq!(
            (answer.at("/replayed"), answer.at("/status")),
            (&json!(false), &json!(400)),
            "{}",
            answer.describe()
        );
        assert!(answer.text_at("/detail").contains("userName"), "{}", answer.describe());
    }
    replay(&tenant, &source, &json!({ "id": unknown_id().to_string() })).await.expect_problem(404);
}

async fn rc13_a_replay_never_undoes_what_was_said_later(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let ann = source.user("ann").await;
    source.put(&format!("/Users/{ann}"), &json!({ "userName": {} })).await.expect_scim_error(400, None);
    source.put(&format!("/Users/{ann}"), &with(person("ann"), json!({ "title": "later" }))).await.expect(200);
    let kept = eventually_rejected(&tenant, &source, 1).await;
    replay(&tenant, &source, &kept[0]).await.expect_problem(409);
    assert_eq!(source.get(&format!("/Users/{ann}")).await.expect(200).at("/title"), "later");
}

async fn passwords_are_never_kept(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    source
        .post("/Users", &json!({ "displayName": "X", "password": "hunter2-hunter2" }))
        .await
        .expect_scim_error(400, None);
    source.send_text(Method::POST, "/Users", "{\"password\":\"hunter2-hunter2\"").await.expect_scim_error(400, None);
    let kept = eventually_rejected(&tenant, &source, 2).await;
    let bodies: Vec<&Value> = kept.iter().map(|one| &one["body"]).collect();
    assert!(bodies.iter().any(|body| body["displayName"].is_string()), "{kept:#?}");
    let whole = bodies.iter().any(|body| body.to_string().contains("password"));
    assert!(!whole, "{kept:#?}");
    let broken =
        kept.iter().find(|one| one["body"].is_null()).expect("what is no JSON and names a password is not kept");
    assert_eq!(broken["replayable"], false, "{broken}");
    replay(&tenant, &source, broken).await.expect_problem(409);
}

async fn an_operation_of_a_bulk_is_rejected_by_itself(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let wrong = json!({ "method": "POST", "path": "/Users", "bulkId": "a", "data": { "displayName": "X" } });
    let right = json!({ "method": "POST", "path": "/Users", "bulkId": "b", "data": person("ann") });
    source.post("/Bulk", &json!({ "Operations": [wrong, right] })).await.expect(200);
    let kept = eventually_rejected(&tenant, &source, 1).await;
    assert_eq!((&kept[0]["method"], &kept[0]["path"]), (&json!("POST"), &json!("/Users")), "{kept:?}");
}

async fn a_source_keeps_a_hundred_rejected_requests_at_most(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    // Only some of each few seconds are kept, so more than a hundred take a while; the cap must hold at any time.
    for _ in 0..150 {
        source.get("/Users?count=ten").await.expect_scim_error(400, None);
    }
    eventually("some are kept", async || match rejected(&tenant, &source).await {
        kept if !kept.is_empty() => Ok(()),
        kept => Err(format!("{kept:?}")),
    })
    .await;
    assert!(rejected(&tenant, &source).await.len() <= 100);
}

async fn what_was_understood_and_refused_is_not_kept(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    source.user("ann").await;
    source.post("/Users", &person("ann")).await.expect_scim_error(409, Some("uniqueness"));
    source.get(&format!("/Users/{}", unknown_id())).await.expect_scim_error(404, None);
    // Only the next one is kept, because the earlier ones were read already.
    source.get(&format!("/Users?filter=userName%20is%20%22{}%22", email("ann"))).await.expect_scim_error(400, None);
    eventually_rejected(&tenant, &source, 1).await;
}
