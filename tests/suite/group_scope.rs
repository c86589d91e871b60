//! Scope of groups: which directory groups are synced, and how one goes away (DX6, DX20).

use reqwest::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::dialect_ledger::eventually_rejected;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::verbs::{email, eventually, members_value, operation, unknown_id};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        dx6_only_groups_in_scope_are_synced,
        dx6_a_group_with_somebody_outside_the_sync_scope_fails_and_the_others_go_on,
        da9_dx6_no_group_is_made_until_group_sync_is_turned_on,
        dx20_an_unscoped_group_stays_is_reported_and_is_fed_again_later,
        dx20_deleting_a_group_takes_two_steps,
        dx20_a_group_deleted_here_is_not_made_again_and_the_next_sync_says_so,
    ]
}

pub(crate) async fn set_policy(tenant: &Tenant, changes: Value) -> Answer {
    let mut now = tenant.get("/api/v1/policy").await.expect(200).json;
    for (key, value) in changes.as_object().expect("changes are an object") {
        now["policy"][key] = value.clone();
    }
    let body = json!({ "policy": now["policy"], "version": now["version"] });
    tenant.send(Method::PUT, "/api/v1/policy", Some(&body)).await
}

pub(crate) async fn eventually_skipped(tenant: &Tenant, dispute: &str, ids: &[&str]) {
    eventually(&format!("{ids:?} are skipped: {dispute}"), async || {
        let records: Vec<Value> = tenant.list("/api/v1/skipped-records").await;
        let of_kind = records.iter().filter(|record| record["dispute"] == dispute);
        let found: Vec<&str> = of_kind.filter_map(|record| record["subject"]["id"].as_str()).collect();
        if found == ids { Ok(()) } else { Err(format!("{records:?}")) }
    })
    .await;
}

async fn delete(tenant: &Tenant, group: &str) -> Answer {
    tenant.send(Method::DELETE, &format!("/api/v1/groups/{group}"), None).await
}

async fn dx6_only_groups_in_scope_are_synced(hub: Hub) {
    let tenant = hub.tenant().create();
    let scope = json!({ "names": ["all staff"], "prefixes": ["App-"] });
    set_policy(&tenant, json!({ "group_scope": scope })).await.expect(200);
    let source = tenant.scim_source();
    let ann = source.user("ann").await;
    for name in ["Printers", "App-Wiki", "Café", "All  Staff"] {
        source.group(name, &[&ann]).await;
    }
    tenant.eventually_group("All  Staff", &[&email("ann")]).await;
    tenant.eventually_group("App-Wiki", &[&email("ann")]).await;
    let names: Vec<String> = tenant.groups().await.into_iter().map(|group| group.name).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    eventually_skipped(&tenant, "group_out_of_scope", &[]).await;
    // All of them, once the scope is empty.
    set_policy(&tenant, json!({ "group_scope": null })).await.expect(200);
    tenant.eventually_group("Printers", &[&email("ann")]).await;
    tenant.eventually_group("Café", &[&email("ann")]).await;
    for scope in [json!({}), json!({ "names": [""] }), json!({ "name": ["x"] }), json!({ "names": vec!["x"; 501] })] {
        set_policy(&tenant, json!({ "group_scope": scope })).await.expect_problem(400);
    }
}

async fn dx6_a_group_with_somebody_outside_the_sync_scope_fails_and_the_others_go_on(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let ann = source.user("ann").await;
    let group = source.group("Pilots", &[&ann]).await;
    // A person who is not assigned to the application is not a user of this source.
    let outside = vec![operation("add", "members", members_value(&[&unknown_id().to_string()]))];
    source.patch(&format!("/Groups/{group}"), outside).await.expect_scim_error(400, Some("invalidValue"));
    source.group("Cooks", &[&ann]).await;
    tenant.eventually_group("Cooks", &[&email("ann")]).await;
    tenant.eventually_group("Pilots", &[&email("ann")]).await;
    eventually_rejected(&tenant, &source, 1).await;
}

