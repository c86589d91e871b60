//! Scope of users (LP5, DX6): exactly the members of the groups in the policy's `user_scope` are synced.

use reqwest::Method;
use serde_json::{Value, json};

use crate::decisions::change_policy;
use crate::dialect_ledger::eventually_rejected;
use crate::group_scope::{eventually_skipped, set_policy};
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::roster::Roster;
use crate::verbs::{GROUP, ScimSource, email, eventually, members_value, operation, unknown_id};

const OVER_LIMIT: &str = "member_removal_over_limit";

pub(crate) fn cases() -> Vec<Case> {
    cases![
        lp5_only_members_of_the_scope_groups_are_synced,
        lp5_a_group_comes_into_the_scope_and_leaves_it_with_its_people,
        lp5_a_source_may_have_a_scope_of_its_own,
        dx6_who_is_only_in_a_synced_group_is_ignored_there_too,
        dx6_one_group_for_people_and_groups_refuses_somebody_outside_and_the_others_go_on,
        dx14_pe4_who_leaves_the_scope_is_suspended_and_comes_back_as_before,
        dx14_who_leaves_the_scope_is_removed_where_the_policy_says_so,
        da10_an_emptied_scope_group_is_held,
        da10_a_deleted_scope_group_is_held,
        da10_a_scope_group_renamed_away_is_held_and_back_again_nobody_left,
        da10_a_mistyped_scope_is_held,
        da10_a_mistyped_scope_ends_no_access_unless_the_number_is_said,
        da10_a_scope_that_leaves_out_everybody_is_asked_for_the_number,
        da11_with_deprovisioning_off_a_new_scope_lists_who_is_outside,
        da8_who_leaves_the_scope_while_waiting_is_not_let_in,
        dx3_a_simulated_source_is_planned_and_promoted_within_its_scope,
        pe14_the_scope_decides_until_the_person_is_in_a_group_of_it,
    ]
}

/// A federated tenant whose policy syncs the people of Staff only.
fn staffed(hub: &Hub) -> Tenant {
    scoped(hub, &json!({ "names": ["staff"] }))
}

fn scoped(hub: &Hub, scope: &Value) -> Tenant {
    hub.tenant().seats(100).policy("onboarding", "federated").policy("user_scope", &scope.to_string()).create()
}

async fn join(source: &ScimSource, group: &str, user: &str) {
    let add = vec![operation("add", "members", members_value(&[user]))];
    source.patch(&format!("/Groups/{group}"), add).await.expect_success();
}

async fn leave(source: &ScimSource, group: &str, user: &str) {
    let remove = vec![json!({ "op": "remove", "path": format!("members[value eq \"{user}\"]") })];
    source.patch(&format!("/Groups/{group}"), remove).await.expect_success();
}

async fn rename(source: &ScimSource, group: &str, name: &str) {
    let rename = vec![operation("replace", "displayName", json!(name))];
    source.patch(&format!("/Groups/{group}"), rename).await.expect_success();
}

async fn lp5_only_members_of_the_scope_groups_are_synced(hub: Hub) {
    let tenant = scoped(&hub, &json!({ "names": ["all  STAFF"], "prefixes": ["team "], "external_ids": ["g-7"] }));
    let source = tenant.scim_source();
    let ids = source.users(&["nemo", "ann", "bea", "cem", "dan"]).await;
    source.group("Visitors", &[&ids[0]]).await;
    source.group("All Staff", &[&ids[1]]).await;
    source.group("Team  Boats", &[&ids[2]]).await;
    let group = json!({ "schemas": [GROUP], "displayName": "Pilots", "externalId": "g-7", "members": members_value(&[&ids[3]]) });
    source.post("/Groups", &group).await.expect(201);
    for name in ["ann", "bea", "cem"] {
        tenant.eventually_status(&email(name), "active").await;
    }
    // People outside are neither members nor skipped records.
    let members = tenant.members().await;
    assert_eq!(members.len(), 3, "{members:?}");
    eventually_skipped(&tenant, "no_email", &[]).await;
    assert!(tenant.list::<Value>("/api/v1/skipped-records").await.is_empty());
    for scope in
        [json!({}), json!({ "prefixes": [" "] }), json!({ "groups": ["x"] }), json!({ "names": vec!["x"; 501] })]
    {
        let refused = set_policy(&tenant, json!({ "user_scope": scope })).await.expect_problem(400);
        assert!(refused.describe().contains("user_scope") || scope["groups"].is_array(), "{}", refused.describe());
    }
    change_policy(&tenant, "on_out_of_scope", json!("keep")).await.expect_problem(400);
    set_policy(&tenant, json!({ "user_scope": null })).await.expect(200);
    tenant.eventually("all five, without a scope", |members| members.with_status("active").len() == 5).await;
}

