//! The guards on the real store: counts and holds that survive from one chunk of the worker to the next.

use crate::desk::Desk;
use crate::engine;
use crate::office::pages;
use crate::unannounced::Unannounced;
use chrono::TimeDelta;
use rollcall_core::ids::{DirectoryUserId, MemberId, RunId};
use rollcall_core::policy::{Limit, Onboarding, OverLimit, Policy};
use rollcall_store::{AuditFilter, Member, RunDecision, Store, StoreError, StoredJson};
use serde_json::json;
use std::collections::BTreeSet;

fn invites() -> Policy {
    Policy { onboarding: Onboarding::Invite, ..Policy::default() }
}

fn federated() -> Policy {
    Policy { onboarding: Onboarding::Federated, ..Policy::default() }
}

async fn set_policy(desk: &Desk, edit: impl FnOnce(&mut Policy)) -> Result<(), StoreError> {
    let before = desk.store.policy(&desk.api).await?;
    let mut policy = before.policy;
    edit(&mut policy);
    desk.store.set_policy(&desk.api, &policy, before.version, 0).await.map(|set| drop(set.unannounced()))
}

/// The held run, and its reasons.
async fn held(desk: &Desk) -> Option<(RunId, serde_json::Value)> {
    let runs = desk.runs().await;
    runs.into_iter().rfind(|run| run.state == "held").map(|run| (run.id.into(), run.held_reasons))
}

async fn member_of(desk: &Desk, user: DirectoryUserId) -> Member {
    let found = desk.members().await.into_iter().find(|member| member.directory_user_id == Some(user.0));
    found.expect("a member")
}

/// A worker that planned with an open invitation does not overwrite its acceptance; it plans again.
#[test]
fn dx13_an_invitation_accepted_between_reading_and_applying_is_not_lost() {
    engine::on_each_engine(async |store: Store, engine| {
        let desk = Desk::open(&store, "accepted meanwhile", invites()).await;
        let (ann, bob) = (desk.hire("ann").await, desk.hire("bob").await);
        desk.work().await;
        let id = MemberId(member_of(&desk, ann).await.id);
        desk.set(ann, json!({ "active": false })).await;
        desk.set(bob, json!({ "active": false })).await;
        let accept =
            async || desk.store.accept_invitation(&desk.api, id).await.expect("an open invitation").unannounced();
        assert_eq!(desk.work_while(accept).await, 1, "{engine}: planned once in vain");
        let (accepted, other) = (member_of(&desk, ann).await, member_of(&desk, bob).await);
        let former = |member: &Member| (member.status.clone(), member.suspended_from.clone());
        assert_eq!(former(&accepted), ("suspended".into(), Some("active".into())), "{engine}");
        assert_eq!(former(&other), ("suspended".into(), Some("invited".into())), "{engine}");
        let about = AuditFilter { subject: Some(id.0), ..AuditFilter::default() };
        let told = pages(async |page| desk.store.audit_events(&desk.api, &about, &page).await).await;
        let kinds: Vec<&str> = told.iter().map(|event| event.kind.as_str()).collect();
        assert_eq!(kinds, ["member.invited", "member.activated", "member.suspended"], "{engine}: each once");
        let suspended =
            told.last().and_then(|event| event.detail.as_ref().map(StoredJson::tree)).expect("what happened");
        assert_eq!(suspended["from"], "active", "{engine}");
        desk.set(ann, json!({ "active": true })).await;
        desk.work().await;
        assert_eq!(member_of(&desk, ann).await.status, "active", "{engine}: what was accepted stays accepted");
    });
}

