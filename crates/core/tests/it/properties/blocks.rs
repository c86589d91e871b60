//! Blocks by an admin, in every history.

use super::history::Player;
use super::steps::{Step, policies, steps, with_blocks};
use super::{LIVE, any_history, config, play_checked};
use crate::model::{Hub, scim};
use proptest::prelude::*;
use rollcall_core::action::{Action, Item};
use rollcall_core::email::fold;
use rollcall_core::ids::MemberId;
use rollcall_core::policy::{Limit, OnDeleted, Onboarding, Policy};
use rollcall_core::roster::{MemberState, MemberStatus, Role};
use std::collections::{BTreeMap, BTreeSet};

proptest! {
    #![proptest_config(config(150))]

    /// DW9. No history lets a member in whom an admin blocked, and no run lifts a block ([`Hub::check`], [`Before::check`](super::Before::check)). Once
    /// nothing is blocked any more, everybody is as the source wants them, so a block leaves nothing behind.
    #[test]
    fn dw9_a_block_holds_through_every_history_and_leaves_nothing_behind(
        policy in policies(), seats in 1..6_u32, history in with_blocks(any_history()), owner_agrees in any::<bool>(),
    ) {
        let mut player = Player::new(policy, seats);
        player.hub.owner_agrees = owner_agrees;
        play_checked(&mut player, &history);
        let mut hub = player.hub;
        hub.settle();
        let shut_out: Vec<MemberId> = hub.members.values().filter(|m| m.is_blocked()).map(|m| m.id).collect();
        hub.touch_everything();
        let again = hub.settle();
        let lets_in = |item: &Item| match item.action {
            Action::Restore { member, .. }
            | Action::Waitlist { member } => shut_out.contains(&member),
            _ => false,
        };
        prop_assert!(!again.applied.iter().any(lets_in), "{:?}", again.applied);
        hub.set_seats(1_000);
        hub.owner_agrees = true;
        for id in &shut_out {
            prop_assert_eq!(hub.set_block(Role::Owner, *id, false), Ok(()));
        }
        hub.settle();
        for id in shut_out {
            let member = &hub.members[&id];
            let wanted = member.directory_user.filter(|_| member.managed_by.is_some()).is_some_and(|record| hub.wants(record));
            prop_assert!(!wanted || member.has_access() || member.status == MemberStatus::Pending, "{:?}", member);
        }
    }

    /// DW9. Blocks, and unblocks after a detachment, let nobody in whom the same history without them leaves out: nobody comes in
    /// whom the source took out meanwhile. Left out are histories in which the address of a blocked person went to another one, since
    /// that person has it as long as it is free.
    #[test]
    fn dw9_a_block_lets_nobody_in_whom_the_history_without_it_leaves_out(
        on_deleted in prop_oneof![Just(OnDeleted::Suspend), Just(OnDeleted::Remove)],
        history in with_blocks(steps(LIVE, 5..60)),
    ) {
        let removal_limit = Limit { count: 10_000, ..Limit::default() };
        let policy = Policy { onboarding: Onboarding::Federated, on_deleted, removal_limit, ..Policy::default() };
        // Seats do not run out, no guard keeps anybody in, nobody is matched by an address, and no mark waits for a later turn
        // because of the marks of blocks.
        let plain = |step: Step| match step {
            Step::Run(_) => vec![Step::Run(1_000); 3],
            Step::Create { .. } | Step::Name { .. } | Step::Active { .. } | Step::Delete { .. } => vec![step],
            Step::CreateGroup { .. } | Step::Membership { .. } | Step::Scope(_) | Step::Block { .. } => vec![step],
            _ => vec![],
        };
        let history: Vec<Step> = history.into_iter().flat_map(plain).collect();
        let given_on = std::cell::Cell::new(false);
        let note = |hub: &Hub| {
            let gave_up = hub.members.values().any(|member| member.is_blocked() && member.gave_up().is_some());
            given_on.set(given_on.get() || gave_up);
        };
        let [with, without] = [true, false].map(|blocks| {
            let mut player = Player::new(policy.clone(), 1_000);
            let is_said = |step: &&Step| blocks || !matches!(step, Step::Block { .. });
            let said: Vec<Step> = history.iter().filter(is_said).cloned().collect();
            player.play(&said, &mut |_| {}, &mut |hub| note(hub));
            let mut hub = player.hub;
            hub.settle();
            note(&hub);
            hub.detach(scim());
            let ids: Vec<MemberId> = hub.members.keys().copied().collect();
            ids.iter().for_each(|id| assert_eq!(hub.set_block(Role::Owner, *id, false), Ok(())));
            hub.check();
            hub.members
        });
        if !given_on.get() {
            let inside = |members: BTreeMap<MemberId, MemberState>| -> BTreeSet<String> {
                members.values().filter(|member| member.has_access()).map(|member| fold(member.own_address())).collect()
            };
            let (with, without) = (inside(with), inside(without));
            prop_assert!(with.is_subset(&without), "{:?} beside {:?}", with, without);
        }
    }
}
