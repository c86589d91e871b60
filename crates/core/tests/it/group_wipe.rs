//! A sharing group that would lose over half of its people, and at least ten, keeps them until an admin decides
//! (docs/design.md#guards).

use crate::model::{Hub, RunReport, Touch, record};
use rollcall_core::action::Action;
use rollcall_core::directory::Dispute;
use rollcall_core::hold_reason::HoldReason;
use rollcall_core::ids::{DirectoryGroupId, DirectoryUserId, SharingGroupId};

struct Team {
    hub: Hub,
    group: DirectoryGroupId,
    shared: SharingGroupId,
    users: Vec<DirectoryUserId>,
}

/// A group of this many active people.
fn team(people: usize) -> Team {
    let mut hub = Hub::new();
    let users: Vec<_> = (0..people).map(|n| hub.create_user(record(&format!("p{n}@x")))).collect();
    let group = hub.create_group("Design");
    users.iter().for_each(|user| hub.set_membership(group, *user, true));
    hub.settle();
    let shared = hub.sharing_group_of(group).expect("a sharing group");
    Team { hub, group, shared, users }
}

impl Team {
    fn take_out(&mut self, places: std::ops::Range<usize>) -> RunReport {
        for user in &self.users[places] {
            self.hub.set_membership(self.group, *user, false);
        }
        self.hub.settle()
    }

    fn put_in(&mut self, places: std::ops::Range<usize>) -> RunReport {
        for user in &self.users[places] {
            self.hub.set_membership(self.group, *user, true);
        }
        self.hub.settle()
    }

    fn inside(&self) -> usize {
        self.hub.people_in(self.shared)
    }
}

fn wiped(count: usize) -> Vec<HoldReason> {
    vec![HoldReason::GroupWipe; count]
}

#[test]
fn a_wipe_is_held_as_a_whole_and_an_approval_releases_it() {
    for (people, leaving, left) in
        [(9, 9, 0), (12, 9, 3), (12, 10, 12), (12, 12, 12), (20, 10, 10), (20, 11, 20), (40, 20, 20), (40, 21, 40)]
    {
        let mut team = team(people);
        let outcome = team.take_out(0..leaving);
        assert_eq!(team.inside(), left, "{leaving} of {people}");
        assert_eq!(outcome.reasons(), wiped(if left == people { leaving } else { 0 }), "{leaving} of {people}");
        team.hub.approve();
        team.hub.settle();
        assert_eq!(team.inside(), people - leaving, "an approval releases it");
    }
}

#[test]
fn the_rest_of_the_plan_goes_on() {
    let mut team = team(12);
    let sales = team.hub.create_group("Sales");
    team.users.iter().for_each(|user| team.hub.set_membership(sales, *user, true));
    team.hub.settle();
    let sales_shared = team.hub.sharing_group_of(sales).expect("a sharing group");
    team.hub.set_membership(sales, team.users[0], false);
    team.hub.edit_user(team.users[1], |record| record.active = false);
    team.hub.set_membership(team.group, team.users[1], false);
    let outcome = team.take_out(2..12);
    assert_eq!(outcome.reasons(), wiped(11));
    assert_eq!((team.hub.people_in(sales_shared), team.inside()), (10, 11), "one left Sales, and one is suspended");
}

#[test]
fn rc15_small_steps_wipe_no_group_and_time_releases_nothing() {
    let mut team = team(30);
    for place in 0..30 {
        team.take_out(place..place + 1);
    }
    assert_eq!(team.inside(), 15, "half of them");
    team.hub.pass_window();
    team.hub.changes.push_back(Touch::Membership(team.group, team.users[29]));
    team.hub.settle();
    assert_eq!(team.inside(), 15, "what is held waits for an admin");
    team.put_in(15..30);
    assert_eq!((team.inside(), team.hub.held.len()), (15, 0), "the source took it back");
    team.take_out(15..22);
    assert_eq!(team.inside(), 8, "the next window has its own losses");
}

