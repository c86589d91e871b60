//! Members whom an admin blocked (DW1, DW9). That no history lets one in is part of [`Hub::check`](crate::model::Hub::check).

use crate::model::{Hub, Vary, record, scim};
use rollcall_core::block::BlockRefusal;
use rollcall_core::change::Impossible;
use rollcall_core::ids::{DirectoryUserId, MemberId};
use rollcall_core::policy::OnDeleted;
use rollcall_core::roster::{MemberStatus, Role, WaitingFor};

fn company(people: usize, seats: u32) -> (Hub, Vec<DirectoryUserId>) {
    let mut hub = Hub::new();
    hub.seats = seats;
    let users = (0..people).map(|n| hub.create_user(record(&format!("p{n}@x")).anchored(&format!("{n}")))).collect();
    hub.settle();
    (hub, users)
}

fn member(hub: &Hub, user: DirectoryUserId) -> MemberId {
    hub.member_of(user).expect("a member").id
}

fn block(hub: &mut Hub, user: DirectoryUserId, block: bool) {
    hub.set_block(Role::Admin, member(hub, user), block).expect("an ordinary member");
    hub.settle();
}

#[test]
fn dw9_who_is_blocked_stays_out_whatever_the_source_says_and_comes_back_when_an_admin_says() {
    for on_deleted in [OnDeleted::Suspend, OnDeleted::Remove] {
        let (mut hub, users) = company(2, 5);
        hub.policy.on_deleted = on_deleted;
        let ann = member(&hub, users[0]);
        block(&mut hub, users[0], true);
        assert_eq!(
            (hub.members[&ann].status, hub.seats_used),
            (MemberStatus::Suspended, 1),
            "access and seat end at once"
        );
        hub.edit_user(users[0], |record| record.active = false);
        hub.settle();
        hub.edit_user(users[0], |record| (record.active, record.display_name) = (true, Some("Ann".to_owned())));
        hub.touch_everything();
        hub.settle();
        assert_eq!(hub.members[&ann].status, MemberStatus::Suspended);
        assert_eq!(hub.members[&ann].profile.display_name.as_deref(), Some("Ann"), "the profile follows the record");
        hub.delete_user(users[0]);
        hub.settle();
        let again = hub.create_user(record("p0@x").anchored("0"));
        hub.settle();
        assert_eq!(hub.member_of(again).map(|member| member.id), Some(ann), "the same person by another record");
        assert!(!hub.members[&ann].has_access(), "{on_deleted}");
        block(&mut hub, again, false);
        assert_eq!((hub.members[&ann].status, hub.seats_used), (MemberStatus::Active, 2), "{on_deleted}");
    }
}

#[test]
fn dw9_the_seat_goes_to_the_next_and_who_comes_back_waits() {
    let (mut hub, users) = company(2, 1);
    assert_eq!(hub.member_of(users[1]).and_then(|m| m.waiting_for), Some(WaitingFor::Seat));
    block(&mut hub, users[0], true);
    assert_eq!(hub.member_of(users[1]).map(|m| m.status), Some(MemberStatus::Active));
    block(&mut hub, users[0], false);
    let back = hub.member_of(users[0]).expect("a member");
    assert_eq!((back.status, back.waiting_for), (MemberStatus::Suspended, Some(WaitingFor::Seat)));
    block(&mut hub, users[0], true);
    hub.set_seats(9);
    hub.settle();
    assert_eq!(hub.member_of(users[0]).map(|m| (m.status, m.waiting_for)), Some((MemberStatus::Suspended, None)));
}

#[test]
fn dw9_who_left_meanwhile_does_not_come_back_with_the_block_lifted() {
    let (mut hub, users) = company(1, 5);
    block(&mut hub, users[0], true);
    hub.edit_user(users[0], |record| record.active = false);
    hub.settle();
    block(&mut hub, users[0], false);
    assert_eq!(hub.member_of(users[0]).map(|m| (m.status, m.blocked_from)), Some((MemberStatus::Suspended, None)));
    hub.edit_user(users[0], |record| record.active = true);
    hub.settle();
    assert_eq!(hub.member_of(users[0]).map(|m| m.status), Some(MemberStatus::Active));
}

