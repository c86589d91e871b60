//! Skipped records and the actions of an admin on them: retry, ignore (PE10).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::roster::AuditEvent;
use crate::verbs::{ScimSource, USER, email, eventually, operation, person, unknown_id, with};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        pe10_an_address_that_is_none_is_kept_and_skipped_until_it_is_mended,
        pe10_the_list_pages_by_cursor_and_is_filtered_by_dispute,
        pe10_a_retry_counts_and_is_told,
        pe10_an_ignored_record_comes_back_when_it_is_about_something_else,
        pe10_a_retry_brings_an_ignored_record_back,
        pe10_wrong_requests_change_nothing,
        f15_a_skipped_record_says_whose_it_is,
    ]
}

/// A person without an address.
async fn nameless(source: &ScimSource, name: &str) -> String {
    let body = json!({ "schemas": [USER], "userName": name, "active": true });
    source.post("/Users", &body).await.expect(201).id()
}

/// The one record that is listed there.
async fn eventually_one(tenant: &Tenant, query: &str, fits: impl Fn(&Value) -> bool) -> Value {
    eventually(&format!("one skipped record of {query:?} is as expected"), async || {
        let records: Vec<Value> = tenant.list(&format!("/api/v1/skipped-records?{query}")).await;
        match records.as_slice() {
            [one] if fits(one) => Ok(one.clone()),
            seen => Err(format!("{seen:?}")),
        }
    })
    .await
}

async fn act(tenant: &Tenant, id: &str, action: &str, body: &Value, status: u16) {
    let path = format!("/api/v1/skipped-records/{id}/{action}");
    tenant.post(&path, body).await.expect(status);
}

async fn audit_events(tenant: &Tenant, kind: &str, subject: &str) -> Vec<AuditEvent> {
    tenant.list(&format!("/api/v1/audit-events?kind={kind}&subject_id={subject}")).await
}

