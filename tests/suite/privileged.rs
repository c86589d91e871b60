//! Owners and admins: what a source and the key of an admin cannot do to them, and what only an owner decides (S5).

mod attacker;

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use attacker::rc23_s5_no_random_sequence_changes_an_owner;

use crate::decisions::change_policy;
use crate::hub::Hub;
use crate::person::Person;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::roster::Run;
use crate::verbs::{email, members_value, operation, patch, person, with, within};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        rc23_s5_an_account_is_not_taken_over_by_an_admin_key_and_a_token,
        rc23_s5_the_run_about_an_owner_is_the_owners_to_decide,
        rc23_s5_a_rewind_of_an_admin_is_the_owners_to_approve,
        rc23_s5_no_way_of_a_source_reaches_an_owner,
        s5_a_source_reaches_no_auditor,
        s5_what_takes_accounts_over_is_the_owners_to_set,
        s5_an_old_sign_in_sets_nothing_that_takes_accounts_over,
        rc23_s5_no_random_sequence_changes_an_owner,
    ]
}

const BOSS: &str = "boss@acme.example";
const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";

/// The same tenant, by the key of an admin.
fn by_admin(tenant: &Tenant) -> Tenant {
    let made = tenant.hub.json_command(&["api-key", "create", "--tenant", &tenant.slug, "--role", "admin"]);
    Tenant { key: made["key"].as_str().unwrap().to_owned(), ..tenant.clone() }
}

async fn decide(tenant: &Tenant, run: &Run, decision: &str) -> crate::answer::Answer {
    tenant.post(&format!("/api/v1/runs/{}/{decision}", run.id), &json!({ "digest": run.digest })).await
}

fn addressed(name: &str, address: &str) -> Value {
    with(person(name), json!({ "emails": [{ "type": "work", "value": address, "primary": true }] }))
}

/// The attack that worked: a record with the owner's address is adopted, and then gets another address.
async fn rc23_s5_an_account_is_not_taken_over_by_an_admin_key_and_a_token(hub: Hub) {
    let tenant = hub.tenant().owner(BOSS).policy("onboarding", "federated").create();
    let source = tenant.scim_source();
    let admin = by_admin(&tenant);
    let before = tenant.member(BOSS).await.unwrap();
    admin.post(&format!("/api/v1/sources/{}/tokens", source.id), &json!({})).await.expect_problem(403);
    let id = source.post("/Users", &addressed("mallory", BOSS)).await.expect(201).id();
    let run = tenant.eventually_held("privileged_member").await;
    assert_eq!(run.held_reasons, ["privileged_member"]);
    decide(&admin, &run, "approve").await.expect_problem(403);
    decide(&admin, &run, "reject").await.expect_problem(403);
    let path = format!("/api/v1/sources/{}/users/{id}/explain", source.id);
    let explained = tenant.get(&path).await.expect(200);
    let gates = explained.at("/gates").as_array().cloned().unwrap_or_default();
    let hold = gates.iter().find(|gate| gate["gate"] == "hold").cloned().unwrap_or_default();
    assert_eq!(hold["evidence"]["reason"], "privileged_member", "{}", explained.describe());
    assert!(hold["remedy"].as_str().is_some_and(|remedy| remedy.contains("owner")), "{hold}");
    let readdress = operation("replace", "emails[type eq \"work\"].value", json!(email("mallory")));
    source.patch(&format!("/Users/{id}"), vec![readdress]).await.expect_success();
    tenant.eventually_status(&email("mallory"), "active").await;
    assert_eq!(tenant.member(BOSS).await.unwrap(), before);
}

