//! The guards (docs/design.md#guards): removals over the limit, more members than seats, no administrator left.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::roster::Roster;
use crate::verbs::{ScimSource, email, eventually, person, with};

const OVER_LIMIT: &str = "member_removal_over_limit";

pub(crate) fn cases() -> Vec<Case> {
    cases![
        da10_rc1_the_eleventh_of_a_hundred_is_suspended_and_keeps_the_seat,
        da10_with_hold_the_eleventh_stays_active,
        da10_rc2_every_shape_of_removal_counts,
        da10_a_burst_trips_it_like_a_trickle,
        da10_a_held_removal_does_not_happen_when_the_policy_removes,
        da10_who_comes_back_in_time_was_never_gone,
        da10_five_percent_of_a_larger_tenant,
        da8_rc7_seats_are_never_exceeded_and_the_waitlist_is_in_order,
        da8_the_waitlist_is_in_the_order_of_addresses_where_the_policy_says_so,
        da8_parallel_posts_never_exceed_the_seats,
        da8_a_waiting_person_who_leaves_stops_waiting,
        da8_who_left_while_waiting_waits_for_a_seat_again,
        da8_a_returning_member_waits_when_the_seat_is_gone,
        da7_the_last_owner_stays,
        da7_a_deleted_last_owner_stays,
        da7_the_rest_of_the_run_goes_on,
        da7_a_protected_member_stays_and_an_approval_does_not_lift_it,
        a_group_keeps_its_people_when_the_source_empties_it,
        pe8_new_members_over_the_limit_wait_for_an_admin,
    ]
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("p{number:03}")).collect()
}

/// A federated tenant of `count` active, managed members; the SCIM ids in the order of the names.
async fn team(hub: &Hub, count: usize, policy: &[(&str, &str)]) -> (Tenant, ScimSource, Vec<String>) {
    let mut tenant = hub.tenant().seats(u32::try_from(count).unwrap()).policy("onboarding", "federated");
    for (key, value) in policy {
        tenant = tenant.policy(key, value);
    }
    let tenant = tenant.create();
    let source = tenant.scim_source();
    // One after the other, so that their order in the directory is the order of the names.
    let mut ids = Vec::new();
    for name in names(count) {
        ids.push(source.user(&name).await);
    }
    tenant.eventually("all are in", |members| members.with_status("active").len() == count).await;
    (tenant, source, ids)
}

async fn eventually_suspended(tenant: &Tenant, count: usize) {
    let what = format!("{count} are suspended");
    tenant.eventually(&what, |members| members.with_status("suspended").len() == count).await;
}

async fn da10_rc1_the_eleventh_of_a_hundred_is_suspended_and_keeps_the_seat(hub: Hub) {
    let (tenant, source, ids) = team(&hub, 100, &[]).await;
    for id in &ids[..10] {
        source.deactivate(id).await.expect_success();
    }
    eventually_suspended(&tenant, 10).await;
    assert!(tenant.runs().await.iter().all(|run| run.state != "held"), "ten of a hundred are within the limit");
    source.deactivate(&ids[10]).await.expect_success();
    eventually_suspended(&tenant, 11).await;
    let held = tenant.eventually_held(OVER_LIMIT).await;
    assert_eq!(held.source_id.as_deref(), Some(source.id.as_str()), "{held:?}");
    assert!(held.digest.as_ref().is_some_and(|digest| !digest.is_empty()), "an admin approves by the digest: {held:?}");
    // All 100 seats were taken and ten are free now. Eleven newcomers show that the eleventh seat was kept.
    for name in (0..11).map(|number| format!("new{number:02}")) {
        source.user(&name).await;
    }
    let waiting = tenant
        .eventually("ten newcomers are in, one waits", |members| {
            members.with_status("active").len() == 99 && members.with_status("pending").len() == 1
        })
        .await;
    assert_eq!(waiting.with_status("pending"), [email("new10")], "in the order of their announcement");
    assert_eq!(tenant.list::<serde_json::Value>("/api/v1/audit-events?kind=run.held").await.len(), 1);
}