async fn da9_dx6_no_group_is_made_until_group_sync_is_turned_on(hub: Hub) {
    let tenant = hub.tenant().policy("group_sync", "false").create();
    let source = tenant.scim_source();
    let ids = source.users(&["ann", "bea"]).await;
    let group = source.group("Pilots", &[&ids[0]]).await;
    tenant.eventually("both are in", |members| members.len() == 2).await;
    assert!(tenant.groups().await.is_empty());
    set_policy(&tenant, json!({ "group_sync": true })).await.expect(200);
    tenant.eventually_group("Pilots", &[&email("ann")]).await;
    set_policy(&tenant, json!({ "group_sync": false })).await.expect(200);
    eventually_skipped(&tenant, "group_out_of_scope", &[&group]).await;
    let add = vec![operation("add", "members", members_value(&[&ids[1]]))];
    source.patch(&format!("/Groups/{group}"), add).await.expect_success();
    set_policy(&tenant, json!({ "group_sync": true })).await.expect(200);
    tenant.eventually_group("Pilots", &[&email("ann"), &email("bea")]).await;
}

async fn dx20_an_unscoped_group_stays_is_reported_and_is_fed_again_later(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let ids = source.users(&["ann", "bea"]).await;
    let group = source.group("Pilots", &[&ids[0]]).await;
    let before = tenant.eventually_group("Pilots", &[&email("ann")]).await;
    set_policy(&tenant, json!({ "group_scope": { "names": ["Cooks"] } })).await.expect(200);
    eventually_skipped(&tenant, "group_out_of_scope", &[&group]).await;
    // None of its changes reaches the product any more.
    let changes = vec![
        operation("add", "members", members_value(&[&ids[1]])),
        operation("replace", "displayName", json!("Old pilots")),
    ];
    source.patch(&format!("/Groups/{group}"), changes).await.expect_success();
    source.user("cem").await;
    tenant.eventually_status(&email("cem"), "invited").await;
    tenant.eventually_group("Pilots", &[&email("ann")]).await;
    // Back in scope it is the same group, and catches up.
    set_policy(&tenant, json!({ "group_scope": { "names": ["old pilots"] } })).await.expect(200);
    let after = tenant.eventually_group("Old pilots", &[&email("ann"), &email("bea")]).await;
    assert_eq!(after.id, before.id);
    eventually_skipped(&tenant, "group_out_of_scope", &[]).await;
}

async fn dx20_deleting_a_group_takes_two_steps(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let ann = source.user("ann").await;
    let group = source.group("Pilots", &[&ann]).await;
    let shared = tenant.eventually_group("Pilots", &[&email("ann")]).await;
    let refused = delete(&tenant, &shared.id).await.expect_problem(409);
    assert!(
        refused.at("/detail").as_str().is_some_and(|detail| detail.contains("group_scope")),
        "{}",
        refused.describe()
    );
    set_policy(&tenant, json!({ "group_scope": { "names": ["Cooks"] } })).await.expect(200);
    eventually_skipped(&tenant, "group_out_of_scope", &[&group]).await;
    delete(&tenant, &shared.id).await.expect(204);
    tenant.eventually_no_group("Pilots").await;
    eventually_skipped(&tenant, "group_out_of_scope", &[]).await;
    assert_eq!(
        source.get(&format!("/Groups/{group}")).await.expect(200).at("/displayName"),
        "Pilots",
        "never at the source"
    );
    assert!(tenant.kinds_about(&shared.id).await.contains(&"sharing_group.removed".to_owned()));
    delete(&tenant, &shared.id).await.expect_problem(404);
}

async fn dx20_a_group_deleted_here_is_not_made_again_and_the_next_sync_says_so(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let ann = source.user("ann").await;
    let group = source.group("Pilots", &[&ann]).await;
    let shared = tenant.eventually_group("Pilots", &[&email("ann")]).await;
    let empty = vec![json!({ "op": "remove", "path": "members" })];
    source.patch(&format!("/Groups/{group}"), empty).await.expect_success();
    tenant.eventually_group("Pilots", &[]).await;
    delete(&tenant, &shared.id).await.expect(204);
    eventually_skipped(&tenant, "group_deleted_here", &[&group]).await;
    let add = vec![operation("add", "members", members_value(&[&ann]))];
    source.patch(&format!("/Groups/{group}"), add).await.expect_success();
    source.user("bea").await;
    tenant.eventually_status(&email("bea"), "invited").await;
    assert!(tenant.groups().await.is_empty(), "a change of the source does not bring it back");
    // A retry by an admin does.
    tenant.post(&format!("/api/v1/skipped-records/{group}/retry"), &json!({})).await.expect(202);
    let again = tenant.eventually_group("Pilots", &[&email("ann")]).await;
    assert_ne!(again.id, shared.id);
    eventually_skipped(&tenant, "group_deleted_here", &[]).await;
}
