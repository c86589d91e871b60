//! The guards (docs/design.md#guards), one by one.

use crate::model::{Hub, RunReport, Vary, record, scim};
use rollcall_core::action::Action;
use rollcall_core::directory::SourceMode;
use rollcall_core::hold_reason::HoldReason;
use rollcall_core::ids::{DirectoryUserId, MemberId};
use rollcall_core::policy::{OnDeleted, Onboarding, OverLimit};
use rollcall_core::roster::{MemberState, MemberStatus, Role, WaitingFor};

/// A tenant with an unmanaged owner and this many managed members.
pub(crate) fn company(people: usize) -> (Hub, Vec<DirectoryUserId>) {
    let mut hub = Hub::new();
    let owner = hub.unmanaged("owner@x", Role::Owner);
    member(&mut hub, owner).billing_contact = true;
    let create = |n: usize| hub.create_user(record(&format!("p{n}@x")).anchored(&n.to_string()));
    let users = (0..people).map(create).collect();
    hub.settle();
    (hub, users)
}

pub(crate) fn member(hub: &mut Hub, id: MemberId) -> &mut MemberState {
    hub.members.get_mut(&id).expect("a member")
}

pub(crate) fn disable(hub: &mut Hub, users: &[DirectoryUserId]) {
    for user in users {
        hub.edit_user(*user, |record| record.active = false);
    }
}

fn with_status(hub: &Hub, status: MemberStatus) -> usize {
    hub.members.values().filter(|member| member.status == status).count()
}

fn waiting(hub: &Hub) -> Vec<Option<DirectoryUserId>> {
    let waits = |member: &&MemberState| member.waiting_for == Some(WaitingFor::Seat);
    hub.members.values().filter(waits).map(|member| member.directory_user).collect()
}

fn released(outcome: &RunReport) -> usize {
    let irreversible = |action: &Action| match action {
        Action::Suspend { release_seat, .. } => *release_seat,
        Action::Remove { .. } | Action::ReleaseSeat { .. } => true,
        _ => false,
    };
    outcome.applied.iter().filter(|item| irreversible(&item.action)).count()
}

#[test]
fn every_reason_has_a_word_and_a_remedy() {
    let mut words: Vec<&str> = HoldReason::ALL.iter().map(|reason| reason.as_str()).collect();
    assert!(words.contains(&"member_removal_over_limit"), "the wire names it so (DA10)");
    assert!(
        HoldReason::ALL
            .iter()
            .all(|reason| reason.remedy().sentence.ends_with('.') && reason.remedy().sentence.len() > 20)
    );
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), HoldReason::ALL.len());
}

#[test]
fn da10_ten_may_go_and_the_eleventh_is_suspended_with_the_rest_held() {
    let (mut hub, users) = company(100);
    disable(&mut hub, &users[..11]);
    let outcome = hub.settle();
    assert_eq!(with_status(&hub, MemberStatus::Suspended), 11, "access ends at once");
    assert_eq!((released(&outcome), outcome.reasons()), (10, vec![HoldReason::RemovalOverLimit]));
    let held = hub.member_of(users[10]).expect("a member");
    assert_eq!((held.held, held.seated), (true, true), "the seat is kept for them");
}

#[test]
fn da10_hold_changes_nothing_over_the_limit() {
    let (mut hub, users) = company(100);
    hub.policy.over_limit = OverLimit::Hold;
    disable(&mut hub, &users[..11]);
    let outcome = hub.settle();
    assert_eq!((with_status(&hub, MemberStatus::Suspended), outcome.applied.len()), (10, 10));
    assert_eq!(outcome.reasons(), [HoldReason::RemovalOverLimit]);
    assert_eq!(hub.member_of(users[10]).map(|m| (m.status, m.held)), Some((MemberStatus::Active, false)));
}

#[test]
fn da10_five_percent_in_a_large_tenant() {
    let (mut hub, users) = company(400);
    disable(&mut hub, &users[..21]);
    assert_eq!(released(&hub.settle()), 20);
}

#[test]
fn da10_a_trickle_trips_it_like_a_burst_whatever_the_shape() {
    let (mut hub, users) = company(100);
    let mut gone = 0;
    for (n, user) in users[..30].iter().enumerate() {
        match n % 2 {
            0 => disable(&mut hub, &[*user]),
            _ => hub.delete_user(*user),
        }
        gone += released(&hub.settle());
    }
    assert_eq!((gone, with_status(&hub, MemberStatus::Suspended)), (10, 30));
}

