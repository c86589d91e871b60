//! Matching over HTTP: ended invitations (R5), addresses of people who have left (R6), two records of one person (R13).
//!
//! `docs/matching.md` has the whole table, whose rows are tests of `crates/core`. Here are the paths through the store. Neighbours
//! tried: deleted and disabled holders; the newcomer by POST, by PATCH and by PUT; held and approved departures; admins; a second
//! record under the same and another address, before and after the first is disabled; updates, returns and deletions after it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::audit::expect_explained;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::rewind::{rewind, run_with};
use crate::roster::Member;
use crate::verbs::{ScimSource, email, eventually, operation, person, with};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        r5_an_ended_invitation_goes_to_the_present_address,
        r5_explain_of_an_open_invitation_says_that_an_address_waits,
        r6_the_address_of_a_deleted_person_goes_to_the_newcomer,
        r6_the_address_of_a_disabled_person_goes_to_a_linked_one,
        r6_a_held_departure_keeps_the_address_until_it_is_approved,
        r6_an_admin_keeps_the_address_until_the_role_is_changed,
        r6_the_former_holder_returns_to_a_free_address,
        r6_a_rewind_gives_the_address_back,
        r13_a_new_record_of_a_disabled_person_is_the_same_member,
        r13_the_older_record_changes_nothing_and_takes_over_again_when_it_rules,
        r13_the_new_record_may_come_first,
        r13_a_rewind_gives_the_member_back_to_the_older_record,
    ]
}

fn federated(hub: &Hub) -> Tenant {
    hub.tenant().policy("onboarding", "federated").create()
}

/// A person under Ann's address with another external id and userName.
fn heir(name: &str) -> Value {
    with(person(name), json!({ "emails": [{ "type": "work", "value": email("ann"), "primary": true }] }))
}

fn address(email: &str) -> Value {
    operation("replace", "emails[type eq \"work\"].value", json!(email))
}

async fn by_id(tenant: &Tenant, id: &str) -> Value {
    tenant.get(&format!("/api/v1/members/{id}")).await.expect(200).json
}

async fn eventually_skipped(tenant: &Tenant, dispute: &str) -> Value {
    eventually(&format!("a record is skipped: {dispute}"), async || {
        let skipped: Vec<Value> = tenant.list("/api/v1/skipped-records").await;
        skipped.iter().find(|record| record["dispute"] == dispute).cloned().ok_or(format!("{skipped:?}"))
    })
    .await
}

async fn eventually_nothing_skipped(tenant: &Tenant) {
    eventually("nothing is skipped", async || {
        let skipped: Vec<Value> = tenant.list("/api/v1/skipped-records").await;
        if skipped.is_empty() { Ok(()) } else { Err(format!("{skipped:?}")) }
    })
    .await
}

/// The member who has Ann's address now, once it is another one.
async fn eventually_heir(tenant: &Tenant, former: &Member) -> Member {
    tenant.eventually_member(&email("ann"), |member| member.id != former.id && member.status == "active").await
}

async fn r5_an_ended_invitation_goes_to_the_present_address(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let user = source.user("typo").await;
    let invited = tenant.eventually_status(&email("typo"), "invited").await;
    source.patch(&format!("/Users/{user}"), vec![address(&email("right"))]).await.expect_success();
    source.deactivate(&user).await.expect_success();
    let suspended = tenant.eventually_status(&email("right"), "suspended").await;
    source.activate(&user).await.expect_success();
    let again = tenant.eventually_status(&email("right"), "invited").await;
    assert_eq!((&invited.id, &again.id), (&suspended.id, &invited.id), "the same person");
    let former = by_id(&tenant, &again.id).await["former_emails"].clone();
    assert_eq!(former[0]["email"], email("typo"), "{former}");
    expect_explained(&tenant).await;
}

async fn r5_explain_of_an_open_invitation_says_that_an_address_waits(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let user = source.user("typo").await;
    let member = tenant.eventually_status(&email("typo"), "invited").await;
    source.patch(&format!("/Users/{user}"), vec![address(&email("right"))]).await.expect_success();
    let path = format!("/api/v1/members/{}/explain", member.id);
    let explained = tenant.get(&path).await.expect(200);
    let gates = explained.at("/gates").as_array().cloned().unwrap_or_default();
    let status = gates.iter().find(|gate| gate["gate"] == "status").cloned().unwrap_or_default();
    let sentence = status["sentence"].as_str().unwrap_or_default();
    assert!(sentence.contains(&email("right")) && sentence.contains(&email("typo")), "{}", explained.describe());
    assert_eq!(status["evidence"]["about"], email("right"), "{status}");
    assert!(status["remedy"].as_str().is_some_and(|remedy| remedy.contains("disable the person")), "{status}");
    // The address may change in the same moment, so nobody waits for an active member at the old one.
    tenant.post(&format!("/api/v1/members/{}/accept", member.id), &json!({})).await.expect(200);
    tenant.eventually_status(&email("right"), "active").await;
}

