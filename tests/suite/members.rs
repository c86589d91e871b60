//! Changes of members by admins (DA7, PE6), a larger number of seats (PE3), quarantined sources (PE9), and the effects of leaving
//! (DX14, DX16).

use reqwest::Method;
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::audit::expect_explained;
use crate::decisions::change_policy;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::roster::Roster;
use crate::verbs::{ScimSource, email, eventually, members_value, operation, unknown_id};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        da7_the_last_admin_and_billing_contact_are_not_taken,
        da7_who_was_kept_as_the_last_admin_goes_when_there_is_another,
        only_an_owner_makes_and_unmakes_owners,
        pe6_a_name_is_changed_where_the_product_owns_it,
        a_change_of_another_admin_is_not_overwritten,
        changes_that_cannot_be_are_refused_and_change_nothing,
        pe3_seats_grow_to_the_cap_and_the_log_says_so,
        dx14_disabled_is_suspended_or_removed_as_the_policy_says,
        dx14_one_source_may_have_its_own_word_for_disabled,
        pe9_a_quarantine_is_shown_explained_and_ended_by_an_admin,
        dx16_a_suspension_asks_for_one_wipe_where_the_policy_wants_it,
        lp9_keys_are_asked_for_at_once_where_the_policy_wants_it,
    ]
}

async fn patch_id(tenant: &Tenant, id: &str, body: &Value) -> Answer {
    tenant.send(Method::PATCH, &format!("/api/v1/members/{id}"), Some(body)).await
}

async fn patch(tenant: &Tenant, email: &str, body: Value) -> Answer {
    let member = tenant.member(email).await.unwrap_or_else(|| panic!("no member {email}"));
    patch_id(tenant, &member.id, &body).await
}

fn with_key(hub: &Hub, tenant: &Tenant, role: &str) -> Tenant {
    let key = hub.json_command(&["api-key", "create", "--tenant", &tenant.slug, "--role", role]);
    Tenant { key: key["key"].as_str().unwrap().to_owned(), ..tenant.clone() }
}

const BOSS: &str = "boss@acme.example";

/// A federated tenant with an owner, and these people active.
async fn company(hub: &Hub, names: &[&str]) -> (Tenant, ScimSource, Vec<String>) {
    let tenant = hub.tenant().policy("onboarding", "federated").owner(BOSS).create();
    let source = tenant.scim_source();
    let users = source.users(names).await;
    tenant.eventually("all are in", |members| members.with_status("active").len() == names.len() + 1).await;
    (tenant, source, users)
}

async fn da7_the_last_admin_and_billing_contact_are_not_taken(hub: Hub) {
    let (tenant, _, _) = company(&hub, &["ann"]).await;
    let refused = patch(&tenant, BOSS, json!({ "role": "member" })).await.expect_problem(409);
    assert!(refused.at("/detail").as_str().unwrap().contains("last active owner"), "{}", refused.describe());
    patch(&tenant, BOSS, json!({ "billing_contact": false })).await.expect_problem(409);
    let changed = patch(&tenant, &email("ann"), json!({ "role": "admin", "billing_contact": true })).await.expect(200);
    assert_eq!((changed.at("/role"), changed.at("/billing_contact")), (&json!("admin"), &json!(true)));
    // An admin cannot make owners, so the last owner stays one although there is another admin.
    patch(&tenant, BOSS, json!({ "role": "admin" })).await.expect_problem(409);
    patch(&tenant, BOSS, json!({ "billing_contact": false })).await.expect(200);
    let ann = tenant.member(&email("ann")).await.unwrap();
    let events = tenant.events().await;
    let updated = events.iter().find(|event| event.kind == "member.updated" && event.subject.id == ann.id).unwrap();
    assert_eq!(updated.detail["before"], json!({ "role": "member", "billing_contact": false }));
    assert_eq!(updated.detail["after"], json!({ "role": "admin", "billing_contact": true }));
    assert!(updated.actor.as_str().is_some_and(|actor| actor.starts_with("api_key:")), "{updated:?}");
}

async fn da7_who_was_kept_as_the_last_admin_goes_when_there_is_another(hub: Hub) {
    let (tenant, source, users) = company(&hub, &["ann", "bea"]).await;
    patch(&tenant, &email("ann"), json!({ "role": "owner" })).await.expect(200);
    patch(&tenant, BOSS, json!({ "role": "member" })).await.expect(200);
    source.deactivate(&users[0]).await.expect_success();
    tenant.owner_approves().await;
    tenant.eventually_held("last_active_admin").await;
    patch(&tenant, &email("bea"), json!({ "role": "admin" })).await.expect(200);
    tenant.owner_approves().await;
    tenant.eventually_status(&email("ann"), "suspended").await;
    expect_explained(&tenant).await;
}