#[test]
fn da10_the_window_slides_and_what_is_held_stays_held() {
    let (mut hub, users) = company(100);
    disable(&mut hub, &users[..11]);
    hub.settle();
    hub.pass_window();
    hub.touch_everything();
    assert_eq!(released(&hub.settle()), 0, "only an approval releases it");
    disable(&mut hub, &users[20..30]);
    assert_eq!(released(&hub.settle()), 10, "the next window has its own ten");
}

#[test]
fn da10_with_hold_a_held_removal_waits_for_an_admin_whatever_window_it_is_looked_at_in() {
    let (mut hub, users) = company(100);
    (hub.policy.over_limit, hub.policy.on_deleted) = (OverLimit::Hold, OnDeleted::Remove);
    disable(&mut hub, &users[..12]);
    hub.settle();
    let access = |hub: &Hub, user: DirectoryUserId| hub.member_of(user).map(MemberState::has_access);
    for (what, touch) in [
        ("looked at again", (|hub, _| hub.touch_everything()) as fn(&mut Hub, DirectoryUserId)),
        ("another attribute", |hub, user| hub.edit_user(user, |record| record.display_name = Some("A".into()))),
        ("deleted, so under another word", |hub, user| hub.delete_user(user)),
        ("looked at once more", |hub, _| hub.touch_everything()),
    ] {
        hub.pass_window();
        touch(&mut hub, users[11]);
        let outcome = hub.settle();
        assert_eq!(access(&hub, users[11]), Some(true), "{what}");
        assert!(outcome.withheld.iter().all(|(_, reason)| *reason == HoldReason::RemovalOverLimit), "{what}");
    }
    // A person who returns and leaves again is a new removal, in a window that has room.
    hub.edit_user(users[10], |record| record.active = true);
    hub.settle();
    disable(&mut hub, &users[10..11]);
    hub.settle();
    assert_eq!((access(&hub, users[10]), access(&hub, users[11])), (Some(false), Some(true)));
    hub.approve();
    hub.settle();
    assert_eq!(access(&hub, users[11]), Some(false), "an approval releases it");
}

#[test]
fn da10_a_held_member_who_is_deleted_stays_held() {
    let (mut hub, users) = company(100);
    hub.policy.on_deleted = OnDeleted::Remove;
    disable(&mut hub, &users[..11]);
    hub.settle();
    hub.delete_user(users[10]);
    let outcome = hub.settle();
    assert_eq!((released(&outcome), outcome.reasons()), (0, vec![HoldReason::RemovalOverLimit]));
    hub.delete_user(users[0]);
    assert_eq!(released(&hub.settle()), 1, "who was let go before loses nothing more");
}

#[test]
fn da10_on_and_off_again_gains_no_further_removal() {
    let (mut hub, users) = company(100);
    disable(&mut hub, &users[..11]);
    hub.settle();
    for round in 0..3 {
        hub.edit_user(users[10], |record| record.active = true);
        hub.settle();
        let back = hub.member_of(users[10]).expect("a member").clone();
        assert_eq!((back.status, back.held), (MemberStatus::Active, false));
        disable(&mut hub, &users[10..11]);
        assert_eq!(released(&hub.settle()), 0, "round {round}");
    }
}

#[test]
fn da10_who_has_no_access_does_not_count() {
    let (mut hub, users) = company(0);
    assert!(users.is_empty());
    hub.policy.approval = true;
    let pending: Vec<_> = (0..20).map(|n| hub.create_user(record(&format!("n{n}@x")))).collect();
    hub.settle();
    disable(&mut hub, &pending);
    let outcome = hub.settle();
    assert_eq!((outcome.withheld.len(), hub.removals_in_window), (0, 0), "{:?}", outcome.withheld);
}

