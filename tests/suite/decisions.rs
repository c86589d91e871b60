//! Decisions of admins: held runs by their digest, the policy, skipped records (docs/design.md#guards).

use reqwest::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::audit::expect_explained;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::roster::{Roster, Run};
use crate::verbs::{ScimSource, USER, email, eventually, operation};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        an_approved_run_gives_the_seat_to_who_waits,
        an_approved_run_removes_who_was_only_suspended,
        a_rejected_run_changes_nothing,
        rc3_a_run_is_approved_only_by_the_digest_that_was_seen,
        a_run_is_decided_once,
        da11_deprovisioning_waits_until_it_is_turned_on,
        ds7_a_changed_policy_takes_effect_at_once,
        a_policy_is_not_overwritten_by_an_older_version,
        a_wrong_policy_is_refused_and_changes_nothing,
        a_policy_is_replaced_whole_or_changed_in_part,
        a_policy_of_the_documented_size_is_taken,
        da2_a_person_without_an_email_is_skipped_with_the_reason,
        dx8_a_skipped_group_says_why,
        a_read_only_key_decides_nothing,
    ]
}

/// Twenty seats, all taken; eleven people left (one over the limit) and eleven newcomers, of whom one is on the
/// waitlist.
async fn held_at_the_limit(hub: &Hub, on_deleted: &str) -> (Tenant, ScimSource, Vec<String>, Run) {
    let tenant = hub.tenant().seats(20).policy("onboarding", "federated").policy("on_deleted", on_deleted).create();
    let source = tenant.scim_source();
    let names: Vec<String> = (0..20).map(|number| format!("p{number:02}")).collect();
    let ids = source.users(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    tenant.eventually("twenty are in", |members| members.with_status("active").len() == 20).await;
    for id in &ids[..11] {
        source.delete(&format!("/Users/{id}")).await.expect(204);
    }
    for name in (0..11).map(|number| format!("new{number:02}")) {
        source.user(&name).await;
    }
    tenant.eventually("one waits", |members| members.with_status("pending") == [email("new10")]).await;
    let run = tenant.eventually_held("member_removal_over_limit").await;
    (tenant, source, ids, run)
}

async fn decide(tenant: &Tenant, run: &Run, action: &str, digest: &str) -> Answer {
    tenant.post(&format!("/api/v1/runs/{}/{action}", run.id), &json!({ "digest": digest })).await
}

fn digest(run: &Run) -> &str {
    run.digest.as_deref().unwrap_or_else(|| panic!("no digest: {run:?}"))
}

async fn an_approved_run_gives_the_seat_to_who_waits(hub: Hub) {
    let (tenant, _, _, run) = held_at_the_limit(&hub, "suspend").await;
    decide(&tenant, &run, "approve", digest(&run)).await.expect(200);
    let members = tenant.eventually("all are in", |members| members.with_status("pending").is_empty()).await;
    assert_eq!(members.with_status("active").len(), 20, "never more than the seats");
    let released: Vec<Value> = tenant.list("/api/v1/audit-events?kind=seat.released").await;
    assert_eq!(released.len(), 1, "{released:?}");
    expect_explained(&tenant).await;
}

async fn an_approved_run_removes_who_was_only_suspended(hub: Hub) {
    let (tenant, _, _, run) = held_at_the_limit(&hub, "remove").await;
    assert_eq!(tenant.members().await.with_status("suspended"), [email("p10")]);
    decide(&tenant, &run, "approve", digest(&run)).await.expect(200);
    tenant.eventually("p10 is removed", |members| members.with_status("removed").len() == 11).await;
    tenant.eventually_status(&email("new10"), "active").await;
    expect_explained(&tenant).await;
}

async fn a_rejected_run_changes_nothing(hub: Hub) {
    let (tenant, source, _, run) = held_at_the_limit(&hub, "remove").await;
    let path = format!("/api/v1/runs/{}/reject", run.id);
    let with_note = |note: &str| json!({ "digest": digest(&run), "note": note });
    tenant.post(&path, &with_note(&"x".repeat(501))).await.expect_problem(400);
    tenant.post(&path, &with_note(" they left by mistake ")).await.expect(200);
    let told = tenant.get("/api/v1/audit-events?kind=run.rejected&order=desc").await.expect(200);
    assert_eq!(told.at("/items/0/detail/note"), "they left by mistake", "{}", told.describe());
    // A later newcomer proves that the rejection has been reconciled.
    source.user("later").await;
    let members = tenant.eventually("later waits", |members| members.with_status("pending").len() == 2).await;
    assert_eq!(members.member(&email("p10")).status, "suspended");
    assert_eq!(members.with_status("active").len(), 19);
}

async fn rc3_a_run_is_approved_only_by_the_digest_that_was_seen(hub: Hub) {
    let (tenant, source, ids, run) = held_at_the_limit(&hub, "suspend").await;
    let seen = digest(&run).to_owned();
    let refused = decide(&tenant, &run, "approve", "0000").await.expect_problem(409);
    assert_eq!(refused.at("/code"), "plan_stale", "{}", refused.describe());
    source.deactivate(&ids[11]).await.expect_success();
    tenant.eventually_status(&email("p11"), "suspended").await;
    let moved = eventually("the plan has one more person", async || {
        let held = tenant.runs().await.into_iter().find(|run| run.state == "held");
        held.filter(|run| digest(run) != seen).ok_or_else(|| "the digest is the same".to_owned())
    })
    .await;
    let refused = decide(&tenant, &moved, "approve", &seen).await.expect_problem(409);
    assert_eq!(refused.at("/code"), "plan_stale", "{}", refused.describe());
    assert_eq!(tenant.members().await.with_status("pending").len(), 1, "nothing was released");
}

async fn a_run_is_decided_once(hub: Hub) {
    let (tenant, _, _, run) = held_at_the_limit(&hub, "suspend").await;
    let both = ["approve", "approve", "reject", "approve"].map(|action| decide(&tenant, &run, action, digest(&run)));
    let answers = futures_util::future::join_all(both).await;
    let accepted = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(accepted, 1, "{answers:?}");
    for answer in answers.into_iter().filter(|answer| answer.status != 200) {
        answer.expect_problem(409);
    }
}

async fn da11_deprovisioning_waits_until_it_is_turned_on(hub: Hub) {
    let tenant = hub.tenant().policy("auto_deprovision", "false").create();
    let source = tenant.scim_source();
    let id = source.user("ann").await;
    let before = tenant.eventually_status(&email("ann"), "invited").await;
    source.deactivate(&id).await.expect_success();
    tenant.eventually_held("deprovisioning_off").await;
    assert_eq!(tenant.member(&email("ann")).await.unwrap(), before, "the plan lists what it would do");
    change_policy(&tenant, "auto_deprovision", json!(true)).await.expect(200);
    tenant.eventually_status(&email("ann"), "suspended").await;
}

pub(crate) async fn change_policy(tenant: &Tenant, key: &str, value: Value) -> Answer {
    let mut now = tenant.get("/api/v1/policy").await.expect(200).json;
    now["policy"][key] = value;
    put_policy(tenant, &json!({ "policy": now["policy"], "version": now["version"] })).await
}

async fn put_policy(tenant: &Tenant, body: &Value) -> Answer {
    tenant.send(Method::PUT, "/api/v1/policy", Some(body)).await
}

async fn ds7_a_changed_policy_takes_effect_at_once(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    source.user("ann").await;
    tenant.eventually_status(&email("ann"), "invited").await;
    change_policy(&tenant, "onboarding", json!("federated")).await.expect(200);
    source.user("bea").await;
    tenant.eventually_status(&email("bea"), "active").await;
    assert_eq!(tenant.member(&email("ann")).await.unwrap().status, "invited", "an open invitation stays one");
}

async fn a_policy_is_not_overwritten_by_an_older_version(hub: Hub) {
    let tenant = hub.tenant().create();
    let seen = tenant.get("/api/v1/policy").await.expect(200).json;
    change_policy(&tenant, "approval", json!(true)).await.expect(200);
    put_policy(&tenant, &seen).await.expect_problem(409);
    let now = tenant.get("/api/v1/policy").await.expect(200);
    assert_eq!(now.at("/policy/approval"), true, "{}", now.describe());
}

async fn a_wrong_policy_is_refused_and_changes_nothing(hub: Hub) {
    let tenant = hub.tenant().create();
    let before = tenant.get("/api/v1/policy").await.expect(200).json;
    for (key, value) in [
        ("no_such_knob", json!(true)),
        ("onboarding", json!("by carrier pigeon")),
        ("approval", json!("perhaps")),
        ("removal_limit", json!({ "percent": 101 })),
        ("removal_limit", json!({ "count": -1 })),
        ("removal_limit", json!({ "window_hours": 0 })),
        ("creation_limit", json!({ "percent": 101 })),
        ("modification_limit", json!({ "window_hours": 721 })),
        ("protected_members", json!(["ann@acme.example"])),
        ("protected_members", json!(["01890000-0000-7000-8000-000000000000"])),
    ] {
        let answer = change_policy(&tenant, key, value.clone()).await;
        answer.check_problem(400).unwrap_or_else(|problem| panic!("{key} = {value}: {problem}"));
    }
    for (changes, named) in [
        (json!({ "no_such_knob": true }), "no_such_knob"),
        (json!({ "approval": "perhaps" }), "policy.approval"),
        (json!({ "removal_limit": { "percent": 101 } }), "removal_limit.percent"),
        (json!({ "seat_order": "alphabetical" }), "policy.seat_order"),
        (json!({ "sources": { "01890000-0000-7000-8000-000000000000": {} } }), "no such source"),
    ] {
        let answer = patch_policy(&tenant, json!({ "policy": changes })).await.expect_problem(400);
        assert!(answer.text_at("/detail").contains(named), "{named}: {}", answer.describe());
    }
    put_policy(&tenant, &json!([])).await.expect_problem(400);
    put_policy(&tenant, &json!({ "policy": {} })).await.expect_problem(400);
    assert_eq!(tenant.get("/api/v1/policy").await.expect(200).json, before);
}

async fn patch_policy(tenant: &Tenant, body: Value) -> Answer {
    tenant.send(Method::PATCH, "/api/v1/policy", Some(&body)).await
}

async fn a_policy_is_replaced_whole_or_changed_in_part(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let off = json!({ "auto_deprovision": false, "removal_limit": { "count": 3, "percent": 0 } });
    let seen = patch_policy(&tenant, json!({ "policy": off })).await.expect(200).json;
    let limit = json!({ "count": 3, "percent": 0, "window_hours": 24 });
    assert_eq!((&seen["policy"]["auto_deprovision"], &seen["policy"]["removal_limit"]), (&json!(false), &limit));
    // A body with this key alone would turn deprovisioning on again.
    let part = json!({ "policy": { "approval": true }, "version": seen["version"] });
    let refused = put_policy(&tenant, &part).await.expect_problem(400);
    let detail = refused.text_at("/detail");
    assert!(detail.contains("auto_deprovision") && detail.contains("PATCH"), "{}", refused.describe());
    assert_eq!(tenant.get("/api/v1/policy").await.expect(200).json, seen);
    let own = json!({ "sources": { &source.id: { "approval": true } }, "removal_limit": { "count": 4 } });
    let now = patch_policy(&tenant, json!({ "policy": own, "version": seen["version"] })).await.expect(200).json;
    patch_policy(&tenant, json!({ "policy": { "approval": true }, "version": seen["version"] }))
        .await
        .expect_problem(409);
    assert_eq!(tenant.get("/api/v1/policy").await.expect(200).json, now);
    let mut expected = seen["policy"].clone();
    (expected["sources"], expected["removal_limit"]["count"]) = (json!({ &source.id: { "approval": true } }), json!(4));
    assert_eq!(now["policy"], expected);
    let events = tenant.events().await.into_iter().filter(|event| event.kind == "policy.changed").count();
    assert_eq!(events, 2, "one for each change");
    let unchanged = patch_policy(&tenant, json!({ "policy": { "approval": false } })).await.expect(200).json;
    assert_eq!(unchanged["version"], now["version"], "what changes nothing is no new version");
    let gone = patch_policy(&tenant, json!({ "policy": { "sources": { &source.id: null } } })).await.expect(200);
    assert_eq!(gone.at("/policy/sources"), &json!({}), "{}", gone.describe());
}

async fn a_policy_of_the_documented_size_is_taken(hub: Hub) {
    let tenant = hub.tenant().create();
    let scope = |entries: usize| {
        let names: Vec<String> = (0..entries).map(|number| format!("{number:-<256}")).collect();
        json!({ "policy": { "group_scope": { "names": names } } })
    };
    let taken = patch_policy(&tenant, scope(500)).await.expect(200);
    assert_eq!(taken.at("/policy/group_scope/names/499").as_str().map(str::len), Some(256));
    put_policy(&tenant, &taken.json).await.expect(200);
    patch_policy(&tenant, scope(501)).await.expect_problem(400);
    let large = patch_policy(&tenant, scope(5_000)).await.expect_problem(413);
    assert_eq!(large.at("/code"), "too_large", "{}", large.describe());
}

/// The records that were skipped for this reason.
async fn eventually_skipped(tenant: &Tenant, dispute: &str, ids: &[&str]) -> Vec<Value> {
    eventually(&format!("{ids:?} are skipped: {dispute}"), async || {
        let records: Vec<Value> = tenant.list("/api/v1/skipped-records").await;
        let mut found: Vec<&str> = records
            .iter()
            .filter(|record| record["dispute"] == dispute)
            .filter_map(|record| record["subject"]["id"].as_str())
            .collect();
        found.sort_unstable();
        if found == ids { Ok(records.clone()) } else { Err(format!("{records:?}")) }
    })
    .await
}

async fn da2_a_person_without_an_email_is_skipped_with_the_reason(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let body = json!({ "schemas": [USER], "userName": "nobody", "active": true });
    let id = source.post("/Users", &body).await.expect(201).id();
    source.user("ann").await;
    tenant.eventually_status(&email("ann"), "invited").await;
    let skipped = eventually_skipped(&tenant, "no_email", &[&id]).await;
    assert!(skipped[0]["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty()), "{skipped:?}");
    let give = vec![operation("replace", "emails[type eq \"work\"].value", json!(email("bea")))];
    source.patch(&format!("/Users/{id}"), give).await.expect_success();
    tenant.eventually_status(&email("bea"), "invited").await;
    eventually_skipped(&tenant, "no_email", &[]).await;
}

async fn dx8_a_skipped_group_says_why(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let first = source.group("Pilots", &[]).await;
    let second = source.group("PILOTS", &[]).await;
    eventually_skipped(&tenant, "group_name_taken", &[&second]).await;
    source.delete(&format!("/Groups/{first}")).await.expect(204);
    tenant.eventually_group("PILOTS", &[]).await;
    eventually_skipped(&tenant, "group_name_taken", &[]).await;
    // A group that stayed after a detachment follows nobody: its deletion frees the name as well.
    let detachment = format!("/api/v1/sources/{}/detachment?people=keep", source.id);
    let digest = tenant.get(&detachment).await.expect(200).text_at("/digest");
    let path = format!("/api/v1/sources/{}/detach", source.id);
    tenant.post(&path, &json!({ "people": "keep", "digest": digest })).await.expect(200);
    let later = tenant.scim_source();
    let third = later.group("Pilots", &[]).await;
    eventually_skipped(&tenant, "group_name_taken", &[&third]).await;
    let kept = tenant.groups().await.remove(0).id;
    tenant.send(Method::DELETE, &format!("/api/v1/groups/{kept}"), None).await.expect(204);
    tenant.eventually_group("Pilots", &[]).await;
    eventually_skipped(&tenant, "group_name_taken", &[]).await;
}

async fn a_read_only_key_decides_nothing(hub: Hub) {
    let (tenant, _, _, run) = held_at_the_limit(&hub, "suspend").await;
    let key = hub.json_command(&["api-key", "create", "--tenant", &tenant.slug, "--role", "member"]);
    let reader = Tenant { key: key["key"].as_str().unwrap().to_owned(), ..tenant.clone() };
    assert_eq!(reader.runs().await.len(), tenant.runs().await.len());
    decide(&reader, &run, "approve", digest(&run)).await.expect_problem(403);
    decide(&reader, &run, "reject", digest(&run)).await.expect_problem(403);
    change_policy(&reader, "approval", json!(true)).await.expect_problem(403);
    let member = tenant.member(&email("p15")).await.unwrap();
    reader.post(&format!("/api/v1/members/{}/accept", member.id), &json!({})).await.expect_problem(403);
    assert!(tenant.runs().await.iter().any(|now| now.id == run.id && now.state == "held"));
}