async fn lp5_a_group_comes_into_the_scope_and_leaves_it_with_its_people(hub: Hub) {
    let tenant = scoped(&hub, &json!({ "names": ["Staff"], "external_ids": ["g-7"] }));
    let source = tenant.scim_source();
    let ids = source.users(&["ann", "bea"]).await;
    let group = source.group("Crew", &[&ids[0], &ids[1]]).await;
    tenant.eventually_group("Crew", &[]).await;
    rename(&source, &group, "STAFF").await;
    tenant.eventually_group("STAFF", &[&email("ann"), &email("bea")]).await;
    rename(&source, &group, "Crew").await;
    tenant.eventually("both are out", |members| members.with_status("suspended").len() == 2).await;
    let named = vec![operation("replace", "externalId", json!("g-7"))];
    source.patch(&format!("/Groups/{group}"), named).await.expect_success();
    tenant.eventually("both are back", |members| members.with_status("active").len() == 2).await;
    // Another group of the scope keeps its people in.
    let staff = source.group("Staff", &[&ids[0]]).await;
    source.delete(&format!("/Groups/{group}")).await.expect(204);
    tenant.eventually_status(&email("bea"), "suspended").await;
    tenant.eventually_status(&email("ann"), "active").await;
    let kinds = tenant.kinds_about(&tenant.member(&email("ann")).await.unwrap().id).await;
    assert_eq!(kinds.iter().filter(|kind| *kind == "member.suspended").count(), 1, "only once: {kinds:?}");
    source.delete(&format!("/Groups/{staff}")).await.expect(204);
    tenant.eventually_status(&email("ann"), "suspended").await;
}

async fn lp5_a_source_may_have_a_scope_of_its_own(hub: Hub) {
    let tenant = staffed(&hub);
    let source = tenant.scim_source();
    let ids = source.users(&["ann", "bea"]).await;
    let group = source.group("Staff", &[&ids[0]]).await;
    tenant.eventually_status(&email("ann"), "active").await;
    assert!(tenant.member(&email("bea")).await.is_none());
    let own = json!({ source.id.clone(): { "user_scope": { "names": ["Crew"] }, "on_out_of_scope": "remove" } });
    let own = json!({ "policy": { "sources": own }, "leaving": 1 });
    tenant.send(Method::PATCH, "/api/v1/policy", Some(&own)).await.expect(200);
    tenant.eventually_status(&email("ann"), "removed").await;
    rename(&source, &group, "Crew").await;
    join(&source, &group, &ids[1]).await;
    tenant.eventually("both are in", |members| members.with_status("active").len() == 2).await;
    change_policy(&tenant, "sources", json!({ source.id.clone(): { "user_scope": null } })).await.expect(200);
    source.user("cem").await;
    tenant.eventually_status(&email("cem"), "active").await;
}

async fn dx6_who_is_only_in_a_synced_group_is_ignored_there_too(hub: Hub) {
    let tenant = staffed(&hub);
    set_policy(&tenant, json!({ "group_scope": { "prefixes": ["App-"] } })).await.expect(200);
    let source = tenant.scim_source();
    let ids = source.users(&["ann", "bea"]).await;
    source.group("App-Wiki", &[&ids[0], &ids[1]]).await;
    let staff = source.group("Staff", &[&ids[0]]).await;
    tenant.eventually_group("App-Wiki", &[&email("ann")]).await;
    assert_eq!(tenant.groups().await.len(), 1, "the user group is none that is synced");
    assert!(tenant.member(&email("bea")).await.is_none());
    eventually_skipped(&tenant, "group_out_of_scope", &[]).await;
    join(&source, &staff, &ids[1]).await;
    tenant.eventually_group("App-Wiki", &[&email("ann"), &email("bea")]).await;
}

