//! Rewinds on the real store: in one chunk and in many, repeated, and with items that cannot be rewound.

use crate::desk::{Desk, Upheaval};
use crate::engine;
use crate::unannounced::Unannounced;
use chrono::TimeDelta;
use rollcall_core::ids::RunId;
use rollcall_core::policy::{Limit, OnDeleted, Onboarding, Policy};
use rollcall_store::{RunDecision, Store, StoreError};
use serde_json::json;

fn policy(on_deleted: OnDeleted) -> Policy {
    Policy { onboarding: Onboarding::Federated, on_deleted, ..Policy::default() }
}

fn reasons(items: &[rollcall_store::RunItem]) -> Vec<&str> {
    items.iter().filter(|item| item.decision == "impossible").filter_map(|item| item.held_reason.as_deref()).collect()
}

/// Rewind and rewind of the rewind, in one chunk or item by item, with a swap of addresses: the former roster is back,
/// and then the later one.
async fn there_and_back(store: Store, part: usize, on_deleted: OnDeleted) {
    let desk = Desk::open(&store, &format!("back {part} {on_deleted}"), policy(on_deleted)).await;
    let upheaval = Upheaval::prepare(&desk).await;
    let before = desk.picture().await;
    upheaval.happen(&desk).await;
    desk.work().await;
    let after = desk.picture().await;
    let run = Upheaval::run(&desk).await;
    let rewind = desk.rewind(run, part).await;
    assert_eq!(desk.picture().await, before, "parts of {part}");
    assert_eq!([desk.run(run).await.state, desk.run(rewind).await.state], ["rewound", "applied"]);
    assert_eq!(desk.run(rewind).await.rewinds, Some(run.0));
    assert_eq!(reasons(&desk.items(rewind).await), Vec::<&str>::new());
    let redone = desk.rewind(rewind, part).await;
    let again = desk.picture().await;
    assert_eq!(again, after, "parts of {part}");
    let states = [desk.run(run).await.state, desk.run(rewind).await.state, desk.run(redone).await.state];
    assert_eq!(states, ["applied", "rewound", "applied"]);
    assert!(desk.store.rewind_run(&desk.api, rewind).await.is_err(), "what is rewound is rewound once");
    // The next change of the source is judged afresh.
    desk.work().await;
    assert_eq!(desk.picture().await, after);
}

/// Every item has its subject, action, before, after, reason, source and request.
async fn items_say_everything(store: Store) {
    let desk = Desk::open(&store, "items", policy(OnDeleted::Suspend)).await;
    let upheaval = Upheaval::prepare(&desk).await;
    upheaval.happen(&desk).await;
    desk.work().await;
    for run in desk.runs().await {
        for item in desk.items(run.id.into()).await {
            assert!(
                item.who.as_ref().is_some_and(|who| who["email"].is_string() || who["name"].is_string()),
                "{item:?}"
            );
            assert!(item.member_id.is_some() || item.group_id.is_some(), "{item:?}");
            assert!(
                item.after.as_ref().is_some_and(|after| after.as_object().is_some_and(|a| !a.is_empty())),
                "{item:?}"
            );
            let makes = matches!(item.action.as_str(), "provision" | "create_group");
            assert_eq!(item.before.is_none(), makes, "{item:?}");
            assert_eq!(item.source_id, run.source_id, "{item:?}");
        }
    }
    let items = desk.items(Upheaval::run(&desk).await).await;
    let left = items.iter().find(|item| item.action == "suspend" && item.why == "disabled_at_source").expect("Cy");
    assert_eq!(left.who, Some(json!({ "email": "cy@x.test", "display_name": null })));
    assert_eq!(left.before.as_ref().map(|before| before["status"].clone()), Some(json!("active")));
    assert_eq!(left.after.as_ref().map(|after| after["status"].clone()), Some(json!("suspended")));
}

