//! Automatic growth of seats (PE3), and members whom the source disables (DX14).

use crate::model::{Hub, Touch, record};
use rollcall_core::ids::DirectoryUserId;
use rollcall_core::policy::OnDeleted;
use rollcall_core::roster::MemberStatus;

fn company(seats: u32, cap: Option<u32>, people: usize) -> (Hub, Vec<DirectoryUserId>) {
    let mut hub = Hub::new();
    (hub.seats, hub.policy.seat_cap) = (seats, cap);
    let users = (0..people).map(|n| hub.create_user(record(&format!("p{n}@x")))).collect();
    hub.settle();
    (hub, users)
}

fn waiting(hub: &Hub) -> usize {
    hub.members.values().filter(|member| member.status == MemberStatus::Pending).count()
}

#[test]
fn pe3_seats_grow_to_the_cap_when_somebody_would_wait_and_not_before() {
    for (people, seats, wait) in [(2, 2, 0), (3, 3, 0), (4, 4, 0), (6, 4, 2)] {
        let (hub, _) = company(2, Some(4), people);
        assert_eq!((hub.seats, waiting(&hub)), (seats, wait), "{people} people");
    }
    let (hub, _) = company(2, None, 6);
    assert_eq!((hub.seats, waiting(&hub)), (2, 4), "without a cap they never grow");
    let (hub, _) = company(2, Some(1), 6);
    assert_eq!((hub.seats, waiting(&hub)), (2, 4), "a cap below what was bought takes nothing away");
}

#[test]
fn pe3_a_higher_cap_lets_in_who_waits_in_order() {
    let (mut hub, users) = company(1, Some(2), 5);
    hub.waiting_max = 1;
    hub.policy.seat_cap = Some(4);
    hub.changes.push_back(Touch::Tenant);
    hub.settle();
    assert_eq!((hub.seats, waiting(&hub)), (4, 1));
    assert_eq!(hub.member_of(users[4]).expect("a member").status, MemberStatus::Pending, "the last one waits");
}

#[test]
fn pe3_after_seats_were_returned_growth_makes_up_for_all_of_them_or_buys_none() {
    for (cap, seats, wait) in [(3, 1, 1), (4, 4, 0)] {
        let (mut hub, _) = company(3, None, 3);
        hub.seats = 1;
        hub.policy.seat_cap = Some(cap);
        hub.create_user(record("late@x"));
        hub.settle();
        assert_eq!((hub.seats, waiting(&hub)), (seats, wait), "cap {cap}");
    }
}

#[test]
fn pe3_who_comes_back_gets_a_bought_seat_too() {
    let (mut hub, users) = company(1, None, 1);
    hub.edit_user(users[0], |record| record.active = false);
    hub.settle();
    let late = hub.create_user(record("late@x"));
    hub.settle();
    hub.policy.seat_cap = Some(2);
    hub.edit_user(users[0], |record| record.active = true);
    hub.settle();
    let status = |user| hub.member_of(user).expect("a member").status;
    assert_eq!((status(users[0]), status(late), hub.seats), (MemberStatus::Active, MemberStatus::Active, 2));
}

#[test]
fn dx14_a_disabled_person_is_suspended_or_removed_as_the_policy_says() {
    for (on_disabled, status) in
        [(OnDeleted::Suspend, MemberStatus::Suspended), (OnDeleted::Remove, MemberStatus::Removed)]
    {
        let (mut hub, users) = company(5, None, 1);
        hub.policy.on_disabled = on_disabled;
        let id = hub.member_of(users[0]).expect("a member").id;
        hub.edit_user(users[0], |record| record.active = false);
        hub.settle();
        assert_eq!(hub.members[&id].status, status, "{on_disabled}");
        hub.edit_user(users[0], |record| record.active = true);
        hub.settle();
        assert_eq!(hub.members[&id].status, MemberStatus::Active, "{on_disabled}: and back");
        hub.delete_user(users[0]);
        hub.settle();
        assert_eq!(hub.members[&id].status, MemberStatus::Suspended, "{on_disabled}: a deletion is another thing");
    }
}

#[test]
fn dx14_who_was_disabled_before_a_worker_looked_is_as_if_it_had() {
    let (mut seen, _) = company(5, None, 0);
    seen.policy.on_disabled = OnDeleted::Remove;
    let mut unseen = seen.clone();
    let user = seen.create_user(record("ann@x"));
    assert_eq!(unseen.create_user(record("ann@x")), user);
    seen.settle();
    for hub in [&mut seen, &mut unseen] {
        hub.edit_user(user, |record| record.active = false);
        hub.settle();
        assert!(hub.member_of(user).is_none_or(|member| member.status == MemberStatus::Removed));
        hub.edit_user(user, |record| record.active = true);
        hub.settle();
        assert_eq!(hub.member_of(user).expect("a member").status, MemberStatus::Active);
    }
}