async fn dx6_one_group_for_people_and_groups_refuses_somebody_outside_and_the_others_go_on(hub: Hub) {
    let tenant = scoped(&hub, &json!({ "prefixes": ["Team "] }));
    set_policy(&tenant, json!({ "group_scope": { "prefixes": ["Team "] } })).await.expect(200);
    let source = tenant.scim_source();
    let ids = source.users(&["ann", "bea"]).await;
    let group = source.group("Team A", &[&ids[0]]).await;
    // A person in a synced group is in scope by it; only a person who is not a user of this source is outside.
    let outside = vec![operation("add", "members", members_value(&[&unknown_id().to_string(), &ids[1]]))];
    source.patch(&format!("/Groups/{group}"), outside).await.expect_scim_error(400, Some("invalidValue"));
    source.group("Team B", &[&ids[0]]).await;
    tenant.eventually_group("Team B", &[&email("ann")]).await;
    tenant.eventually_group("Team A", &[&email("ann")]).await;
    eventually_rejected(&tenant, &source, 1).await;
    assert!(tenant.member(&email("bea")).await.is_none(), "all or nothing");
}

async fn dx14_pe4_who_leaves_the_scope_is_suspended_and_comes_back_as_before(hub: Hub) {
    // Ann must not be the only administrator of the tenant.
    let owned = hub.tenant().owner(&email("owner")).policy("onboarding", "federated");
    let tenant = owned.policy("user_scope", &json!({ "names": ["Staff"] }).to_string()).create();
    let source = tenant.scim_source();
    let ids = source.users(&["ann", "bea"]).await;
    source.group("Pilots", &[&ids[0]]).await;
    let staff = source.group("Staff", &[&ids[0], &ids[1]]).await;
    tenant.eventually_group("Pilots", &[&email("ann")]).await;
    let ann = tenant.eventually_status(&email("ann"), "active").await;
    let role = json!({ "role": "admin" });
    tenant.send(Method::PATCH, &format!("/api/v1/members/{}", ann.id), Some(&role)).await.expect(200);
    leave(&source, &staff, &ids[0]).await;
    tenant.owner_approves().await;
    let gone = tenant.eventually_status(&email("ann"), "suspended").await;
    let suspended: Vec<Value> =
        tenant.list(&format!("/api/v1/audit-events?kind=member.suspended&subject_id={}", gone.id)).await;
    assert_eq!(suspended[0]["detail"]["why"], "out_of_scope", "{suspended:?}");
    tenant.eventually_group("Pilots", &[&email("ann")]).await;
    // Disabled and enabled meanwhile, they stay out.
    source.deactivate(&ids[0]).await.expect_success();
    source.activate(&ids[0]).await.expect_success();
    source.deactivate(&ids[1]).await.expect_success();
    tenant.eventually_status(&email("bea"), "suspended").await;
    assert_eq!(tenant.member(&email("ann")).await.unwrap().status, "suspended");
    join(&source, &staff, &ids[0]).await;
    tenant.owner_approves().await;
    let back = tenant.eventually_status(&email("ann"), "active").await;
    let shown = tenant.get(&format!("/api/v1/members/{}", back.id)).await.expect(200);
    assert_eq!((back.id, shown.at("/role")), (ann.id, &json!("admin")));
    tenant.eventually_group("Pilots", &[&email("ann")]).await;
}

async fn dx14_who_leaves_the_scope_is_removed_where_the_policy_says_so(hub: Hub) {
    let tenant = staffed(&hub);
    let source = tenant.scim_source();
    let ids = source.users(&["ann", "bea"]).await;
    let staff = source.group("Staff", &[&ids[0], &ids[1]]).await;
    tenant.eventually("both are in", |members| members.with_status("active").len() == 2).await;
    leave(&source, &staff, &ids[1]).await;
    tenant.eventually_status(&email("bea"), "suspended").await;
    change_policy(&tenant, "on_out_of_scope", json!("remove")).await.expect(200);
    // The policy applies to people who are out already, too.
    tenant.eventually_status(&email("bea"), "removed").await;
    source.deactivate(&ids[0]).await.expect_success();
    tenant.eventually_status(&email("ann"), "suspended").await;
    leave(&source, &staff, &ids[0]).await;
    tenant.eventually_status(&email("ann"), "removed").await;
}