async fn r6_the_address_of_a_deleted_person_goes_to_the_newcomer(hub: Hub) {
    let tenant = federated(&hub);
    let source = tenant.scim_source();
    let ann = source.user("ann").await;
    let bea = source.user("bea").await;
    source.group("Pilots", &[&ann, &bea]).await;
    tenant.eventually_group("Pilots", &[&email("ann"), &email("bea")]).await;
    let former = tenant.eventually_status(&email("ann"), "active").await;
    source.delete(&format!("/Users/{ann}")).await.expect(204);
    let heir = source.post("/Users", &heir("anna")).await.expect(201).id();
    let newcomer = eventually_heir(&tenant, &former).await;
    assert_eq!(newcomer.external_id.as_deref(), Some("ext-anna"));
    let before = by_id(&tenant, &former.id).await;
    assert_eq!((&before["status"], &before["external_id"]), (&json!("suspended"), &json!("ext-ann")), "{before}");
    assert_eq!(before["former_emails"][0]["email"], email("ann"), "{before}");
    let found: Vec<Member> = tenant.list(&format!("/api/v1/members?former_email={}", email("ann"))).await;
    assert_eq!(found.iter().map(|member| &member.id).collect::<Vec<_>>(), [&former.id]);
    let everybody = tenant.get(&format!("/api/v1/explain?email={}", email("ann"))).await.expect(200);
    assert_eq!(everybody.at("/items").as_array().map(Vec::len), Some(2), "{}", everybody.describe());
    eventually_nothing_skipped(&tenant).await;
    let groups = tenant.groups().await;
    let inside = tenant.group_members(&groups[0].id).await;
    assert!(!inside.contains(&email("ann")), "the newcomer is in no group of the former holder: {inside:?}");
    assert!(inside.iter().any(|email| before["email"] == email.as_str()), "who keeps them: {inside:?}");
    // The newcomer is a person like any other.
    source
        .patch(&format!("/Users/{heir}"), vec![operation("replace", "displayName", json!("Anna"))])
        .await
        .expect_success();
    tenant.eventually_member(&email("ann"), |member| member.display_name.as_deref() == Some("Anna")).await;
    expect_explained(&tenant).await;
}

async fn r6_the_address_of_a_disabled_person_goes_to_a_linked_one(hub: Hub) {
    for put in [false, true] {
        let tenant = federated(&hub);
        let source = tenant.scim_source();
        let ids = source.users(&["ann", "bob"]).await;
        let former = tenant.eventually_status(&email("ann"), "active").await;
        let bob = tenant.eventually_status(&email("bob"), "active").await;
        source.deactivate(&ids[0]).await.expect_success();
        tenant.eventually_status(&email("ann"), "suspended").await;
        let path = format!("/Users/{}", ids[1]);
        match put {
            true => source.put(&path, &heir("bob")).await.expect_success(),
            false => source.patch(&path, vec![address(&email("ann"))]).await.expect_success(),
        };
        assert_eq!(eventually_heir(&tenant, &former).await.id, bob.id);
        assert_eq!(by_id(&tenant, &former.id).await["status"], "suspended");
        expect_explained(&tenant).await;
    }
}

async fn r6_a_held_departure_keeps_the_address_until_it_is_approved(hub: Hub) {
    let tenant = hub.tenant().policy("onboarding", "federated").policy("removal_limit.count", "0");
    let tenant = tenant.policy("removal_limit.percent", "0").create();
    let source = tenant.scim_source();
    let ann = source.user("ann").await;
    let former = tenant.eventually_status(&email("ann"), "active").await;
    source.delete(&format!("/Users/{ann}")).await.expect(204);
    tenant.eventually_status(&email("ann"), "suspended").await;
    source.post("/Users", &heir("anna")).await.expect(201);
    let skipped = eventually_skipped(&tenant, "email_taken").await;
    assert_eq!((&skipped["holder_id"], &skipped["source_id"]), (&json!(former.id), &json!(source.id)), "{skipped}");
    assert_eq!(skipped["name"], email("anna"), "{skipped}");
    let held = tenant.eventually_held("member_removal_over_limit").await;
    let approval = json!({ "digest": held.digest });
    tenant.post(&format!("/api/v1/runs/{}/approve", held.id), &approval).await.expect(200);
    eventually_heir(&tenant, &former).await;
    eventually_nothing_skipped(&tenant).await;
}

