//! Limits on new members and changed profiles (PE8), like that of removals.

use crate::model::{Hub, Vary, record};
use rollcall_core::directory::Dispute;
use rollcall_core::hold_reason::HoldReason;
use rollcall_core::ids::DirectoryUserId;
use rollcall_core::policy::Limit;

fn limit(count: u32) -> Option<Limit> {
    Some(Limit { count, percent: 0, ..Limit::default() })
}

fn announce(hub: &mut Hub, numbers: std::ops::Range<usize>) -> Vec<DirectoryUserId> {
    numbers.map(|n| hub.create_user(record(&format!("p{n}@x")).anchored(&n.to_string()))).collect()
}

fn rename(hub: &mut Hub, user: DirectoryUserId, name: &str) {
    hub.edit_user(user, |record| record.display_name = Some(name.to_owned()));
}

fn move_to(hub: &mut Hub, user: DirectoryUserId, email: &str) {
    hub.edit_user(user, |record| record.email = Some(email.to_owned()));
}

fn names(hub: &Hub, name: &str) -> usize {
    hub.members.values().filter(|member| member.profile.display_name.as_deref() == Some(name)).count()
}

#[test]
fn pe8_without_a_limit_any_number_comes_in_and_nothing_is_counted() {
    let mut hub = Hub::new();
    announce(&mut hub, 0..50);
    assert_eq!(hub.settle().withheld.len(), 0);
    assert_eq!((hub.members.len(), hub.creations_in_window), (50, 0));
}

#[test]
fn pe8_the_first_come_in_and_the_rest_waits_for_an_admin_in_any_window() {
    let mut hub = Hub::new();
    hub.policy.creation_limit = limit(3);
    let users = announce(&mut hub, 0..5);
    let outcome = hub.settle();
    assert_eq!(outcome.reasons(), [HoldReason::CreationOverLimit; 2]);
    assert!(users[..3].iter().all(|user| hub.member_of(*user).is_some()), "in the order of their announcement");
    hub.pass_window();
    hub.touch_everything();
    hub.settle();
    assert_eq!(hub.members.len(), 3, "time releases nothing");
    announce(&mut hub, 5..9);
    assert_eq!(hub.settle().reasons(), [HoldReason::CreationOverLimit], "the next window has its own three");
    hub.approve();
    hub.settle();
    assert_eq!(hub.members.len(), 9);
    hub.pass_window();
    announce(&mut hub, 9..12);
    assert_eq!(hub.settle().withheld.len(), 0, "what an admin released uses nothing up");
}

#[test]
fn pe8_a_trickle_trips_it_like_a_burst_and_who_would_not_come_in_uses_nothing_up() {
    let mut hub = Hub::new();
    hub.policy.creation_limit = limit(3);
    hub.policy.auto_provision = false;
    announce(&mut hub, 0..5);
    hub.settle();
    hub.policy.auto_provision = true;
    for n in 5..10 {
        announce(&mut hub, n..n + 1);
        hub.settle();
    }
    assert_eq!(hub.members.len(), 3);
}

#[test]
fn pe8_the_limit_taken_away_lets_everybody_in() {
    let mut hub = Hub::new();
    hub.policy.creation_limit = limit(0);
    announce(&mut hub, 0..5);
    hub.settle();
    hub.policy.creation_limit = None;
    hub.touch_everything();
    hub.settle();
    assert_eq!((hub.members.len(), hub.held.len()), (5, 0));
}

#[test]
fn pe8_changed_profiles_have_a_limit_and_the_other_changes_of_those_people_go_on() {
    let mut hub = Hub::new();
    let users = announce(&mut hub, 0..6);
    hub.settle();
    hub.policy.modification_limit = limit(2);
    users[..4].iter().for_each(|user| rename(&mut hub, *user, "New"));
    hub.edit_user(users[3], |record| record.active = false);
    let outcome = hub.settle();
    assert_eq!((names(&hub, "New"), outcome.reasons()), (2, vec![HoldReason::ModificationOverLimit; 2]));
    assert!(hub.member_of(users[3]).is_some_and(|member| !member.has_access()), "who leaves leaves");
    rename(&mut hub, users[2], "Newer");
    hub.pass_window();
    rename(&mut hub, users[4], "New");
    hub.settle();
    assert_eq!((names(&hub, "New"), names(&hub, "Newer")), (3, 0), "held, whatever the change is by now");
    hub.approve();
    hub.settle();
    assert_eq!((names(&hub, "New"), names(&hub, "Newer")), (4, 1));
}

#[test]
fn pe8_an_address_that_stays_where_it_is_is_nobody_elses() {
    let mut hub = Hub::new();
    let users = announce(&mut hub, 0..3);
    hub.settle();
    hub.policy.modification_limit = limit(1);
    // p0 and p1 swap, p2 takes a new address, and a newcomer wants p2's former one.
    move_to(&mut hub, users[0], "p1@x");
    move_to(&mut hub, users[1], "p0@x");
    move_to(&mut hub, users[2], "own@x");
    let heir = hub.create_user(record("p2@x").anchored("heir"));
    hub.settle();
    let held = hub.held.values().filter(|reason| **reason == HoldReason::ModificationOverLimit).count();
    assert!(held >= 1 && hub.member_of(heir).is_none(), "{:?}", hub.held);
    assert!(hub.disputes.values().any(|(dispute, _)| *dispute == Dispute::EmailTaken));
    hub.policy.modification_limit = None;
    hub.touch_everything();
    hub.settle();
    let email = |user| hub.member_of(user).map(|member| member.profile.email.clone());
    assert_eq!(
        [email(users[0]), email(users[1]), email(users[2]), email(heir)].map(Option::unwrap_or_default),
        ["p1@x", "p0@x", "own@x", "p2@x"]
    );
}

#[test]
fn pe8_who_comes_back_from_removal_changes_no_profile() {
    let mut hub = Hub::new();
    hub.policy.on_deleted = rollcall_core::policy::OnDeleted::Remove;
    let users = announce(&mut hub, 0..1);
    hub.settle();
    hub.delete_user(users[0]);
    hub.settle();
    hub.policy.modification_limit = limit(0);
    let back = hub.create_user(record("other@x").anchored("0"));
    assert_eq!(hub.settle().withheld.len(), 0);
    assert_eq!(hub.member_of(back).map(|member| member.profile.email.as_str()), Some("other@x"));
}
