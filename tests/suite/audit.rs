//! The audit log is complete: its events reproduce the roster, and every event has a change.

use std::collections::{BTreeMap, BTreeSet};

use rand::Rng;
use rand::seq::IndexedRandom;
use serde_json::{Value, json};

use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::rest::Tenant;
use crate::roster::AuditEvent;
use crate::verbs::{email, eventually, members_value, operation, person, unknown_id};

pub(crate) fn cases() -> Vec<Case> {
    cases![
        a_random_history_is_explained_by_its_events,
        every_directory_write_has_one_event,
        events_name_their_actor_and_request,
        the_log_is_filtered_by_actor_and_request,
        ids_and_times_of_events_agree,
    ]
}

/// Checks that each member's status and each sharing group's members follow from the events, and that no two events
/// record the same change. Polls, because the roster and the log are read one after the other while the hub works.
pub(crate) async fn expect_explained(tenant: &Tenant) {
    eventually(&format!("the roster of {} follows from its events", tenant.slug), async || {
        let members = tenant.members().await;
        let groups = tenant.groups().await;
        let events = tenant.events().await;
        for member in &members {
            check_member(&member.id, &member.status, &events).map_err(|problem| format!("{member:?}: {problem}"))?;
        }
        let known: BTreeSet<&str> = members.iter().map(|member| member.id.as_str()).collect();
        for event in events.iter().filter(|event| event.subject.kind == "member") {
            if !known.contains(event.subject.id.as_str()) {
                return Err(format!("an event about an unknown member: {event:?}"));
            }
        }
        for group in &groups {
            let count = |kind: &str| {
                let about = events.iter().filter(|event| event.kind == kind && event.subject.id == group.id);
                about.count() as u64
            };
            let made = count("sharing_group.created") + count("sharing_group.adopted");
            if made != 1 {
                return Err(format!("{group:?} was created {made} times"));
            }
            let (added, removed) = (count("sharing_group.member_added"), count("sharing_group.member_removed"));
            if added.checked_sub(removed) != Some(group.members_count) {
                return Err(format!("{group:?}: {added} added, {removed} removed"));
            }
        }
        Ok(())
    })
    .await;
}

/// Replays one member's events; each must change something, and the last status must be the visible one.
fn check_member(id: &str, status: &str, events: &[AuditEvent]) -> Result<(), String> {
    let about: Vec<&AuditEvent> = events.iter().filter(|event| event.subject.id == id).collect();
    let kinds: Vec<&str> = about.iter().map(|event| event.kind.as_str()).collect();
    let is_out = |status: &str| matches!(status, "suspended" | "removed");
    let mut now = "";
    let mut former = "";
    for event in about {
        let next = match event.kind.as_str() {
            // An owner made with the tenant, or a federated member: active at once.
            "member.created" | "member.activated" => "active",
            "member.pending" => "pending",
            // An invited person who was taken out before may be invited again.
            "member.waitlisted" if now.is_empty() || event.detail["role"].is_string() => "pending",
            "member.invited" => "invited",
            "member.suspended" => "suspended",
            "member.removed" => "removed",
            "member.blocked" if now != "removed" => "suspended",
            "member.unblocked" => event.detail["to"].as_str().unwrap_or_default(),
            "member.restored" if !is_out(now) => return Err(format!("restored from {now:?}: {kinds:?}")),
            // A member who was never active (left before a worker looked, or while waiting): the event names the
            // status.
            "member.restored" if former.is_empty() || former == "pending" => {
                event.detail["to"].as_str().unwrap_or_default()
            }
            "member.restored" => former,
            _ => now,
        };
        let must_move = ["member.suspended", "member.removed", "member.activated", "member.invited"];
        if now == next && must_move.contains(&event.kind.as_str()) {
            return Err(format!("{} changes nothing: {kinds:?}", event.kind));
        }
        if is_out(next) && !is_out(now) {
            former = now;
        }
        now = next;
    }
    if now == status { Ok(()) } else { Err(format!("the events say {now:?}: {kinds:?}")) }
}

async fn a_random_history_is_explained_by_its_events(hub: Hub) {
    let mut random = hub.randomness("history");
    let tenant = hub.tenant().seats(12).owner("boss@acme.example").create();
    let source = tenant.scim_source();
    let mut users: BTreeMap<String, String> = BTreeMap::new();
    let groups = [source.group("Pilots", &[]).await, source.group("Crew", &[]).await];
    let mut leavers = 0;
    for step in 0..70 {
        let name = format!("p{:02}", random.random_range(0..16));
        let Some(id) = users.get(&name).cloned() else {
            users.insert(name.clone(), source.user(&name).await);
            continue;
        };
        let path = format!("/Groups/{}", groups.choose(&mut random).unwrap());
        match random.random_range(0..7) {
            0 if leavers < 8 => {
                leavers += 1;
                source.deactivate(&id).await.expect_success();
            }
            1 => drop(source.activate(&id).await.expect_success()),
            2 | 3 => {
                drop(source.patch(&path, vec![operation("add", "members", members_value(&[&id]))]).await.expect(204))
            }
            4 => {
                drop(source.patch(&path, vec![operation("remove", "members", members_value(&[&id]))]).await.expect(204))
            }
            5 => {
                let rename = vec![operation("replace", "displayName", json!(format!("Name {step}")))];
                source.patch(&format!("/Users/{id}"), rename).await.expect_success();
            }
            _ if leavers < 8 => {
                leavers += 1;
                users.remove(&name);
                source.delete(&format!("/Users/{id}")).await.expect(204);
            }
            _ => {}
        }
    }
    let active = source.find("/Users", "active eq true").await.len();
    tenant
        .eventually("the roster follows the directory", |members| {
            let managed = members.iter().filter(|member| member.managed_by.is_some());
            let wanted = managed.filter(|member| member.is_in() || member.waiting_for.is_some()).count();
            let seated = members.iter().filter(|member| member.is_in()).count();
            wanted == active && seated <= 12 && (seated == 12 || wanted < 12)
        })
        .await;
    expect_explained(&tenant).await;
}

