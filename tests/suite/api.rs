//! The read side of the REST API: shapes, paging, filters, health.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::verbs::{email, eventually};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        members_show_the_documented_fields,
        groups_runs_and_events_show_the_documented_fields,
        lists_page_by_cursor_without_gaps_or_repeats,
        a_page_is_never_longer_than_the_limit,
        members_are_filtered_by_email_and_status,
        accepting_twice_is_harmless_and_of_others_refused,
        health_and_readiness_answer_without_credentials,
        metrics_tell_what_the_hub_did,
        methods_that_are_none_share_one_series,
        a_requests_service_is_that_of_its_table,
        readiness_tells_nobody_where_what_is_away_is,
    ]
}

#[track_caller]
fn expect_fields(item: &Value, fields: &[&str]) {
    for field in fields {
        assert!(item.get(field).is_some(), "no {field} in {item}");
    }
}

async fn members_show_the_documented_fields(hub: Hub) {
    let tenant = hub.tenant().owner("boss@acme.example").create();
    tenant.scim_source().user("ann").await;
    tenant.eventually_status(&email("ann"), "invited").await;
    let answer = tenant.get("/api/v1/members").await.expect(200);
    assert!(answer.content_type().starts_with("application/json"), "{}", answer.describe());
    assert!(answer.json.get("next_cursor").is_some(), "{}", answer.describe());
    for item in answer.at("/items").as_array().unwrap() {
        expect_fields(
            item,
            &["id", "email", "status", "managed_by", "external_id", "display_name", "role", "waiting_for"],
        );
    }
}

async fn groups_runs_and_events_show_the_documented_fields(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let id = source.user("ann").await;
    source.group("Pilots", &[&id]).await;
    let group = tenant.eventually_group("Pilots", &[&email("ann")]).await;
    let shapes: [(&str, &[&str]); 4] = [
        ("groups", &["id", "name", "managed_by", "members_count"]),
        (&format!("groups/{}/members", group.id), &["id", "email", "status"]),
        ("runs", &["id", "state", "source_id", "verdict", "held_reasons", "counts", "digest", "created_at"]),
        ("audit-events", &["id", "at", "kind", "actor", "subject", "cause"]),
    ];
    for (path, fields) in shapes {
        let answer = tenant.get(&format!("/api/v1/{path}")).await.expect(200);
        let items = answer.at("/items").as_array().unwrap();
        assert!(!items.is_empty(), "{}", answer.describe());
        for item in items {
            expect_fields(item, fields);
        }
    }
    let runs = tenant.runs().await;
    assert!(runs.iter().all(|run| run.state == "applied" && run.held_reasons.is_empty()), "{runs:#?}");
    assert!(runs.iter().all(|run| run.counts.is_object() && !run.created_at.is_empty()), "{runs:#?}");
}

