//! An admin decides about a pending member while a worker has a plan for them already (LP5).

use crate::desk::Desk;
use crate::engine;
use crate::unannounced::Unannounced;
use rollcall_core::guard::review;
use rollcall_core::ids::MemberId;
use rollcall_core::plan::plan;
use rollcall_core::policy::{Onboarding, Policy};
use rollcall_core::roster::Approval;
use rollcall_store::{DecisionResult, StoreError};
use uuid::Uuid;

async fn pending(desk: &Desk, name: &str) -> MemberId {
    desk.hire(name).await;
    desk.work().await;
    let email = format!("{name}@x.test");
    let member = desk.members().await.into_iter().find(|member| member.email == email).expect("a member");
    assert_eq!((member.status.as_str(), member.waiting_for.as_deref()), ("pending", Some("approval")));
    member.id.into()
}

async fn status(desk: &Desk, id: MemberId) -> String {
    desk.store.member(&desk.api, id).await.expect("a member").status
}

#[test]
fn lp5_nobody_comes_in_after_an_admins_no() {
    engine::on_each_engine(async |store, engine| {
        let policy = Policy { approval: true, onboarding: Onboarding::Federated, ..Policy::default() };
        let desk = Desk::open(&store, engine, policy).await;
        let ann = pending(&desk, "ann").await;
        desk.store.decide_member(&desk.api, ann, Approval::Approved).await.expect("a decision").unannounced();
        let lease = desk.lease().await;
        let chunk = desk.store.next_chunk(&lease, 500).await.expect("an answer").expect("a change");
        let verdict = review(plan(&chunk.world), &chunk.world);
        assert_eq!(verdict.apply.len(), 1, "she would come in: {verdict:?}");
        desk.store.decide_member(&desk.api, ann, Approval::Declined).await.expect("a decision").unannounced();
        let late = desk.store.apply(&lease, &chunk, verdict).await;
        assert!(matches!(late, Err(StoreError::LeaseLost)), "{engine}: {late:?}");
        desk.work().await;
        assert_eq!(status(&desk, ann).await, "pending", "{engine}");
        desk.store.decide_member(&desk.api, ann, Approval::Approved).await.expect("a decision").unannounced();
        desk.work().await;
        assert_eq!(status(&desk, ann).await, "active", "{engine}");
        let told = desk.told().await;
        assert_eq!((told["member.approved"], told["member.declined"], told["member.activated"]), (2, 1, 1), "{told:?}");
    });
}

#[test]
fn lp5_many_are_decided_at_once_each_by_itself() {
    engine::on_each_engine(async |store, engine| {
        let desk = Desk::open(&store, engine, Policy { approval: true, ..Policy::default() }).await;
        let (ann, bob) = (pending(&desk, "ann").await, pending(&desk, "bob").await);
        let owner = desk.members().await.into_iter().find(|member| member.role == "owner").expect("an owner").id;
        let other =
            Desk::open(&store, &format!("{engine}, another tenant"), Policy { approval: true, ..Policy::default() })
                .await;
        let cy = pending(&other, "cy").await;
        let nobody: MemberId = Uuid::from_u128(1).into();
        let ids = [ann, bob, ann, owner.into(), cy, nobody];
        let results =
            desk.store.decide_members(&desk.api, &ids, Approval::Approved).await.expect("answers").unannounced();
        let (decided, unchanged) = (DecisionResult::Decided, DecisionResult::Unchanged);
        let (not_pending, not_found) = (DecisionResult::NotPending, DecisionResult::NotFound);
        assert_eq!(results, [decided, decided, unchanged, not_pending, not_found, not_found], "{engine}");
        desk.work().await;
        other.work().await;
        assert_eq!((status(&desk, ann).await, status(&desk, bob).await), ("invited".into(), "invited".into()));
        assert_eq!(status(&other, cy).await, "pending", "{engine}: another tenant's");
        let told = desk.told().await;
        assert_eq!((told["member.approved"], told["member.invited"]), (2, 2), "{engine}: {told:?}");
    });
}