async fn da10_with_hold_the_eleventh_stays_active(hub: Hub) {
    let (tenant, source, ids) = team(&hub, 40, &[("over_limit", "hold")]).await;
    for id in &ids[..11] {
        source.deactivate(id).await.expect_success();
    }
    tenant.eventually_held(OVER_LIMIT).await;
    eventually_suspended(&tenant, 10).await;
    let eleventh = tenant.member(&email("p010")).await.unwrap();
    assert_eq!(eleventh.status, "active", "{eleventh:?}");
    assert_eq!(
        source.get(&format!("/Users/{}", ids[10])).await.expect(200).at("/active"),
        false,
        "SCIM shows what was said"
    );
}

async fn da10_rc2_every_shape_of_removal_counts(hub: Hub) {
    let (tenant, source, ids) = team(&hub, 30, &[]).await;
    for (number, id) in ids[..11].iter().enumerate() {
        let path = format!("/Users/{id}");
        match number % 4 {
            0 => source.deactivate(id).await,
            1 => source.patch(&path, vec![json!({ "op": "replace", "value": { "active": false } })]).await,
            2 => {
                let body = with(person(&format!("p{number:03}")), json!({ "active": false }));
                source.send(Method::PUT, &path, &body).await
            }
            _ => source.delete(&path).await,
        }
        .expect_success();
    }
    tenant.eventually_held(OVER_LIMIT).await;
    eventually_suspended(&tenant, 11).await;
}

async fn da10_a_burst_trips_it_like_a_trickle(hub: Hub) {
    let (tenant, source, ids) = team(&hub, 30, &[("over_limit", "hold")]).await;
    let burst = ids[..16].iter().map(|id| source.deactivate(id));
    for answer in join_all(burst).await {
        answer.expect_success();
    }
    tenant.eventually_held(OVER_LIMIT).await;
    eventually_suspended(&tenant, 10).await;
    // Six are held, in any number of runs; a later newcomer proves that the earlier changes have been read.
    source.deactivate(&ids[20]).await.expect_success();
    source.post("/Groups", &json!({ "displayName": "Marker" })).await.expect(201);
    tenant.eventually_group("Marker", &[]).await;
    assert_eq!(tenant.members().await.with_status("suspended").len(), 10);
}

async fn da10_a_held_removal_does_not_happen_when_the_policy_removes(hub: Hub) {
    let (tenant, source, ids) = team(&hub, 20, &[("on_deleted", "remove")]).await;
    for id in &ids[..12] {
        source.delete(&format!("/Users/{id}")).await.expect(204);
    }
    tenant.eventually_held(OVER_LIMIT).await;
    tenant
        .eventually("ten are removed and two only suspended", |members| {
            members.with_status("suspended") == [email("p010"), email("p011")]
                && members.with_status("active").len() == 8
        })
        .await;
    let removed: Vec<serde_json::Value> = tenant.list("/api/v1/audit-events?kind=member.removed").await;
    assert_eq!(removed.len(), 10);
}

async fn da10_who_comes_back_in_time_was_never_gone(hub: Hub) {
    let (tenant, source, ids) = team(&hub, 20, &[]).await;
    for id in &ids[..11] {
        source.deactivate(id).await.expect_success();
    }
    tenant.eventually_held(OVER_LIMIT).await;
    eventually_suspended(&tenant, 11).await;
    source.activate(&ids[10]).await.expect_success();
    tenant.eventually_status(&email("p010"), "active").await;
    // The seat was kept for p010, so ten newcomers fill the free seats and the tenant is not over.
    for name in (0..11).map(|number| format!("new{number:02}")) {
        source.user(&name).await;
    }
    tenant
        .eventually("twenty are in", |members| {
            members.with_status("active").len() == 20 && members.with_status("pending") == [email("new10")]
        })
        .await;
}

