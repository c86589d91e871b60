//! Newcomers who wait for an admin's approval (LP5, PE2).

use serde_json::{Value, json};

use crate::audit::expect_explained;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::roster::Roster;
use crate::verbs::{ScimSource, email, eventually, unknown_id};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        lp5_who_is_approved_is_invited_and_the_log_says_by_whom,
        lp5_who_is_declined_stays_out_until_somebody_approves,
        lp5_the_approved_get_the_seats_there_are_and_the_rest_wait,
        lp5_who_was_approved_and_has_left_stays_out,
        lp5_many_are_decided_at_once,
        lp5_decisions_that_cannot_be_are_refused_and_change_nothing,
    ]
}

/// A tenant with approvals, its source, and the SCIM ids of the waiting people.
async fn waiting(hub: &Hub, seats: u32, names: &[&str]) -> (Tenant, ScimSource, Vec<String>) {
    let tenant = hub.tenant().seats(seats).policy("approval", "true").create();
    let source = tenant.scim_source();
    let users = source.users(names).await;
    tenant.eventually("all wait", |members| members.with_status("pending").len() == names.len()).await;
    (tenant, source, users)
}

async fn path(tenant: &Tenant, name: &str, action: &str) -> String {
    let member = tenant.member(&email(name)).await.unwrap_or_else(|| panic!("no member {name}"));
    format!("/api/v1/members/{}/{action}", member.id)
}

async fn decide(tenant: &Tenant, name: &str, action: &str) -> Value {
    tenant.post(&path(tenant, name, action).await, &json!({})).await.expect(200).json
}

async fn lp5_who_is_approved_is_invited_and_the_log_says_by_whom(hub: Hub) {
    let (tenant, _, _) = waiting(&hub, 5, &["ann", "bea"]).await;
    let answer = decide(&tenant, "ann", "approve").await;
    assert_eq!(answer["approval"], "approved", "{answer}");
    let ann = tenant.eventually_status(&email("ann"), "invited").await;
    assert_eq!(tenant.kinds_about(&ann.id).await, ["member.pending", "member.approved", "member.invited"]);
    let events = tenant.events().await;
    let about = |kind: &str| events.iter().find(|event| event.kind == kind && event.subject.id == ann.id).unwrap();
    let (approved, invited) = (about("member.approved"), about("member.invited"));
    assert!(approved.actor.as_str().is_some_and(|actor| actor.starts_with("api_key:")), "{approved:?}");
    assert_eq!((&approved.detail["before"], &approved.detail["after"]), (&Value::Null, &json!("approved")));
    assert_eq!(approved.cause["request_id"], invited.cause["request_id"], "the invitation names the approval");
    assert_eq!(tenant.members().await.with_status("pending"), [email("bea")]);
    decide(&tenant, "bea", "approve").await;
    decide(&tenant, "bea", "approve").await;
    let bea = tenant.eventually_status(&email("bea"), "invited").await;
    assert_eq!(tenant.kinds_about(&bea.id).await.len(), 3, "the same decision twice is one event");
    expect_explained(&tenant).await;
}

async fn lp5_who_is_declined_stays_out_until_somebody_approves(hub: Hub) {
    let (tenant, source, users) = waiting(&hub, 5, &["ann", "bea"]).await;
    decide(&tenant, "ann", "decline").await;
    source.deactivate(&users[0]).await.expect_success();
    tenant.eventually_status(&email("ann"), "suspended").await;
    source.activate(&users[0]).await.expect_success();
    let ann = tenant.eventually_status(&email("ann"), "pending").await;
    let explain = format!("/api/v1/members/{}/explain", ann.id);
    let explained = eventually("the explanation has settled", async || {
        let answer = tenant.get(&explain).await.expect(200).json;
        if answer["decided_by"] == "declined" { Ok(answer) } else { Err(answer.to_string()) }
    })
    .await;
    let gates = explained["gates"].as_array().unwrap();
    let gate = gates.iter().find(|gate| gate["gate"] == "declined").unwrap();
    assert!(gate["evidence"]["actor"].as_str().is_some_and(|actor| actor.starts_with("api_key:")), "{gate}");
    assert!(gate["remedy"].is_string(), "{gate}");
    decide(&tenant, "ann", "approve").await;
    tenant.eventually_status(&email("ann"), "invited").await;
    expect_explained(&tenant).await;
}