async fn lists_page_by_cursor_without_gaps_or_repeats(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    for number in 0..17 {
        source.user(&format!("p{number:02}")).await;
    }
    tenant.eventually("all are in", |members| members.len() == 17).await;
    for list in ["members", "audit-events"] {
        let whole: Vec<Value> = tenant.list(&format!("/api/v1/{list}")).await;
        // Transactions of other tests may be open; a list ends before theirs.
        eventually(&format!("the end of {list}"), async || {
            let last = tenant.get(&format!("/api/v1/{list}?limit=200")).await.expect(200);
            if last.at("/items").as_array().map(Vec::len) == Some(whole.len()) { Ok(()) } else { Err(last.describe()) }
        })
        .await;
        let mut paged = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = tenant.get(&format!("/api/v1/{list}?limit=5{cursor}")).await.expect(200);
            let items = page.at("/items").as_array().unwrap().clone();
            let next = page.at("/next_cursor").as_str().map(str::to_owned);
            assert!(items.len() == 5 || next.is_none(), "a short page in the middle: {}", page.describe());
            paged.extend(items);
            match next {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(paged, whole, "{list}: pages of 5 and of 200 show the same in the same order");
    }
}

async fn a_page_is_never_longer_than_the_limit(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    for number in 0..4 {
        source.user(&format!("p{number}")).await;
    }
    tenant.eventually("all are in", |members| members.len() == 4).await;
    let page = tenant.get("/api/v1/members?limit=1").await.expect(200);
    assert_eq!(page.at("/items").as_array().map(Vec::len), Some(1));
    tenant.get("/api/v1/members?limit=200").await.expect(200);
    tenant.get("/api/v1/members?limit=201").await.expect_problem(400);
}

async fn members_are_filtered_by_email_and_status(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let ids = source.users(&["ann", "bea", "cem"]).await;
    tenant.eventually("all are in", |members| members.len() == 3).await;
    source.deactivate(&ids[1]).await.expect_success();
    tenant.eventually_status(&email("bea"), "suspended").await;
    let emails = |members: Vec<Value>| -> BTreeSet<String> {
        members.iter().map(|member| member["email"].as_str().unwrap().to_owned()).collect()
    };
    let suspended = tenant.list("/api/v1/members?status=suspended").await;
    assert_eq!(emails(suspended), BTreeSet::from([email("bea")]));
    let invited = tenant.list("/api/v1/members?status=invited").await;
    assert_eq!(emails(invited), BTreeSet::from([email("ann"), email("cem")]));
    let both = tenant.list(&format!("/api/v1/members?status=suspended&email={}", email("ann"))).await;
    assert_eq!(emails(both), BTreeSet::new());
    let folded = tenant.list(&format!("/api/v1/members?email={}", email("ANN"))).await;
    assert_eq!(emails(folded), BTreeSet::from([email("ann")]), "addresses have no case");
}

async fn accepting_twice_is_harmless_and_of_others_refused(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let id = source.user("ann").await;
    tenant.accept(&email("ann")).await;
    let member = tenant.member(&email("ann")).await.unwrap();
    let path = format!("/api/v1/members/{}/accept", member.id);
    let again = tenant.post(&path, &json!({})).await;
    assert!(again.status < 500, "{}", again.describe());
    assert_eq!(tenant.kinds_about(&member.id).await, ["member.invited", "member.activated"]);
    source.deactivate(&id).await.expect_success();
    tenant.eventually_status(&email("ann"), "suspended").await;
    let refused = tenant.post(&path, &json!({})).await;
    let refused = if refused.status == 409 { refused.expect_problem(409) } else { refused.expect_problem(400) };
    assert!(refused.text.contains("invitation"), "the reason is named: {}", refused.describe());
    assert_eq!(tenant.member(&email("ann")).await.unwrap().status, "suspended", "accepting does not undo a suspension");
}

async fn health_and_readiness_answer_without_credentials(hub: Hub) {
    for url in [hub.machines_url(), hub.people_url()] {
        hub.get(&format!("{url}/healthz")).await.expect(200);
        hub.get(&format!("{url}/readyz")).await.expect(200);
    }
}

async fn metrics_tell_what_the_hub_did(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    source.user("ann").await;
    tenant.eventually_status(&email("ann"), "invited").await;
    eventually("the metrics count the request and the reconcile", async || {
        let answer = hub.get(&hub.metrics_url()).await.expect(200);
        let needed = [
            "rollcall_http_requests_total{",
            "rollcall_http_request_duration_seconds_bucket{",
            "rollcall_reconcile_outcomes_total{",
            "rollcall_runs_held",
            "rollcall_dead_letters",
            "rollcall_queue_depth",
            "rollcall_change_lag_seconds",
        ];
        let missing: Vec<&&str> = needed.iter().filter(|name| !answer.text.contains(**name)).collect();
        assert!(!answer.text.contains(&tenant.id), "a label per tenant would grow without bound");
        if missing.is_empty() { Ok(()) } else { Err(format!("missing {missing:?}")) }
    })
    .await;
}

/// A probe, or a path outside every route table, counts for neither SCIM nor admin.
async fn a_requests_service_is_that_of_its_table(hub: Hub) {
    let (machines, people) = (hub.machines_url(), hub.people_url());
    let asked = [
        (format!("{machines}/healthz"), "health", "/healthz"),
        (format!("{people}/api/v1/runs"), "admin", "/api/v1/runs"),
        (format!("{people}/api/v9"), "admin", "unknown"),
        (format!("{machines}/scim/v2/x/Users"), "scim", "/scim/v2/{source_id}/Users"),
        (format!("{machines}/scim/v9"), "scim", "unknown"),
        (format!("{machines}/pot"), "none", "unknown"),
    ];
    for (url, ..) in &asked {
        hub.get(url).await;
    }
    eventually("each is counted under its table's service", async || {
        let metrics = hub.get(&hub.metrics_url()).await.expect(200).text;
        let counted = |service: &str, route: &str| {
            let labels = format!("method=\"GET\",route=\"{route}\",service=\"{service}\"");
            metrics.contains(&format!("rollcall_http_requests_total{{{labels}"))
        };
        let missing: Vec<_> = asked.iter().filter(|(_, service, route)| !counted(service, route)).collect();
        if missing.is_empty() { Ok(()) } else { Err(format!("missing {missing:?}")) }
    })
    .await;
}

/// Any token is a valid HTTP method, and it takes no credential to send one.
async fn methods_that_are_none_share_one_series(hub: Hub) {
    let url = hub.machines_url();
    for (method, path) in [("BREW", "/pot"), ("X-SERIES-1", "/pot"), ("X-SERIES-2", "/scim/v2/x/Users")] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        Answer::of(hub.http().request(method, format!("{url}{path}"))).await;
    }
    eventually("they are counted as one", async || {
        let metrics = hub.get(&hub.metrics_url()).await.expect(200).text;
        assert!(!metrics.contains("BREW") && !metrics.contains("SERIES"), "a label of anybody's choice: {metrics}");
        if metrics.contains("method=\"other\"") { Ok(()) } else { Err(metrics) }
    })
    .await;
}

async fn readiness_tells_nobody_where_what_is_away_is(hub: Hub) {
    let url = format!("{}/readyz", hub.machines_url());
    let ready = hub.get(&url).await.expect(200);
    let expected = json!({ "status": "ready", "database": "ok", "queue": "ok", "cache": "ok" });
    assert_eq!(serde_json::from_str::<Value>(&ready.text).unwrap(), expected, "{}", ready.describe());
}