async fn every_directory_write_has_one_event(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let user = source.user("ann").await;
    let group = source.group("Pilots", &[&user]).await;
    let rename = || vec![operation("replace", "displayName", json!("Renamed"))];
    for _ in 0..2 {
        // The second of each pair changes nothing and records no event.
        source.patch(&format!("/Users/{user}"), rename()).await.expect_success();
        source.patch(&format!("/Groups/{group}"), rename()).await.expect(204);
        source
            .patch(&format!("/Groups/{group}"), vec![operation("remove", "members", members_value(&[&user]))])
            .await
            .expect(204);
    }
    source.delete(&format!("/Groups/{group}")).await.expect(204);
    source.delete(&format!("/Users/{user}")).await.expect(204);
    let events = tenant.events().await;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for event in events.iter().filter(|event| event.kind.starts_with("directory_")) {
        *counts.entry(&event.kind).or_default() += 1;
    }
    let once = [
        "directory_group.created",
        "directory_group.deleted",
        "directory_group.updated",
        "directory_membership.added",
        "directory_membership.removed",
        "directory_user.created",
        "directory_user.deleted",
        "directory_user.updated",
    ];
    assert_eq!(counts, once.into_iter().map(|kind| (kind, 1)).collect(), "{events:#?}");
}

async fn events_name_their_actor_and_request(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let user = source.user("ann").await;
    let member = tenant.eventually_status(&email("ann"), "invited").await;
    let events = tenant.events().await;
    let directory = events.iter().find(|event| event.kind == "directory_user.created").unwrap();
    assert_eq!((directory.subject.kind.as_str(), &directory.subject.id), ("directory_user", &user));
    let roster = events.iter().find(|event| event.kind == "member.invited").unwrap();
    assert_eq!((roster.subject.kind.as_str(), &roster.subject.id), ("member", &member.id));
    for event in [directory, roster] {
        assert!(event.actor.to_string().contains(&source.id), "who did it: {event:?}");
        assert!(!event.cause.is_null(), "why: {event:?}");
    }
    assert_eq!(
        directory.cause["request_id"], roster.cause["request_id"],
        "the thread leads from the member back to the request"
    );
}

async fn the_log_is_filtered_by_actor_and_request(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let made = source.post("/Users", &person("ann")).await.expect(201);
    tenant.eventually_status(&email("ann"), "invited").await;
    let all = tenant.get("/api/v1/audit-events?order=desc&limit=200").await.expect(200);
    let all = all.at("/items").as_array().unwrap().clone();
    let listed = async |filter: String| -> Vec<Value> {
        let page = tenant.get(&format!("/api/v1/audit-events?order=desc&limit=200&{filter}")).await.expect(200);
        page.at("/items").as_array().unwrap().clone()
    };
    let fitting = |fits: &dyn Fn(&Value) -> bool| all.iter().filter(|event| fits(event)).cloned().collect::<Vec<_>>();
    let request = made.header("x-request-id");
    let caused = fitting(&|event| event["cause"]["request_id"] == *request);
    assert!(caused.len() >= 2, "{all:?}");
    assert_eq!(listed(format!("request_id={request}")).await, caused);
    let actor = format!("source:{}", source.id);
    let by_source = fitting(&|event| event["actor"] == actor.as_str());
    assert!(!by_source.is_empty() && by_source.len() < all.len(), "{all:?}");
    assert_eq!(listed(format!("actor={actor}")).await, by_source);
    assert_eq!(listed(format!("actor={actor}&kind=member.invited")).await.len(), 1);
    assert!(listed(format!("actor=member:{}", unknown_id())).await.is_empty());
    let refused = tenant.get("/api/v1/audit-events?actor=ann").await.expect_problem(400);
    assert!(refused.text_at("/detail").contains("member:"), "{}", refused.describe());
    let exported = tenant.get(&format!("/api/v1/exports/audit-events?format=jsonl&request_id={request}")).await;
    assert_eq!(exported.expect(200).text.lines().count(), caused.len());
}

async fn ids_and_times_of_events_agree(hub: Hub) {
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    for name in ["ann", "bea", "cem"] {
        source.user(name).await;
        tenant.eventually_status(&email(name), "invited").await;
    }
    let events = tenant.events().await;
    let times: Vec<&str> = events.iter().map(|event| event.at.as_str()).collect();
    assert!(times.is_sorted(), "sorted by id, sorted by time: {events:#?}");
    let filtered = tenant.list::<AuditEvent>("/api/v1/audit-events?kind=member.invited").await;
    assert_eq!(filtered.len(), 3);
    assert!(filtered.iter().all(|event| event.kind == "member.invited"));
}
