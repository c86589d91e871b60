//! Owners and admins, against anything that a source says and an admin approves (S5).

use crate::model::{Hub, RunReport, Vary, record};
use rollcall_core::action::ActionKind;
use rollcall_core::change::Impossible;
use rollcall_core::hold_reason::HoldReason;
use rollcall_core::ids::{DirectoryUserId, MemberId};
use rollcall_core::policy::OnDeleted;
use rollcall_core::roster::{MemberState, MemberStatus, Role};

/// A tenant in which the source manages this admin.
fn managed_admin() -> (Hub, DirectoryUserId, MemberId) {
    let mut hub = Hub::new();
    hub.unmanaged("owner@x", Role::Owner);
    let user = hub.create_user(record("ann@x").anchored("1"));
    hub.settle();
    let ann = hub.member_of(user).expect("a member").id;
    hub.members.get_mut(&ann).expect("Ann").role = Role::Admin;
    (hub, user, ann)
}

fn held(report: &RunReport) -> Vec<ActionKind> {
    assert!(report.reasons().iter().all(|reason| *reason == HoldReason::PrivilegedMember), "{report:?}");
    report.withheld.iter().map(|(item, _)| item.action.kind()).collect()
}

/// An admin's approval changes nothing, an owner's does.
fn only_an_owner_releases(mut hub: Hub, id: MemberId, done: impl Fn(&MemberState) -> bool) -> Hub {
    let before = hub.members[&id].clone();
    hub.no_owner = true;
    hub.approve();
    hub.settle();
    hub.touch_everything();
    hub.settle();
    assert_eq!(hub.members[&id], before, "no owner approved it");
    hub.no_owner = false;
    hub.approve();
    let after = hub.settle();
    assert!(after.withheld.is_empty(), "{after:?}");
    assert!(done(&hub.members[&id]), "{:?}", hub.members[&id]);
    hub
}

#[test]
fn s5_a_source_takes_no_owner_over_by_the_address() {
    let mut hub = Hub::new();
    hub.policy.adopt_existing = true;
    let owner = hub.unmanaged("owner@x", Role::Owner);
    let user = hub.create_user(record("Owner@x").named("Mallory"));
    assert_eq!(
        held(&hub.settle()),
        [ActionKind::Adopt, ActionKind::UpdateProfile],
        "the link, and all that follows it"
    );
    assert_eq!((hub.members[&owner].managed_by, hub.members.len()), (None, 1));
    // The usual attack goes on with another address; the record is nobody's, so it is a newcomer's.
    let mut attacked = hub.clone();
    attacked.edit_user(user, |record| record.email = Some("mallory@x".into()));
    attacked.settle();
    let mallory = attacked.member_of(user).expect("a newcomer");
    assert_eq!((mallory.role, attacked.members[&owner].profile.email.as_str()), (Role::Member, "owner@x"));
    only_an_owner_releases(hub, owner, |member| member.directory_user == Some(user));
}

#[test]
fn s5_a_source_gives_no_admin_another_address() {
    let (mut hub, user, ann) = managed_admin();
    hub.edit_user(user, |record| record.display_name = Some("Ann".into()));
    assert_eq!(held(&hub.settle()), [], "a name opens nobody's account");
    assert_eq!(hub.members[&ann].profile.display_name.as_deref(), Some("Ann"));
    hub.edit_user(user, |record| record.email = Some("mallory@x".into()));
    let heir = hub.create_user(record("ann@x"));
    assert_eq!(held(&hub.settle()), [ActionKind::UpdateProfile]);
    assert!(hub.member_of(heir).is_none(), "the address stays with its member");
    let hub = only_an_owner_releases(hub, ann, |member| member.profile.email == "mallory@x");
    assert!(hub.member_of(heir).is_some(), "it is free now");
}

#[test]
fn s5_an_approval_is_for_what_the_owner_read() {
    let (mut hub, user, ann) = managed_admin();
    hub.edit_user(user, |record| record.email = Some("ann@new.x".into()));
    hub.settle();
    hub.approve();
    hub.edit_user(user, |record| record.email = Some("mallory@x".into()));
    assert_eq!(held(&hub.settle()), [ActionKind::UpdateProfile], "another change than the approved one");
    assert_eq!(hub.members[&ann].profile.email, "ann@x");
}