async fn da10_five_percent_of_a_larger_tenant(hub: Hub) {
    let (tenant, source, ids) = team(&hub, 240, &[]).await;
    for id in &ids[..12] {
        source.deactivate(id).await.expect_success();
    }
    eventually_suspended(&tenant, 12).await;
    assert!(tenant.runs().await.iter().all(|run| run.state != "held"), "12 of 240 are five percent");
    source.deactivate(&ids[12]).await.expect_success();
    tenant.eventually_held(OVER_LIMIT).await;
}

async fn da8_rc7_seats_are_never_exceeded_and_the_waitlist_is_in_order(hub: Hub) {
    // The owner takes one of the three.
    let tenant = hub.tenant().seats(3).owner("boss@acme.example").create();
    let source = tenant.scim_source();
    let ids = source.users(&["ann", "bea", "cem", "dan", "eva"]).await;
    let members = tenant.eventually("all are in the roster", |members| members.len() == 6).await;
    assert_eq!(members.with_status("invited"), [email("ann"), email("bea")]);
    for name in ["cem", "dan", "eva"] {
        let member = members.member(&email(name));
        assert_eq!((member.status.as_str(), member.waiting_for.as_deref()), ("pending", Some("seat")), "{member:?}");
        assert_eq!(tenant.kinds_about(&member.id).await, ["member.waitlisted"]);
    }
    source.deactivate(&ids[1]).await.expect_success();
    let members = tenant.eventually("one is let in", |members| members.with_status("pending").len() == 2).await;
    assert_eq!(members.with_status("invited"), [email("ann"), email("cem")], "the first who waited");
    assert_eq!(members.with_status("pending"), [email("dan"), email("eva")]);
    assert_eq!(members.member(&email("cem")).waiting_for, None);
}

async fn da8_the_waitlist_is_in_the_order_of_addresses_where_the_policy_says_so(hub: Hub) {
    let tenant = hub.tenant().seats(2).policy("seat_order", "email").create();
    let source = tenant.scim_source();
    let ids = source.users(&["mia", "noa"]).await;
    tenant.eventually("both have a seat", |members| members.with_status("invited").len() == 2).await;
    // The order is bytewise over the folded form: capital letters sort as lower case, and a hyphen before letters.
    source.users(&["zoe", "b-o", "Ann", "bea", "cem"]).await;
    tenant.eventually("five wait", |members| members.with_status("pending").len() == 5).await;
    let explained = tenant.get(&format!("/api/v1/explain?email={}", email("bea"))).await.expect(200);
    let gates = explained.at("/items/0/gates").as_array().cloned().unwrap_or_default();
    let seat = gates.iter().find(|gate| gate["gate"] == "seat").unwrap_or_else(|| panic!("{}", explained.describe()));
    assert_eq!(seat["evidence"]["place"], 3, "{seat}");
    source.deactivate(&ids[0]).await.expect_success();
    tenant.eventually_status(&email("Ann"), "invited").await;
    source.deactivate(&ids[1]).await.expect_success();
    tenant.eventually_status(&email("b-o"), "invited").await;
    hub.run_command(&["tenant", "set-seats", "--tenant", &tenant.slug, "--seats", "4"]).expect_success();
    let members = tenant.eventually("four are in", |members| members.with_status("invited").len() == 4).await;
    assert_eq!(members.with_status("pending"), [email("zoe")], "{members:?}");
}

async fn da8_parallel_posts_never_exceed_the_seats(hub: Hub) {
    let tenant = hub.tenant().seats(10).create();
    let source = tenant.scim_source();
    let all = names(24);
    for answer in join_all(all.iter().map(|name| async { source.post("/Users", &person(name)).await })).await {
        answer.expect(201);
    }
    let most_seen = std::cell::Cell::new(0);
    let members = tenant
        .eventually("all are in the roster", |members| {
            most_seen.set(most_seen.get().max(members.iter().filter(|member| member.is_in()).count()));
            members.len() == 24
        })
        .await;
    assert!(most_seen.get() <= 10, "{} held a seat at once", most_seen.get());
    assert_eq!(members.with_status("invited").len(), 10);
    assert_eq!(members.with_status("pending").len(), 14);
}