async fn r6_an_admin_keeps_the_address_until_the_role_is_changed(hub: Hub) {
    let tenant = hub.tenant().policy("onboarding", "federated").owner("root@acme.example").create();
    let source = tenant.scim_source();
    let ann = source.user("ann").await;
    let former = tenant.eventually_status(&email("ann"), "active").await;
    let path = format!("/api/v1/members/{}", former.id);
    tenant.send(Method::PATCH, &path, Some(&json!({ "role": "admin" }))).await.expect(200);
    source.delete(&format!("/Users/{ann}")).await.expect(204);
    tenant.owner_approves().await;
    tenant.eventually_status(&email("ann"), "suspended").await;
    source.post("/Users", &heir("anna")).await.expect(201);
    let skipped = eventually_skipped(&tenant, "email_taken").await;
    assert_eq!(skipped["holder_id"], former.id, "{skipped}");
    tenant.send(Method::PATCH, &path, Some(&json!({ "role": "member" }))).await.expect(200);
    eventually_heir(&tenant, &former).await;
}

async fn r6_the_former_holder_returns_to_a_free_address(hub: Hub) {
    let tenant = federated(&hub);
    let source = tenant.scim_source();
    let ann = source.user("ann").await;
    let former = tenant.eventually_status(&email("ann"), "active").await;
    source.deactivate(&ann).await.expect_success();
    tenant.eventually_status(&email("ann"), "suspended").await;
    source.post("/Users", &heir("anna")).await.expect(201);
    eventually_heir(&tenant, &former).await;
    source.activate(&ann).await.expect_success();
    let skipped = eventually_skipped(&tenant, "email_taken").await;
    assert_eq!(skipped["subject"]["id"], ann, "{skipped}");
    let path = format!("/api/v1/members/{}/explain", former.id);
    let explained = tenant.get(&path).await.expect(200);
    assert!(explained.text.contains("former address"), "{}", explained.describe());
    source.patch(&format!("/Users/{ann}"), vec![address(&email("ann.b"))]).await.expect_success();
    let back = tenant.eventually_status(&email("ann.b"), "active").await;
    assert_eq!(back.id, former.id);
    eventually_nothing_skipped(&tenant).await;
    let found: Vec<Member> = tenant.list(&format!("/api/v1/members?former_email={}", email("ann"))).await;
    assert_eq!(found, [], "only those without an address are found by the former one");
    expect_explained(&tenant).await;
}

async fn r6_a_rewind_gives_the_address_back(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let ann = source.user("ann").await;
    let former = tenant.eventually_status(&email("ann"), "invited").await;
    source.delete(&format!("/Users/{ann}")).await.expect(204);
    tenant.eventually_status(&email("ann"), "suspended").await;
    source.post("/Users", &heir("anna")).await.expect(201);
    tenant.eventually_member(&email("ann"), |member| member.id != former.id).await;
    let run = run_with(&tenant, "give_up_address").await;
    rewind(&tenant, &run.id).await;
    eventually("the address is back", async || {
        let member = by_id(&tenant, &former.id).await;
        if member["email"] == email("ann") { Ok(()) } else { Err(member.to_string()) }
    })
    .await;
    expect_explained(&tenant).await;
}

/// Another record of Ann: the same external id, another userName and address.
fn second_record() -> Value {
    with(person("annie"), json!({ "externalId": "ext-ann" }))
}

async fn disabled_ann(tenant: &Tenant, source: &ScimSource) -> (String, Member) {
    let ann = source.user("ann").await;
    let member = tenant.eventually_status(&email("ann"), "active").await;
    source.deactivate(&ann).await.expect_success();
    tenant.eventually_status(&email("ann"), "suspended").await;
    (ann, member)
}

async fn r13_a_new_record_of_a_disabled_person_is_the_same_member(hub: Hub) {
    let tenant = federated(&hub);
    let source = tenant.scim_source();
    let ann = source.user("ann").await;
    let group = source.group("Pilots", &[&ann]).await;
    tenant.eventually_group("Pilots", &[&email("ann")]).await;
    let before = tenant.eventually_status(&email("ann"), "active").await;
    let path = format!("/api/v1/members/{}", before.id);
    tenant.send(Method::PATCH, &path, Some(&json!({ "billing_contact": true }))).await.expect(200);
    source.deactivate(&ann).await.expect_success();
    let newer = source.post("/Users", &second_record()).await.expect(201).id();
    let after = tenant.eventually_status(&email("annie"), "active").await;
    assert_eq!(after.id, before.id, "one person");
    assert_eq!(tenant.members().await.len(), 1);
    tenant.eventually_group("Pilots", &[&email("annie")]).await;
    assert_eq!(by_id(&tenant, &after.id).await["billing_contact"], true);
    // The source moves the group from the older record to the newer one, in two steps.
    let path = format!("/Groups/{group}");
    source.patch(&path, vec![operation("add", "members", json!([{ "value": newer }]))]).await.expect_success();
    source.patch(&path, vec![operation("remove", "members", json!([{ "value": ann }]))]).await.expect_success();
    source.delete(&format!("/Users/{ann}")).await.expect(204);
    source.patch(&path, vec![operation("replace", "displayName", json!("Crew"))]).await.expect_success();
    tenant.eventually_group("Crew", &[&email("annie")]).await;
    expect_explained(&tenant).await;
}

