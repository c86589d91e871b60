//! A run is rewound by another run: planned, shown, approved by its digest, applied, and rewound itself.

use serde_json::{Value, json};

use crate::audit::expect_explained;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::roster::Run;
use crate::verbs::{ScimSource, email, eventually, operation, unknown_id};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        a_removed_group_comes_back_with_its_members_and_goes_again,
        who_was_suspended_is_back_until_the_source_speaks_again,
        rc3_rc4_a_rewind_is_approved_only_by_the_digest_that_was_seen,
        rc4_a_rewind_names_what_changed_since,
        a_rewind_is_refused_where_nothing_is_in_force,
        a_rewind_wants_an_admin_and_a_run_of_the_tenant,
        items_say_who_what_before_after_and_why,
        pe11_two_runs_are_compared,
        f11_a_rewind_names_the_later_run_and_is_completed_after_it,
        f11_rewinding_a_part_brings_the_run_back_into_force,
        f11_everything_that_a_source_did_since_then_is_taken_back_at_once,
        f11_a_source_is_rewound_by_its_admin_only_and_where_it_did_something,
    ]
}

async fn items(tenant: &Tenant, run: &str) -> Vec<Value> {
    tenant.list(&format!("/api/v1/runs/{run}/items")).await
}

/// The run with an item of this action.
pub(crate) async fn run_with(tenant: &Tenant, action: &str) -> Run {
    eventually(&format!("a run with {action}"), async || {
        let runs = tenant.runs().await;
        let found = runs.iter().find(|run| run.state == "applied" && run.counts.get(action).is_some());
        found.cloned().ok_or_else(|| format!("{runs:#?}"))
    })
    .await
}

async fn eventually_run(tenant: &Tenant, id: &str, state: &str) -> Run {
    eventually(&format!("run {id} is {state}"), async || {
        let run = tenant.runs().await.into_iter().find(|run| run.id == id);
        run.filter(|run| run.state == state).ok_or_else(|| "it is not".to_owned())
    })
    .await
}

/// Requests a rewind and waits for its plan.
async fn plan_rewind(tenant: &Tenant, run: &str) -> Run {
    let asked = tenant.post(&format!("/api/v1/runs/{run}/rewind"), &json!({})).await.expect(202);
    assert_eq!(asked.at("/rewinds"), run, "{}", asked.describe());
    eventually_run(tenant, &asked.text_at("/id"), "planned").await
}

async fn approve(tenant: &Tenant, run: &Run) {
    tenant.post(&format!("/api/v1/runs/{}/approve", run.id), &json!({ "digest": run.digest })).await.expect(200);
    eventually_run(tenant, &run.id, "applied").await;
}

pub(crate) async fn rewind(tenant: &Tenant, run: &str) -> Run {
    let planned = plan_rewind(tenant, run).await;
    approve(tenant, &planned).await;
    planned
}

/// A federated tenant with Ann and Bea, both active.
async fn two_people(hub: &Hub) -> (Tenant, ScimSource, Vec<String>) {
    let tenant = hub.tenant().policy("onboarding", "federated").create();
    let source = tenant.scim_source();
    let ids = source.users(&["ann", "bea"]).await;
    tenant.eventually("both are in", |members| members.len() == 2).await;
    (tenant, source, ids)
}

async fn a_removed_group_comes_back_with_its_members_and_goes_again(hub: Hub) {
    let (tenant, source, ids) = two_people(&hub).await;
    let group = source.group("Pilots", &[&ids[0], &ids[1]]).await;
    let before = tenant.eventually_group("Pilots", &[&email("ann"), &email("bea")]).await;
    source.delete(&format!("/Groups/{group}")).await.expect(204);
    tenant.eventually_no_group("Pilots").await;
    let run = run_with(&tenant, "remove_group").await;
    let back = rewind(&tenant, &run.id).await;
    let after = tenant.eventually_group("Pilots", &[&email("ann"), &email("bea")]).await;
    assert_eq!(after.id, before.id, "the same group");
    eventually_run(&tenant, &run.id, "rewound").await;
    expect_explained(&tenant).await;
    rewind(&tenant, &back.id).await;
    tenant.eventually_no_group("Pilots").await;
    eventually_run(&tenant, &run.id, "applied").await;
}

async fn who_was_suspended_is_back_until_the_source_speaks_again(hub: Hub) {
    let (tenant, source, ids) = two_people(&hub).await;
    source.deactivate(&ids[0]).await.expect_success();
    tenant.eventually_status(&email("ann"), "suspended").await;
    let run = run_with(&tenant, "suspend").await;
    rewind(&tenant, &run.id).await;
    tenant.eventually_status(&email("ann"), "active").await;
    expect_explained(&tenant).await;
    let rename = vec![operation("replace", "displayName", json!("Ann"))];
    source.patch(&format!("/Users/{}", ids[0]), rename).await.expect_success();
    tenant.eventually_status(&email("ann"), "suspended").await;
}