#[test]
fn da8_seats_go_to_the_people_announced_first() {
    let mut hub = Hub::new();
    hub.seats = 100;
    let users: Vec<_> = (0..120).map(|n| hub.create_user(record(&format!("p{n}@x")))).collect();
    hub.settle();
    assert_eq!((hub.seats_used, waiting(&hub)), (100, users[100..].iter().map(|user| Some(*user)).collect()));
    disable(&mut hub, &users[3..4]);
    hub.settle();
    assert_eq!((hub.seats_used, waiting(&hub)[0]), (100, Some(users[101])), "one seat, the next in order");
    hub.set_seats(105);
    hub.settle();
    assert_eq!((hub.seats_used, waiting(&hub)[0]), (105, Some(users[106])));
    hub.set_seats(90);
    hub.edit_user(users[3], |record| record.active = true);
    disable(&mut hub, &users[4..6]);
    hub.settle();
    assert_eq!(hub.seats_used, 103, "seats given back take nobody's, and nobody gets one");
}

#[test]
fn da8_who_returns_waits_for_a_seat_and_a_held_seat_is_theirs() {
    let mut hub = Hub::new();
    hub.seats = 2;
    let users: Vec<_> = (0..3).map(|n| hub.create_user(record(&format!("p{n}@x")))).collect();
    hub.settle();
    disable(&mut hub, &users[..1]);
    hub.settle();
    assert_eq!(hub.member_of(users[2]).map(|m| m.status), Some(MemberStatus::Active), "admitted by itself");
    hub.edit_user(users[0], |record| record.active = true);
    hub.settle();
    let back = hub.member_of(users[0]).expect("a member");
    assert_eq!((back.status, back.waiting_for), (MemberStatus::Suspended, Some(WaitingFor::Seat)));
    hub.policy.removal_limit.count = 0;
    hub.policy.removal_limit.percent = 0;
    disable(&mut hub, &users[1..2]);
    hub.settle();
    assert_eq!(hub.member_of(users[0]).map(|m| m.status), Some(MemberStatus::Suspended), "the seat is held");
    hub.edit_user(users[1], |record| record.active = true);
    hub.settle();
    assert_eq!(hub.member_of(users[1]).map(|m| (m.status, m.seated)), Some((MemberStatus::Active, true)));
    assert_eq!(hub.seats_used, 2);
}

#[test]
fn pe2_who_waits_for_approval_takes_no_seat() {
    let mut hub = Hub::new();
    (hub.seats, hub.policy.approval) = (1, true);
    for n in 0..3 {
        hub.create_user(record(&format!("p{n}@x")));
    }
    hub.settle();
    assert_eq!((hub.seats_used, with_status(&hub, MemberStatus::Pending), waiting(&hub).len()), (0, 3, 0));
}

#[test]
fn who_is_disabled_while_waiting_is_not_let_in() {
    for deprovision in [true, false] {
        let mut hub = Hub::new();
        hub.seats = 1;
        hub.policy.auto_deprovision = deprovision;
        let users: Vec<_> = (0..3).map(|n| hub.create_user(record(&format!("p{n}@x")))).collect();
        hub.settle();
        disable(&mut hub, &users[1..2]);
        hub.settle();
        hub.set_seats(2);
        hub.settle();
        assert_eq!(hub.member_of(users[1]).map(MemberState::has_access), Some(false), "deprovisioning {deprovision}");
        assert_eq!(hub.member_of(users[2]).map(MemberState::has_access), Some(true), "deprovisioning {deprovision}");
    }
}

#[test]
fn a_seat_that_an_adopted_leaver_gives_up_goes_to_the_waitlist_at_once() {
    let mut hub = Hub::new();
    hub.seats = 1;
    hub.unmanaged("ann@x", Role::Member);
    let bob = hub.create_user(record("bob@x"));
    hub.settle();
    let mut ann = record("ann@x");
    ann.active = false;
    hub.create_user(ann);
    hub.settle();
    assert_eq!(hub.member_of(bob).map(MemberState::has_access), Some(true));
}