async fn da8_a_waiting_person_who_leaves_stops_waiting(hub: Hub) {
    let tenant = hub.tenant().seats(1).create();
    let source = tenant.scim_source();
    let ids = source.users(&["ann", "bea", "cem"]).await;
    tenant.eventually("two wait", |members| members.with_status("pending").len() == 2).await;
    source.deactivate(&ids[1]).await.expect_success();
    source.deactivate(&ids[0]).await.expect_success();
    let members = tenant.eventually("cem is let in", |members| members.with_status("invited") == [email("cem")]).await;
    assert_eq!(members.member(&email("bea")).status, "suspended", "bea had left before the seat was free");
    assert_eq!(members.member(&email("bea")).waiting_for, None);
}

async fn da8_who_left_while_waiting_waits_for_a_seat_again(hub: Hub) {
    let tenant = hub.tenant().seats(1).create();
    let source = tenant.scim_source();
    let ids = source.users(&["ann", "bea"]).await;
    tenant.eventually("bea waits", |members| members.with_status("pending") == [email("bea")]).await;
    source.deactivate(&ids[1]).await.expect_success();
    tenant.eventually_member(&email("bea"), |member| member.waiting_for.is_none()).await;
    source.activate(&ids[1]).await.expect_success();
    tenant.eventually_member(&email("bea"), |member| member.waiting_for.as_deref() == Some("seat")).await;
    source.deactivate(&ids[0]).await.expect_success();
    let bea = tenant.eventually_status(&email("bea"), "invited").await;
    assert_eq!(bea.waiting_for, None);
}

async fn da8_a_returning_member_waits_when_the_seat_is_gone(hub: Hub) {
    let tenant = hub.tenant().seats(1).create();
    let source = tenant.scim_source();
    let ids = source.users(&["ann", "bea"]).await;
    tenant.eventually("bea waits", |members| members.with_status("pending") == [email("bea")]).await;
    source.deactivate(&ids[0]).await.expect_success();
    tenant.eventually_status(&email("bea"), "invited").await;
    source.activate(&ids[0]).await.expect_success();
    tenant.eventually_member(&email("ann"), |member| member.waiting_for.as_deref() == Some("seat")).await;
    source.deactivate(&ids[1]).await.expect_success();
    let ann = tenant.eventually_status(&email("ann"), "invited").await;
    assert_eq!(ann.waiting_for, None);
}

/// A tenant whose owner and billing contact `ann` is managed by the source.
async fn managed_owner(hub: &Hub) -> (Tenant, ScimSource, String) {
    let tenant = hub.tenant().owner(&email("ann")).policy("adopt_existing", "true").create();
    let source = tenant.scim_source();
    let id = source.user("ann").await;
    tenant.owner_approves().await;
    tenant.eventually_member(&email("ann"), |member| member.managed_by.is_some()).await;
    (tenant, source, id)
}

/// Even an owner's approval does not take the last one.
async fn expect_owner_stays(tenant: &Tenant) {
    tenant.owner_approves().await;
    eventually("a run is held for the last owner", async || {
        let runs = tenant.runs().await;
        let held =
            runs.iter().any(|run| run.is_held_for("last_active_admin") || run.is_held_for("last_billing_contact"));
        if held { Ok(()) } else { Err(format!("{runs:#?}")) }
    })
    .await;
    let owner = tenant.member(&email("ann")).await.unwrap();
    assert_eq!((owner.status.as_str(), owner.role.as_str()), ("active", "owner"));
}

async fn da7_the_last_owner_stays(hub: Hub) {
    let (tenant, source, id) = managed_owner(&hub).await;
    source.deactivate(&id).await.expect_success();
    expect_owner_stays(&tenant).await;
}