async fn rc3_rc4_a_rewind_is_approved_only_by_the_digest_that_was_seen(hub: Hub) {
    let (tenant, source, ids) = two_people(&hub).await;
    source.deactivate(&ids[0]).await.expect_success();
    let run = run_with(&tenant, "suspend").await;
    let planned = plan_rewind(&tenant, &run.id).await;
    let path = format!("/api/v1/runs/{}", planned.id);
    let refused = tenant.post(&format!("{path}/approve"), &json!({ "digest": "0000" })).await.expect_problem(409);
    assert_eq!(refused.at("/code"), "plan_stale", "{}", refused.describe());
    // The subject of its item has changed since.
    source.activate(&ids[0]).await.expect_success();
    tenant.eventually_status(&email("ann"), "active").await;
    let stale = tenant.post(&format!("{path}/approve"), &json!({ "digest": planned.digest })).await.expect_problem(409);
    assert_eq!(stale.at("/code"), "plan_stale", "{}", stale.describe());
    tenant.post(&format!("{path}/reject"), &json!({ "digest": planned.digest })).await.expect(200);
    eventually_run(&tenant, &planned.id, "rejected").await;
    assert_eq!(eventually_run(&tenant, &run.id, "applied").await.counts, run.counts);
}

async fn rc4_a_rewind_names_what_changed_since(hub: Hub) {
    let (tenant, source, ids) = two_people(&hub).await;
    source.deactivate(&ids[0]).await.expect_success();
    let run = run_with(&tenant, "suspend").await;
    source.activate(&ids[0]).await.expect_success();
    tenant.eventually_status(&email("ann"), "active").await;
    let planned = plan_rewind(&tenant, &run.id).await;
    let lines = items(&tenant, &planned.id).await;
    let named: Vec<(&Value, &Value)> = lines.iter().map(|line| (&line["decision"], &line["held_reason"])).collect();
    assert_eq!(named, [(&json!("impossible"), &json!("already_back"))], "{lines:?}");
    assert_eq!(planned.counts["impossible"], 1);
}

async fn a_rewind_is_refused_where_nothing_is_in_force(hub: Hub) {
    let tenant = hub.tenant().policy("auto_provision", "false").create();
    tenant.scim_source().user("ann").await;
    let held = tenant.eventually_held("provisioning_off").await;
    let answer = tenant.post(&format!("/api/v1/runs/{}/rewind", held.id), &json!({})).await.expect_problem(409);
    assert!(answer.text.contains("held"), "the reason is named: {}", answer.describe());
    assert_eq!(tenant.runs().await.len(), 1, "nothing was made");
}

async fn a_rewind_wants_an_admin_and_a_run_of_the_tenant(hub: Hub) {
    let (tenant, _, _) = two_people(&hub).await;
    let run = run_with(&tenant, "provision").await;
    let key = hub.json_command(&["api-key", "create", "--tenant", &tenant.slug, "--role", "member"]);
    let reader = Tenant { key: key["key"].as_str().unwrap().to_owned(), ..tenant.clone() };
    reader.post(&format!("/api/v1/runs/{}/rewind", run.id), &json!({})).await.expect_problem(403);
    let stranger = hub.tenant().create();
    stranger.post(&format!("/api/v1/runs/{}/rewind", run.id), &json!({})).await.expect_problem(404);
    stranger.get(&format!("/api/v1/runs/{}/compare?with={}", run.id, run.id)).await.expect_problem(404);
    tenant.post(&format!("/api/v1/runs/{}/rewind", unknown_id()), &json!({})).await.expect_problem(404);
}

async fn items_say_who_what_before_after_and_why(hub: Hub) {
    let (tenant, source, ids) = two_people(&hub).await;
    source.deactivate(&ids[0]).await.expect_success();
    let run = run_with(&tenant, "suspend").await;
    let lines = items(&tenant, &run.id).await;
    let line = &lines[0];
    assert_eq!((&line["who"]["email"], &line["why"]), (&json!(email("ann")), &json!("disabled_at_source")), "{line}");
    assert_eq!(
        (&line["before"]["status"], &line["after"]["status"]),
        (&json!("active"), &json!("suspended")),
        "{line}"
    );
    assert_eq!((&line["subject_id"], &line["source_id"]), (&json!(ids[0]), &json!(source.id)), "{line}");
    assert!(line["request_id"].is_string() && line["member_id"].is_string(), "{line}");
}

