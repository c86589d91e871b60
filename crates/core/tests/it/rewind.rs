//! Rewinds, case by case: the effect on each action, and the reasons for impossible ones.

use crate::model::{Hub, RunReport, Vary, record};
use rollcall_core::change::Impossible;
use rollcall_core::ids::{DirectoryUserId, MemberId};
use rollcall_core::policy::OnDeleted;
use rollcall_core::roster::{MemberStatus, Role};

fn words(outcome: &RunReport) -> Vec<&'static str> {
    outcome.applied.iter().map(|item| item.action.name()).collect()
}

fn reasons(outcome: &RunReport) -> Vec<Impossible> {
    outcome.impossible.iter().map(|(_, reason)| *reason).collect()
}

fn hub_with(people: &[&str]) -> (Hub, Vec<DirectoryUserId>) {
    let mut hub = Hub::new();
    let owner = hub.unmanaged("owner@x", Role::Owner);
    hub.members.get_mut(&owner).expect("the owner").billing_contact = true;
    let users = people.iter().map(|email| hub.create_user(record(email).anchored(email))).collect();
    hub.settle();
    (hub, users)
}

fn status(hub: &Hub, member: MemberId) -> MemberStatus {
    hub.members[&member].status
}

#[test]
fn every_reason_has_a_word() {
    let mut words: Vec<&str> = Impossible::ALL.iter().map(|reason| reason.as_str()).collect();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), Impossible::ALL.len());
}

#[test]
fn who_was_provisioned_is_removed_and_back_again() {
    let mut hub = Hub::new();
    hub.create_user(record("ann@x"));
    let run = hub.settle();
    let undone = hub.take_back(&run.recorded);
    assert_eq!((words(&undone), hub.seats_used, hub.managed), (vec!["remove"], 0, 0));
    let redone = hub.take_back(&undone.recorded);
    assert_eq!((words(&redone), hub.seats_used, hub.managed), (vec!["restore"], 1, 1));
}

#[test]
fn who_left_is_back_with_the_seat_and_only_once() {
    let (mut hub, users) = hub_with(&["ann@x"]);
    hub.edit_user(users[0], |record| record.active = false);
    let run = hub.settle();
    let undone = hub.take_back(&run.recorded);
    assert_eq!((words(&undone), hub.member_of(users[0]).map(|m| m.seated)), (vec!["restore"], Some(true)));
    assert_eq!(reasons(&hub.take_back(&run.recorded)), [Impossible::AlreadyBack]);
}

#[test]
fn what_changed_since_stays_and_the_rest_goes_on() {
    let (mut hub, users) = hub_with(&["ann@x", "bob@x"]);
    for user in &users {
        hub.edit_user(*user, |record| record.active = false);
    }
    let run = hub.settle();
    let ann = hub.member_of(users[0]).expect("a member").id;
    hub.policy.on_deleted = OnDeleted::Remove;
    hub.delete_user(users[0]);
    hub.settle();
    let undone = hub.take_back(&run.recorded);
    assert_eq!((words(&undone), reasons(&undone)), (vec!["restore"], vec![Impossible::ChangedSince]));
    assert_eq!(status(&hub, ann), MemberStatus::Removed);
}

#[test]
fn a_swap_of_addresses_is_swapped_back() {
    let (mut hub, users) = hub_with(&["ann@x", "bob@x"]);
    hub.edit_user(users[0], |record| record.email = Some("bob@x".into()));
    hub.edit_user(users[1], |record| record.email = Some("ann@x".into()));
    let run = hub.settle();
    let undone = hub.take_back(&run.recorded);
    assert_eq!(words(&undone), ["update_profile"; 2]);
    assert_eq!(hub.member_of(users[0]).map(|m| m.profile.email.as_str()), Some("ann@x"));
}

#[test]
fn an_address_that_was_given_away_is_not_taken_back() {
    let (mut hub, users) = hub_with(&["ann@x"]);
    hub.edit_user(users[0], |record| record.email = Some("ann2@x".into()));
    let run = hub.settle();
    hub.create_user(record("ANN@x").anchored("heir"));
    hub.settle();
    assert_eq!(reasons(&hub.take_back(&run.recorded)), [Impossible::AddressTaken]);
}

#[test]
fn who_was_renamed_and_suspended_in_one_run_comes_back_without_the_address_that_was_given_away() {
    let (mut hub, users) = hub_with(&["ann@x"]);
    hub.edit_user(users[0], |record| (record.active, record.email) = (false, Some("ann2@x".into())));
    let run = hub.settle();
    hub.create_user(record("ANN@x").anchored("heir"));
    hub.settle();
    let undone = hub.take_back(&run.recorded);
    assert_eq!((words(&undone), reasons(&undone)), (vec!["restore"], vec![Impossible::AddressTaken]));
}

#[test]
fn nobody_comes_back_without_a_seat() {
    let (mut hub, users) = hub_with(&["ann@x"]);
    hub.edit_user(users[0], |record| record.active = false);
    let run = hub.settle();
    hub.set_seats(1);
    hub.settle();
    assert_eq!(reasons(&hub.take_back(&run.recorded)), [Impossible::NoSeat]);
}

