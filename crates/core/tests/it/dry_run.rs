//! Dry runs: the report equals the worker's effect, and covers that person only.

use crate::model::{record, scim};
use rollcall_core::directory::{Dispute, Origin, PersonRecord, SourceMode, UserSubject};
use rollcall_core::dry_run::try_person;
use rollcall_core::explain::Situation;
use rollcall_core::hold_reason::HoldReason;
use rollcall_core::ids::DirectoryUserId;
use rollcall_core::policy::Policy;
use rollcall_core::world::{Standing, World};
use uuid::Uuid;

fn user(number: u128) -> DirectoryUserId {
    Uuid::from_u128(number).into()
}

fn subject(number: u128, record: PersonRecord) -> UserSubject {
    let origin = Origin { source: scim(), mode: SourceMode::Live, quarantined: false, request: None };
    UserSubject {
        id: user(number),
        origin,
        record: Some(record),
        member: None,
        returning: None,
        unmapped: None,
        in_scope: true,
    }
}

fn world(users: Vec<UserSubject>) -> World {
    World { users, standing: Standing { seats_bought: 10, ..Standing::default() }, ..World::default() }
}

#[test]
fn pe14_a_trial_tells_the_steps_of_one_person() {
    let world = world(vec![subject(1, record("ann@x")), subject(2, record("bea@x"))]);
    let trial = try_person(&world, user(2)).expect("bea is in this world");
    assert_eq!((trial.matched.situation, trial.matched.member_id), (Situation::Unmatched, None));
    assert_eq!((trial.planned.len(), trial.others), (1, 1), "ann is another one: {trial:#?}");
    assert_eq!((trial.planned, trial.withheld.len()), (trial.applied, 0));
    assert!(try_person(&world, user(3)).is_none());
}

#[test]
fn pe14_a_trial_tells_what_is_withheld_and_why() {
    let policy = Policy { auto_provision: false, ..Policy::default() };
    let world = World { policy, ..world(vec![subject(1, record("ann@x"))]) };
    let trial = try_person(&world, user(1)).expect("ann is in this world");
    assert_eq!(trial.withheld.iter().map(|(_, reason)| *reason).collect::<Vec<_>>(), [HoldReason::ProvisioningOff]);
    assert!(trial.applied.is_empty(), "{trial:#?}");
}

#[test]
fn pe14_a_trial_tells_a_dispute() {
    let mut nameless = record("ann@x");
    nameless.email = None;
    let trial = try_person(&world(vec![subject(1, nameless)]), user(1)).expect("in this world");
    assert_eq!((trial.matched.situation, trial.matched.how), (Situation::Disputed, Dispute::NoEmail.as_str()));
    assert_eq!(trial.disputed.iter().map(|one| one.dispute).collect::<Vec<_>>(), [Dispute::NoEmail]);
    assert!(trial.planned.is_empty(), "{trial:#?}");
}