async fn pe11_two_runs_are_compared(hub: Hub) {
    let (tenant, _, ids) = two_people(&hub).await;
    let runs: Vec<Run> = tenant.runs().await.into_iter().filter(|run| run.counts.get("provision").is_some()).collect();
    let (first, last) = (&runs[0].id, &runs[runs.len() - 1].id);
    let itself = tenant.list::<Value>(&format!("/api/v1/runs/{first}/compare?with={first}")).await;
    assert!(!itself.is_empty() && itself.iter().all(|item| item["found"] == "same"), "{itself:?}");
    if first != last {
        let both = tenant.list::<Value>(&format!("/api/v1/runs/{first}/compare?with={last}")).await;
        let subjects: Vec<&Value> = both.iter().map(|item| &item["subject_id"]).collect();
        assert!(ids.iter().all(|id| subjects.contains(&&json!(id))), "{both:?}");
        assert!(both.iter().all(|item| item["found"] == "only_this" || item["found"] == "only_other"), "{both:?}");
    }
}

/// Ann and Bea are suspended, and Ann's seat is given back by an approved hold after it.
async fn a_later_run_in_the_way(hub: &Hub) -> (Tenant, ScimSource, Run, Run) {
    let tenant = hub.tenant().policy("onboarding", "federated").policy("removal_limit.count", "0");
    let tenant = tenant.policy("removal_limit.percent", "0").create();
    let source = tenant.scim_source();
    let ids = source.users(&["ann", "bea"]).await;
    tenant.eventually("both are in", |members| members.iter().filter(|m| m.status == "active").count() == 2).await;
    source.deactivate(&ids[0]).await.expect_success();
    tenant.eventually_status(&email("ann"), "suspended").await;
    let suspension = run_with(&tenant, "suspend").await;
    let held = tenant.eventually_held("member_removal_over_limit").await;
    let digest = json!({ "digest": held.digest });
    tenant.post(&format!("/api/v1/runs/{}/approve", held.id), &digest).await.expect(200);
    let later = eventually("the seat is given back", async || {
        let runs = tenant.runs().await;
        let found = runs.iter().filter(|run| run.id != held.id && run.state == "applied");
        found.clone().find(|run| run.counts.get("release_seat").is_some()).cloned().ok_or_else(|| format!("{runs:#?}"))
    })
    .await;
    (tenant, source, suspension, later)
}

async fn f11_a_rewind_names_the_later_run_and_is_completed_after_it(hub: Hub) {
    let (tenant, _, suspension, later) = a_later_run_in_the_way(&hub).await;
    let planned = plan_rewind(&tenant, &suspension.id).await;
    let shown = tenant.get(&format!("/api/v1/runs/{}", planned.id)).await.expect(200);
    assert_eq!(shown.at("/later_runs/0/run_id"), later.id.as_str(), "{}", shown.describe());
    assert!(shown.text_at("/warnings/0").contains(&later.id), "{}", shown.describe());
    let lines = items(&tenant, &planned.id).await;
    assert_eq!(lines[0]["held_reason"], "changed_since", "{lines:?}");
    assert_eq!(lines[0]["detail"]["later_run_id"], later.id, "{lines:?}");
    approve(&tenant, &planned).await;
    eventually_run(&tenant, &suspension.id, "partly_rewound").await;
    assert_eq!(tenant.eventually_status(&email("ann"), "suspended").await.status, "suspended");
    // In the right order the rest is possible.
    rewind(&tenant, &later.id).await;
    eventually_run(&tenant, &later.id, "rewound").await;
    rewind(&tenant, &suspension.id).await;
    tenant.eventually_status(&email("ann"), "active").await;
    eventually_run(&tenant, &suspension.id, "rewound").await;
    expect_explained(&tenant).await;
}

async fn f11_rewinding_a_part_brings_the_run_back_into_force(hub: Hub) {
    let (tenant, _, suspension, later) = a_later_run_in_the_way(&hub).await;
    let part = rewind(&tenant, &suspension.id).await;
    eventually_run(&tenant, &suspension.id, "partly_rewound").await;
    rewind(&tenant, &later.id).await;
    let rest = rewind(&tenant, &suspension.id).await;
    eventually_run(&tenant, &suspension.id, "rewound").await;
    rewind(&tenant, &rest.id).await;
    eventually_run(&tenant, &suspension.id, "partly_rewound").await;
    tenant.eventually_status(&email("ann"), "suspended").await;
    rewind(&tenant, &part.id).await;
    eventually_run(&tenant, &suspension.id, "applied").await;
}

async fn rewind_since(tenant: &Tenant, source: &ScimSource, since: &str) -> Run {
    let path = format!("/api/v1/sources/{}/rewind", source.id);
    let asked = tenant.post(&path, &json!({ "since": since })).await.expect(202);
    assert!(asked.at("/rewinds_since").is_string(), "{}", asked.describe());
    eventually_run(tenant, &asked.text_at("/id"), "planned").await
}