#[test]
fn dw9_who_was_made_by_hand_gets_back_what_the_block_took() {
    let mut hub = Hub::new();
    hub.unmanaged("boss@x", Role::Owner);
    let ann = hub.unmanaged("ann@x", Role::Admin);
    hub.set_block(Role::Owner, ann, true).expect("another admin is left");
    assert_eq!((hub.members[&ann].status, hub.seats_used), (MemberStatus::Suspended, 1));
    hub.seats = 1;
    assert_eq!(hub.set_block(Role::Owner, ann, false), Err(BlockRefusal::NoSeat));
    hub.seats = 2;
    hub.set_block(Role::Owner, ann, false).expect("a seat is free");
    assert_eq!((hub.members[&ann].status, hub.seats_used), (MemberStatus::Active, 2));
    hub.check();
}

#[test]
fn dw9_who_left_while_blocked_stays_out_when_their_source_was_detached_before_the_unblock() {
    let (mut hub, users) = company(5, 9);
    let [stays, left, left_and_back, is_deleted, back] = [0, 1, 2, 3, 4].map(|n| member(&hub, users[n]));
    hub.edit_user(users[4], |record| record.active = false);
    hub.settle();
    users.iter().for_each(|user| block(&mut hub, *user, true));
    hub.edit_user(users[1], |record| record.active = false);
    hub.edit_user(users[2], |record| record.active = false);
    hub.delete_user(users[3]);
    hub.settle();
    // The address of a person who left goes on, so that of their member is a placeholder.
    hub.create_user(record("p3@x").anchored("new"));
    hub.edit_user(users[2], |record| record.active = true);
    hub.edit_user(users[4], |record| record.active = true);
    hub.settle();
    assert!(hub.members[&is_deleted].gave_up().is_some());
    hub.detach(scim());
    for (id, expected) in [
        (stays, MemberStatus::Active),
        (left, MemberStatus::Suspended),
        (left_and_back, MemberStatus::Active),
        (is_deleted, MemberStatus::Suspended),
        (back, MemberStatus::Active),
    ] {
        hub.set_block(Role::Owner, id, false).expect("a seat is free");
        hub.check();
        assert_eq!((hub.members[&id].status, hub.members[&id].blocked_from), (expected, None));
    }
}

#[test]
fn dw9_nobody_blocks_the_last_admin_a_protected_member_or_an_owner_without_being_one() {
    let (mut hub, users) = company(3, 9);
    let (boss, ann) = (hub.unmanaged("boss@x", Role::Owner), member(&hub, users[0]));
    hub.members.get_mut(&ann).expect("a member").billing_contact = true;
    assert_eq!(hub.set_block(Role::Admin, boss, true), Err(BlockRefusal::TakesOwner));
    assert_eq!(hub.set_block(Role::Owner, boss, true), Err(BlockRefusal::LastAdmin));
    hub.unmanaged("admin@x", Role::Admin);
    assert_eq!(hub.set_block(Role::Owner, boss, true), Err(BlockRefusal::LastOwner));
    assert_eq!(hub.set_block(Role::Owner, ann, true), Err(BlockRefusal::LastBillingContact));
    let glass = member(&hub, users[1]);
    hub.policy.protected_members.insert(glass);
    assert_eq!(hub.set_block(Role::Owner, glass, true), Err(BlockRefusal::ProtectedMember));
    assert!(hub.members.values().all(|member| !member.is_blocked() && member.has_access()));
}

#[test]
fn dw9_a_rewind_lets_nobody_in_who_is_blocked() {
    let (mut hub, users) = company(2, 9);
    hub.edit_user(users[0], |record| record.active = false);
    let left = hub.settle().recorded;
    let ann = member(&hub, users[0]);
    hub.set_block(Role::Admin, ann, true).expect("a member");
    let undone = hub.take_back(&left);
    assert_eq!(undone.impossible.iter().map(|(_, why)| *why).collect::<Vec<_>>(), [Impossible::Blocked]);
    assert_eq!(hub.members[&ann].status, MemberStatus::Suspended);
}
