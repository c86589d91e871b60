//! New people who wait for an admin's approval (LP5, PE2).

use crate::model::{Hub, record};
use rollcall_core::ids::DirectoryUserId;
use rollcall_core::policy::OnDeleted;
use rollcall_core::roster::{Approval, MemberStatus, WaitingFor};

/// A tenant with approvals, and people who wait for one.
fn waiting(count: usize, seats: u32) -> (Hub, Vec<DirectoryUserId>) {
    let mut hub = Hub::new();
    (hub.policy.approval, hub.seats) = (true, seats);
    let users: Vec<_> = (0..count).map(|n| hub.create_user(record(&format!("p{n}@x")))).collect();
    hub.settle();
    (hub, users)
}

fn decide(hub: &mut Hub, user: DirectoryUserId, approval: Approval) {
    let id = hub.member_of(user).expect("a member").id;
    hub.decide(id, approval);
    hub.settle();
}

fn standing(hub: &Hub, user: DirectoryUserId) -> (MemberStatus, Option<WaitingFor>) {
    let member = hub.member_of(user).expect("a member");
    (member.status, member.waiting_for)
}

const WAITS: (MemberStatus, Option<WaitingFor>) = (MemberStatus::Pending, Some(WaitingFor::Approval));

#[test]
fn lp5_who_is_approved_comes_in_and_nobody_else() {
    let (mut hub, users) = waiting(2, 10);
    assert_eq!(hub.seats_used, 0, "PE2: who waits takes no seat");
    decide(&mut hub, users[0], Approval::Approved);
    assert_eq!(standing(&hub, users[0]), (MemberStatus::Active, None));
    assert_eq!((standing(&hub, users[1]), hub.seats_used), (WAITS, 1));
}

#[test]
fn lp5_who_is_approved_without_a_seat_waits_for_one_in_order() {
    let (mut hub, users) = waiting(3, 1);
    for user in [users[2], users[1], users[0]] {
        decide(&mut hub, user, Approval::Approved);
    }
    assert_eq!(standing(&hub, users[2]), (MemberStatus::Active, None), "approved while a seat was free");
    assert_eq!(standing(&hub, users[0]), (MemberStatus::Pending, Some(WaitingFor::Seat)));
    hub.set_seats(2);
    hub.settle();
    assert_eq!(standing(&hub, users[0]), (MemberStatus::Active, None), "announced before the other");
    assert_eq!(standing(&hub, users[1]), (MemberStatus::Pending, Some(WaitingFor::Seat)));
}

#[test]
fn lp5_who_is_declined_stays_out_whatever_the_source_and_the_policy_say() {
    let (mut hub, users) = waiting(1, 10);
    decide(&mut hub, users[0], Approval::Declined);
    assert_eq!(standing(&hub, users[0]), WAITS);
    hub.policy.approval = false;
    hub.edit_user(users[0], |record| record.active = false);
    hub.settle();
    assert_eq!(standing(&hub, users[0]).0, MemberStatus::Suspended);
    hub.edit_user(users[0], |record| record.active = true);
    hub.settle();
    assert_eq!((standing(&hub, users[0]), hub.seats_used), (WAITS, 0));
    decide(&mut hub, users[0], Approval::Approved);
    assert_eq!(standing(&hub, users[0]), (MemberStatus::Active, None), "an admin may think again");
}

#[test]
fn lp5_who_is_declined_on_the_waitlist_is_passed_over() {
    let (mut hub, users) = waiting(2, 0);
    decide(&mut hub, users[0], Approval::Approved);
    decide(&mut hub, users[1], Approval::Approved);
    decide(&mut hub, users[0], Approval::Declined);
    hub.set_seats(2);
    hub.settle();
    assert_eq!(standing(&hub, users[0]).0, MemberStatus::Pending);
    assert_eq!((standing(&hub, users[1]).0, hub.seats_used), (MemberStatus::Active, 1));
}

#[test]
fn lp5_who_was_approved_and_has_left_is_not_let_in() {
    for on_deleted in [OnDeleted::Suspend, OnDeleted::Remove] {
        let (mut hub, users) = waiting(2, 10);
        hub.policy.on_deleted = on_deleted;
        let ids = [0, 1].map(|n: usize| hub.member_of(users[n]).expect("a member").id);
        // The worker has not looked at either decision yet.
        hub.edit_user(users[0], |record| record.active = false);
        hub.delete_user(users[1]);
        ids.iter().for_each(|id| hub.decide(*id, Approval::Approved));
        hub.settle();
        assert!(ids.iter().all(|id| !hub.members[id].has_access()), "{on_deleted}");
        assert_eq!(hub.seats_used, 0);
    }
}
