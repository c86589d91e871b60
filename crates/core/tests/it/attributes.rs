//! Effects of a source on a member and on sharing groups, by policy: local attributes, failing mappings, policies of one
//! source, the scope of groups.

use crate::model::{Hub, Vary, record, scim};
use rollcall_core::action::Action;
use rollcall_core::change::Subject;
use rollcall_core::directory::{Dispute, SourceMode};
use rollcall_core::ids::SourceId;
use rollcall_core::policy::{GroupScope, LocalAttribute, Policy, SourcePolicy};
use rollcall_core::roster::{MemberStatus, Role};
use serde_json::json;
use std::collections::BTreeMap;
use uuid::Uuid;

fn own(pairs: &[(&str, serde_json::Value)]) -> SourcePolicy {
    SourcePolicy(pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect())
}

fn scope(names: &[&str]) -> Option<GroupScope> {
    Some(GroupScope { names: names.iter().map(|name| (*name).to_owned()).collect(), ..GroupScope::default() })
}

#[test]
fn pe6_local_attributes_are_filled_at_entry_and_the_source_never_touches_them_again() {
    let mut hub = Hub::new();
    hub.policy.local_attributes = [LocalAttribute::DisplayName].into();
    let ann = hub.create_user(record("ann@x").named("Ann"));
    hub.settle();
    hub.edit_user(ann, |record| {
        record.display_name = Some("Other".into());
        record.given_name = Some("Given".into());
    });
    hub.settle();
    let profile = hub.member_of(ann).expect("a member").profile.clone();
    assert_eq!((profile.display_name.as_deref(), profile.given_name.as_deref()), (Some("Ann"), Some("Given")));
    // Edited in the product, it stays as edited; a plan after that is empty.
    let id = hub.member_of(ann).expect("a member").id;
    hub.members.get_mut(&id).expect("it").profile.display_name = Some("Annie".into());
    hub.touch_everything();
    assert_eq!(hub.settle().applied, []);
}

#[test]
fn pe6_an_adopted_member_keeps_local_values_and_is_given_those_that_were_missing() {
    let mut hub = Hub::new();
    hub.policy.local_attributes = [LocalAttribute::DisplayName, LocalAttribute::GivenName].into();
    let id = hub.unmanaged("ann@x", Role::Member);
    hub.members.get_mut(&id).expect("it").profile.display_name = Some("By hand".into());
    let ann = hub.create_user(record("ann@x").named("Ann"));
    hub.edit_user(ann, |record| record.given_name = Some("Given".into()));
    hub.settle();
    let profile = &hub.members[&id].profile;
    assert_eq!((profile.display_name.as_deref(), profile.given_name.as_deref()), (Some("By hand"), Some("Given")));
}

#[test]
fn dx1_a_managed_attribute_changed_in_the_product_is_overridden_by_the_next_sync() {
    let mut hub = Hub::new();
    let ann = hub.create_user(record("ann@x").named("Ann"));
    hub.settle();
    let id = hub.member_of(ann).expect("a member").id;
    hub.members.get_mut(&id).expect("it").profile.display_name = Some("By hand".into());
    hub.touch_everything();
    hub.settle();
    assert_eq!(hub.members[&id].profile.display_name.as_deref(), Some("Ann"));
}

#[test]
fn pe13_a_mapping_that_fails_keeps_newcomers_out_profiles_as_they_are_and_leavers_leaving() {
    let mut hub = Hub::new();
    let (ann, bob) = (hub.create_user(record("ann@x").named("Ann")), hub.create_user(record("bob@x").named("Bob")));
    hub.settle();
    for user in [ann, bob] {
        // As the store reads a record whose mapping failed: without an address.
        hub.edit_user(user, |record| {
            record.email = None;
            record.display_name = None;
            record.active = user != bob;
        });
        hub.users.get_mut(&user).expect("it").unmapped = Some("email: user.mail: the record has no mail".into());
    }
    let new = hub.create_user(record("cem@x"));
    let user = hub.users.get_mut(&new).expect("it");
    user.unmapped = Some("email: user.mail: the record has no mail".into());
    user.record.as_mut().expect("live").email = None;
    hub.settle();
    let ann_now = hub.member_of(ann).expect("a member");
    assert_eq!((ann_now.status, ann_now.profile.display_name.as_deref()), (MemberStatus::Active, Some("Ann")));
    assert_eq!(hub.member_of(bob).expect("a member").status, MemberStatus::Suspended);
    assert!(hub.member_of(new).is_none());
    for user in [ann, bob, new] {
        let (dispute, about) = &hub.disputes[&Subject::DirectoryUser(user)];
        assert_eq!((*dispute, about.as_str()), (Dispute::MappingFailed, "email: user.mail: the record has no mail"));
    }
    hub.touch_everything();
    assert_eq!(hub.settle().applied, []);
}

