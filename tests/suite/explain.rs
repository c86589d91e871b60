//! Explanation of a person's access (PE14): each blocked gate seeded alone is named, and removing it alone flips the
//! answer.

use reqwest::Method;
use serde_json::{Value, json};

use crate::decisions::change_policy;
use crate::deployment::Combination;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::verbs::{ScimSource, TenantBuilder, email, eventually, person, unknown_id, with};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = cases![
        pe14_rc12_a_disabled_record_decides_until_it_is_enabled,
        pe14_a_simulated_source_decides_until_it_is_live,
        pe14_a_dispute_decides_until_it_is_settled,
        pe14_a_switch_of_the_policy_decides_until_it_is_turned,
        pe14_a_missing_seat_decides_until_one_is_bought,
        pe14_a_hold_keeps_access_until_it_is_approved,
        pe14_an_open_invitation_decides_until_it_is_accepted,
        pe14_a_group_path_names_the_dispute_until_the_name_is_free,
        pe14_somebody_unknown_is_explained_too,
        pe14_people_are_found_by_address_and_external_id,
        f15_nobody_is_made_of_an_unknown_address,
    ];
    cases.extend(
        cases![pe14_a_change_nobody_looked_at_decides_until_a_worker_does]
            .into_iter()
            .map(|case| case.only_on(Combination::Full)),
    );
    cases
}

fn federated(hub: &Hub) -> TenantBuilder {
    hub.tenant().policy("onboarding", "federated")
}

/// Waits until the explanation at `path` has this access and this deciding gate.
async fn eventually_explained(tenant: &Tenant, path: &str, access: bool, gate: Option<&str>) -> Value {
    eventually(&format!("{path}: access {access} because of {gate:?}"), async || {
        let answer = tenant.get(path).await.expect(200).json;
        let one = if answer["items"].is_array() { answer["items"][0].clone() } else { answer };
        let fits = one["access"] == access && one["decided_by"] == json!(gate);
        if fits { Ok(one) } else { Err(one.to_string()) }
    })
    .await
}

fn of_record(source: &ScimSource, user: &str) -> String {
    format!("/api/v1/sources/{}/users/{user}/explain", source.id)
}

async fn of_member(tenant: &Tenant, name: &str) -> String {
    let member = tenant.member(&email(name)).await.unwrap_or_else(|| panic!("no member {name}"));
    format!("/api/v1/members/{}/explain", member.id)
}

/// The gate of this name, with what every blocked gate has.
fn gate<'e>(explained: &'e Value, name: &str) -> &'e Value {
    let gates = explained["gates"].as_array().unwrap_or_else(|| panic!("no gates: {explained}"));
    let found = gates.iter().find(|gate| gate["gate"] == name).unwrap_or_else(|| panic!("no gate {name}: {explained}"));
    assert_eq!(found["state"], "blocked", "{found}");
    assert!(found["sentence"].is_string() && found["remedy"].is_string(), "{found}");
    found
}

async fn pe14_rc12_a_disabled_record_decides_until_it_is_enabled(hub: Hub) {
    let tenant = federated(&hub).create();
    let source = tenant.scim_source();
    let id = source.user("ann").await;
    tenant.eventually_status(&email("ann"), "active").await;
    let path = of_member(&tenant, "ann").await;
    eventually_explained(&tenant, &path, true, None).await;
    let disabled = source.deactivate(&id).await.expect_success();
    let explained = eventually_explained(&tenant, &path, false, Some("source_record")).await;
    let request = disabled.headers.get("x-request-id").unwrap().to_str().unwrap();
    assert_eq!(gate(&explained, "source_record")["evidence"]["request_id"], request, "who said so");
    let status = gate(&explained, "status");
    assert_eq!(status["evidence"]["request_id"], request, "and what it led to");
    assert!(status["evidence"]["run_id"].is_string(), "{status}");
    source.activate(&id).await.expect_success();
    eventually_explained(&tenant, &path, true, None).await;
}

async fn pe14_a_simulated_source_decides_until_it_is_live(hub: Hub) {
    let tenant = federated(&hub).create();
    let source = tenant.new_source().argument("--mode").argument("simulate").create();
    let path = of_record(&source, &source.user("ann").await);
    eventually_explained(&tenant, &path, false, Some("source_mode")).await;
    let planned = eventually("the simulated run is the evidence", async || {
        let explained = tenant.get(&path).await.expect(200).json;
        let run = gate(&explained, "source_mode")["evidence"]["run_id"].as_str().map(str::to_owned);
        run.ok_or_else(|| explained.to_string())
    })
    .await;
    assert_eq!(tenant.get(&format!("/api/v1/runs/{planned}")).await.expect(200).at("/state"), "planned");
    let live = json!({ "mode": "live" });
    tenant.send(Method::PATCH, &format!("/api/v1/sources/{}", source.id), Some(&live)).await.expect(200);
    eventually_explained(&tenant, &path, true, None).await;
}

