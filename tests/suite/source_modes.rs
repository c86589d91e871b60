//! Sources and their modes: one live source, and users only if the tenant wants them.

use reqwest::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::roster::Roster;
use crate::verbs::{GROUP, email, eventually, operation, unknown_id};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        ds2_a_second_live_source_is_refused_with_the_remedy,
        ds2_switching_a_source_to_live_wants_the_other_one_off,
        ds7_a_source_that_is_switched_off_refuses_at_once,
        a_source_that_becomes_live_applies_what_it_said_before,
        a_source_that_lost_everybody_is_not_made_live_again,
        ds5_a_group_of_the_same_name_is_adopted_and_its_spelling_reported,
        ds3_a_users_only_source_hides_groups_from_discovery,
        ds3_a_users_only_source_refuses_groups_clearly,
        ds3_ds7_a_source_is_made_users_only_and_back_while_it_runs,
    ]
}

async fn set_mode(tenant: &Tenant, source: &str, mode: &str) -> Answer {
    let url = format!("{}/api/v1/sources/{source}", tenant.hub.people_url());
    Answer::of(tenant.hub.http().patch(url).bearer_auth(&tenant.key).json(&json!({ "mode": mode }))).await
}

async fn ds2_a_second_live_source_is_refused_with_the_remedy(hub: Hub) {
    let tenant = hub.tenant().create();
    let first = tenant.scim_source();
    let arguments = ["source", "create", "--tenant", &tenant.slug, "--kind", "scim", "--mode", "live", "--json"];
    let said = hub.run_command(&arguments).expect_failure().stderr;
    assert!(said.contains(&first.id) && said.contains("set-mode"), "the other one and the remedy: {said}");
    // Sources of another tenant are independent, and so is a source in simulation.
    hub.tenant().create().scim_source();
    tenant.new_source().argument("--mode").argument("simulate").create();
}

async fn ds2_switching_a_source_to_live_wants_the_other_one_off(hub: Hub) {
    let tenant = hub.tenant().create();
    let first = tenant.scim_source();
    let second = tenant.new_source().argument("--mode").argument("simulate").create();
    let refused = set_mode(&tenant, &second.id, "live").await.expect_problem(409);
    assert!(refused.text_at("/detail").contains(&first.id), "{}", refused.describe());
    set_mode(&tenant, &first.id, "off").await.expect(200);
    let live = set_mode(&tenant, &second.id, "live").await.expect(200);
    assert_eq!(live.at("/mode"), "live", "{}", live.describe());
    set_mode(&tenant, &second.id, "loud").await.expect_problem(400);
    set_mode(&tenant, &unknown_id().to_string(), "off").await.expect_problem(404);
}

async fn ds7_a_source_that_is_switched_off_refuses_at_once(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    source.get("/Users").await.expect(200);
    set_mode(&tenant, &source.id, "off").await.expect(200);
    eventually("the source refuses", async || match source.get("/Users").await {
        answer if answer.status == 403 => Ok(()),
        answer => Err(answer.describe()),
    })
    .await;
    set_mode(&tenant, &source.id, "live").await.expect(200);
    eventually("the source takes again", async || match source.get("/Users").await {
        answer if answer.status == 200 => Ok(()),
        answer => Err(answer.describe()),
    })
    .await;
}

async fn a_source_that_becomes_live_applies_what_it_said_before(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.new_source().argument("--mode").argument("simulate").create();
    let ann = source.user("ann").await;
    source.group("Crew", &[&ann]).await;
    set_mode(&tenant, &source.id, "live").await.expect(200);
    tenant.eventually_group("Crew", &[&email("ann")]).await;
}

async fn a_source_that_lost_everybody_is_not_made_live_again(hub: Hub) {
    let tenant = hub.tenant().policy("onboarding", "federated").create();
    let source = tenant.scim_source();
    let ids = source.users(&["ann", "bea"]).await;
    tenant.eventually("both are in", |members| members.with_status("active").len() == 2).await;
    set_mode(&tenant, &source.id, "simulate").await.expect(200);
    source.delete(&format!("/Users/{}", ids[0])).await.expect(204);
    source.deactivate(&ids[1]).await.expect_success();
    let refused = set_mode(&tenant, &source.id, "live").await.expect_problem(409);
    assert!(refused.text_at("/detail").contains("no active person"), "{}", refused.describe());
    assert_eq!(tenant.members().await.with_status("active").len(), 2);
    source.activate(&ids[1]).await.expect_success();
    set_mode(&tenant, &source.id, "live").await.expect(200);
    tenant.eventually_status(&email("ann"), "suspended").await;
    assert_eq!(tenant.members().await.with_status("active"), [email("bea")]);
}

