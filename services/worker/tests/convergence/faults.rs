//! Injected faults (docs/design.md#one-change-one-audit-event): a worker that is cut off before any statement, before a
//! commit, or after a commit whose answer is lost, leaves no change without its event and no event without its change.
//! In three turns (apply, plan a rewind, apply it) each worker is cut off one point later than the one before; after
//! progress the next begins at the first point again. In the end roster, events and runs are the same as without
//! faults.

use crate::desk::{Desk, Picture, Upheaval};
use crate::engine;
use crate::unannounced::Unannounced;
use rollcall_core::policy::{OnDeleted, Onboarding, Policy};
use rollcall_store::{RunDecision, Store, StoreError};
use std::collections::BTreeMap;

/// Cuts off worker after worker until one succeeds; returns the number cut off.
async fn work_through_faults(desk: &Desk) -> u64 {
    let (mut point, mut cut_off) = (0, 0);
    loop {
        point += 1;
        let before = desk.done().await;
        desk.store.faults.arm(point);
        let ended = desk.work_in(500).await;
        let was_to_come = desk.store.faults.disarm();
        match ended {
            Ok(()) => {
                assert!(was_to_come, "the fault at point {point} went unnoticed");
                return cut_off;
            }
            Err(StoreError::Unavailable(_)) => cut_off += 1,
            Err(other) => panic!("point {point}: {other}"),
        }
        if desk.done().await != before {
            point = 0;
        }
    }
}

/// Upheaval and rewind; returns the visible roster after each, the counts of events, and the number of workers cut off.
async fn story(store: &Store, faults: bool) -> ([Picture; 2], BTreeMap<String, usize>, Vec<u64>) {
    let policy = Policy { onboarding: Onboarding::Federated, on_deleted: OnDeleted::Remove, ..Policy::default() };
    let desk = Desk::open(store, &format!("faults: {faults}"), policy).await;
    let upheaval = Upheaval::prepare(&desk).await;
    upheaval.happen(&desk).await;
    let mut cut_off = Vec::new();
    let mut turn = async |desk: &Desk| match faults {
        true => cut_off.push(work_through_faults(desk).await),
        false => desk.work().await,
    };
    turn(&desk).await;
    let applied = desk.picture().await;
    let rewind = desk.store.rewind_run(&desk.api, Upheaval::run(&desk).await).await.expect("a rewind").unannounced();
    turn(&desk).await;
    desk.decide(rewind, RunDecision::Approve).await.expect("an approval");
    turn(&desk).await;
    ([applied, desk.picture().await], desk.told().await, cut_off)
}

#[test]
fn a_worker_cut_off_at_any_statement_leaves_no_change_without_its_event() {
    engine::on_each_engine(async |store: Store, engine| {
        let (expected, expected_told, _) = story(&store, false).await;
        let (pictures, told, cut_off) = story(&store, true).await;
        assert_eq!(pictures, expected, "{engine}");
        assert_eq!(told, expected_told, "{engine}");
        assert!(cut_off.len() == 3 && cut_off.iter().all(|workers| *workers > 20), "{engine}: {cut_off:?}");
    });
}