async fn pe14_a_dispute_decides_until_it_is_settled(hub: Hub) {
    let tenant = federated(&hub).owner(&email("ann")).policy("adopt_existing", "false").create();
    let source = tenant.scim_source();
    let path = of_record(&source, &source.user("ann").await);
    let explained = eventually_explained(&tenant, &path, false, Some("match")).await;
    assert_eq!(explained["situation"], "disputed");
    assert_eq!(gate(&explained, "match")["evidence"]["reason"], "adoption_off");
    change_policy(&tenant, "adopt_existing", json!(true)).await.expect(200);
    tenant.owner_approves().await;
    let explained = eventually_explained(&tenant, &path, true, None).await;
    assert_eq!(explained["situation"], "linked");
}

async fn pe14_a_switch_of_the_policy_decides_until_it_is_turned(hub: Hub) {
    let tenant = federated(&hub).policy("auto_provision", "false").create();
    let source = tenant.scim_source();
    let path = of_record(&source, &source.user("ann").await);
    tenant.eventually_held("provisioning_off").await;
    let explained = eventually_explained(&tenant, &path, false, Some("policy")).await;
    assert_eq!(gate(&explained, "policy")["evidence"]["reason"], "provisioning_off");
    change_policy(&tenant, "auto_provision", json!(true)).await.expect(200);
    eventually_explained(&tenant, &path, true, None).await;
}

async fn pe14_a_missing_seat_decides_until_one_is_bought(hub: Hub) {
    let tenant = federated(&hub).seats(1).create();
    let source = tenant.scim_source();
    source.users(&["ann", "bea", "cem"]).await;
    tenant.eventually("all are there", |members| members.len() == 3).await;
    let path = of_member(&tenant, "cem").await;
    let explained = eventually_explained(&tenant, &path, false, Some("seat")).await;
    assert_eq!(gate(&explained, "seat")["evidence"]["place"], 2, "behind bea");
    hub.run_command(&["tenant", "set-seats", "--tenant", &tenant.slug, "--seats", "3"]).expect_success();
    eventually_explained(&tenant, &path, true, None).await;
}

async fn pe14_a_hold_keeps_access_until_it_is_approved(hub: Hub) {
    let tenant = federated(&hub).policy("over_limit", "hold").policy("removal_limit.count", "0").create();
    let source = tenant.scim_source();
    let id = source.user("ann").await;
    tenant.eventually_status(&email("ann"), "active").await;
    let path = of_member(&tenant, "ann").await;
    source.deactivate(&id).await.expect_success();
    let run = tenant.eventually_held("member_removal_over_limit").await;
    let explained = eventually_explained(&tenant, &path, true, Some("hold")).await;
    assert_eq!(gate(&explained, "hold")["evidence"]["run_id"], run.id.as_str());
    let digest = json!({ "digest": run.digest });
    tenant.post(&format!("/api/v1/runs/{}/approve", run.id), &digest).await.expect(200);
    eventually_explained(&tenant, &path, false, Some("source_record")).await;
}

async fn pe14_an_open_invitation_decides_until_it_is_accepted(hub: Hub) {
    let tenant = hub.tenant().create();
    tenant.scim_source().user("ann").await;
    tenant.eventually_status(&email("ann"), "invited").await;
    let path = of_member(&tenant, "ann").await;
    eventually_explained(&tenant, &path, false, Some("status")).await;
    tenant.accept(&email("ann")).await;
    eventually_explained(&tenant, &path, true, None).await;
}

async fn pe14_a_group_path_names_the_dispute_until_the_name_is_free(hub: Hub) {
    let tenant = federated(&hub).create();
    let source = tenant.scim_source();
    let id = source.user("ann").await;
    let first = source.group("Pilots", &[]).await;
    let second = source.group("PILOTS", &[&id]).await;
    tenant.eventually_status(&email("ann"), "active").await;
    let path = of_member(&tenant, "ann").await;
    let group = async |inside: bool, gate: Option<&str>| {
        eventually(&format!("ann is in the group: {inside}, because of {gate:?}"), async || {
            let groups = tenant.get(&path).await.expect(200).json["groups"].clone();
            let one = &groups[0];
            let fits = one["inside"] == inside && one["decided_by"]["gate"] == json!(gate) && one["wanted"] == true;
            if fits { Ok(one.clone()) } else { Err(groups.to_string()) }
        })
        .await
    };
    let stuck = group(false, Some("match")).await;
    assert_eq!(stuck["directory_group_id"], second.as_str());
    assert_eq!(stuck["decided_by"]["evidence"]["reason"], "group_name_taken");
    source.delete(&format!("/Groups/{first}")).await.expect(204);
    group(true, None).await;
}