async fn rc23_s5_the_run_about_an_owner_is_the_owners_to_decide(hub: Hub) {
    let limit = r#"{"count": 0, "percent": 0}"#;
    let tenant = hub.tenant().owner(BOSS).policy("onboarding", "federated").policy("removal_limit", limit).create();
    let source = tenant.scim_source();
    let ids = source.users(&["ann", "bea"]).await;
    let ann = tenant.eventually_status(&email("ann"), "active").await;
    tenant.eventually_status(&email("bea"), "active").await;
    let role = json!({ "role": "admin" });
    tenant.send(Method::PATCH, &format!("/api/v1/members/{}", ann.id), Some(&role)).await.expect(200);
    for id in &ids {
        source.deactivate(id).await.expect_success();
    }
    // Bea's seat is an admin's to decide, and waits for no owner.
    let admin = by_admin(&tenant);
    let limited = tenant.eventually_held("member_removal_over_limit").await;
    let privileged = tenant.eventually_held("privileged_member").await;
    assert_ne!(limited.id, privileged.id);
    decide(&admin, &limited, "approve").await.expect(200);
    decide(&admin, &privileged, "approve").await.expect_problem(403);
    assert_eq!(tenant.member(&email("ann")).await.unwrap().status, "active");
    tenant.owner_approves().await;
    tenant.eventually_status(&email("ann"), "suspended").await;
    // The way back gives a role back.
    source.activate(&ids[0]).await.expect_success();
    tenant.eventually_held("privileged_member").await;
    assert_eq!(tenant.member(&email("ann")).await.unwrap().status, "suspended");
    // Without the role it is nobody's decision.
    let role = json!({ "role": "member" });
    admin.send(Method::PATCH, &format!("/api/v1/members/{}", ann.id), Some(&role)).await.expect(200);
    tenant.eventually_status(&email("ann"), "active").await;
}

async fn rc23_s5_a_rewind_of_an_admin_is_the_owners_to_approve(hub: Hub) {
    let tenant = hub.tenant().owner(BOSS).policy("onboarding", "federated").create();
    let source = tenant.scim_source();
    source.user("ann").await;
    let ann = tenant.eventually_status(&email("ann"), "active").await;
    let run = tenant.runs().await.into_iter().find(|run| run.state == "applied").expect("the run that let Ann in");
    let role = json!({ "role": "admin" });
    tenant.send(Method::PATCH, &format!("/api/v1/members/{}", ann.id), Some(&role)).await.expect(200);
    let admin = by_admin(&tenant);
    let rewind = admin.post(&format!("/api/v1/runs/{}/rewind", run.id), &json!({})).await.expect(202).id();
    let planned = crate::verbs::eventually("the rewind is planned", async || {
        let runs = tenant.runs().await;
        let planned = runs.iter().find(|run| run.id == rewind && run.state == "planned").cloned();
        planned.ok_or(format!("{runs:#?}"))
    })
    .await;
    decide(&admin, &planned, "approve").await.expect_problem(403);
    assert_eq!(tenant.member(&email("ann")).await.unwrap().status, "active");
    decide(&tenant, &planned, "approve").await.expect(200);
    crate::verbs::eventually("Ann is out again", async || match tenant.member(&email("ann")).await {
        None => Ok(()),
        Some(ann) if ann.status == "removed" => Ok(()),
        ann => Err(format!("{ann:?}")),
    })
    .await;
}

/// An account that reads everything is worth taking.
async fn s5_a_source_reaches_no_auditor(hub: Hub) {
    let tenant = hub.tenant().owner(BOSS).policy("onboarding", "federated").create();
    let source = tenant.scim_source();
    let id = source.user("ann").await;
    let ann = tenant.eventually_status(&email("ann"), "active").await;
    let role = json!({ "role": "auditor" });
    tenant.send(Method::PATCH, &format!("/api/v1/members/{}", ann.id), Some(&role)).await.expect(200);
    let before = tenant.member(&email("ann")).await.unwrap();
    let readdress = operation("replace", "emails[type eq \"work\"].value", json!(email("mallory")));
    source.patch(&format!("/Users/{id}"), vec![readdress]).await.expect_success();
    let run = tenant.eventually_held("privileged_member").await;
    decide(&by_admin(&tenant), &run, "approve").await.expect_problem(403);
    assert_eq!(tenant.member(&email("ann")).await.unwrap(), before);
    tenant.owner_approves().await;
    let after = tenant.eventually_status(&email("mallory"), "active").await;
    assert_eq!((after.id, after.role.as_str()), (ann.id, "auditor"));
}

