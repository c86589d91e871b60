//! Changes of a quarantined source are recorded and held (PE9).

use crate::model::{Hub, Vary, record, scim};
use rollcall_core::hold_reason::HoldReason;
use rollcall_core::policy::{Limit, Policy};
use rollcall_core::roster::MemberStatus;

#[test]
fn pe9_all_that_a_quarantined_source_says_is_held_and_happens_when_it_is_released() {
    let mut hub = Hub::new();
    let (ann, bob) = (hub.create_user(record("ann@x")), hub.create_user(record("bob@x")));
    let group = hub.create_group("Design");
    hub.set_membership(group, ann, true);
    hub.settle();
    let before = (hub.members.clone(), hub.sharing_groups.clone(), hub.group_members.clone());
    hub.quarantined.insert(scim());
    hub.edit_user(ann, |record| record.active = false);
    hub.set_user(bob, record("bob@x").named("Bob"));
    let cy = hub.create_user(record("cy@x"));
    hub.rename_group(group, "Drawing");
    hub.set_membership(group, bob, true);
    let outcome = hub.settle();
    assert_eq!(before, (hub.members.clone(), hub.sharing_groups.clone(), hub.group_members.clone()));
    assert_eq!(outcome.applied, []);
    assert_eq!(outcome.reasons(), [HoldReason::Quarantined; 5], "{:?}", outcome.withheld);
    hub.quarantined.clear();
    hub.touch_everything();
    hub.settle();
    let member = |user| hub.member_of(user).expect("a member");
    assert_eq!((member(ann).status, member(cy).status), (MemberStatus::Suspended, MemberStatus::Active));
    assert_eq!(member(bob).profile.display_name.as_deref(), Some("Bob"));
    assert_eq!((hub.sharing_groups.len(), hub.group_members.len()), (1, 2));
}

#[test]
fn pe9_an_address_that_a_quarantined_source_takes_away_is_not_given_to_anybody() {
    let mut hub = Hub::new();
    let ann = hub.create_user(record("ann@x"));
    hub.settle();
    hub.quarantined.insert(scim());
    hub.set_user(ann, record("anna@x"));
    hub.create_user(record("ann@x"));
    let outcome = hub.settle();
    assert_eq!(outcome.applied, []);
    assert_eq!(hub.member_of(ann).expect("a member").profile.email, "ann@x");
}

#[test]
fn pe9_the_threshold_is_so_many_times_the_limit_and_never_below_ten() {
    let limit = Limit { count: 2, percent: 5, window_hours: 24 };
    let policy = Policy { removal_limit: limit, quarantine_after: Some(3), ..Policy::default() };
    assert_eq!([policy.quarantined_at(0), policy.quarantined_at(1_000)], [Some(30), Some(150)]);
    assert_eq!(Policy::default().quarantined_at(1_000), None);
    assert!(Policy { quarantine_after: Some(0), ..Policy::default() }.validate().is_err());
}
