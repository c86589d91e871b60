//! People whom an admin invites by hand (DW1, DW2), and members made by hand who are taken out.

use crate::model::{Hub, record};
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_core::block::BlockRefusal;
use rollcall_core::ids::MemberId;
use rollcall_core::invitation::{InvitationRefusal, Repeats};
use rollcall_core::policy::Onboarding;
use rollcall_core::roster::{MemberStatus, Role, WaitingFor};

fn company(seats: u32) -> Hub {
    let mut hub = Hub::new();
    hub.seats = seats;
    hub.unmanaged("boss@x", Role::Owner);
    hub
}

fn invited(hub: &mut Hub, email: &str) -> MemberId {
    let id = hub.invite(Role::Admin, email, Role::Member).expect("nobody has the address");
    hub.check();
    hub.settle();
    id
}

fn standing(hub: &Hub, id: MemberId) -> (MemberStatus, Option<WaitingFor>) {
    (hub.members[&id].status, hub.members[&id].waiting_for)
}

const WAITS: (MemberStatus, Option<WaitingFor>) = (MemberStatus::Pending, Some(WaitingFor::Seat));

#[test]
fn dw1_lp13_an_invited_person_comes_in_as_the_policy_says_without_a_further_approval() {
    for (onboarding, status) in
        [(Onboarding::Invite, MemberStatus::Invited), (Onboarding::Federated, MemberStatus::Active)]
    {
        let mut hub = company(5);
        (hub.policy.onboarding, hub.policy.approval) = (onboarding, true);
        let ann = invited(&mut hub, "ann@x");
        assert_eq!(standing(&hub, ann), (status, None), "{onboarding:?}");
        hub.seats = 2;
        let bea = invited(&mut hub, "bea@x");
        assert_eq!(standing(&hub, bea), WAITS);
        hub.set_seats(3);
        hub.settle();
        assert_eq!(standing(&hub, bea), (status, None), "{onboarding:?}: and from the waitlist");
    }
}

#[test]
fn dw1_rc7_the_invited_and_the_announced_wait_in_one_order() {
    let mut hub = company(1);
    let first = hub.create_user(record("first@x"));
    hub.settle();
    let second = invited(&mut hub, "second@x");
    let third = hub.create_user(record("third@x"));
    hub.settle();
    for (seats, inside) in [(2, 1), (3, 2), (4, 3)] {
        hub.set_seats(seats);
        hub.settle();
        let third = hub.member_of(third).expect("a member").id;
        let order = [hub.member_of(first).expect("a member").id, second, third];
        let active = order.map(|id| hub.members[&id].status == MemberStatus::Active);
        assert_eq!(active, [0, 1, 2].map(|place| place < inside), "{seats} seats");
    }
}

#[test]
fn dw1_pe3_seats_grow_for_the_invited_too() {
    let mut hub = company(1);
    hub.policy.seat_cap = Some(2);
    let ann = invited(&mut hub, "ann@x");
    let bea = invited(&mut hub, "bea@x");
    assert_eq!((hub.seats, standing(&hub, ann).0, standing(&hub, bea)), (2, MemberStatus::Active, WAITS));
}

#[test]
fn dw1_a_record_takes_the_invited_over_whether_they_have_a_seat_or_wait() {
    for (seats, wanted) in [(5, true), (5, false), (1, true), (1, false)] {
        let mut hub = company(seats);
        let ann = invited(&mut hub, "ann@x");
        let mut said = record("ann@x");
        said.active = wanted;
        let user = hub.create_user(said);
        hub.settle();
        assert_eq!(hub.member_of(user).map(|member| member.id), Some(ann), "adopted");
        let out = hub.members[&ann].status == MemberStatus::Suspended;
        assert_eq!(out, !wanted, "{seats} seats: the source decides");
        hub.set_seats(9);
        hub.settle();
        assert_eq!(hub.members[&ann].status == MemberStatus::Active, wanted, "{seats} seats");
    }
}

