//! Scope of users (DX6, LP5): a person in no group of the scope is not a member, or leaves like others.

use crate::model::{Hub, record, scim};
use rollcall_core::action::Why;
use rollcall_core::directory::Dispute;
use rollcall_core::hold_reason::HoldReason;
use rollcall_core::ids::{DirectoryGroupId, DirectoryUserId};
use rollcall_core::policy::{GroupScope, OnDeleted, OverLimit};
use rollcall_core::roster::{MemberStatus, Role};

/// A hub that syncs the people of Staff only.
fn scoped() -> (Hub, DirectoryGroupId) {
    let mut hub = Hub::new();
    hub.policy.user_scope = Some(GroupScope { names: vec!["Staff".to_owned()], ..GroupScope::default() });
    let staff = hub.create_group("Staff");
    hub.settle();
    (hub, staff)
}

fn hire(hub: &mut Hub, staff: DirectoryGroupId, email: &str) -> DirectoryUserId {
    let user = hub.create_user(record(email));
    hub.set_membership(staff, user, true);
    hub.settle();
    user
}

fn status(hub: &Hub, user: DirectoryUserId) -> Option<MemberStatus> {
    hub.member_of(user).map(|member| member.status)
}

#[test]
fn dx6_nobody_out_of_scope_comes_in_and_nobody_is_in_dispute_about_it() {
    let (mut hub, staff) = scoped();
    let ann = hub.create_user(record("ann@x"));
    let mut nameless = record("");
    nameless.email = None;
    let nameless = hub.create_user(nameless);
    let outcome = hub.settle();
    assert!(outcome.applied.is_empty() && outcome.withheld.is_empty(), "{outcome:?}");
    assert_eq!((status(&hub, ann), hub.disputes.len()), (None, 0));
    hub.set_membership(staff, ann, true);
    hub.set_membership(staff, nameless, true);
    hub.settle();
    assert_eq!(status(&hub, ann), Some(MemberStatus::Active));
    assert_eq!(
        hub.disputes.values().map(|dispute| dispute.0).collect::<Vec<_>>(),
        [Dispute::NoEmail],
        "in scope it is"
    );
}

#[test]
fn pe4_dx14_who_leaves_the_scope_is_suspended_and_comes_back_as_before() {
    let (mut hub, staff) = scoped();
    hub.owner_agrees = true;
    let ann = hire(&mut hub, staff, "ann@x");
    let id = hub.member_of(ann).expect("ann").id;
    hub.members.get_mut(&id).expect("ann").role = Role::Admin;
    hub.unmanaged("owner@x", Role::Owner);
    hub.set_membership(staff, ann, false);
    let outcome = hub.settle();
    assert_eq!(
        outcome.applied.iter().map(|item| item.why).collect::<Vec<_>>(),
        [Why::OutOfScope, Why::RemovedAtSource]
    );
    assert_eq!((status(&hub, ann), hub.removals_in_window), (Some(MemberStatus::Suspended), 1), "and it counts");
    hub.set_membership(staff, ann, true);
    hub.settle();
    let back = hub.member_of(ann).expect("ann");
    assert_eq!((back.id, back.status, back.role), (id, MemberStatus::Active, Role::Admin));
}

#[test]
fn dx14_of_two_ways_to_leave_the_stricter_counts_whichever_was_first() {
    for (on_disabled, on_out_of_scope, expected) in [
        (OnDeleted::Suspend, OnDeleted::Suspend, MemberStatus::Suspended),
        (OnDeleted::Suspend, OnDeleted::Remove, MemberStatus::Removed),
        (OnDeleted::Remove, OnDeleted::Suspend, MemberStatus::Removed),
    ] {
        for disabled_first in [true, false] {
            let (mut hub, staff) = scoped();
            (hub.policy.on_disabled, hub.policy.on_out_of_scope) = (on_disabled, on_out_of_scope);
            let ann = hire(&mut hub, staff, "ann@x");
            for step in [disabled_first, !disabled_first] {
                match step {
                    true => hub.edit_user(ann, |record| record.active = false),
                    false => hub.set_membership(staff, ann, false),
                }
                hub.settle();
            }
            assert_eq!(status(&hub, ann), Some(expected), "{on_disabled} {on_out_of_scope} {disabled_first}");
        }
    }
}