async fn pe10_the_list_pages_by_cursor_and_is_filtered_by_dispute(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    for number in 0..7 {
        nameless(&source, &format!("nobody{number}")).await;
    }
    source.group("Pilots", &[]).await;
    source.group("PILOTS", &[]).await;
    let whole = eventually("eight are skipped", async || {
        let records: Vec<Value> = tenant.list("/api/v1/skipped-records").await;
        if records.len() == 8 { Ok(records) } else { Err(format!("{records:?}")) }
    })
    .await;
    let mut paged: Vec<Value> = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = tenant.get(&format!("/api/v1/skipped-records?limit=3{cursor}")).await.expect(200);
        paged.extend(page.at("/items").as_array().unwrap().clone());
        match page.at("/next_cursor").as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let ids = |records: &[Value]| -> Vec<String> {
        records.iter().map(|record| record["subject"]["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&paged), ids(&whole), "pages of three and of two hundred show the same in the same order");
    assert_eq!(ids(&whole).into_iter().collect::<BTreeSet<_>>().len(), 8, "each once");
    let groups: Vec<Value> = tenant.list("/api/v1/skipped-records?dispute=group_name_taken").await;
    assert_eq!(groups.len(), 1, "{groups:?}");
    for record in &whole {
        assert!(record["tries"].as_i64().is_some_and(|tries| tries >= 1), "{record}");
        assert!(record["last_tried_at"].is_string() && record["since"].is_string(), "{record}");
        assert!(record["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty()), "{record}");
    }
}

async fn pe10_an_address_that_is_none_is_kept_and_skipped_until_it_is_mended(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let emails = |value: &str| json!([{ "value": value, "primary": true }, { "value": email("other") }]);
    for (index, none) in
        ["emailName357", "bea@", "@acme.example", "bea@acme.example\r\nBcc: all@acme.example"].iter().enumerate()
    {
        let bea = format!("bea{index}");
        let body = with(person(&bea), json!({ "emails": emails(none) }));
        let made = source.post("/Users", &body).await.expect(201);
        assert_eq!(made.at("/emails/0/value"), *none);
        let record = eventually_one(&tenant, "", |record| record["dispute"] == "no_email").await;
        assert_eq!(record["subject"]["id"], json!(made.id()), "{record}");
        assert_eq!(tenant.members().await.len(), index, "no member has another address");
        source.put(&format!("/Users/{}", made.id()), &person(&bea)).await.expect(200);
        tenant.eventually_status(&email(&bea), "invited").await;
        assert_eq!(tenant.list::<Value>("/api/v1/skipped-records").await, Vec::<Value>::new());
    }
}

async fn pe10_a_retry_counts_and_is_told(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let id = nameless(&source, "nobody").await;
    let before = eventually_one(&tenant, "", |record| record["tries"] == 1).await;
    act(&tenant, &id, "retry", &json!({}), 202).await;
    let after = eventually_one(&tenant, "", |record| record["tries"] == 2).await;
    assert_eq!(after["since"], before["since"], "still skipped since then");
    assert_ne!(after["last_tried_at"], before["last_tried_at"]);
    let events = audit_events(&tenant, "skipped_record.retried", &id).await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!((events[0].subject.kind.as_str(), &events[0].detail["dispute"]), ("directory_user", &json!("no_email")));
}

async fn pe10_an_ignored_record_comes_back_when_it_is_about_something_else(hub: Hub) {
    let tenant = hub.tenant().owner(&email("boss")).policy("adopt_existing", "false").create();
    let source = tenant.scim_source();
    let id = nameless(&source, "nobody").await;
    eventually_one(&tenant, "", |_| true).await;
    for _ in 0..2 {
        act(&tenant, &id, "ignore", &json!({ "note": "a test account" }), 200).await;
    }
    let ignored = eventually_one(&tenant, "ignored=true", |record| record["ignored_at"].is_string()).await;
    assert_eq!(ignored["note"], "a test account");
    assert_eq!(tenant.list::<Value>("/api/v1/skipped-records").await, Vec::<Value>::new());
    let events = audit_events(&tenant, "skipped_record.ignored", &id).await;
    assert_eq!(events.len(), 1, "ignoring twice is one change: {events:?}");
    assert_eq!(events[0].detail["note"], "a test account");
    // Touched without a change, it stays ignored. The group proves that a worker has looked.
    source.patch(&format!("/Users/{id}"), vec![operation("replace", "displayName", json!("N"))]).await.expect_success();
    source.group("Marker", &[]).await;
    tenant.eventually_group("Marker", &[]).await;
    eventually_one(&tenant, "ignored=true", |record| record["tries"].as_i64() > Some(1)).await;
    let taken = operation("replace", "emails[type eq \"work\"].value", json!(email("boss")));
    source.patch(&format!("/Users/{id}"), vec![taken]).await.expect_success();
    let back = eventually_one(&tenant, "", |record| record["dispute"] == "adoption_off").await;
    assert_eq!((&back["ignored_at"], &back["note"]), (&Value::Null, &Value::Null));
}

async fn pe10_a_retry_brings_an_ignored_record_back(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let id = nameless(&source, "nobody").await;
    eventually_one(&tenant, "", |_| true).await;
    act(&tenant, &id, "ignore", &json!({}), 200).await;
    eventually_one(&tenant, "ignored=true", |record| record["note"].is_null()).await;
    act(&tenant, &id, "retry", &json!({}), 202).await;
    eventually_one(&tenant, "ignored=false", |record| record["ignored_at"].is_null()).await;
}

async fn pe10_wrong_requests_change_nothing(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let id = nameless(&source, "nobody").await;
    let before = eventually_one(&tenant, "", |_| true).await;
    for query in ["dispute=grumpy", "ignored=perhaps", "cursor=nonsense", "limit=0"] {
        tenant.get(&format!("/api/v1/skipped-records?{query}")).await.expect_problem(400);
    }
    let path = format!("/api/v1/skipped-records/{id}/ignore");
    for body in [
        json!({ "note": 7 }),
        json!({ "noet": "x" }),
        json!([]),
        json!({ "note": "x".repeat(501) }),
        json!({ "note": "\u{0}" }),
    ] {
        tenant.post(&path, &body).await.expect_problem(400);
    }
    let key = hub.json_command(&["api-key", "create", "--tenant", &tenant.slug, "--role", "member"]);
    let reader = Tenant { key: key["key"].as_str().unwrap().to_owned(), ..tenant.clone() };
    reader.post(&path, &json!({})).await.expect_problem(403);
    let stranger = hub.tenant().create();
    stranger.post(&path, &json!({})).await.expect_problem(404);
    for action in ["ignore", "retry"] {
        let unknown = format!("/api/v1/skipped-records/{}/{action}", unknown_id());
        tenant.post(&unknown, &json!({})).await.expect_problem(404);
    }
    assert_eq!(eventually_one(&tenant, "", |_| true).await, before);
    assert_eq!(audit_events(&tenant, "skipped_record.ignored", &id).await, []);
}

async fn f15_a_skipped_record_says_whose_it_is(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let id = nameless(&source, "noemail").await;
    let record = eventually_one(&tenant, "dispute=no_email", |_| true).await;
    assert_eq!((&record["name"], &record["source_id"]), (&json!("noemail"), &json!(source.id)), "{record}");
    assert_eq!(record["holder_id"], Value::Null, "{record}");
    let path = format!("/api/v1/sources/{}/users/{id}/explain", record["source_id"].as_str().unwrap());
    tenant.get(&path).await.expect(200);
    source.group("Pilots", &[]).await;
    source.group("PILOTS", &[]).await;
    let group = eventually_one(&tenant, "dispute=group_name_taken", |_| true).await;
    assert_eq!((&group["name"], &group["source_id"]), (&json!("PILOTS"), &json!(source.id)), "{group}");
    let ignored = json!({ "note": "a test" });
    let answer = tenant.post(&format!("/api/v1/skipped-records/{id}/ignore"), &ignored).await.expect(200);
    assert_eq!(answer.at("/name"), "noemail", "{}", answer.describe());
}