async fn s5_what_takes_accounts_over_is_the_owners_to_set(hub: Hub) {
    let tenant = hub.tenant().owner(BOSS).create();
    let source = tenant.new_source().argument("--mode").argument("simulate").create();
    let admin = by_admin(&tenant);
    let boss = tenant.member(BOSS).await.unwrap().id;
    for (key, value) in [
        ("adopt_existing", json!(false)),
        ("email_attribute", json!("userName")),
        ("mapping", json!({ "email": "user.userName" })),
        ("protected_members", json!([boss])),
        ("seat_cap", json!(100_000_000)),
        ("sources", json!({ (source.id.clone()): { "mapping": { "email": "user.title" } } })),
    ] {
        let body = json!({ "policy": { (key): value } });
        let refused = admin.send(Method::PATCH, "/api/v1/policy", Some(&body)).await.expect_problem(403);
        assert!(
            refused.at("/detail").as_str().is_some_and(|detail| detail.contains("owner")),
            "{}",
            refused.describe()
        );
        tenant.send(Method::PATCH, "/api/v1/policy", Some(&body)).await.expect(200);
    }
    // Keys that are not the owner's, and the whole policy with the owner's part as it is.
    let body = json!({ "policy": { "approval": true } });
    admin.send(Method::PATCH, "/api/v1/policy", Some(&body)).await.expect(200);
    let mut whole = admin.get("/api/v1/policy").await.expect(200).json;
    whole["policy"]["approval"] = json!(false);
    admin.send(Method::PUT, "/api/v1/policy", Some(&whole)).await.expect(200);
    let path = format!("/api/v1/sources/{}", source.id);
    admin.send(Method::PATCH, &path, Some(&json!({ "mode": "live" }))).await.expect_problem(403);
    admin.send(Method::PATCH, &path, Some(&json!({ "mode": "off" }))).await.expect(200);
    tenant.send(Method::PATCH, &path, Some(&json!({ "mode": "live" }))).await.expect(200);
}

/// A session that was left open is no owner at the desk.
async fn s5_an_old_sign_in_sets_nothing_that_takes_accounts_over(hub: Hub) {
    let tenant = hub.tenant().owner(BOSS).create();
    let boss = Person::sign_in(&tenant, BOSS).await;
    let id = boss.get("/api/v1/session").await.expect(200).text_at("/session/id");
    let set = async |key: &str, value: Value| {
        boss.send(Method::PATCH, "/api/v1/policy", &json!({ "policy": { (key): value } })).await
    };
    set("seat_cap", json!(7)).await.expect(200);
    crate::sign_in::age_session(&tenant, &id, 11).await;
    within(Duration::from_secs(2), "the sign-in is stale", async || set("seat_cap", json!(8)).await.check_problem(403))
        .await;
    for (key, value) in [("adopt_existing", json!(false)), ("mapping", json!({ "email": "user.userName" }))] {
        assert_eq!(set(key, value).await.expect_problem(403).at("/code"), "sign_in_again", "{key}");
    }
    set("approval", json!(true)).await.expect(200);
    let whole = boss.get("/api/v1/policy").await.expect(200).json;
    boss.send(Method::PUT, "/api/v1/policy", &whole).await.expect(200);
}

/// Everything by which a source, or the move to another one, ends the access of a person or moves the account.
const WAYS: [&str; 10] = [
    "DELETE",
    "PUT, disabled",
    "PUT, another address",
    "PATCH, disabled",
    "bulk, disabled and deleted",
    "out of the scope",
    "the scope's group deleted",
    "another record with the external id",
    "another attribute is the address",
    "promotion of another source",
];

async fn rc23_s5_no_way_of_a_source_reaches_an_owner(hub: Hub) {
    join_all(WAYS.iter().map(|way| try_way(&hub, way))).await;
}