/// With `over_limit=hold` no part of a held removal is in the roster; it waits for an admin after the window too.
#[test]
fn da10_a_held_removal_outlives_its_window_until_an_admin_decides() {
    engine::on_each_engine(async |store: Store, engine| {
        let removal_limit = Limit { count: 1, percent: 0, ..Limit::default() };
        let policy = Policy { over_limit: OverLimit::Hold, removal_limit, ..federated() };
        let desk = Desk::open(&store, "held", policy).await;
        let mut people = Vec::new();
        for name in ["ann", "bob", "cy"] {
            people.push(desk.hire(name).await);
        }
        desk.work().await;
        for user in &people {
            desk.set(*user, json!({ "active": false })).await;
        }
        desk.work().await;
        let status = async |user| member_of(&desk, user).await.status;
        for (what, changes) in
            [("nothing new", json!({ "active": false })), ("another name", json!({ "displayName": "Bob" }))]
        {
            desk.store.clock.advance(TimeDelta::hours(26));
            desk.set(people[1], changes).await;
            desk.work().await;
            assert_eq!(status(people[1]).await, "active", "{engine}: {what}");
        }
        desk.store.clock.advance(TimeDelta::hours(26));
        desk.fire(people[1]).await;
        desk.work().await;
        assert_eq!(status(people[1]).await, "active", "{engine}: deleted is the same removal");
        desk.set(people[2], json!({ "active": true })).await;
        desk.work().await;
        desk.set(people[2], json!({ "active": false })).await;
        desk.work().await;
        assert_eq!(status(people[2]).await, "suspended", "{engine}: back and gone again, in a window with room");
        let (run, reasons) = held(&desk).await.expect("a held run");
        assert_eq!(reasons, json!(["member_removal_over_limit"]), "{engine}");
        desk.decide(run, RunDecision::Approve).await.expect("an approval");
        desk.work().await;
        assert_eq!(status(people[1]).await, "suspended", "{engine}");
        assert!(held(&desk).await.is_none(), "{engine}");
    });
}

/// An admin's decision between the worker's read and its apply voids the plan, and the worker plans again.
#[test]
fn da10_a_decision_made_while_a_worker_plans_is_not_lost() {
    engine::on_each_engine(async |store: Store, engine| {
        for (decision, state, status) in
            [(RunDecision::Approve, "applied", "suspended"), (RunDecision::Reject, "rejected", "active")]
        {
            let removal_limit = Limit { count: 0, percent: 0, ..Limit::default() };
            let policy = Policy { over_limit: OverLimit::Hold, removal_limit, ..federated() };
            let desk = Desk::open(&store, &format!("meanwhile {state}"), policy).await;
            let ann = desk.hire("ann").await;
            desk.work().await;
            desk.set(ann, json!({ "active": false })).await;
            desk.work().await;
            let (run, _) = held(&desk).await.expect("a held run");
            // An approval must see unread changes of the same person, as the worker does.
            match decision {
                RunDecision::Approve => drop(desk.hire("bob").await),
                RunDecision::Reject => desk.set(ann, json!({ "displayName": "Ann" })).await,
            }
            let decide = async || desk.decide(run, decision).await.expect("a decision");
            assert_eq!(desk.work_while(decide).await, 1, "{engine}: planned once in vain");
            assert_eq!(desk.run(run).await.state, state, "{engine}");
            assert_eq!(member_of(&desk, ann).await.status, status, "{engine}");
            let open = desk.items(run).await.into_iter().filter(|item| item.decision == "held").count();
            assert_eq!(open, 0, "{engine}: nothing of a decided run waits");
        }
    });
}

/// After a rejection the next change of the source is judged afresh.
#[test]
fn da10_a_rejected_removal_is_judged_anew_in_its_window() {
    engine::on_each_engine(async |store: Store, engine| {
        let removal_limit = Limit { count: 0, percent: 0, ..Limit::default() };
        let policy = Policy { over_limit: OverLimit::Hold, removal_limit, ..federated() };
        let desk = Desk::open(&store, "rejected", policy).await;
        let ann = desk.hire("ann").await;
        desk.work().await;
        desk.set(ann, json!({ "active": false })).await;
        desk.work().await;
        let (run, _) = held(&desk).await.expect("a held run");
        desk.decide(run, RunDecision::Reject).await.expect("a rejection");
        set_policy(&desk, |policy| policy.removal_limit.count = 1).await.expect("a policy");
        desk.set(ann, json!({ "displayName": "Ann" })).await;
        desk.work().await;
        assert_eq!(member_of(&desk, ann).await.status, "suspended", "{engine}");
    });
}

