//! A digest covers exactly the held items: an approval never releases an item that the admin did not see.

use crate::desk::Desk;
use crate::engine;
use crate::unannounced::Unannounced;
use rollcall_core::ids::{DirectoryUserId, MemberId, RunId};
use rollcall_core::policy::{Limit, Onboarding, OverLimit, Policy};
use rollcall_store::{Run, RunDecision, RunItem, RunSeen, StoreError};
use serde_json::{Value, json};

async fn held(desk: &Desk) -> Run {
    let held: Vec<Run> = desk.runs().await.into_iter().filter(|run| run.state == "held").collect();
    let [run] = held.as_slice() else { panic!("one run is held: {held:#?}") };
    run.clone()
}

async fn open_item(desk: &Desk, run: &Run) -> RunItem {
    let items = desk.items(run.id.into()).await;
    let [item] = items.as_slice() else { panic!("one item: {items:#?}") };
    assert_eq!(item.decision, "held");
    item.clone()
}

async fn approve(desk: &Desk, run: &Run) -> Result<(), StoreError> {
    desk.store
        .decide_run(&desk.api, RunId(run.id), RunSeen { digest: &run.digest, note: None }, RunDecision::Approve)
        .await
        .map(Unannounced::unannounced)
}

/// Holds an item about a person, lets the source change them, and approves with the first digest.
async fn what_is_held_changes(desk: &Desk, user: DirectoryUserId, change: Value) -> (RunItem, RunItem) {
    let seen = held(desk).await;
    let before = open_item(desk, &seen).await;
    desk.set(user, change).await;
    let unread = approve(desk, &seen).await;
    assert!(matches!(unread, Err(StoreError::Unsettled)), "before a worker looked: {unread:?}");
    desk.work().await;
    let now = held(desk).await;
    assert_eq!((now.id, &now.counts), (seen.id, &seen.counts), "the same run, about the same");
    assert_ne!(now.digest, seen.digest);
    let stale = approve(desk, &seen).await;
    assert!(matches!(stale, Err(StoreError::Stale)), "after it: {stale:?}");
    let after = open_item(desk, &now).await;
    approve(desk, &now).await.expect("an approval of what is there");
    desk.work().await;
    assert_eq!(desk.run(now.id.into()).await.state, "applied");
    (before, after)
}

#[test]
fn a_new_person_whose_profile_changes_while_held_is_approved_as_seen_or_not_at_all() {
    engine::on_each_engine(async |store, engine| {
        let desk = Desk::open(&store, engine, Policy { auto_provision: false, ..Policy::default() }).await;
        let ann = desk.hire("ann").await;
        desk.work().await;
        let change = json!({ "displayName": "Ann", "emails": [{ "value": "anna@x.test" }] });
        let (before, after) = what_is_held_changes(&desk, ann, change).await;
        assert_eq!(before.after.expect("fields")["email"], "ann@x.test", "{engine}");
        assert_eq!(after.after.as_ref().expect("fields")["email"], "anna@x.test", "{engine}: {after:?}");
        assert_eq!(after.who.as_ref().expect("a name")["display_name"], "Ann", "{engine}: {after:?}");
        assert_eq!(after.detail["profile"]["display_name"], "Ann", "{engine}: {after:?}");
        let emails: Vec<String> = desk.members().await.into_iter().map(|member| member.email).collect();
        assert!(emails.contains(&"anna@x.test".to_owned()), "{engine}: {emails:?}");
    });
}

#[test]
fn a_changed_profile_that_changes_again_while_held_is_approved_as_seen_or_not_at_all() {
    engine::on_each_engine(async |store, engine| {
        let nothing = Limit { count: 0, percent: 0, ..Limit::default() };
        let policy =
            Policy { modification_limit: Some(nothing), onboarding: Onboarding::Federated, ..Policy::default() };
        let desk = Desk::open(&store, engine, policy).await;
        let ann = desk.hire("ann").await;
        desk.work().await;
        desk.set(ann, json!({ "displayName": "Ann" })).await;
        desk.work().await;
        let (before, after) = what_is_held_changes(&desk, ann, json!({ "displayName": "Anne" })).await;
        let name = |item: RunItem| item.after.expect("fields")["display_name"].clone();
        assert_eq!((name(before), name(after)), (json!("Ann"), json!("Anne")), "{engine}");
    });
}

#[test]
fn a_suspension_from_another_status_while_held_is_another_one() {
    engine::on_each_engine(async |store, engine| {
        let desk = Desk::open(&store, engine, Policy { auto_deprovision: false, ..Policy::default() }).await;
        let ann = desk.hire("ann").await;
        desk.work().await;
        desk.set(ann, json!({ "active": false })).await;
        desk.work().await;
        let member = desk.members().await.into_iter().find(|member| member.email == "ann@x.test").expect("ann");
        desk.store.accept_invitation(&desk.api, MemberId(member.id)).await.expect("an acceptance").unannounced();
        let (before, after) = what_is_held_changes(&desk, ann, json!({ "title": "Pilot" })).await;
        assert_eq!((&before.detail["from"], &after.detail["from"]), (&json!("invited"), &json!("active")), "{engine}");
        assert_eq!(after.before.expect("fields")["status"], "active", "{engine}");
    });
}

#[test]
fn an_approval_waits_for_unread_memberships_and_not_for_other_people() {
    engine::on_each_engine(async |store, engine| {
        let policy = Policy { onboarding: Onboarding::Federated, ..Policy::default() };
        let desk = Desk::open(&store, engine, policy).await;
        let mut users = Vec::new();
        for number in 0..12 {
            users.push(desk.hire(&format!("p{number}")).await);
        }
        let group = desk.group("Design", &users).await;
        desk.work().await;
        desk.set_members(group, &[]).await;
        desk.work().await;
        let run = held(&desk).await;
        assert_eq!(run.held_reasons, json!(["group_wipe"]), "{engine}");
        desk.set_members(group, &users[..1]).await;
        let unread = approve(&desk, &run).await;
        assert!(matches!(unread, Err(StoreError::Unsettled)), "{engine}: {unread:?}");
        desk.work().await;
        desk.hire("new").await;
        approve(&desk, &held(&desk).await).await.expect("another person's change does not matter");
        desk.work().await;
        assert_eq!(desk.picture().await.people_of("Design"), 1, "{engine}");
    });
}

#[test]
fn the_reasons_of_a_held_run_are_those_of_what_is_still_open() {
    engine::on_each_engine(async |store, engine| {
        let policy = Policy {
            auto_provision: false,
            removal_limit: Limit { count: 0, percent: 0, ..Limit::default() },
            over_limit: OverLimit::Hold,
            onboarding: Onboarding::Federated,
            ..Policy::default()
        };
        let desk = Desk::open(&store, engine, policy).await;
        let ann = desk.hire("ann").await;
        desk.work().await;
        approve(&desk, &held(&desk).await).await.expect("an approval");
        desk.work().await;
        desk.hire("bob").await;
        desk.set(ann, json!({ "active": false })).await;
        desk.work().await;
        let both = json!(["member_removal_over_limit", "provisioning_off"]);
        assert_eq!(held(&desk).await.held_reasons, both, "{engine}");
        desk.set(ann, json!({ "active": true })).await;
        desk.work().await;
        assert_eq!(held(&desk).await.held_reasons, json!(["provisioning_off"]), "{engine}: ann stays");
    });
}