#[test]
fn dx6_a_member_made_by_hand_is_left_alone_by_a_record_out_of_scope() {
    let (mut hub, staff) = scoped();
    hub.owner_agrees = true;
    let by_hand = hub.unmanaged("ann@x", Role::Owner);
    let ann = hub.create_user(record("ann@x"));
    hub.edit_user(ann, |record| record.active = false);
    hub.settle();
    assert_eq!((hub.members[&by_hand].status, hub.members[&by_hand].managed_by), (MemberStatus::Active, None));
    hub.edit_user(ann, |record| record.active = true);
    hub.set_membership(staff, ann, true);
    hub.settle();
    assert_eq!(hub.members[&by_hand].managed_by, Some(scim()), "in scope they are the same person");
}

#[test]
fn da10_a_scope_group_that_is_deleted_emptied_or_renamed_puts_everybody_out_within_the_limit() {
    type Shape = fn(&mut Hub, DirectoryGroupId, &[DirectoryUserId]);
    let shapes: [(&str, Shape); 4] = [
        ("deleted", |hub, staff, _| hub.delete_group(staff)),
        ("emptied", |hub, staff, people| people.iter().for_each(|user| hub.set_membership(staff, *user, false))),
        ("renamed", |hub, staff, _| hub.rename_group(staff, "Visitors")),
        ("policy", |hub, _, _| {
            hub.policy.user_scope.as_mut().expect("scoped").names = vec!["Boats".to_owned()];
            hub.touch_everything();
        }),
    ];
    for (shape, put_out) in shapes {
        for over_limit in [OverLimit::Hold, OverLimit::SuspendOnly] {
            let (mut hub, staff) = scoped();
            hub.policy.over_limit = over_limit;
            hub.policy.removal_limit.count = 3;
            let people: Vec<_> = (0..12).map(|n| hire(&mut hub, staff, &format!("p{n:02}@x"))).collect();
            put_out(&mut hub, staff, &people);
            let outcome = hub.settle();
            assert!(outcome.reasons().contains(&HoldReason::RemovalOverLimit), "{shape} {over_limit}");
            let still = |wanted: fn(&rollcall_core::roster::MemberState) -> bool| {
                people.iter().filter(|user| hub.member_of(**user).is_some_and(wanted)).count()
            };
            let kept = if over_limit == OverLimit::Hold { 9 } else { 0 };
            assert_eq!((still(|m| m.has_access()), still(|m| m.seated)), (kept, 9), "{shape} {over_limit}");
        }
    }
}

#[test]
fn da11_with_deprovisioning_off_a_scope_lists_whom_it_would_put_out() {
    let (mut hub, staff) = scoped();
    let ann = hire(&mut hub, staff, "ann@x");
    hub.policy.auto_deprovision = false;
    hub.set_membership(staff, ann, false);
    let outcome = hub.settle();
    assert_eq!(status(&hub, ann), Some(MemberStatus::Active));
    assert!(outcome.reasons().contains(&HoldReason::DeprovisioningOff), "{outcome:?}");
}

#[test]
fn da8_who_left_the_scope_is_not_let_in_when_a_seat_frees() {
    let (mut hub, staff) = scoped();
    hub.seats = 1;
    let (ann, bea, cy) =
        (hire(&mut hub, staff, "ann@x"), hire(&mut hub, staff, "bea@x"), hire(&mut hub, staff, "cy@x"));
    assert_eq!([ann, bea, cy].map(|user| hub.member_of(user).is_some_and(|m| m.seated)), [true, false, false]);
    hub.set_membership(staff, bea, false);
    hub.edit_user(ann, |record| record.active = false);
    // bea has not been touched when the seat is given away.
    let [leaves_scope, disabled] = [0, 1].map(|place| hub.changes[place]);
    hub.changes.clear();
    hub.reconcile(&[disabled]);
    hub.reconcile(&[leaves_scope]);
    hub.settle();
    assert_eq!(status(&hub, bea), Some(MemberStatus::Suspended));
    assert_eq!(status(&hub, cy), Some(MemberStatus::Active), "the next one in scope");
}