async fn da7_a_deleted_last_owner_stays(hub: Hub) {
    let (tenant, source, id) = managed_owner(&hub).await;
    source.delete(&format!("/Users/{id}")).await.expect(204);
    expect_owner_stays(&tenant).await;
}

async fn da7_the_rest_of_the_run_goes_on(hub: Hub) {
    let (tenant, source, id) = managed_owner(&hub).await;
    let bea = source.user("bea").await;
    tenant.eventually_status(&email("bea"), "invited").await;
    let leave = [id.as_str(), bea.as_str()].map(|id| source.deactivate(id));
    for answer in join_all(leave).await {
        answer.expect_success();
    }
    tenant.eventually_status(&email("bea"), "suspended").await;
    expect_owner_stays(&tenant).await;
}

async fn da7_a_protected_member_stays_and_an_approval_does_not_lift_it(hub: Hub) {
    let (tenant, source, ids) = team(&hub, 3, &[]).await;
    let glass = tenant.member(&email("p000")).await.unwrap();
    let mut policy = tenant.get("/api/v1/policy").await.expect(200).json;
    policy["policy"]["protected_members"] = json!([glass.id]);
    tenant.send(Method::PUT, "/api/v1/policy", Some(&policy)).await.expect(200);
    for id in &ids[..2] {
        source.delete(&format!("/Users/{id}")).await.expect(204);
    }
    let run = tenant.eventually_held("protected_member").await;
    let digest = json!({ "digest": run.digest });
    tenant.post(&format!("/api/v1/runs/{}/approve", run.id), &digest).await.expect(200);
    eventually_suspended(&tenant, 1).await;
    tenant.eventually_held("protected_member").await;
    assert_eq!(tenant.member(&email("p000")).await.unwrap().status, "active");
}

async fn a_group_keeps_its_people_when_the_source_empties_it(hub: Hub) {
    let (tenant, source, ids) = team(&hub, 12, &[]).await;
    let members: Vec<_> = ids.iter().map(|id| json!({ "value": id })).collect();
    let group = source.post("/Groups", &json!({ "displayName": "Design", "members": members })).await.expect(201);
    let emails: Vec<String> = names(12).iter().map(|name| email(name)).collect();
    let emails: Vec<&str> = emails.iter().map(String::as_str).collect();
    tenant.eventually_group("Design", &emails).await;
    let path = format!("/Groups/{}", group.at("/id").as_str().unwrap());
    let emptied = json!({ "displayName": "Design", "members": [] });
    source.send(Method::PUT, &path, &emptied).await.expect_success();
    let run = tenant.eventually_held("group_wipe").await;
    tenant.eventually_group("Design", &emails).await;
    let kept =
        tenant.get(&format!("/api/v1/members/{}/explain", tenant.member(&email("p000")).await.unwrap().id)).await;
    let gate = kept.expect(200).at("/groups/0/decided_by").clone();
    assert_eq!((&gate["gate"], &gate["evidence"]["reason"]), (&json!("hold"), &json!("group_wipe")), "{gate}");
    let digest = json!({ "digest": run.digest });
    tenant.post(&format!("/api/v1/runs/{}/approve", run.id), &digest).await.expect(200);
    tenant.eventually_group("Design", &[]).await;
}

async fn pe8_new_members_over_the_limit_wait_for_an_admin(hub: Hub) {
    let limit = r#"{"count": 2, "percent": 0}"#;
    let tenant = hub.tenant().policy("onboarding", "federated").policy("creation_limit", limit).create();
    let source = tenant.scim_source();
    source.users(&["ann", "bea", "cem"]).await;
    let run = tenant.eventually_held("member_creation_over_limit").await;
    tenant.eventually("two are in", |members| members.with_status("active") == [email("ann"), email("bea")]).await;
    let digest = json!({ "digest": run.digest });
    tenant.post(&format!("/api/v1/runs/{}/approve", run.id), &digest).await.expect(200);
    tenant.eventually_status(&email("cem"), "active").await;
}
