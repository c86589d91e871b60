//! Dry runs: the report equals the worker's effect, and covers that person only.

use crate::model::{record, scim};
use rollcall_core::directory::{Dispute, Origin, PersonRecord, SourceMode, UserSubject};
use rollcall_core::dry_run::dry_run;
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
        former: None,
        contested: false,
        unmapped: None,
        in_scope: true,
    }
}

fn world(users: Vec<UserSubject>) -> World {
    World { users, standing: Standing { seats_bought: 10, ..Standing::default() }, ..World::default() }
}

#[test]
fn pe14_a_dry_run_tells_the_steps_of_one_person() {
    let world = world(vec![subject(1, record("ann@x")), subject(2, record("bea@x"))]);
    let told = dry_run(&world, user(2)).expect("bea is in this world");
    assert_eq!((told.matched.situation, told.matched.member_id), (Situation::Unmatched, None));
    assert_eq!((told.planned.len(), told.others), (1, 1), "ann is another one: {told:#?}");
    assert_eq!((told.planned, told.withheld.len()), (told.applied, 0));
    assert!(dry_run(&world, user(3)).is_none());
}

#[test]
fn pe14_a_dry_run_tells_what_is_withheld_and_why() {
    let policy = Policy { auto_provision: false, ..Policy::default() };
    let world = World { policy, ..world(vec![subject(1, record("ann@x"))]) };
    let told = dry_run(&world, user(1)).expect("ann is in this world");
    assert_eq!(told.withheld.iter().map(|(_, reason)| *reason).collect::<Vec<_>>(), [HoldReason::ProvisioningOff]);
    assert!(told.applied.is_empty(), "{told:#?}");
}

#[test]
fn pe14_a_dry_run_tells_a_dispute() {
    let mut nameless = record("ann@x");
    nameless.email = None;
    let told = dry_run(&world(vec![subject(1, nameless)]), user(1)).expect("in this world");
    assert_eq!((told.matched.situation, told.matched.how), (Situation::Disputed, Dispute::NoEmail.as_str()));
    assert_eq!(told.disputed.iter().map(|one| one.dispute).collect::<Vec<_>>(), [Dispute::NoEmail]);
    assert!(told.planned.is_empty(), "{told:#?}");
}