#[test]
fn a_wipe_of_more_people_than_a_chunk_is_seen_from_what_the_source_wants() {
    let mut team = team(60);
    for user in &team.users {
        team.hub.set_membership(team.group, *user, false);
    }
    team.hub.settle_in_chunks(&mut |_| 12);
    assert_eq!(team.inside(), 60, "the first chunk alone would leave 48");
}

#[test]
fn who_is_back_is_not_lost() {
    let mut team = team(12);
    for _ in 0..5 {
        team.take_out(0..6);
        team.put_in(0..6);
    }
    let outcome = team.take_out(0..6);
    assert_eq!((team.inside(), outcome.withheld.len()), (6, 0));
}

#[test]
fn who_has_no_access_is_nothing_a_group_can_lose() {
    let mut team = team(24);
    team.hub.policy.removal_limit.count = 100;
    for user in &team.users[..12] {
        team.hub.edit_user(*user, |record| record.active = false);
    }
    team.hub.settle();
    assert_eq!(team.take_out(0..12).withheld.len(), 0, "they are suspended");
    assert_eq!(team.take_out(12..22).reasons(), wiped(10), "ten of the twelve who are left");
}

#[test]
fn a_group_that_goes_is_a_wipe() {
    for (people, before, stays) in [(9, 0, false), (10, 0, true), (18, 9, true), (9, 8, false)] {
        let mut team = team(people);
        team.take_out(0..before);
        team.hub.delete_group(team.group);
        let outcome = team.hub.settle();
        let held: Vec<_> = outcome.withheld.iter().map(|(item, reason)| (item.action.clone(), *reason)).collect();
        let expected = (Action::RemoveGroup { group: team.shared }, HoldReason::GroupWipe);
        assert_eq!(held, if stays { vec![expected] } else { vec![] }, "{people}, {before} gone before");
        assert_eq!(team.hub.sharing_groups[&team.shared].removed, !stays);
        team.hub.pass_window();
        team.hub.touch_everything();
        team.hub.settle();
        assert_eq!(team.hub.sharing_groups[&team.shared].removed, !stays, "time releases nothing");
        team.hub.approve();
        team.hub.settle();
        assert!(team.hub.sharing_groups[&team.shared].removed);
    }
}

#[test]
fn a_group_made_again_under_its_name_is_the_one_that_was_held() {
    let mut team = team(12);
    team.hub.delete_group(team.group);
    team.hub.settle();
    team.group = team.hub.create_group("design");
    team.put_in(0..12);
    assert_eq!(team.hub.sharing_group_of(team.group), Some(team.shared));
    assert_eq!(team.inside(), 12);
}

#[test]
fn a_group_that_stays_keeps_its_name() {
    let mut team = team(12);
    let (heir, third) = (team.hub.create_group("Heir"), team.hub.create_group("Third"));
    team.hub.settle();
    team.hub.delete_group(team.group);
    team.hub.rename_group(heir, "Design");
    team.hub.rename_group(third, "Heir");
    let outcome = team.hub.settle();
    assert_eq!((outcome.applied.len(), outcome.reasons()), (0, wiped(1)), "neither gets a name that is not free");
    assert!(team.hub.disputes.values().all(|(dispute, _)| *dispute == Dispute::GroupNameTaken));
    team.hub.approve();
    team.hub.settle();
    let name = |group| team.hub.sharing_groups[&team.hub.sharing_group_of(group).expect("shared")].name.clone();
    assert_eq!((name(heir), name(third)), ("Design".into(), "Heir".into()));
}

#[test]
fn what_an_admin_released_uses_nothing_up() {
    let mut team = team(40);
    team.take_out(0..21);
    team.hub.approve();
    team.hub.settle();
    assert_eq!((team.inside(), team.hub.group_losses.len()), (19, 0));
    assert_eq!(team.take_out(21..30).withheld.len(), 0);
}