#[test]
fn da7_the_last_admin_and_the_last_billing_contact_stay() {
    let cases = [(Role::Admin, false, HoldReason::LastAdmin), (Role::Member, true, HoldReason::LastBillingContact)];
    for (role, billing, reason) in cases {
        let mut hub = Hub::new();
        let users: Vec<_> = (0..3).map(|n| hub.create_user(record(&format!("p{n}@x")))).collect();
        hub.settle();
        for user in &users[..2] {
            let id = hub.member_of(*user).expect("a member").id;
            (member(&mut hub, id).role, member(&mut hub, id).billing_contact) = (role, billing);
        }
        // An auditor is no admin, so none stands in for one.
        hub.unmanaged("auditor@x", Role::Auditor);
        for on_deleted in [OnDeleted::Suspend, OnDeleted::Remove] {
            let mut hub = hub.clone();
            hub.policy.on_deleted = on_deleted;
            hub.owner_agrees = true;
            for user in &users {
                hub.delete_user(*user);
            }
            let outcome = hub.settle();
            assert_eq!((outcome.applied.len(), outcome.reasons()), (2, vec![reason]), "the rest goes on");
            assert_eq!(with_status(&hub, MemberStatus::Active), 2, "one of them, and the auditor");
        }
    }
}

#[test]
fn da7_one_who_is_both_stays_rather_than_two() {
    let mut hub = Hub::new();
    let users: Vec<_> = (0..3).map(|n| hub.create_user(record(&format!("p{n}@x")))).collect();
    hub.settle();
    let roles = [(Role::Admin, true), (Role::Admin, false), (Role::Member, true)];
    for (user, (role, billing)) in users.iter().zip(roles) {
        let id = hub.member_of(*user).expect("a member").id;
        (member(&mut hub, id).role, member(&mut hub, id).billing_contact) = (role, billing);
    }
    hub.owner_agrees = true;
    disable(&mut hub, &users);
    assert_eq!(hub.settle().withheld.len(), 1);
}

#[test]
fn da7_an_admin_who_comes_back_lets_the_last_one_go() {
    let mut hub = Hub::new();
    hub.seats = 1;
    let users: Vec<_> = (0..2).map(|n| hub.create_user(record(&format!("p{n}@x")))).collect();
    hub.settle();
    disable(&mut hub, &users[..1]);
    hub.settle();
    for member in hub.members.values_mut() {
        member.role = Role::Admin;
    }
    hub.owner_agrees = true;
    let tight = hub.clone();
    disable(&mut hub, &users[1..]);
    hub.edit_user(users[0], |record| record.active = true);
    assert_eq!(hub.settle().withheld.len(), 0, "the seat that becomes free is the one to come back to");
    assert_eq!(hub.member_of(users[0]).map(|m| m.status), Some(MemberStatus::Active));

    let mut hub = tight;
    hub.set_seats(0);
    disable(&mut hub, &users[1..]);
    hub.edit_user(users[0], |record| record.active = true);
    assert_eq!(hub.settle().reasons(), [HoldReason::LastAdmin], "no seat to come back to");
}

#[test]
fn da1_provisioning_off_lists_who_would_come_in() {
    let mut hub = Hub::new();
    hub.policy.auto_provision = false;
    hub.policy.onboarding = Onboarding::Invite;
    hub.create_user(record("ann@x"));
    hub.policy.approval = true;
    hub.create_user(record("bob@x"));
    let outcome = hub.settle();
    assert_eq!((outcome.applied.len(), outcome.reasons()), (0, vec![HoldReason::ProvisioningOff; 2]));
    assert!(hub.members.is_empty());
}

#[test]
fn da11_deprovisioning_off_lists_who_would_go() {
    let (mut hub, users) = company(3);
    hub.policy.auto_deprovision = false;
    disable(&mut hub, &users[..1]);
    hub.delete_user(users[1]);
    let outcome = hub.settle();
    assert_eq!((outcome.applied.len(), outcome.reasons()), (0, vec![HoldReason::DeprovisioningOff; 2]));
    assert_eq!(with_status(&hub, MemberStatus::Active), 4);
}

#[test]
fn dx3_simulation_withholds_all_and_takes_no_seat() {
    let mut hub = Hub::new();
    hub.seats = 1;
    let simulated = uuid::Uuid::from_u128(2).into();
    hub.modes.insert(simulated, SourceMode::Simulate);
    hub.create_user_of(simulated, record("sim@x"));
    let live = hub.create_user(record("live@x"));
    let outcome = hub.settle();
    assert_eq!(outcome.reasons(), [HoldReason::Simulation]);
    assert_eq!(hub.member_of(live).map(|m| m.status), Some(MemberStatus::Active));
    hub.modes.insert(scim(), SourceMode::Simulate);
    hub.delete_user(live);
    assert_eq!(hub.settle().reasons(), [HoldReason::Simulation]);
}