#[test]
fn s5_a_source_suspends_and_removes_no_admin() {
    for on_deleted in [OnDeleted::Suspend, OnDeleted::Remove] {
        let (mut hub, user, ann) = managed_admin();
        (hub.policy.on_deleted, hub.policy.auto_deprovision) = (on_deleted, on_deleted == OnDeleted::Remove);
        hub.edit_user(user, |record| record.active = false);
        assert_eq!(held(&hub.settle()), [ActionKind::Suspend]);
        hub.delete_user(user);
        assert_eq!(held(&hub.settle()).len(), 1);
        let gone = |member: &MemberState| matches!(member.status, MemberStatus::Suspended | MemberStatus::Removed);
        let hub = only_an_owner_releases(hub, ann, gone);
        assert_eq!(hub.removals_in_window, 0, "what an owner released uses nothing up");
    }
}

#[test]
fn s5_a_source_brings_no_admin_back() {
    let (mut hub, user, ann) = managed_admin();
    hub.edit_user(user, |record| record.active = false);
    hub.settle();
    hub.approve();
    hub.settle();
    assert_eq!(hub.members[&ann].status, MemberStatus::Suspended);
    hub.edit_user(user, |record| record.active = true);
    assert_eq!(held(&hub.settle()), [ActionKind::Restore], "the role would come back too");
    only_an_owner_releases(hub, ann, |member| member.status == MemberStatus::Active);
}

#[test]
fn s5_another_record_gets_no_admin_by_the_external_id() {
    let (mut hub, user, ann) = managed_admin();
    hub.delete_user(user);
    let again = hub.create_user(record("mallory@x").anchored("1"));
    assert_eq!(held(&hub.settle()), [ActionKind::Relink, ActionKind::UpdateProfile]);
    assert_eq!((hub.members[&ann].directory_user, hub.members[&ann].status), (Some(user), MemberStatus::Active));
    only_an_owner_releases(hub, ann, |member| member.directory_user == Some(again));
}

#[test]
fn s5_a_removed_admin_whose_return_waits_takes_no_address() {
    let (mut hub, user, ann) = managed_admin();
    hub.policy.on_disabled = OnDeleted::Remove;
    hub.edit_user(user, |record| record.active = false);
    hub.settle();
    hub.approve();
    hub.settle();
    assert_eq!(hub.members[&ann].status, MemberStatus::Removed);
    let heir = hub.create_user(record("ann@x").anchored("2"));
    hub.edit_user(user, |record| record.active = true);
    hub.settle();
    assert_eq!(hub.member_of(heir).map(|member| member.status), Some(MemberStatus::Active));
    assert_eq!(hub.members[&ann].status, MemberStatus::Removed, "the address is another person's now");
}

#[test]
fn s5_all_admins_stay_whoever_else_leaves() {
    let (mut hub, user, ann) = managed_admin();
    let others: Vec<_> = (0..3).map(|n| hub.create_user(record(&format!("p{n}@x")))).collect();
    hub.settle();
    for other in others.iter().chain([&user]) {
        hub.edit_user(*other, |record| record.active = false);
    }
    assert_eq!(held(&hub.settle()), [ActionKind::Suspend]);
    assert_eq!(
        (hub.members[&ann].status, hub.removals_in_window),
        (MemberStatus::Active, 3),
        "who stays uses nothing up"
    );
}

#[test]
fn s5_a_rewind_takes_no_admin_back_without_an_owner() {
    let mut hub = Hub::new();
    hub.unmanaged("owner@x", Role::Owner);
    let user = hub.create_user(record("ann@x"));
    let made = hub.settle().recorded;
    let ann = hub.member_of(user).expect("a member").id;
    hub.members.get_mut(&ann).expect("Ann").role = Role::Admin;
    hub.no_owner = true;
    let undone = hub.take_back(&made);
    assert_eq!(undone.impossible.iter().map(|(_, reason)| *reason).collect::<Vec<_>>(), [Impossible::PrivilegedMember]);
    assert_eq!(hub.members[&ann].status, MemberStatus::Active);
    hub.no_owner = false;
    assert_eq!(hub.take_back(&made).impossible, []);
    assert_eq!(hub.members[&ann].status, MemberStatus::Removed);
}