/// A plan that the roster has left is refused; the next one names the items that cannot be rewound.
async fn what_moved_is_stale_and_then_named(store: Store) {
    let desk = Desk::open(&store, "stale", policy(OnDeleted::Suspend)).await;
    let (ann, bob) = (desk.hire("ann").await, desk.hire("bob").await);
    desk.work().await;
    for user in [ann, bob] {
        desk.set(user, json!({ "active": false })).await;
    }
    desk.work().await;
    let run: RunId = desk.runs().await.last().expect("a run").id.into();
    let planned = desk.plan_rewind(run, 500).await;
    desk.set(ann, json!({ "active": true })).await;
    desk.work().await;
    assert!(matches!(desk.decide(planned, RunDecision::Approve).await, Err(StoreError::Overtaken)));
    let again = desk.plan_rewind(run, 500).await;
    assert_eq!(desk.run(planned).await.state, "withdrawn");
    assert_eq!(reasons(&desk.items(again).await), ["already_back"]);
    desk.decide(again, RunDecision::Approve).await.expect("an approval");
    let twice = desk.store.rewind_run(&desk.api, run).await;
    assert!(matches!(twice, Err(StoreError::Conflict(_))), "{twice:?}");
    desk.work().await;
    let active = desk.members().await.iter().filter(|member| member.status == "active").count();
    assert_eq!((active, desk.run(run).await.state.as_str()), (3, "rewound"));
}

/// A membership change leaves no timestamp on the member, and a change from before the plan is in the plan.
async fn a_moved_membership_is_stale_and_an_older_change_is_not(store: Store) {
    let desk = Desk::open(&store, "memberships", policy(OnDeleted::Suspend)).await;
    let (ann, bob) = (desk.hire("ann").await, desk.hire("bob").await);
    let group = desk.group("Design", &[ann]).await;
    desk.work().await;
    desk.set_members(group, &[ann, bob]).await;
    desk.work().await;
    let run: RunId = desk.runs().await.last().expect("a run").id.into();
    let planned = desk.plan_rewind(run, 500).await;
    desk.set_members(group, &[ann]).await;
    desk.work().await;
    let stale = desk.decide(planned, RunDecision::Approve).await;
    assert!(matches!(stale, Err(StoreError::Overtaken)), "bob left already: {stale:?}");
    desk.set_members(group, &[ann, bob]).await;
    desk.work().await;
    desk.decide(planned, RunDecision::Approve).await.expect("it is as it was planned from");
    desk.work().await;
    assert_eq!(desk.picture().await.people_of("Design"), 1);
    desk.set(bob, json!({ "active": false })).await;
    desk.work().await;
    let run: RunId = desk.runs().await.last().expect("a run").id.into();
    let rewind = desk.store.rewind_run(&desk.api, run).await.expect("a rewind").unannounced();
    // A push, so it is applied after the rewind was requested and before it is planned.
    desk.set(bob, json!({ "displayName": "Bob" })).await;
    desk.work().await;
    desk.decide(rewind, RunDecision::Approve).await.expect("a plan of what is there");
    desk.work().await;
    assert!(desk.members().await.iter().all(|member| member.status == "active"));
}

/// A rejected rewind changes nothing; a rewind of a run without an item in force is refused.
async fn a_rewind_is_rejected_or_refused(store: Store) {
    let policy = Policy { auto_deprovision: false, ..policy(OnDeleted::Suspend) };
    let desk = Desk::open(&store, "held", policy).await;
    let ann = desk.hire("ann").await;
    desk.work().await;
    desk.set(ann, json!({ "active": false })).await;
    desk.work().await;
    let held: RunId = desk.runs().await.last().expect("a run").id.into();
    assert!(matches!(desk.store.rewind_run(&desk.api, held).await, Err(StoreError::Conflict(_))));
    // A run that was held and approved is rewound like any other.
    desk.decide(held, RunDecision::Approve).await.expect("an approval");
    desk.work().await;
    let left = desk.picture().await;
    let rewind = desk.plan_rewind(held, 500).await;
    desk.decide(rewind, RunDecision::Reject).await.expect("a rejection");
    desk.work().await;
    assert_eq!((desk.picture().await == left, desk.run(held).await.state.as_str()), (true, "applied"));
    desk.rewind(held, 500).await;
    assert!(desk.members().await.iter().all(|member| member.status == "active"));
}

#[test]
fn rc4_a_run_is_taken_back_and_done_again_in_one_part_or_many() {
    engine::on_each_engine(async |store: Store, _| {
        for part in [500, 3, 1] {
            for on_deleted in [OnDeleted::Suspend, OnDeleted::Remove] {
                there_and_back(store.clone(), part, on_deleted).await;
            }
        }
    });
}