#[test]
fn a_source_has_the_tenants_policy_but_for_its_own_keys() {
    let (mine, other) = (scim(), SourceId::from(Uuid::from_u128(2)));
    let overrides = own(&[("on_deleted", json!("remove")), ("adopt_existing", json!(false))]);
    let policy = Policy { sources: BTreeMap::from([(mine, overrides)]), ..Policy::default() };
    policy.validate().expect("valid");
    assert_eq!(policy.of_source(other), Ok(Policy::default()));
    let of_mine = policy.of_source(mine).expect("valid");
    assert!(!of_mine.adopt_existing && of_mine.on_deleted.as_str() == "remove");
    assert_eq!(Policy { sources: policy.sources.clone(), ..Policy::default() }, policy);
    for (key, value) in [("removal_limit", json!({})), ("nonsense", json!(1)), ("onboarding", json!("by pigeon"))] {
        let sources = BTreeMap::from([(mine, own(&[(key, value)]))]);
        let error = Policy { sources, ..Policy::default() }.validate().expect_err(key);
        assert!(error.contains(key) && error.contains(&mine.to_string()), "{error}");
    }
}

#[test]
fn a_source_is_planned_under_its_own_policy() {
    let mut hub = Hub::new();
    let other = SourceId::from(Uuid::from_u128(2));
    hub.modes.insert(other, SourceMode::Live);
    hub.policy.sources =
        BTreeMap::from([(other, own(&[("onboarding", json!("invite")), ("on_deleted", json!("remove"))]))]);
    let (ann, bob) = (hub.create_user(record("ann@x")), hub.create_user_of(other, record("bob@x")));
    hub.settle();
    let status = |hub: &Hub, user| hub.member_of(user).map(|member| member.status);
    assert_eq!((status(&hub, ann), status(&hub, bob)), (Some(MemberStatus::Active), Some(MemberStatus::Invited)));
    hub.delete_user(ann);
    hub.delete_user(bob);
    hub.settle();
    assert_eq!((status(&hub, ann), status(&hub, bob)), (Some(MemberStatus::Suspended), Some(MemberStatus::Removed)));
}

#[test]
fn dx6_groups_outside_the_scope_are_ignored_and_come_in_by_a_new_name() {
    let mut hub = Hub::new();
    hub.policy.group_scope = scope(&["Pilots"]);
    let ann = hub.create_user(record("ann@x"));
    let (pilots, cooks) = (hub.create_group("PILOTS"), hub.create_group("Cooks"));
    hub.set_membership(pilots, ann, true);
    hub.set_membership(cooks, ann, true);
    hub.settle();
    assert!(hub.sharing_group_of(pilots).is_some() && hub.sharing_group_of(cooks).is_none());
    assert_eq!((hub.group_members.len(), hub.disputes.len()), (1, 0), "ignored, not reported");
    hub.delete_group(pilots);
    hub.rename_group(cooks, "Pilots");
    hub.settle();
    assert!(hub.sharing_group_of(cooks).is_some());
    assert_eq!(hub.group_members.len(), 1);
}

#[test]
fn dx20_an_unscoped_group_stays_is_reported_and_catches_up_when_it_is_back() {
    let mut hub = Hub::new();
    let (ann, bob) = (hub.create_user(record("ann@x")), hub.create_user(record("bob@x")));
    let pilots = hub.create_group("Pilots");
    hub.set_membership(pilots, ann, true);
    hub.settle();
    let (before, members) = (hub.sharing_group_of(pilots), hub.group_members.clone());
    hub.policy.group_scope = scope(&["Cooks"]);
    hub.set_membership(pilots, bob, true);
    hub.set_membership(pilots, ann, false);
    hub.touch_everything();
    assert_eq!(hub.settle().applied, []);
    assert_eq!((hub.sharing_group_of(pilots), &hub.group_members), (before, &members));
    assert_eq!(hub.disputes[&Subject::DirectoryGroup(pilots)].0, Dispute::GroupOutOfScope);
    hub.policy.group_scope = None;
    hub.rename_group(pilots, "Pilots 2");
    let outcome = hub.settle();
    let moved = |item: &&rollcall_core::action::Item| {
        matches!(item.action, Action::AddToGroup { .. } | Action::RemoveFromGroup { .. })
    };
    assert_eq!(outcome.applied.iter().filter(moved).count(), 2, "{:?}", outcome.applied);
    assert_eq!(hub.sharing_group_of(pilots), before);
    assert!(hub.disputes.is_empty());
}

#[test]
fn dx20_a_group_deleted_in_the_product_is_reported_and_not_made_again() {
    let mut hub = Hub::new();
    let pilots = hub.create_group("Pilots");
    hub.settle();
    let id = hub.sharing_group_of(pilots).expect("a group");
    hub.sharing_groups.get_mut(&id).expect("it").removed = true;
    hub.rename_group(pilots, "Pilots 2");
    assert_eq!(hub.settle().applied, []);
    assert_eq!(hub.disputes[&Subject::DirectoryGroup(pilots)].0, Dispute::GroupDeletedHere);
    hub.delete_group(pilots);
    hub.settle();
    assert!(hub.disputes.is_empty(), "the source let go of it");
}