async fn only_an_owner_makes_and_unmakes_owners(hub: Hub) {
    let (tenant, _, _) = company(&hub, &["ann"]).await;
    let admin = with_key(&hub, &tenant, "admin");
    patch(&admin, &email("ann"), json!({ "role": "owner" })).await.expect_problem(403);
    patch(&admin, BOSS, json!({ "role": "admin" })).await.expect_problem(403);
    patch(&admin, &email("ann"), json!({ "role": "admin" })).await.expect(200);
    patch(&tenant, &email("ann"), json!({ "role": "owner" })).await.expect(200);
    patch(&admin, &email("ann"), json!({ "role": "member" })).await.expect_problem(403);
    assert_eq!(tenant.member(&email("ann")).await.unwrap().role, "owner");
}

async fn pe6_a_name_is_changed_where_the_product_owns_it(hub: Hub) {
    let (tenant, source, users) = company(&hub, &["ann"]).await;
    patch(&tenant, BOSS, json!({ "display_name": "The Boss", "family_name": "Boss" })).await.expect(200);
    let refused = patch(&tenant, &email("ann"), json!({ "display_name": "Annie" })).await.expect_problem(409);
    assert!(refused.at("/detail").as_str().unwrap().contains("local_attributes"), "{}", refused.describe());
    change_policy(&tenant, "local_attributes", json!(["display_name"])).await.expect(200);
    patch(&tenant, &email("ann"), json!({ "display_name": "Annie" })).await.expect(200);
    patch(&tenant, &email("ann"), json!({ "family_name": "Other" })).await.expect_problem(409);
    let rename = vec![
        operation("Replace", "displayName", json!("Ann Directory")),
        operation("Replace", "externalId", json!("ext-new")),
    ];
    source.patch(&format!("/Users/{}", users[0]), rename).await.expect_success();
    let ann = tenant.eventually_member(&email("ann"), |m| m.external_id.as_deref() == Some("ext-new")).await;
    assert_eq!(ann.display_name.as_deref(), Some("Annie"));
    let gone = patch(&tenant, BOSS, json!({ "family_name": null })).await.expect(200);
    assert_eq!(gone.at("/family_name"), &Value::Null, "{}", gone.describe());
}

async fn a_change_of_another_admin_is_not_overwritten(hub: Hub) {
    let (tenant, _, _) = company(&hub, &["ann"]).await;
    let read = tenant.get("/api/v1/members").await.expect(200).json;
    let ann = read["items"].as_array().unwrap().iter().find(|item| item["email"] == email("ann")).unwrap().clone();
    let mine = json!({ "role": "admin", "modified_at": ann["modified_at"] });
    patch(&tenant, &email("ann"), mine.clone()).await.expect(200);
    patch(&tenant, &email("ann"), json!({ "role": "member", "modified_at": ann["modified_at"] }))
        .await
        .expect_problem(409);
    assert_eq!(tenant.member(&email("ann")).await.unwrap().role, "admin");
}

async fn changes_that_cannot_be_are_refused_and_change_nothing(hub: Hub) {
    let (tenant, source, _) = company(&hub, &["ann"]).await;
    let (reader, stranger) = (with_key(&hub, &tenant, "member"), hub.tenant().create());
    let boss = tenant.member(BOSS).await.unwrap().id;
    let before = tenant.everything(&source).await;
    for body in [
        json!([]),
        json!({ "role": "boss" }),
        json!({ "role": null }),
        json!({ "role": 1 }),
        json!({ "billing_contact": "yes" }),
        json!({ "billing_contact": null }),
        json!({ "display_name": 7 }),
        json!({ "display_name": "" }),
        json!({ "display_name": "  " }),
        json!({ "given_name": "x".repeat(321) }),
        json!({ "family_name": "a\u{0}b" }),
        json!({ "status": "suspended" }),
        json!({ "email": "other@acme.example" }),
        json!({ "modified_at": "yesterday" }),
    ] {
        let answer = patch_id(&tenant, &boss, &body).await;
        answer.check_problem(400).unwrap_or_else(|problem| panic!("{body}: {problem}"));
    }
    let good = json!({ "display_name": "Somebody" });
    patch_id(&reader, &boss, &good).await.expect_problem(403);
    patch_id(&stranger, &boss, &good).await.expect_problem(404);
    patch_id(&tenant, &unknown_id().to_string(), &good).await.expect_problem(404);
    patch_id(&tenant, &boss, &json!({})).await.expect(200);
    assert_eq!(tenant.everything(&source).await, before);
}