#[test]
fn da7_a_protected_member_is_never_suspended_or_removed_by_a_sync() {
    engine::on_each_engine(async |store: Store, engine| {
        let (desk, other) =
            (Desk::open(&store, "glass", federated()).await, Desk::open(&store, "other", federated()).await);
        let (glass, bob) = (desk.hire("glass").await, desk.hire("bob").await);
        other.hire("stranger").await;
        desk.work().await;
        other.work().await;
        let stranger = MemberId(other.members().await.remove(1).id);
        let refused = set_policy(&desk, |policy| policy.protected_members = BTreeSet::from([stranger])).await;
        assert!(matches!(refused, Err(StoreError::Invalid(_))), "{engine}: {refused:?}");
        let id = MemberId(member_of(&desk, glass).await.id);
        set_policy(&desk, |policy| policy.protected_members = BTreeSet::from([id])).await.expect("a policy");
        for user in [glass, bob] {
            desk.set(user, json!({ "active": false })).await;
        }
        desk.work().await;
        let status = async |user| member_of(&desk, user).await.status;
        assert_eq!((status(glass).await, status(bob).await), ("active".into(), "suspended".into()), "{engine}");
        let (run, reasons) = held(&desk).await.expect("a held run");
        assert_eq!(reasons, json!(["protected_member"]), "{engine}");
        desk.decide(run, RunDecision::Approve).await.expect("an approval");
        desk.fire(glass).await;
        desk.work().await;
        assert_eq!(status(glass).await, "active", "{engine}: an approval does not lift it");
        set_policy(&desk, |policy| policy.protected_members.clear()).await.expect("a policy");
        desk.work().await;
        assert_eq!(status(glass).await, "suspended", "{engine}: protected no longer, and gone at the source");
    });
}

#[test]
fn pe8_creations_and_modifications_are_counted_over_their_own_windows() {
    engine::on_each_engine(async |store: Store, engine| {
        let limit = |count, window_hours| Some(Limit { count, percent: 0, window_hours });
        let policy = Policy { creation_limit: limit(2, 48), modification_limit: limit(1, 2), ..federated() };
        let desk = Desk::open(&store, "changes", policy).await;
        let mut people = Vec::new();
        for name in ["ann", "bob", "cy"] {
            people.push(desk.hire(name).await);
            desk.work().await;
        }
        let managed = async || desk.members().await.iter().filter(|member| member.managed_by.is_some()).count();
        let (run, reasons) = held(&desk).await.expect("a held run");
        assert_eq!((managed().await, reasons), (2, json!(["member_creation_over_limit"])), "{engine}");
        desk.store.clock.advance(TimeDelta::hours(26));
        desk.hire("dee").await;
        desk.work().await;
        assert_eq!(managed().await, 2, "{engine}: its window is two days");
        desk.store.clock.advance(TimeDelta::hours(26));
        desk.hire("eve").await;
        desk.work().await;
        assert_eq!(managed().await, 3, "{engine}: and the next two are others");
        desk.decide(run, RunDecision::Approve).await.expect("an approval");
        desk.work().await;
        assert_eq!(managed().await, 5, "{engine}");

        for user in &people {
            desk.set(*user, json!({ "displayName": "New" })).await;
            desk.work().await;
        }
        let named = async || desk.members().await.iter().filter(|m| m.display_name.as_deref() == Some("New")).count();
        let (run, reasons) = held(&desk).await.expect("a held run");
        assert_eq!((named().await, reasons), (1, json!(["member_modification_over_limit"])), "{engine}");
        desk.store.clock.advance(TimeDelta::hours(4));
        desk.set(people[0], json!({ "displayName": "Newer" })).await;
        desk.work().await;
        assert_eq!(named().await, 0, "{engine}: the next window has room, and what is held stays held");
        desk.decide(run, RunDecision::Approve).await.expect("an approval");
        desk.work().await;
        assert_eq!(named().await, 2, "{engine}");
    });
}

