//! Sharing keys: by policy, the product makes a member's keys when the member joins or is added to a sharing group,
//! instead of when a key holder signs in next (LP9). Rollcall makes no keys and sees none.

use super::Player;
use crate::action::Item;
use crate::change::{Facts, Target};
use crate::event::{Event, SharingKeys};
use crate::ids::MemberId;
use crate::roster::{MemberState, MemberStatus};
use crate::world::World;
use std::collections::HashSet;

impl Player<'_> {
    /// The members of the world's memberships that can use keys; `None` where the policy asks for none.
    pub(super) fn key_users(world: &World) -> Option<HashSet<MemberId>> {
        let can_use = world.memberships.iter().filter(|membership| membership.has_access);
        world.policy.pre_create_sharing_keys.then(|| can_use.map(|membership| membership.member).collect())
    }

    /// A member who is added to a group without access gets keys only with the access, and then for all their groups.
    pub(super) fn ask_for_keys(&mut self, item: &Item, target: Target, added_to_group: bool, before: Option<&Facts>) {
        let Some(can_use) = &self.key_users else { return };
        let (member, group) = match target {
            Target::Member(id) => (id, None),
            Target::Membership(group, id) => (id, Some(group)),
            Target::Group(_) => return,
        };
        let known = self.outcome.member(member);
        let asks = if group.is_some() {
            added_to_group && known.map_or_else(|| can_use.contains(&member), MemberState::has_access)
        } else {
            known.is_some_and(MemberState::has_access) && !had_access(before)
        };
        if asks {
            self.tell(item, Event::SharingKeysRequested(member, SharingKeys { group_id: group, why: item.why }));
        }
    }
}

fn had_access(before: Option<&Facts>) -> bool {
    let status = match before {
        Some(Facts::Member(facts)) => Some(facts.status),
        _ => None,
    };
    matches!(status, Some(MemberStatus::Invited | MemberStatus::Active))
}
