//! Matching for a source that would become the authority (DX3): it takes the present authority's people over.

use rollcall_core::action::{Action, Plan, Why};
use rollcall_core::directory::{Dispute, Origin, PersonRecord, SourceMode, UserSubject};
use rollcall_core::email::fold;
use rollcall_core::ids::{DirectoryUserId, MemberId, SourceId};
use rollcall_core::plan::plan;
use rollcall_core::roster::{MemberState, MemberStatus, Profile, Role};
use rollcall_core::world::World;
use uuid::Uuid;

fn present() -> SourceId {
    Uuid::from_u128(1).into()
}

fn candidate() -> SourceId {
    Uuid::from_u128(2).into()
}

/// An active member of the present authority, whose record of it is there.
fn member(number: u128, email: &str, external_id: &str) -> MemberState {
    MemberState {
        id: Uuid::from_u128(number).into(),
        profile: Profile { email: email.into(), external_id: Some(external_id.into()), ..Profile::default() },
        status: MemberStatus::Active,
        role: Role::Member,
        billing_contact: false,
        managed_by: Some(present()),
        directory_user: Some(Uuid::from_u128(number + 100).into()),
        former_record: None,
        suspended_from: None,
        waiting_for: None,
        approval: None,
        blocked_from: None,
        seated: true,
        held: false,
    }
}

fn record(email: &str, external_id: &str) -> PersonRecord {
    PersonRecord {
        email: Some(email.into()),
        external_id: Some(external_id.into()),
        display_name: None,
        given_name: None,
        family_name: None,
        active: true,
        was_active: true,
    }
}

/// A record of the candidate; the reader of the world finds the member with its external id.
fn subject(number: u128, record: PersonRecord, members: &[MemberState]) -> UserSubject {
    let same = members.iter().find(|member| member.profile.external_id == record.external_id);
    UserSubject {
        id: Uuid::from_u128(number).into(),
        origin: Origin { source: candidate(), mode: SourceMode::Simulate, quarantined: false, request: None },
        record: Some(record),
        member: None,
        returning: same.cloned(),
        former: None,
        contested: false,
        unmapped: None,
        in_scope: true,
    }
}

fn planned(records: Vec<PersonRecord>, members: &[MemberState]) -> Plan {
    let subjects = records.into_iter().enumerate();
    let users = subjects.map(|(place, record)| subject(1_000 + place as u128, record, members)).collect();
    let holders = members.iter().map(|member| (fold(&member.profile.email), member.clone())).collect();
    plan(&World { users, holders, takes_over: true, ..World::default() })
}

fn relinked(plan: &Plan) -> Vec<(MemberId, Why)> {
    let of = |item: &rollcall_core::action::Item| match item.action {
        Action::Relink { member, .. } => Some((member, item.why)),
        _ => None,
    };
    plan.items.iter().filter_map(of).collect()
}

#[test]
fn pe11_a_person_of_the_authority_is_taken_over_by_external_id_else_by_address() {
    let ann = member(1, "ann@x", "1");
    for (email, external_id, why) in [
        ("ann@x", "1", Why::MatchedByExternalId),
        ("ann.new@x", "1", Why::MatchedByExternalId),
        // External ids of two sources need not mean the same.
        ("ANN@x", "okta-1", Why::MatchedByEmail),
    ] {
        let plan = planned(vec![record(email, external_id)], std::slice::from_ref(&ann));
        assert_eq!(relinked(&plan), [(ann.id, why)], "{email} {external_id}: {plan:?}");
        let other = plan.items.iter().filter(|item| !matches!(item.action, Action::Relink { .. }));
        assert!(other.clone().all(|item| matches!(item.action, Action::UpdateProfile { .. })), "{plan:?}");
        assert_eq!(other.count(), usize::from(email != "ann@x"), "{plan:?}");
    }
    let stranger = planned(vec![record("bob@x", "2")], &[ann]);
    assert!(matches!(stranger.items[0].action, Action::Provision { .. }), "{stranger:?}");
}

#[test]
fn pe11_in_the_world_as_it_is_the_same_record_is_in_dispute() {
    let ann = member(1, "ann@x", "1");
    let users = vec![subject(1_000, record("ann@x", "okta-1"), &[])];
    let holders = [("ann@x".to_owned(), ann)].into();
    let plan = plan(&World { users, holders, ..World::default() });
    assert!(plan.items.is_empty(), "{plan:?}");
    assert_eq!(plan.disputed[0].dispute, Dispute::EmailTaken);
}

#[test]
fn pe11_two_records_do_not_get_one_member_and_the_external_id_goes_first() {
    let ann = member(1, "ann@x", "1");
    let plan = planned(vec![record("ann@x", "okta-9"), record("ann.b@x", "1")], std::slice::from_ref(&ann));
    let anchored: DirectoryUserId = Uuid::from_u128(1_001).into();
    assert_eq!(relinked(&plan), [(ann.id, Why::MatchedByExternalId)], "{plan:?}");
    let relink = plan.items.iter().find(|item| matches!(item.action, Action::Relink { .. })).unwrap();
    assert_eq!(relink.subject, rollcall_core::change::Subject::DirectoryUser(anchored));
    let twice = planned(vec![record("ann@x", "okta-8"), record("ann@x", "okta-9")], &[ann]);
    assert_eq!((relinked(&twice).len(), twice.disputed.len()), (1, 1), "{twice:?}");
}

#[test]
fn pe11_an_address_of_somebody_who_left_is_no_proof() {
    // The reader of a candidate's world leaves out a record that is gone.
    let left = MemberState { directory_user: None, status: MemberStatus::Suspended, ..member(1, "ann@x", "1") };
    let plan = planned(vec![record("ann@x", "okta-1")], std::slice::from_ref(&left));
    assert!(plan.items.is_empty(), "{plan:?}");
    assert_eq!(plan.disputed[0].dispute, Dispute::EmailTaken, "another external id: maybe another person");
    let same = planned(vec![record("ann@x", "1")], &[left]);
    assert_eq!(relinked(&same).len(), 1, "{same:?}");
    assert!(same.items.iter().any(|item| matches!(item.action, Action::Restore { .. })), "{same:?}");
}

#[test]
fn pe11_somebody_the_candidate_has_disabled_is_taken_over_and_suspended() {
    let ann = member(1, "ann@x", "1");
    let disabled = PersonRecord { active: false, was_active: false, ..record("ann@x", "okta-1") };
    let plan = planned(vec![disabled], std::slice::from_ref(&ann));
    assert_eq!(relinked(&plan), [(ann.id, Why::MatchedByEmail)], "{plan:?}");
    assert!(plan.items.iter().any(|item| matches!(item.action, Action::Suspend { .. })), "{plan:?}");
}

#[test]
fn pe11_a_record_that_was_linked_before_finds_its_member_whatever_changed_since() {
    let ann = member(1, "ann.new@x", "okta-1");
    let id = ann.directory_user.unwrap();
    let mut user = subject(1_000, record("ann@x", "1"), &[]);
    (user.id, user.returning) = (id, Some(ann.clone()));
    let holders = [("ann.new@x".to_owned(), ann.clone())].into();
    let plan = plan(&World { users: vec![user], holders, takes_over: true, ..World::default() });
    assert_eq!(relinked(&plan), [(ann.id, Why::LinkedBefore)], "{plan:?}");
}