async fn pe14_somebody_unknown_is_explained_too(hub: Hub) {
    let tenant = federated(&hub).create();
    let source = tenant.scim_source();
    let path = format!("/api/v1/explain?email={}", email("ann"));
    let explained = eventually_explained(&tenant, &path, false, Some("source_record")).await;
    assert_eq!((&explained["situation"], &explained["member_id"]), (&json!("unmatched"), &Value::Null));
    source.user("ann").await;
    eventually_explained(&tenant, &path, true, None).await;
    for query in ["", "?email=", "?email=a&external_id=b", "?name=ann", "?external_id=%00"] {
        tenant.get(&format!("/api/v1/explain{query}")).await.expect_problem(400);
    }
    for path in [format!("members/{}/explain", unknown_id()), format!("sources/{}/users/nonsense/explain", source.id)] {
        tenant.get(&format!("/api/v1/{path}")).await.expect_problem(404);
    }
}

async fn pe14_people_are_found_by_address_and_external_id(hub: Hub) {
    let tenant = federated(&hub).create();
    let source = tenant.scim_source();
    let ann = source.user("ann").await;
    let bea = source.post("/Users", &with(person("bea"), json!({ "active": false }))).await.expect(201).id();
    tenant.eventually_status(&email("ann"), "active").await;
    let queries = [
        (format!("email={}", email("ANN")), &ann),
        ("external_id=ext-ann".to_owned(), &ann),
        (format!("email={}", email("bea")), &bea),
        ("external_id=ext-bea".to_owned(), &bea),
    ];
    for (query, id) in queries {
        let found = tenant.get(&format!("/api/v1/explain?{query}")).await.expect(200).json;
        assert_eq!(found["items"].as_array().map(Vec::len), Some(1), "each person once: {found}");
        assert_eq!(found["items"][0]["directory_user_id"], id.as_str(), "{query}: {found}");
    }
    let other = hub.tenant().create();
    let foreign = other.scim_source();
    tenant.get(&of_record(&foreign, &ann)).await.expect_problem(404);
    other.get(&of_record(&source, &ann)).await.expect_problem(404);
    let nobody = other.get("/api/v1/explain?external_id=ext-ann").await.expect(200);
    assert_eq!(nobody.at("/items/0/directory_user_id"), &Value::Null, "another tenant's people are unknown");
}

async fn f15_nobody_is_made_of_an_unknown_address(hub: Hub) {
    let tenant = federated(&hub).create();
    let source = tenant.scim_source();
    let answer = tenant.get("/api/v1/explain?email=nobody@acme.example").await.expect(200);
    let gates = answer.at("/items/0/gates").as_array().cloned().unwrap_or_default();
    for name in ["source_mode", "match"] {
        let gate = gates.iter().find(|gate| gate["gate"] == name).unwrap_or_else(|| panic!("{}", answer.describe()));
        assert_eq!(gate["state"], "unknown", "{gate}");
        assert!(!gate["sentence"].as_str().unwrap_or_default().contains("is made"), "{gate}");
    }
    // A record that was never active is known, and nobody is made of it either.
    let off = source.post("/Users", &with(person("ann"), json!({ "active": false }))).await.expect(201).id();
    let explained = tenant.get(&of_record(&source, &off)).await.expect(200);
    assert!(!explained.text.contains("a new member is made"), "{}", explained.describe());
}

async fn pe14_a_change_nobody_looked_at_decides_until_a_worker_does(hub: Hub) {
    let hub = hub.another().apart(0).start().await;
    let tenant = federated(&hub).create();
    let source = tenant.scim_source();
    let made = source.post("/Users", &person("ann")).await.expect(201);
    let path = of_record(&source, &made.id());
    let explained = eventually_explained(&tenant, &path, false, Some("reconcile")).await;
    let request = made.headers.get("x-request-id").unwrap().to_str().unwrap();
    assert_eq!(gate(&explained, "reconcile")["evidence"]["request_id"], request);
    hub.add_worker();
    eventually_explained(&tenant, &path, true, None).await;
}