#[test]
fn runs_say_everything_and_rewinds_are_decided_like_held_runs() {
    engine::on_each_engine(async |store: Store, _| {
        items_say_everything(store.clone()).await;
        what_moved_is_stale_and_then_named(store.clone()).await;
        a_moved_membership_is_stale_and_an_older_change_is_not(store.clone()).await;
        a_rewind_is_rejected_or_refused(store).await;
    });
}

#[test]
fn pe11_two_runs_are_compared_page_by_page() {
    engine::on_each_engine(async |store: Store, _| {
        let desk = Desk::open(&store, "compare", policy(OnDeleted::Suspend)).await;
        let (ann, bob) = (desk.hire("ann").await, desk.hire("bob").await);
        desk.work().await;
        for (user, name) in [(ann, "Ann"), (bob, "Bob"), (ann, "Anne"), (bob, "Bob")] {
            desk.set(user, json!({ "displayName": name })).await;
            if name.starts_with('B') {
                desk.work().await;
            }
        }
        let runs: Vec<RunId> = desk.runs().await.iter().map(|run| run.id.into()).collect();
        let [_, first, second] = runs[..] else { panic!("{runs:?}") };
        let (mut found, mut cursor) = (Vec::new(), None);
        loop {
            let page = desk.store.compare_runs(&desk.api, (first, second), 1, cursor.as_deref()).await.expect("a page");
            found.extend(page.items.into_iter().map(|item| (item.subject_id, item.found)));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        found.sort_by_key(|(id, _)| *id != ann.0);
        assert_eq!(found, [(ann.0, "differs".to_owned()), (bob.0, "only_this".to_owned())]);
        let same = desk.store.compare_runs(&desk.api, (first, first), 50, None).await.expect("a page");
        assert!(same.items.iter().all(|item| item.found == "same") && same.items.len() == 2, "{same:?}");
        let unknown = desk.store.compare_runs(&desk.api, (first, desk.store.clock.new_id()), 50, None).await;
        assert!(matches!(unknown, Err(StoreError::NotFound(_))));
        let nonsense = desk.store.compare_runs(&desk.api, (first, second), 50, Some("nonsense")).await;
        assert!(matches!(nonsense, Err(StoreError::Invalid(_))));
    });
}

#[test]
fn old_runs_are_forgotten_and_open_ones_and_events_are_not() {
    engine::on_each_engine(async |store: Store, _| {
        let limit = Limit { count: 1, percent: 0, ..Limit::default() };
        let desk = Desk::open(&store, "old", Policy { removal_limit: limit, ..policy(OnDeleted::Suspend) }).await;
        let (ann, bob) = (desk.hire("ann").await, desk.hire("bob").await);
        let group = desk.group("Design", &[ann]).await;
        desk.work().await;
        desk.delete_group(group).await;
        for user in [ann, bob] {
            desk.set(user, json!({ "active": false })).await;
        }
        desk.work().await;
        let (events, runs) = (desk.told().await, desk.runs().await.len());
        let forget = async || {
            let before = desk.store.clock.now() - TimeDelta::days(90);
            let due = desk.store.tenants_with_old_runs(before, None).await.expect("a list").contains(&desk.tenant);
            while due && desk.store.forget_old_runs(desk.tenant, before).await.expect("a batch") {}
            due
        };
        desk.store.clock.advance(TimeDelta::days(89));
        assert!(!forget().await && desk.runs().await.len() == runs, "nothing is old yet");
        desk.store.clock.advance(TimeDelta::days(2));
        assert!(forget().await);
        let left: Vec<String> = desk.runs().await.into_iter().map(|run| run.state).collect();
        assert_eq!(left, ["held"]);
        let kinds = |told: std::collections::BTreeMap<String, usize>| -> Vec<(String, usize)> {
            told.into_iter().filter(|(kind, _)| !kind.contains(':')).collect()
        };
        assert_eq!(kinds(desk.told().await), kinds(events), "events outlive plans");
        assert!(!forget().await, "nothing is left to forget");
    });
}