/// The source was cut off while its group was made anew under another spelling.
async fn ds5_a_group_of_the_same_name_is_adopted_and_its_spelling_reported(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let ann = source.user("ann").await;
    let old = source.group("Night Shift", &[&ann]).await;
    let group = tenant.eventually_group("Night Shift", &[&email("ann")]).await;
    set_mode(&tenant, &source.id, "simulate").await.expect(200);
    source.delete(&format!("/Groups/{old}")).await.expect(204);
    source.group("night  shift", &[&ann]).await;
    set_mode(&tenant, &source.id, "live").await.expect(200);
    let adopted = tenant.eventually_group("night  shift", &[&email("ann")]).await;
    assert_eq!(adopted.id, group.id, "the group is the same, not a second one");
    assert_eq!(tenant.groups().await.len(), 1);
    let events = tenant.get(&format!("/api/v1/audit-events?order=desc&subject_id={}", group.id)).await.expect(200);
    let events = events.at("/items").as_array().cloned().unwrap_or_default();
    let adoption = events.iter().find(|event| event["kind"] == "sharing_group.adopted").expect("an adoption");
    assert_eq!(adoption["detail"]["spelling_differs"], true, "{adoption}");
    assert_eq!(adoption["detail"]["before"]["name"], "Night Shift", "{adoption}");
}

fn mentions_groups(answer: &Answer) -> bool {
    answer.text.contains(GROUP) || answer.text.contains("/Groups")
}

async fn ds3_a_users_only_source_hides_groups_from_discovery(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.new_source().argument("--users-only").create();
    for path in ["/ResourceTypes", "/Schemas", "/ServiceProviderConfig"] {
        let answer = source.get(path).await.expect(200);
        assert!(!mentions_groups(&answer), "{path}: {}", answer.describe());
    }
    source.get("/ResourceTypes/Group").await.expect_scim_error(404, None);
    source.get(&format!("/Schemas/{GROUP}")).await.expect_scim_error(404, None);
    let listed = tenant.get(&format!("/api/v1/sources/{}", source.id)).await.expect(200);
    assert_eq!(listed.at("/users_only"), true, "{}", listed.describe());
}

async fn ds3_a_users_only_source_refuses_groups_clearly(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.new_source().argument("--users-only").create();
    let ann = source.user("ann").await;
    let group = json!({ "displayName": "Crew" });
    let one = format!("/Groups/{}", unknown_id());
    let answers = [
        source.post("/Groups", &group).await,
        source.get("/Groups").await,
        source.post("/Groups/.search", &json!({})).await,
        source.get(&one).await,
        source.put(&one, &group).await,
        source.patch(&one, vec![operation("add", "members", json!([{ "value": ann }]))]).await,
        source.delete(&one).await,
    ];
    for answer in answers {
        let answer = answer.expect_scim_error(403, None);
        assert!(answer.text_at("/detail").contains("users only"), "{}", answer.describe());
    }
    let bulk = json!({ "Operations": [{ "method": "POST", "path": "/Groups", "bulkId": "g", "data": group }] });
    let answer = source.post("/Bulk", &bulk).await.expect(200);
    assert_eq!(answer.at("/Operations/0/status"), "403", "{}", answer.describe());
    let everything = source.post("/.search", &json!({})).await.expect(200);
    assert_eq!(everything.at("/totalResults"), 1, "{}", everything.describe());
    assert_eq!(everything.at("/Resources/0/id"), &Value::String(ann), "{}", everything.describe());
}

async fn ds3_ds7_a_source_is_made_users_only_and_back_while_it_runs(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let ann = source.user("ann").await;
    let crew = source.group("Crew", &[&ann]).await;
    tenant.eventually_group("Crew", &[&email("ann")]).await;
    let path = format!("/api/v1/sources/{}", source.id);
    let set = async |body: Value| tenant.send(Method::PATCH, &path, Some(&body)).await;
    let answer = set(json!({ "users_only": true })).await.expect(200);
    assert_eq!((answer.at("/users_only"), answer.at("/mode")), (&json!(true), &json!("live")), "{}", answer.describe());
    // Another process learns of it within a second; on this one it is effective at once.
    eventually("groups are refused", async || match source.get(&format!("/Groups/{crew}")).await.status {
        403 => Ok(()),
        other => Err(format!("{other}")),
    })
    .await;
    assert!(!mentions_groups(&source.get("/ResourceTypes").await.expect(200)));
    tenant.eventually_group("Crew", &[&email("ann")]).await;
    set(json!({ "users_only": true })).await.expect(200);
    set(json!({ "users_only": false, "mode": "live" })).await.expect(200);
    eventually("groups are taken again", async || match source.get(&format!("/Groups/{crew}")).await.status {
        200 => Ok(()),
        other => Err(format!("{other}")),
    })
    .await;
    assert_eq!(tenant.kinds_about(&source.id).await, ["source.created", "source.updated", "source.updated"]);
    for body in [
        json!({}),
        json!({ "users_only": null }),
        json!({ "users_only": "yes" }),
        json!({ "mode": "live", "name": "x" }),
    ] {
        set(body).await.expect_problem(400);
    }
}
