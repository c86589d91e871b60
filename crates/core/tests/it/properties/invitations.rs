//! Invitations by hand, in every history.

use super::history::Player;
use super::steps::{policies, with_invitations};
use super::{any_history, config, play_checked, sizes};
use proptest::prelude::*;
use rollcall_core::roster::{Approval, MemberState, MemberStatus, WaitingFor};

proptest! {
    #![proptest_config(config(150))]

    /// DW1. After every run the counts and invariants hold ([`Hub::check`](crate::model::Hub::check), [`Before::check`](super::Before::check)); at rest no seat
    /// is free while somebody whom an admin invited waits for one; and touching everything again does nothing.
    #[test]
    fn dw1_da8_invited_people_wait_for_seats_as_all_others_do(
        policy in policies(), seats in 1..6_u32, history in with_invitations(any_history()),
        chunks in prop::collection::vec(1..20_usize, 1..5), owner_agrees in any::<bool>(),
    ) {
        let mut player = Player::new(policy, seats);
        player.hub.owner_agrees = owner_agrees;
        play_checked(&mut player, &history);
        let mut hub = player.hub;
        hub.settle_in_chunks(&mut sizes(chunks.clone()));
        let free = i64::from(hub.policy.seats_at_most(hub.seats)) > hub.seats_used;
        let waits = |member: &&MemberState| {
            member.managed_by.is_none()
                && member.waiting_for == Some(WaitingFor::Seat)
                && member.approval != Some(Approval::Declined)
        };
        let waiting: Vec<_> = hub.members.values().filter(waits).collect();
        prop_assert!(!free || waiting.is_empty(), "{:?}", waiting);
        for member in hub.members.values().filter(|member| member.managed_by.is_none()) {
            prop_assert!(member.status != MemberStatus::Pending || member.waiting_for.is_some(), "{:?}", member);
        }
        hub.touch_everything();
        hub.settle_in_chunks(&mut sizes(chunks));
        hub.touch_everything();
        prop_assert_eq!(hub.settle().applied, vec![]);
    }
}