#[test]
fn dw1_nobody_is_invited_twice_or_in_a_role_beyond_the_callers() {
    let mut hub = company(1);
    let ann = invited(&mut hub, "ann@x");
    let refused = |hub: &mut Hub, email: &str| hub.invite(Role::Admin, email, Role::Member).err();
    assert_eq!(refused(&mut hub, "boss@x"), Some(InvitationRefusal::Active));
    assert_eq!(refused(&mut hub, "ANN@x"), Some(InvitationRefusal::Pending));
    hub.policy.onboarding = Onboarding::Invite;
    hub.set_seats(2);
    hub.settle();
    assert_eq!(refused(&mut hub, "ann@x"), Some(InvitationRefusal::Invited));
    hub.set_block(Role::Admin, ann, true).expect("an ordinary member");
    assert_eq!(refused(&mut hub, "ann@x"), Some(InvitationRefusal::Blocked));
    hub.take_out(Role::Admin, ann).expect("made by hand");
    assert_eq!(refused(&mut hub, "ann@x"), Some(InvitationRefusal::Blocked), "a block outlasts the removal");
    for (by, role, may) in [
        (Role::Admin, Role::Owner, false),
        (Role::Admin, Role::Admin, true),
        (Role::Admin, Role::Auditor, true),
        (Role::Owner, Role::Owner, true),
    ] {
        let answer = hub.clone().invite(by, "new@x", role);
        assert_eq!(answer.err(), (!may).then_some(InvitationRefusal::TooStrong), "{by}: {role}");
    }
}

#[test]
fn dw1_a_withdrawn_invitation_frees_seat_and_address_and_goes_on_when_it_is_made_again() {
    let mut hub = company(2);
    hub.policy.onboarding = Onboarding::Invite;
    let ann = invited(&mut hub, "ann@x");
    let bea = invited(&mut hub, "bea@x");
    assert_eq!(standing(&hub, bea), WAITS);
    hub.take_out(Role::Admin, ann).expect("made by hand");
    hub.settle();
    assert_eq!((standing(&hub, ann).0, standing(&hub, bea).0), (MemberStatus::Removed, MemberStatus::Invited));
    assert_eq!(invited(&mut hub, "ann@x"), ann, "one person, one row");
    hub.accept(bea);
    hub.take_out(Role::Admin, bea).expect("made by hand");
    hub.settle();
    assert_ne!(invited(&mut hub, "bea@x"), bea, "the data of an active member is not the next one's");
}

#[test]
fn dw1_da7_the_last_admin_and_who_a_source_manages_are_not_taken_out() {
    let mut hub = company(9);
    let boss = *hub.members.keys().next().expect("the owner");
    assert_eq!(hub.take_out(Role::Owner, boss), Err(BlockRefusal::LastAdmin));
    assert_eq!(hub.take_out(Role::Admin, boss), Err(BlockRefusal::TakesOwner));
    let user = hub.create_user(record("ann@x"));
    hub.settle();
    let ann = hub.member_of(user).expect("a member").id;
    assert_eq!(hub.take_out(Role::Owner, ann), Err(BlockRefusal::ManagedBySource));
    let bea = invited(&mut hub, "bea@x");
    hub.policy.protected_members.insert(bea);
    assert_eq!(hub.take_out(Role::Owner, bea), Err(BlockRefusal::ProtectedMember));
    hub.check();
}

#[test]
fn dw2_an_invitation_goes_out_again_ten_times_and_anew_after_a_week() {
    let start = DateTime::<Utc>::UNIX_EPOCH;
    let mut repeats = Repeats { count: 0, last: start };
    for count in 1..=10 {
        repeats = repeats.again(start + TimeDelta::hours(count)).expect("within the limit");
        assert_eq!(i64::from(repeats.count), count);
    }
    let last = repeats.last;
    assert_eq!(repeats.again(last + TimeDelta::days(6)), Err(InvitationRefusal::TooMany));
    let anew = repeats.again(last + TimeDelta::days(7)).expect("a week later");
    assert_eq!(anew, Repeats { count: 1, last: last + TimeDelta::days(7) });
}