async fn try_way(hub: &Hub, way: &str) {
    let scope = json!({ "names": ["Staff"] }).to_string();
    let builder = hub.tenant().owner(BOSS).policy("onboarding", "federated").policy("on_deleted", "remove");
    let tenant = builder.policy("user_scope", &scope).create();
    let source = tenant.scim_source();
    let ids = source.users(&["ann", "bob"]).await;
    let staff = source.group("Staff", &[&ids[0], &ids[1]]).await;
    let ann = tenant.eventually_status(&email("ann"), "active").await;
    let owner = json!({ "role": "owner" });
    tenant.send(Method::PATCH, &format!("/api/v1/members/{}", ann.id), Some(&owner)).await.expect(200);
    let mut before = tenant.member(&email("ann")).await.unwrap();
    let path = format!("/Users/{}", ids[0]);
    let disabled = json!({ "active": false });
    match way {
        "DELETE" => drop(source.delete(&path).await.expect(204)),
        "PUT, disabled" => drop(source.put(&path, &with(person("ann"), disabled)).await.expect_success()),
        "PUT, another address" => {
            let other = with(person("ann"), json!({ "emails": [{ "value": email("mallory"), "primary": true }] }));
            source.put(&path, &other).await.expect_success();
        }
        "PATCH, disabled" => drop(source.deactivate(&ids[0]).await.expect_success()),
        "bulk, disabled and deleted" => {
            let patch = patch(vec![operation("replace", "active", json!(false))]);
            let operations =
                json!([{ "method": "PATCH", "path": path, "data": patch }, { "method": "DELETE", "path": path }]);
            source.post("/Bulk", &json!({ "schemas": [BULK], "Operations": operations })).await.expect(200);
        }
        "out of the scope" => {
            let out = vec![json!({ "op": "remove", "path": format!("members[value eq \"{}\"]", ids[0]) })];
            source.patch(&format!("/Groups/{staff}"), out).await.expect_success();
        }
        "the scope's group deleted" => drop(source.delete(&format!("/Groups/{staff}")).await.expect(204)),
        "another record with the external id" => {
            source.delete(&path).await.expect(204);
            let again = with(addressed("mallory", &email("mallory")), json!({ "externalId": before.external_id }));
            let again = source.post("/Users", &again).await.expect(201).id();
            let join = vec![operation("add", "members", members_value(&[&again]))];
            source.patch(&format!("/Groups/{staff}"), join).await.expect_success();
        }
        "another attribute is the address" => {
            change_policy(&tenant, "email_attribute", json!("nickName")).await.expect(200);
            let other = vec![operation("replace", "nickName", json!(email("mallory")))];
            source.patch(&path, other).await.expect_success();
        }
        "promotion of another source" => promote_without_ann(&tenant).await,
        other => panic!("{other}"),
    }
    let run = tenant.eventually_held("privileged_member").await;
    decide(&by_admin(&tenant), &run, "approve").await.expect_problem(403);
    if way.starts_with("promotion") {
        // The owner approved that the other source manages the people of this one.
        before.managed_by = tenant.member(&email("ann")).await.unwrap().managed_by;
    } else {
        // All that the source said has been planned once its next change has had its effect.
        source.group("Marker", &[]).await;
        crate::verbs::eventually("the source's last change", async || {
            let groups = tenant.groups().await;
            if groups.iter().any(|group| group.name == "Marker") { Ok(()) } else { Err(format!("{way}: {groups:?}")) }
        })
        .await;
    }
    assert_eq!(tenant.member(&email("ann")).await, Some(before), "{way}");
}

/// The owner moves the tenant to a source that knows Bob only.
async fn promote_without_ann(tenant: &Tenant) {
    let other = tenant.new_source().argument("--mode").argument("simulate").create();
    let bob = other.user("bob").await;
    other.group("Staff", &[&bob]).await;
    let shown = format!("/api/v1/sources/{}/promotion", other.id);
    crate::verbs::eventually("the owner has moved the tenant", async || {
        let plan = tenant.get(&shown).await.expect(200);
        if plan.at("/pending_changes") != &json!(0) || plan.at("/people/leaving") != &json!(1) {
            return Err(plan.describe());
        }
        let digest = json!({ "digest": plan.at("/digest") });
        let done = tenant.post(&format!("/api/v1/sources/{}/promote", other.id), &digest).await;
        if done.status == 200 { Ok(()) } else { Err(done.describe()) }
    })
    .await;
}