async fn lp5_the_approved_get_the_seats_there_are_and_the_rest_wait(hub: Hub) {
    let (tenant, _, _) = waiting(&hub, 1, &["ann", "bea"]).await;
    decide(&tenant, "bea", "approve").await;
    tenant.eventually_status(&email("bea"), "invited").await;
    decide(&tenant, "ann", "approve").await;
    tenant.eventually_member(&email("ann"), |member| member.waiting_for.as_deref() == Some("seat")).await;
    hub.run_command(&["tenant", "set-seats", "--tenant", &tenant.slug, "--seats", "2"]).expect_success();
    tenant.eventually_status(&email("ann"), "invited").await;
    expect_explained(&tenant).await;
}

async fn lp5_who_was_approved_and_has_left_stays_out(hub: Hub) {
    let (tenant, source, users) = waiting(&hub, 5, &["ann", "bea"]).await;
    let approve = path(&tenant, "ann", "approve").await;
    source.deactivate(&users[0]).await.expect_success();
    // A worker may have looked already; then there is nothing to approve.
    let answer = tenant.post(&approve, &json!({})).await;
    assert!([200, 409].contains(&answer.status), "{}", answer.describe());
    decide(&tenant, "bea", "approve").await;
    tenant.eventually_status(&email("bea"), "invited").await;
    let ann = tenant.eventually_status(&email("ann"), "suspended").await;
    let kinds = tenant.kinds_about(&ann.id).await;
    assert!(!kinds.iter().any(|kind| kind == "member.invited"), "{kinds:?}");
}

async fn lp5_many_are_decided_at_once(hub: Hub) {
    let (tenant, _, _) = waiting(&hub, 5, &["ann", "bea", "cem"]).await;
    let members = tenant.members().await;
    let id = |name: &str| members.member(&email(name)).id.clone();
    let body = json!({ "member_ids": [id("ann"), id("bea"), unknown_id()] });
    let answer = tenant.post("/api/v1/members/approve", &body).await.expect(200).json;
    let results: Vec<&str> =
        answer["items"].as_array().unwrap().iter().map(|item| item["result"].as_str().unwrap()).collect();
    assert_eq!(results, ["decided", "decided", "not_found"], "{answer}");
    tenant.eventually("two are in", |members| members.with_status("invited").len() == 2).await;
    let body = json!({ "member_ids": [id("ann"), id("cem")] });
    let answer = tenant.post("/api/v1/members/decline", &body).await.expect(200).json;
    assert_eq!(
        (&answer["items"][0]["result"], &answer["items"][1]["result"]),
        (&json!("not_pending"), &json!("decided"))
    );
    let stranger = hub.tenant().create();
    let body = json!({ "member_ids": [id("cem")] });
    let answer = stranger.post("/api/v1/members/approve", &body).await.expect(200).json;
    assert_eq!(answer["items"][0]["result"], "not_found", "another tenant's member is unknown");
    assert_eq!(tenant.members().await.with_status("pending"), [email("cem")]);
}

async fn lp5_decisions_that_cannot_be_are_refused_and_change_nothing(hub: Hub) {
    let (tenant, source, _) = waiting(&hub, 5, &["ann"]).await;
    let key = hub.json_command(&["api-key", "create", "--tenant", &tenant.slug, "--role", "member"]);
    let reader = Tenant { key: key["key"].as_str().unwrap().to_owned(), ..tenant.clone() };
    let id = tenant.member(&email("ann")).await.unwrap().id;
    let before = tenant.everything(&source).await;
    let many: Vec<String> = vec![id.clone(); 1_001];
    for action in ["approve", "decline"] {
        reader.post(&format!("/api/v1/members/{id}/{action}"), &json!({})).await.expect_problem(403);
        let all = format!("/api/v1/members/{action}");
        reader.post(&all, &json!({ "member_ids": [id] })).await.expect_problem(403);
        tenant.post(&format!("/api/v1/members/{}/{action}", unknown_id()), &json!({})).await.expect_problem(404);
        for body in [
            json!({}),
            json!([]),
            json!({ "member_ids": [] }),
            json!({ "member_ids": many }),
            json!({ "member_ids": ["ann"] }),
            json!({ "member_ids": id }),
            json!({ "member_ids": [id], "approval": "approved" }),
        ] {
            tenant.post(&all, &body).await.expect_problem(400);
        }
    }
    assert_eq!(tenant.everything(&source).await, before);
}
