//! Losses split over any steps, chunks and shapes never empty a group without an admin.

use super::{config, sizes};
use crate::model::{Hub, record};
use proptest::prelude::*;
use rollcall_core::ids::{DirectoryGroupId, DirectoryUserId, MemberId, SharingGroupId};
use std::collections::BTreeSet;

const PEOPLE: usize = 24;

#[derive(Clone, Debug)]
enum Move {
    /// Sets the membership of this many people from this index.
    Set {
        from: usize,
        count: usize,
        inside: bool,
    },
    Delete,
    Rename(u8),
    Run(usize),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let set = (0..PEOPLE, 1..PEOPLE, prop::bool::weighted(0.3));
    prop::collection::vec(
        prop_oneof![
            6 => set.prop_map(|(from, count, inside)| Move::Set { from, count, inside }),
            1 => Just(Move::Delete),
            1 => (0..3_u8).prop_map(Move::Rename),
            6 => (1..30_usize).prop_map(Move::Run),
        ],
        1..30,
    )
}

struct Team {
    hub: Hub,
    group: DirectoryGroupId,
    shared: SharingGroupId,
    users: Vec<DirectoryUserId>,
    first: BTreeSet<MemberId>,
}

fn team(size: usize) -> Team {
    let mut hub = Hub::new();
    let users: Vec<_> = (0..PEOPLE).map(|n| hub.create_user(record(&format!("p{n}@x")))).collect();
    let group = hub.create_group("Design");
    users[..size].iter().for_each(|user| hub.set_membership(group, *user, true));
    hub.settle();
    let shared = hub.sharing_group_of(group).expect("a sharing group");
    let first = hub.group_members.iter().map(|(_, member)| *member).collect();
    Team { hub, group, shared, users, first }
}

impl Team {
    /// Number of the initial people who are gone.
    fn lost(&self) -> usize {
        let gone = self.hub.sharing_groups[&self.shared].removed;
        let inside = |member: &&MemberId| !gone && self.hub.group_members.contains(&(self.shared, **member));
        self.first.len() - self.first.iter().filter(inside).count()
    }

    fn play(&mut self, step: &Move) {
        match *step {
            Move::Set { from, count, inside } => {
                for user in self.users.iter().cycle().skip(from).take(count) {
                    self.hub.set_membership(self.group, *user, inside);
                }
            }
            Move::Delete => {
                self.hub.delete_group(self.group);
                self.group = self.hub.create_group("Design");
            }
            Move::Rename(name) => self.hub.rename_group(self.group, &format!("Design {name}")),
            Move::Run(size) => {
                let touched: Vec<_> = self.hub.changes.drain(..size.min(self.hub.changes.len())).collect();
                self.hub.reconcile(&touched);
            }
        }
    }
}

proptest! {
    #![proptest_config(config(400))]

    /// Within one window, after every run: fewer than ten of the initial people are gone, or no more than remain.
    #[test]
    fn no_split_of_losses_empties_a_group(size in 1..PEOPLE, moves in moves(), chunks in prop::collection::vec(1..30_usize, 1..4)) {
        let mut team = team(size);
        let mut losing = 0;
        for step in &moves {
            team.play(step);
            let (lost, inside) = (team.lost(), team.hub.people_in(team.shared));
            prop_assert!(lost <= losing || lost <= 9 || lost <= inside, "{lost} lost, {inside} left, {step:?}");
            losing = lost;
        }
        // Held items stay held after everything was looked at again, and then no work is left.
        team.hub.settle_in_chunks(&mut sizes(chunks.clone()));
        let (rested, held) = (team.hub.group_members.clone(), team.hub.held.clone());
        team.hub.touch_everything();
        let again = team.hub.settle_in_chunks(&mut sizes(chunks));
        prop_assert_eq!(again.applied, vec![]);
        prop_assert_eq!((&team.hub.group_members, &team.hub.held), (&rested, &held));
    }
}