async fn r13_the_older_record_changes_nothing_and_takes_over_again_when_it_rules(hub: Hub) {
    let tenant = federated(&hub);
    let source = tenant.scim_source();
    let (older, member) = disabled_ann(&tenant, &source).await;
    let newer = source.post("/Users", &second_record()).await.expect(201).id();
    tenant.eventually_status(&email("annie"), "active").await;
    source
        .patch(&format!("/Users/{older}"), vec![operation("replace", "displayName", json!("Old"))])
        .await
        .expect_success();
    source.activate(&older).await.expect_success();
    let skipped = eventually_skipped(&tenant, "external_id_taken").await;
    assert_eq!((&skipped["subject"]["id"], &skipped["about"]), (&json!(older), &json!("ext-ann")), "{skipped}");
    let now = tenant.members().await;
    assert_eq!(
        now.iter().map(|m| (m.id.as_str(), m.email.as_str())).collect::<Vec<_>>(),
        [(member.id.as_str(), email("annie").as_str())]
    );
    source.deactivate(&newer).await.expect_success();
    let back = tenant
        .eventually_member(&email("ann"), |m| m.status == "active" && m.display_name.as_deref() == Some("Old"))
        .await;
    assert_eq!(back.id, member.id, "the record that is active rules");
    eventually_nothing_skipped(&tenant).await;
    source.delete(&format!("/Users/{newer}")).await.expect(204);
    source
        .patch(&format!("/Users/{older}"), vec![operation("replace", "displayName", json!("Ann"))])
        .await
        .expect_success();
    tenant.eventually_member(&email("ann"), |m| m.display_name.as_deref() == Some("Ann") && m.status == "active").await;
    assert_eq!(tenant.members().await.len(), 1);
    expect_explained(&tenant).await;
}

async fn r13_the_new_record_may_come_first(hub: Hub) {
    let tenant = federated(&hub);
    let source = tenant.scim_source();
    let older = source.user("ann").await;
    let member = tenant.eventually_status(&email("ann"), "active").await;
    // The same address, while the older record is active: skipped.
    let record = with(heir("annie"), json!({ "externalId": "ext-ann" }));
    source.post("/Users", &record).await.expect(201);
    eventually_skipped(&tenant, "email_taken").await;
    source.deactivate(&older).await.expect_success();
    let display = |m: &Member| m.status == "active" && m.display_name.as_deref() == Some("annie Example");
    let back = tenant.eventually_member(&email("ann"), display).await;
    assert_eq!(back.id, member.id);
    eventually_nothing_skipped(&tenant).await;
}

async fn r13_a_rewind_gives_the_member_back_to_the_older_record(hub: Hub) {
    let tenant = federated(&hub);
    let source = tenant.scim_source();
    let (older, member) = disabled_ann(&tenant, &source).await;
    let newer = source.post("/Users", &second_record()).await.expect(201).id();
    tenant.eventually_status(&email("annie"), "active").await;
    let undone = rewind(&tenant, &run_with(&tenant, "relink").await.id).await;
    tenant.eventually_status(&email("ann"), "suspended").await;
    // And back again.
    rewind(&tenant, &undone.id).await;
    tenant.eventually_status(&email("annie"), "active").await;
    let path = format!("/Users/{older}");
    source.patch(&path, vec![operation("replace", "displayName", json!("Old"))]).await.expect_success();
    let again = run_with(&tenant, "relink").await;
    assert_eq!(by_id(&tenant, &member.id).await["email"], email("annie"), "the older record changes nothing");
    rewind(&tenant, &again.id).await;
    tenant.eventually_status(&email("ann"), "suspended").await;
    // Both records are of one person still, and the active one rules.
    source.activate(&older).await.expect_success();
    tenant.eventually_status(&email("ann"), "active").await;
    let path = format!("/Users/{newer}");
    source.patch(&path, vec![operation("replace", "displayName", json!("New"))]).await.expect_success();
    let skipped = eventually_skipped(&tenant, "external_id_taken").await;
    assert_eq!(skipped["subject"]["id"], newer, "{skipped}");
    source.deactivate(&older).await.expect_success();
    let back = tenant.eventually_status(&email("annie"), "active").await;
    assert_eq!((&back.id, tenant.members().await.len()), (&member.id, 1), "one person");
    expect_explained(&tenant).await;
}