/// A group of twelve people and its directory group.
async fn design(desk: &Desk) -> (rollcall_core::ids::DirectoryGroupId, Vec<DirectoryUserId>) {
    let mut people = Vec::new();
    for n in 0..12 {
        people.push(desk.hire(&format!("p{n}")).await);
    }
    let group = desk.group("Design", &people).await;
    desk.work().await;
    (group, people)
}

async fn inside(desk: &Desk) -> i64 {
    let groups = pages(async |page| desk.store.groups(&desk.api, &page).await).await;
    groups.iter().find(|group| group.name == "Design").map_or(-1, |group| group.members_count)
}

#[test]
fn rc15_a_group_is_not_wiped_in_one_step_and_an_approval_releases_it() {
    engine::on_each_engine(async |store: Store, engine| {
        for chunk in [500, 7] {
            let desk = Desk::open(&store, &format!("wipe {chunk}"), federated()).await;
            let (group, people) = design(&desk).await;
            desk.set_members(group, &people[..1]).await;
            desk.work_in(chunk).await.expect("a turn");
            // A chunk of up to nine losses is small, whatever follows.
            let left = if chunk == 500 { 12 } else { 5 };
            assert_eq!(inside(&desk).await, left, "{engine}, chunks of {chunk}");
            let (run, reasons) = held(&desk).await.expect("a held run");
            assert_eq!(reasons, json!(["group_wipe"]), "{engine}");
            desk.decide(run, RunDecision::Approve).await.expect("an approval");
            desk.work_in(chunk).await.expect("a turn");
            assert_eq!(inside(&desk).await, 1, "{engine}");
            assert_eq!(desk.run(run).await.state, "applied", "{engine}");
        }
    });
}

#[test]
fn a_group_is_not_wiped_in_small_steps_of_one_window() {
    engine::on_each_engine(async |store: Store, engine| {
        let desk = Desk::open(&store, "trickle", federated()).await;
        let (group, people) = design(&desk).await;
        for left in (0..12).rev() {
            desk.set_members(group, &people[..left]).await;
            desk.work().await;
        }
        assert_eq!(inside(&desk).await, 3, "{engine}: nine are a small loss, ten of twelve are not");
        desk.set_members(group, &people).await;
        desk.work().await;
        assert_eq!((inside(&desk).await, held(&desk).await), (12, None), "{engine}: who is back is not lost");
        desk.set_members(group, &people[3..]).await;
        desk.work().await;
        assert_eq!(inside(&desk).await, 9, "{engine}");
        desk.store.clock.advance(TimeDelta::hours(26));
        desk.set_members(group, &people[11..]).await;
        desk.work().await;
        assert_eq!(inside(&desk).await, 1, "{engine}: eight in the next window");
    });
}

#[test]
fn a_group_that_is_deleted_at_the_source_stays_until_an_admin_decides() {
    engine::on_each_engine(async |store: Store, engine| {
        let desk = Desk::open(&store, "deleted", federated()).await;
        let (group, people) = design(&desk).await;
        desk.set_members(group, &people[..4]).await;
        desk.work().await;
        desk.delete_group(group).await;
        desk.work().await;
        assert_eq!(inside(&desk).await, 4, "{engine}: eight are gone already, so these four are not a small loss");
        desk.store.clock.advance(TimeDelta::hours(26));
        let (run, reasons) = held(&desk).await.expect("a held run");
        assert_eq!(reasons, json!(["group_wipe"]), "{engine}");
        // A group made again under the same name counts as the same group, so the hold is void.
        desk.group("design", &people[..4]).await;
        desk.work().await;
        assert_eq!(desk.picture().await.people_of("design"), 4, "{engine}");
        assert_eq!(desk.run(run).await.state, "withdrawn", "{engine}");
    });
}
