//! An applied run can be rewound, and a rewind can be rewound.

use super::history::Player;
use super::steps::{Step, policies};
use super::{ANY, Before, any_history, config, steps};
use crate::model::{Hub, RunReport, Touch};
use proptest::prelude::*;
use rollcall_core::change::{Impossible, Recorded, Target};

/// One run of a history, and the hub before it.
struct Run {
    before: Hub,
    outcome: RunReport,
}

/// Plays a history; `look` sees the hub after every run.
fn play(player: &mut Player, history: &[Step], look: &mut dyn FnMut(&Hub, Run)) {
    for step in history {
        if let Step::Run(size) = step {
            let size = (*size).min(player.hub.changes.len());
            let touched: Vec<Touch> = player.hub.changes.drain(..size).collect();
            let before = player.hub.clone();
            let outcome = player.hub.reconcile(&touched);
            look(&player.hub, Run { before, outcome });
        } else {
            player.play(std::slice::from_ref(step), &mut |_| {}, &mut |_| {});
        }
    }
}

/// Subjects of the impossible steps.
fn named(outcome: &RunReport, recorded: &[Recorded]) -> Vec<Target> {
    let place = |id: uuid::Uuid| usize::try_from(id.as_u128()).expect("a place");
    outcome.impossible.iter().map(|(id, _)| recorded[place(*id)].target).collect()
}

/// Directly after the run only invariants, and steps that depend on those, are refused.
fn expect_invariants(outcome: &RunReport) {
    let asks_for_invariant = |reason: &Impossible| {
        matches!(
            reason,
            Impossible::NoSeat | Impossible::ProtectedMember | Impossible::LastAdmin | Impossible::LastBillingContact
        )
    };
    let reasons: Vec<Impossible> = outcome.impossible.iter().map(|(_, reason)| *reason).collect();
    assert!(reasons.is_empty() || reasons.iter().any(asks_for_invariant), "{reasons:?}");
    let hangs_on_it = |reason: &Impossible| {
        asks_for_invariant(reason) || matches!(reason, Impossible::AddressTaken | Impossible::RecordTaken)
    };
    assert!(reasons.iter().all(hangs_on_it), "{reasons:?}");
}

proptest! {
    #![proptest_config(config(150))]

    /// Apply, then rewind: the managed state is the former one ([`crate::model::Managed`]), except for what an
    /// invariant forbids, which is named. Rewind of the rewind: the applied state is back.
    #[test]
    fn rc4_a_rewind_restores_what_was_and_its_rewind_what_was_applied(
        policy in policies(), seats in 1..6_u32, history in any_history(),
    ) {
        let mut player = Player::new(policy, seats);
        play(&mut player, &history, &mut |hub, run| {
            let mut back = hub.clone();
            let undone = back.take_back(&run.outcome.recorded);
            expect_invariants(&undone);
            let refused = named(&undone, &run.outcome.recorded);
            assert_eq!(back.managed().without(&refused), run.before.managed().without(&refused));
            let mut again = back;
            let redone = again.take_back(&undone.recorded);
            expect_invariants(&redone);
            let mut all = refused;
            all.extend(named(&redone, &undone.recorded));
            assert_eq!(again.managed().without(&all), hub.managed().without(&all));
        });
    }

    /// A run of long ago is rewound as far as possible: each step is applied or named, and no invariant breaks.
    #[test]
    fn da7_da8_a_late_rewind_names_what_it_cannot_do_and_breaks_nothing(
        policy in policies(), seats in 1..6_u32, past in any_history(), since in steps(ANY, 5..40), chosen in any::<prop::sample::Index>(),
    ) {
        let mut player = Player::new(policy, seats);
        let mut runs = Vec::new();
        play(&mut player, &past, &mut |_, run| {
            if !run.outcome.recorded.is_empty() {
                runs.push(run.outcome.recorded);
            }
        });
        play(&mut player, &since, &mut |_, _| {});
        if !runs.is_empty() {
            let run = chosen.get(&runs);
            let before = Before::of(&player.hub);
            let undone = player.hub.take_back(run);
            prop_assert_eq!(undone.applied.len() + undone.impossible.len(), run.len());
            before.check(&player.hub);
            let again = player.hub.take_back(&undone.recorded);
            prop_assert_eq!(again.applied.len() + again.impossible.len(), undone.recorded.len());
        }
    }
}
