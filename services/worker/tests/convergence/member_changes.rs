//! An admin changes a member while a worker has a plan for the tenant: neither overwrites the other (DA7).

use crate::desk::Desk;
use crate::engine;
use crate::unannounced::Unannounced;
use rollcall_core::guard::{Verdict, review};
use rollcall_core::ids::{DirectoryUserId, MemberId};
use rollcall_core::plan::plan;
use rollcall_core::policy::{Onboarding, Policy};
use rollcall_core::roster::Role;
use rollcall_store::{Chunk, Lease, Member, MemberChanges, RunDecision, StoreError};
use serde_json::json;

async fn open(store: &rollcall_store::Store, engine: &str) -> Desk {
    Desk::open(store, engine, Policy { onboarding: Onboarding::Federated, ..Policy::default() }).await
}

async fn member(desk: &Desk, name: &str) -> Member {
    let email = format!("{name}@x.test");
    desk.members().await.into_iter().find(|member| member.email == email).expect("a member")
}

async fn give(desk: &Desk, name: &str, role: Role) -> Result<Member, StoreError> {
    let id: MemberId = member(desk, name).await.id.into();
    let changes = MemberChanges { role: Some(role), ..MemberChanges::default() };
    desk.store.change_member(&desk.api, id, &changes).await.map(Unannounced::unannounced)
}

/// An owner approves what the source asks of an owner or admin.
async fn owner_approves(desk: &Desk) {
    let held = desk
        .runs()
        .await
        .into_iter()
        .find(|run| run.state == "held" && run.held_reasons == json!(["privileged_member"]));
    desk.decide(held.expect("a held run").id.into(), RunDecision::Approve).await.expect("an approval");
}

/// A worker that has planned and is about to apply.
async fn planned(desk: &Desk) -> (Lease, Chunk, Verdict) {
    let lease = desk.lease().await;
    let chunk = desk.store.next_chunk(&lease, 500).await.expect("an answer").expect("a change");
    let verdict = review(plan(&chunk.world), &chunk.world);
    assert_eq!((verdict.apply.len(), verdict.withheld.len()), (1, 0), "{verdict:?}");
    (lease, chunk, verdict)
}

async fn apply_late(desk: &Desk, (lease, chunk, verdict): (Lease, Chunk, Verdict)) {
    let late = desk.store.apply(&lease, &chunk, verdict).await;
    assert!(matches!(late, Err(StoreError::LeaseLost)), "{late:?}");
    desk.work().await;
}

async fn hired(desk: &Desk, name: &str) -> DirectoryUserId {
    let user = desk.hire(name).await;
    desk.work().await;
    user
}

#[test]
fn da7_an_admin_and_a_worker_do_not_take_the_last_two_admins_at_once() {
    engine::on_each_engine(async |store, engine| {
        let desk = open(&store, engine).await;
        let ann = hired(&desk, "ann").await;
        hired(&desk, "bob").await;
        give(&desk, "ann", Role::Owner).await.expect("a change");
        desk.set(ann, json!({ "active": false })).await;
        desk.work().await;
        owner_approves(&desk).await;
        let worker = planned(&desk).await;
        give(&desk, "owner", Role::Member).await.expect("Ann is there, as far as anybody knows");
        apply_late(&desk, worker).await;
        assert_eq!(member(&desk, "ann").await.status, "active", "{engine}: the last admin stays");
        let refused = give(&desk, "ann", Role::Member).await;
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{engine}: {refused:?}");
        give(&desk, "bob", Role::Admin).await.expect("a change");
        desk.work().await;
        owner_approves(&desk).await;
        desk.work().await;
        assert_eq!(member(&desk, "ann").await.status, "suspended", "{engine}: now there is another");
    });
}

#[test]
fn a_role_is_not_written_over_by_a_profile_that_was_planned_before() {
    engine::on_each_engine(async |store, engine| {
        let desk = open(&store, engine).await;
        let ann = hired(&desk, "ann").await;
        desk.set(ann, json!({ "displayName": "Ann" })).await;
        let worker = planned(&desk).await;
        give(&desk, "ann", Role::Owner).await.expect("a change");
        apply_late(&desk, worker).await;
        let ann = member(&desk, "ann").await;
        assert_eq!((ann.role.as_str(), ann.display_name.as_deref()), ("owner", Some("Ann")), "{engine}");
    });
}

#[test]
fn a_change_of_nothing_is_no_event_and_voids_no_plan() {
    engine::on_each_engine(async |store, engine| {
        let desk = open(&store, engine).await;
        let ann = hired(&desk, "ann").await;
        desk.set(ann, json!({ "displayName": "Ann" })).await;
        let (lease, chunk, verdict) = planned(&desk).await;
        give(&desk, "ann", Role::Member).await.expect("nothing to change");
        desk.store.apply(&lease, &chunk, verdict).await.expect("the plan is as good as before");
        let told = desk.told().await;
        assert_eq!(told["member.updated"], 1, "{engine}: {told:?}");
    });
}