#[test]
fn da7_the_last_admin_is_not_taken_back_and_keeps_the_address() {
    let (mut hub, users) = hub_with(&["ann@x", "bob@x"]);
    hub.owner_agrees = true;
    let [ann, bob] = [0, 1].map(|n| hub.member_of(users[n]).expect("a member").id);
    hub.edit_user(users[0], |record| record.active = false);
    hub.settle();
    hub.members.get_mut(&ann).expect("Ann").role = Role::Admin;
    hub.edit_user(users[0], |record| (record.active, record.email) = (true, Some("bob@x".into())));
    hub.edit_user(users[1], |record| record.email = Some("bob2@x".into()));
    let run = hub.settle();
    let owner = hub.members.values_mut().find(|member| member.role == Role::Owner).expect("the owner");
    (owner.role, owner.billing_contact) = (Role::Member, false);
    let undone = hub.take_back(&run.recorded);
    assert!(reasons(&undone).contains(&Impossible::LastAdmin), "{undone:?}");
    assert_eq!(status(&hub, ann), MemberStatus::Active);
    assert_eq!(hub.members[&bob].profile.email, "bob@x", "their addresses changed apart from that");
}

#[test]
fn a_removed_group_comes_back_with_its_members_unless_the_name_is_taken() {
    let (mut hub, users) = hub_with(&["ann@x"]);
    let design = hub.create_group("Design");
    hub.set_membership(design, users[0], true);
    hub.settle();
    let before = hub.managed();
    hub.delete_group(design);
    let run = hub.settle();
    let mut taken = hub.clone();
    let undone = hub.take_back(&run.recorded);
    assert_eq!((words(&undone), hub.managed() == before), (vec!["restore_group"], true));
    taken.create_group("design");
    taken.settle();
    assert_eq!(reasons(&taken.take_back(&run.recorded)), [Impossible::NameTaken]);
}

#[test]
fn a_membership_of_a_group_that_is_gone_is_not_taken_back() {
    let (mut hub, users) = hub_with(&["ann@x"]);
    let design = hub.create_group("Design");
    hub.settle();
    hub.set_membership(design, users[0], true);
    let run = hub.settle();
    hub.delete_group(design);
    hub.settle();
    assert_eq!(reasons(&hub.take_back(&run.recorded)), [Impossible::Gone]);
}

#[test]
fn dx2_who_was_adopted_is_let_go_and_adopted_again() {
    let mut hub = Hub::new();
    let ann = hub.unmanaged("ann@x", Role::Member);
    let before = hub.managed();
    hub.create_user(record("ann@x").anchored("1").named("Ann"));
    let run = hub.settle();
    let undone = hub.take_back(&run.recorded);
    assert_eq!((words(&undone), hub.managed() == before), (vec!["update_profile", "unlink"], true));
    let redone = hub.take_back(&undone.recorded);
    assert_eq!((words(&redone), hub.members[&ann].managed_by.is_some()), (vec!["adopt", "update_profile"], true));
}

/// Ann's record is disabled, and a newer one of the same external id takes the member over.
fn taken_over() -> (Hub, [DirectoryUserId; 2], RunReport) {
    let (mut hub, users) = hub_with(&["ann@x"]);
    hub.edit_user(users[0], |record| record.active = false);
    hub.settle();
    let newer = hub.create_user(record("annie@x").anchored("ann@x"));
    let run = hub.settle();
    (hub, [users[0], newer], run)
}

#[test]
fn r13_a_member_given_back_to_the_older_record_has_the_newer_one_as_the_former() {
    let (mut hub, [older, newer], run) = taken_over();
    let undone = hub.take_back(&run.recorded);
    assert_eq!(hub.member_of(older).expect("given back").former_record, Some(newer));
    let mut again = hub.clone();
    again.take_back(&undone.recorded);
    assert_eq!(again.member_of(newer).expect("taken over again").former_record, Some(older));
    hub.edit_user(older, |record| record.active = true);
    hub.touch_everything();
    hub.settle();
    assert_eq!(hub.member_of(older).map(|member| member.status), Some(MemberStatus::Active));
    assert!(hub.member_of(newer).is_none() && hub.disputes.len() == 1, "one person: {:?}", hub.disputes);
}

#[test]
fn r13_a_record_that_feeds_a_member_again_is_nobodys_former_one() {
    let (mut hub, users) = hub_with(&["ann@x"]);
    let by_hand = hub.unmanaged("cy@x", Role::Member);
    let adopting = hub.create_user(record("cy@x"));
    let adopted = hub.settle();
    let unlinked = hub.take_back(&adopted.recorded);
    // The record is Ann's meanwhile, until a newer one takes over.
    hub.delete_user(users[0]);
    hub.edit_user(adopting, |record| (record.email, record.external_id) = (Some("an@x".into()), Some("ann@x".into())));
    hub.settle();
    hub.edit_user(adopting, |record| record.active = false);
    hub.create_user(record("annie@x").anchored("ann@x"));
    hub.settle();
    let ann = hub.members.values().find(|member| member.former_record == Some(adopting)).expect("replaced").id;
    hub.take_back(&unlinked.recorded);
    assert_eq!(hub.members[&by_hand].directory_user, Some(adopting));
    assert_eq!(hub.members[&ann].former_record, None);
}
