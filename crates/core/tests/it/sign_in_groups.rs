//! A group that a sign-in made, and the source that has a group of the same name (DS8).

use rollcall_core::action::Action;
use rollcall_core::directory::{Dispute, GroupState, GroupSubject, Origin, SourceMode};
use rollcall_core::email::fold;
use rollcall_core::ids::{DirectoryGroupId, SharingGroupId, SourceId};
use rollcall_core::plan::plan;
use rollcall_core::world::World;
use std::collections::HashMap;
use uuid::Uuid;

const CREW: SharingGroupId = SharingGroupId(Uuid::from_u128(7));

fn world(from_sign_in: bool) -> World {
    let source = SourceId(Uuid::from_u128(1));
    let origin = Origin { source, mode: SourceMode::Live, quarantined: false, request: None };
    let id = DirectoryGroupId(Uuid::from_u128(2));
    let name = Some("CREW".to_owned());
    let said = GroupSubject { id, origin, fed: true, deleted_here: false, name, sharing_group: None };
    let there = GroupState {
        id: CREW,
        name: "Crew".into(),
        managed_by: None,
        directory_group: None,
        tied_to: None,
        from_sign_in,
    };
    World { groups: vec![said], group_names: HashMap::from([(fold("Crew"), there)]), ..World::default() }
}

#[test]
fn ds8_a_source_takes_over_the_group_of_a_sign_in_and_no_other_ones() {
    let adopted = plan(&world(true));
    let action = Action::AdoptGroup { group: CREW, name: "CREW".into() };
    assert_eq!(adopted.items.iter().map(|item| &item.action).collect::<Vec<_>>(), [&action]);
    let refused = plan(&world(false));
    assert!(refused.items.is_empty(), "{:?}", refused.items);
    assert_eq!(refused.disputed[0].dispute, Dispute::GroupNameTaken);
}
