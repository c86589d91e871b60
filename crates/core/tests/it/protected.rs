//! Protected members, against any change of a source.

use crate::guards::{company, disable, member};
use crate::model::{Hub, record};
use rollcall_core::change::Impossible;
use rollcall_core::hold_reason::HoldReason;
use rollcall_core::policy::{OnDeleted, OverLimit};
use rollcall_core::roster::{MemberStatus, Role};

#[test]
fn da7_a_protected_member_stays_through_everything_a_source_says_and_an_admin_approves() {
    for (on_deleted, over_limit) in [(OnDeleted::Suspend, OverLimit::SuspendOnly), (OnDeleted::Remove, OverLimit::Hold)]
    {
        let (mut hub, users) = company(20);
        (hub.policy.on_deleted, hub.policy.over_limit) = (on_deleted, over_limit);
        let glass = hub.member_of(users[0]).expect("a member").id;
        hub.policy.protected_members.insert(glass);
        disable(&mut hub, &users[..3]);
        assert_eq!(hub.settle().reasons(), [HoldReason::ProtectedMember], "the others leave");
        hub.approve();
        assert_eq!(hub.settle().reasons(), [HoldReason::ProtectedMember], "an approval does not lift it");
        hub.delete_user(users[0]);
        hub.policy.auto_deprovision = false;
        assert_eq!(hub.settle().reasons(), [HoldReason::ProtectedMember]);
        assert_eq!((hub.members[&glass].status, hub.members[&glass].seated), (MemberStatus::Active, true));
        assert_eq!(hub.removals_in_window, 2, "who stays uses nothing up");
    }
}

#[test]
fn da7_a_protected_admin_who_leaves_lets_the_other_one_go() {
    let mut hub = Hub::new();
    hub.owner_agrees = true;
    let users: Vec<_> = (0..2).map(|n| hub.create_user(record(&format!("p{n}@x")))).collect();
    hub.settle();
    for user in &users {
        let id = hub.member_of(*user).expect("a member").id;
        (member(&mut hub, id).role, member(&mut hub, id).billing_contact) = (Role::Admin, true);
    }
    let glass = hub.member_of(users[1]).expect("a member").id;
    hub.policy.protected_members.insert(glass);
    disable(&mut hub, &users);
    assert_eq!(hub.settle().reasons(), [HoldReason::ProtectedMember]);
}

#[test]
fn da7_a_protected_member_is_not_taken_back_either() {
    let mut hub = Hub::new();
    let user = hub.create_user(record("glass@x"));
    let made = hub.settle().recorded;
    let glass = hub.member_of(user).expect("a member").id;
    hub.policy.protected_members.insert(glass);
    let undone = hub.take_back(&made);
    assert_eq!(undone.impossible.iter().map(|(_, reason)| *reason).collect::<Vec<_>>(), [Impossible::ProtectedMember]);
    assert_eq!(hub.members[&glass].status, MemberStatus::Active);
}