/// A tenant of `over_limit` hold with 12 people in Staff, of whom 3 may leave.
async fn crew(hub: &Hub) -> (Tenant, ScimSource, String) {
    let tenant = staffed(hub);
    let limit = json!({ "count": 3, "percent": 0, "window_hours": 24 });
    set_policy(&tenant, json!({ "removal_limit": limit, "over_limit": "hold" })).await.expect(200);
    let source = tenant.scim_source();
    let names: Vec<String> = (0..12).map(|number| format!("p{number:02}")).collect();
    let ids = source.users(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let staff = source.group("Staff", &ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    tenant.eventually("all are in", |members| members.with_status("active").len() == 12).await;
    (tenant, source, staff)
}

async fn eventually_nine_stay(tenant: &Tenant) {
    tenant.eventually_held(OVER_LIMIT).await;
    eventually("nine are held", async || {
        let runs = tenant.runs().await;
        let held = runs.iter().find(|run| run.is_held_for(OVER_LIMIT)).ok_or(format!("{runs:?}"))?;
        let run = tenant.get(&format!("/api/v1/runs/{}", held.id)).await.expect(200);
        if run.at("/counts/suspend") == &json!(9) { Ok(()) } else { Err(run.describe()) }
    })
    .await;
    let members = tenant.members().await;
    assert_eq!((members.with_status("active").len(), members.with_status("suspended").len()), (9, 3), "{members:?}");
}

async fn da10_an_emptied_scope_group_is_held(hub: Hub) {
    let (tenant, source, staff) = crew(&hub).await;
    let empty = vec![json!({ "op": "replace", "path": "members", "value": [] })];
    source.patch(&format!("/Groups/{staff}"), empty).await.expect_success();
    eventually_nine_stay(&tenant).await;
    // With suspend_only all lose access, and all keep the seat to come back to.
    change_policy(&tenant, "over_limit", json!("suspend_only")).await.expect_problem(409);
    let meant = json!({ "policy": { "over_limit": "suspend_only" }, "leaving": 9 });
    tenant.send(Method::PATCH, "/api/v1/policy", Some(&meant)).await.expect(200);
    tenant.eventually("all are suspended", |members| members.with_status("suspended").len() == 12).await;
    let run = tenant.eventually_held(OVER_LIMIT).await;
    eventually("the seats are held", async || {
        let run = tenant.get(&format!("/api/v1/runs/{}", run.id)).await.expect(200);
        if run.at("/counts/release_seat") == &json!(9) { Ok(()) } else { Err(run.describe()) }
    })
    .await;
}

async fn da10_a_deleted_scope_group_is_held(hub: Hub) {
    let (tenant, source, staff) = crew(&hub).await;
    source.delete(&format!("/Groups/{staff}")).await.expect(204);
    eventually_nine_stay(&tenant).await;
}

async fn da10_a_scope_group_renamed_away_is_held_and_back_again_nobody_left(hub: Hub) {
    let (tenant, source, staff) = crew(&hub).await;
    rename(&source, &staff, "Crew").await;
    eventually_nine_stay(&tenant).await;
    rename(&source, &staff, "Staff").await;
    tenant.eventually("all are back", |members| members.with_status("active").len() == 12).await;
    eventually("nothing is held any more", async || {
        let runs = tenant.runs().await;
        if runs.iter().all(|run| run.state != "held") { Ok(()) } else { Err(format!("{runs:?}")) }
    })
    .await;
}

async fn da10_a_mistyped_scope_is_held(hub: Hub) {
    let (tenant, ..) = crew(&hub).await;
    set_policy(&tenant, json!({ "user_scope": { "names": ["Staf"] } })).await.expect(200);
    eventually_nine_stay(&tenant).await;
}

async fn da10_a_mistyped_scope_ends_no_access_unless_the_number_is_said(hub: Hub) {
    let (tenant, ..) = crew(&hub).await;
    change_policy(&tenant, "over_limit", json!("suspend_only")).await.expect(200);
    for leaving in [0, 11] {
        let mistyped = json!({ "policy": { "user_scope": { "names": ["Staf"] } }, "leaving": leaving });
        let refused = tenant.send(Method::PATCH, "/api/v1/policy", Some(&mistyped)).await.expect_problem(409);
        assert_eq!(refused.json["code"], "too_many_leave", "{}", refused.describe());
        let told = refused.json["detail"].as_str().expect("a sentence");
        for part in ["12 of 12 people", "allows 3", r#"matches "Staf". Did you mean "Staff"?"#, r#"`"leaving": 12`"#] {
            assert!(told.contains(part), "{part} in {told}");
        }
    }
    assert_eq!(tenant.members().await.with_status("active").len(), 12);
    // Beside a group that everybody is in, a misspelt one is told and harms nobody.
    let both =
        json!({ "policy": { "user_scope": { "names": ["staff", "Staf"] }, "group_scope": { "prefixes": ["stuff"] } } });
    let warned = tenant.send(Method::PATCH, "/api/v1/policy", Some(&both)).await.expect(200);
    let warnings = warned.at("/warnings").as_array().expect("a list");
    let begin = |number: usize| warnings[number].as_str().and_then(|told| told.split_once(": ")).map(|(key, _)| key);
    assert_eq!((begin(0), begin(1), warnings.len()), (Some("user_scope"), Some("group_scope"), 2), "{warnings:?}");
    // A scope that was written while nobody left is asked for the number when people would.
    for (switches, status) in [
        (json!({ "auto_deprovision": false, "user_scope": { "names": ["Staf"] } }), 200),
        (json!({ "auto_deprovision": true }), 409),
        (json!({ "auto_deprovision": true, "user_scope": { "names": ["staff"] } }), 200),
    ] {
        let body = json!({ "policy": switches });
        assert_eq!(tenant.send(Method::PATCH, "/api/v1/policy", Some(&body)).await.status, status, "{switches}");
    }
    let meant = json!({ "policy": { "user_scope": { "names": ["Staf"] } }, "leaving": 12 });
    tenant.send(Method::PATCH, "/api/v1/policy", Some(&meant)).await.expect(200);
    tenant.eventually("all are suspended", |members| members.with_status("suspended").len() == 12).await;
}

/// The removal limit allows ten, and a small organisation has no more.
async fn da10_a_scope_that_leaves_out_everybody_is_asked_for_the_number(hub: Hub) {
    let tenant = hub.tenant().policy("onboarding", "federated").create();
    let source = tenant.scim_source();
    let ids = source.users(&["ann", "bea"]).await;
    source.group("Staff", &[&ids[0]]).await;
    source.group("Guests", &[]).await;
    tenant.eventually("both are in", |members| members.with_status("active").len() == 2).await;
    set_policy(&tenant, json!({ "user_scope": { "names": ["Guests"] } })).await.expect_problem(409);
    set_policy(&tenant, json!({ "user_scope": { "names": ["Staff", "Guest"] } })).await.expect_problem(409);
    assert_eq!(tenant.members().await.with_status("active").len(), 2);
    set_policy(&tenant, json!({ "user_scope": { "names": ["Staff"] } })).await.expect(200);
    tenant.eventually_status(&email("bea"), "suspended").await;
}

async fn da11_with_deprovisioning_off_a_new_scope_lists_who_is_outside(hub: Hub) {
    let tenant = hub.tenant().policy("onboarding", "federated").policy("auto_deprovision", "false").create();
    let source = tenant.scim_source();
    let ids = source.users(&["ann", "bea"]).await;
    let staff = source.group("Staff", &[&ids[0]]).await;
    tenant.eventually("both are in", |members| members.with_status("active").len() == 2).await;
    set_policy(&tenant, json!({ "user_scope": { "names": ["Staff"] } })).await.expect(200);
    let run = tenant.eventually_held("deprovisioning_off").await;
    let items: Vec<Value> = tenant.list(&format!("/api/v1/runs/{}/items", run.id)).await;
    let listed: Vec<_> = items.iter().map(|item| (&item["who"]["email"], &item["action"], &item["why"])).collect();
    assert_eq!(listed, [(&json!(email("bea")), &json!("suspend"), &json!("out_of_scope"))], "{items:?}");
    assert_eq!(tenant.member(&email("bea")).await.unwrap().status, "active");
    // Once they are in scope, no decision is left.
    join(&source, &staff, &ids[1]).await;
    eventually("the list is empty", async || {
        let runs = tenant.runs().await;
        if runs.iter().all(|run| run.state != "held") { Ok(()) } else { Err(format!("{runs:?}")) }
    })
    .await;
}

async fn da8_who_leaves_the_scope_while_waiting_is_not_let_in(hub: Hub) {
    let scope = json!({ "names": ["Staff"] }).to_string();
    let tenant = hub.tenant().seats(1).policy("onboarding", "federated").policy("user_scope", &scope).create();
    let source = tenant.scim_source();
    let ids = source.users(&["ann", "bea", "cem"]).await;
    let staff = source.group("Staff", &[&ids[0], &ids[1], &ids[2]]).await;
    tenant.eventually("two wait", |members| members.with_status("pending").len() == 2).await;
    leave(&source, &staff, &ids[1]).await;
    leave(&source, &staff, &ids[0]).await;
    // There is one seat: cem has it, so bea was not let in, whichever of the two changes is planned first.
    tenant.eventually_status(&email("cem"), "active").await;
    tenant.eventually_status(&email("bea"), "suspended").await;
}

async fn dx3_a_simulated_source_is_planned_and_promoted_within_its_scope(hub: Hub) {
    let tenant = hub.tenant().policy("onboarding", "federated").create();
    let first = tenant.scim_source();
    first.users(&["ann", "bea"]).await;
    tenant.eventually("both are in", |members| members.with_status("active").len() == 2).await;
    let second = tenant.new_source().argument("--mode").argument("simulate").create();
    let own = json!({ second.id.clone(): { "user_scope": { "names": ["Staff"] } } });
    change_policy(&tenant, "sources", own).await.expect(200);
    let ids = second.users(&["ann", "bea", "cem", "dan"]).await;
    let url = format!("/api/v1/sources/{}/promotion", second.id);
    let preview = async |counts: [u8; 3]| {
        eventually("the preview is complete", async || {
            let answer = tenant.get(&url).await.expect(200);
            let seen = ["transferred", "new", "suspended"].map(|key| answer.at(&format!("/people/{key}")).clone());
            let complete = answer.at("/pending_changes") == &json!(0) && seen == counts.map(|count| json!(count));
            if complete { Ok(answer) } else { Err(answer.describe()) }
        })
        .await
    };
    // With an empty scope a promotion would take everybody's access, so it is refused.
    let digest = preview([2, 0, 2]).await.text_at("/digest");
    let promote = format!("/api/v1/sources/{}/promote", second.id);
    tenant.post(&promote, &json!({ "digest": digest })).await.expect_problem(409);
    let group = second.group("Crew", &[&ids[0], &ids[2]]).await;
    rename(&second, &group, "Staff").await;
    let digest = preview([2, 1, 1]).await.text_at("/digest");
    tenant.post(&promote, &json!({ "digest": digest })).await.expect_success();
    tenant.eventually_status(&email("cem"), "active").await;
    tenant.eventually_status(&email("bea"), "suspended").await;
    assert_eq!(tenant.member(&email("ann")).await.unwrap().status, "active");
    assert!(tenant.member(&email("dan")).await.is_none());
}

async fn pe14_the_scope_decides_until_the_person_is_in_a_group_of_it(hub: Hub) {
    let tenant = staffed(&hub);
    let source = tenant.scim_source();
    let ids = source.users(&["ann", "bea"]).await;
    let staff = source.group("Staff", &[&ids[1]]).await;
    tenant.eventually_status(&email("bea"), "active").await;
    let path = format!("/api/v1/sources/{}/users/{}", source.id, ids[0]);
    let explained = async || tenant.get(&format!("{path}/explain")).await.expect(200);
    let before = explained().await;
    assert_eq!(
        (before.at("/access"), before.at("/decided_by")),
        (&json!(false), &json!("scope")),
        "{}",
        before.describe()
    );
    assert!(before.text_at("/sentence").contains("staff"), "{}", before.describe());
    let dry = tenant.post(&format!("{path}/reconcile"), &json!({ "dry_run": true })).await.expect(200);
    assert!(dry.describe().contains("in no group of the policy's user_scope"), "{}", dry.describe());
    assert_eq!(dry.at("/steps/0/in_scope"), false, "{}", dry.describe());
    join(&source, &staff, &ids[0]).await;
    tenant.eventually_status(&email("ann"), "active").await;
    let after = explained().await;
    assert_eq!((after.at("/access"), after.at("/decided_by")), (&json!(true), &Value::Null), "{}", after.describe());
}