async fn pe3_seats_grow_to_the_cap_and_the_log_says_so(hub: Hub) {
    let tenant = hub.tenant().seats(1).policy("seat_cap", "2").create();
    let source = tenant.scim_source();
    for name in ["ann", "bea", "cem"] {
        source.user(name).await;
    }
    let members = tenant.eventually("one waits", |members| members.with_status("pending").len() == 1).await;
    assert_eq!(members.with_status("pending"), [email("cem")]);
    tenant.eventually("two are in", |members| members.with_status("invited").len() == 2).await;
    change_policy(&tenant, "seat_cap", json!(3)).await.expect(200);
    tenant.eventually_status(&email("cem"), "invited").await;
    let grown: Vec<Value> = tenant.list("/api/v1/audit-events?kind=seats.grown").await;
    let steps: Vec<(&Value, &Value)> =
        grown.iter().map(|event| (&event["detail"]["before"], &event["detail"]["after"])).collect();
    assert_eq!(steps, [(&json!(1), &json!(2)), (&json!(2), &json!(3))], "{grown:?}");
    assert!(grown.iter().all(|event| event["cause"]["run_id"].is_string() && event["actor"] == "system"), "{grown:?}");
    expect_explained(&tenant).await;
}

async fn dx14_disabled_is_suspended_or_removed_as_the_policy_says(hub: Hub) {
    let (tenant, source, users) = company(&hub, &["ann", "bea"]).await;
    source.deactivate(&users[0]).await.expect_success();
    tenant.eventually_status(&email("ann"), "suspended").await;
    change_policy(&tenant, "on_disabled", json!("remove")).await.expect(200);
    source.deactivate(&users[1]).await.expect_success();
    tenant.eventually_status(&email("bea"), "removed").await;
    assert_eq!(tenant.member(&email("ann")).await.unwrap().status, "suspended", "from the next change on");
    source.activate(&users[1]).await.expect_success();
    tenant.eventually_status(&email("bea"), "active").await;
    change_policy(&tenant, "on_disabled", json!("keep")).await.expect_problem(400);
    expect_explained(&tenant).await;
}

async fn dx14_one_source_may_have_its_own_word_for_disabled(hub: Hub) {
    let (tenant, source, users) = company(&hub, &["ann"]).await;
    let mut own = serde_json::Map::new();
    own.insert(source.id.clone(), json!({ "on_disabled": "remove" }));
    change_policy(&tenant, "sources", Value::Object(own)).await.expect(200);
    source.deactivate(&users[0]).await.expect_success();
    tenant.eventually_status(&email("ann"), "removed").await;
}

async fn dx16_a_suspension_asks_for_one_wipe_where_the_policy_wants_it(hub: Hub) {
    let (tenant, source, users) = company(&hub, &["ann", "bea", "cem"]).await;
    let wipes = async || tenant.list::<Value>("/api/v1/audit-events?kind=device.wipe_requested").await;
    source.deactivate(&users[0]).await.expect_success();
    tenant.eventually_status(&email("ann"), "suspended").await;
    assert_eq!(wipes().await.len(), 0, "off by default");
    change_policy(&tenant, "wipe_on_suspend", json!(true)).await.expect(200);
    let disabled = source.deactivate(&users[1]).await.expect_success();
    let bea = tenant.eventually_status(&email("bea"), "suspended").await;
    // A deletion after a suspension that removed the keys already adds no question.
    change_policy(&tenant, "on_deleted", json!("remove")).await.expect(200);
    source.delete(&format!("/Users/{}", users[1])).await.expect(204);
    tenant.eventually_status(&email("bea"), "removed").await;
    source.delete(&format!("/Users/{}", users[2])).await.expect(204);
    let cem = tenant.eventually_status(&email("cem"), "removed").await;
    let asked = wipes().await;
    let about: Vec<&Value> = asked.iter().map(|event| &event["subject"]["id"]).collect();
    assert_eq!(about, [&json!(bea.id), &json!(cem.id)], "{asked:?}");
    let request = disabled.headers.get("x-request-id").unwrap().to_str().unwrap();
    assert_eq!(asked[0]["cause"]["request_id"], request, "{asked:?}");
}