async fn f11_everything_that_a_source_did_since_then_is_taken_back_at_once(hub: Hub) {
    let (tenant, source, ids) = two_people(&hub).await;
    let group = source.group("Pilots", &[&ids[0], &ids[1]]).await;
    tenant.eventually_group("Pilots", &[&email("ann"), &email("bea")]).await;
    let before = tenant.members().await;
    let since = tenant.runs().await.last().expect("runs").created_at.clone();
    let start = tenant.runs().await.len();
    // Ann leaves, returns and leaves again; Bea is renamed; the group goes; Cem comes.
    source.deactivate(&ids[0]).await.expect_success();
    tenant.eventually_status(&email("ann"), "suspended").await;
    let since_first =
        eventually("a run", async || tenant.runs().await.get(start).cloned().ok_or_else(|| since.clone()))
            .await
            .created_at;
    source.activate(&ids[0]).await.expect_success();
    tenant.eventually_status(&email("ann"), "active").await;
    source.deactivate(&ids[0]).await.expect_success();
    tenant.eventually_status(&email("ann"), "suspended").await;
    let rename = vec![operation("replace", "displayName", json!("Beatrix"))];
    source.patch(&format!("/Users/{}", ids[1]), rename).await.expect_success();
    tenant.eventually_member(&email("bea"), |member| member.display_name.as_deref() == Some("Beatrix")).await;
    source.delete(&format!("/Groups/{group}")).await.expect(204);
    tenant.eventually_no_group("Pilots").await;
    source.user("cem").await;
    tenant.eventually_status(&email("cem"), "active").await;
    let planned = rewind_since(&tenant, &source, &since_first).await;
    let lines = items(&tenant, &planned.id).await;
    let of_ann = lines.iter().filter(|line| line["who"]["email"] == email("ann") && line["group_id"].is_null());
    let of_ann: Vec<&Value> = of_ann.map(|line| &line["action"]).collect();
    assert_eq!(of_ann, [&json!("restore")], "the net effect: {lines:#?}");
    approve(&tenant, &planned).await;
    tenant.eventually_status(&email("ann"), "active").await;
    tenant.eventually_status(&email("cem"), "removed").await;
    tenant.eventually_group("Pilots", &[&email("ann"), &email("bea")]).await;
    let after: Vec<_> = tenant.members().await.into_iter().filter(|member| member.status != "removed").collect();
    assert_eq!(after, before, "all is as it was");
    expect_explained(&tenant).await;
    let states = tenant.runs().await;
    let covered = states.iter().filter(|run| run.created_at >= since_first && run.id < planned.id);
    assert!(covered.clone().count() >= 4 && covered.clone().all(|run| run.state == "rewound"), "{states:#?}");
    // And back again.
    rewind(&tenant, &planned.id).await;
    tenant.eventually_status(&email("ann"), "suspended").await;
    tenant.eventually_status(&email("cem"), "active").await;
    tenant.eventually_no_group("Pilots").await;
    let states = tenant.runs().await;
    let covered = states.iter().filter(|run| run.created_at >= since_first && run.id < planned.id);
    assert!(covered.clone().all(|run| run.state == "applied"), "{states:#?}");
}

async fn f11_a_source_is_rewound_by_its_admin_only_and_where_it_did_something(hub: Hub) {
    let (tenant, source, _) = two_people(&hub).await;
    let path = format!("/api/v1/sources/{}/rewind", source.id);
    let body = json!({ "since": "2020-01-01T00:00:00Z" });
    let key = hub.json_command(&["api-key", "create", "--tenant", &tenant.slug, "--role", "member"]);
    let reader = Tenant { key: key["key"].as_str().unwrap().to_owned(), ..tenant.clone() };
    reader.post(&path, &body).await.expect_problem(403);
    hub.tenant().create().post(&path, &body).await.expect_problem(404);
    tenant.post(&path, &json!({})).await.expect_problem(400);
    tenant.post(&path, &json!({ "since": "yesterday" })).await.expect_problem(400);
    let nothing = tenant.post(&path, &json!({ "since": "2100-01-01T00:00:00Z" })).await.expect_problem(409);
    assert!(nothing.text.contains("changed nothing"), "{}", nothing.describe());
    let made = hub.json_command(&[
        "source",
        "rewind",
        "--tenant",
        &tenant.slug,
        "--source",
        &source.id,
        "--since",
        "2020-01-01T00:00:00Z",
    ]);
    let run = made["run_id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    let planned = eventually_run(&tenant, &run, "planned").await;
    assert_eq!(planned.counts["remove"], 2, "everybody whom it brought: {planned:#?}");
    // A second request replaces the first.
    tenant.post(&path, &body).await.expect(202);
    eventually_run(&tenant, &run, "withdrawn").await;
}