async fn lp9_keys_are_asked_for_at_once_where_the_policy_wants_it(hub: Hub) {
    let (tenant, source, users) = company(&hub, &["ann", "bea"]).await;
    let crew = source.group("Crew", &[&users[0]]).await;
    let group = tenant.eventually_group("Crew", &[&email("ann")]).await;
    let asked = async || {
        let events: Vec<Value> = tenant.list("/api/v1/audit-events?kind=sharing_keys.requested").await;
        let what = |event: &Value| (event["subject"]["id"].clone(), event["detail"]["group_id"].clone());
        events.iter().map(what).collect::<Vec<_>>()
    };
    assert_eq!(asked().await, [], "off by default");
    change_policy(&tenant, "pre_create_sharing_keys", json!(true)).await.expect(200);
    source
        .patch(&format!("/Groups/{crew}"), vec![operation("add", "members", members_value(&[&users[1]]))])
        .await
        .expect_success();
    tenant.eventually_group("Crew", &[&email("ann"), &email("bea")]).await;
    let bea = tenant.member(&email("bea")).await.unwrap().id;
    let mut expected = vec![(json!(bea), json!(group.id))];
    assert_eq!(asked().await, expected, "an addition");
    let cem = source.user("cem").await;
    let cem_is = tenant.eventually_status(&email("cem"), "active").await.id;
    expected.push((json!(cem_is), Value::Null));
    assert_eq!(asked().await, expected, "for the new member");
    // A person without access gets no keys; with the access comes one question for all their groups.
    source.deactivate(&cem).await.expect_success();
    tenant.eventually_status(&email("cem"), "suspended").await;
    source
        .patch(&format!("/Groups/{crew}"), vec![operation("add", "members", members_value(&[&cem]))])
        .await
        .expect_success();
    tenant.eventually_group("Crew", &[&email("ann"), &email("bea"), &email("cem")]).await;
    assert_eq!(asked().await, expected, "added while suspended");
    source.activate(&cem).await.expect_success();
    tenant.eventually_status(&email("cem"), "active").await;
    expected.push((json!(cem_is), Value::Null));
    assert_eq!(asked().await, expected, "back again");
}

async fn pe9_a_quarantine_is_shown_explained_and_ended_by_an_admin(hub: Hub) {
    let names: Vec<String> = (0..14).map(|number| format!("p{number:02}")).collect();
    let (tenant, source, users) = company(&hub, &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let limit = json!({ "count": 0, "percent": 0, "window_hours": 24 });
    change_policy(&tenant, "removal_limit", limit).await.expect(200);
    change_policy(&tenant, "quarantine_after", json!(1)).await.expect(200);
    let path = format!("/api/v1/sources/{}", source.id);
    let release = format!("{path}/release");
    tenant.post(&release, &json!({})).await.expect_problem(409);
    for user in &users[..10] {
        source.deactivate(user).await.expect_success();
    }
    let shown = eventually("the source is quarantined", async || {
        let answer = tenant.get(&path).await.expect(200).json;
        if answer["quarantined_at"].is_string() { Ok(answer) } else { Err(answer.to_string()) }
    })
    .await;
    assert!(shown["quarantine_reason"].as_str().is_some_and(|why| why.contains("removals are held")), "{shown}");
    source.user("late").await;
    tenant.eventually_held("source_quarantined").await;
    let explained = tenant.get(&format!("/api/v1/explain?email={}", email("late"))).await.expect(200);
    assert_eq!(explained.at("/items/0/decided_by"), "source_mode", "{}", explained.describe());
    assert!(tenant.member(&email("late")).await.is_none());
    with_key(&hub, &tenant, "member").post(&release, &json!({})).await.expect_problem(403);
    hub.tenant().create().post(&release, &json!({})).await.expect_problem(404);
    let released = tenant.post(&release, &json!({})).await.expect(200);
    assert_eq!(released.at("/quarantined_at"), &Value::Null, "{}", released.describe());
    tenant.eventually_status(&email("late"), "active").await;
    let kinds = tenant.kinds_about(&source.id).await;
    let asked = |kind: &str| kinds.iter().filter(|known| *known == kind).count();
    assert_eq!((asked("source.quarantined"), asked("source.released")), (1, 1), "{kinds:?}");
    expect_explained(&tenant).await;
}
