//! Where the policy wants it, the product is asked for a member's keys when the member comes in or is added to a sharing
//! group, instead of when somebody who has them signs in next (LP9). Rollcall makes none itself and sees none.

use super::RosterChange;
use crate::reconcile::apply::{actor_of, event, request_of};
use rollcall_core::action::Item;
use rollcall_core::change::{Facts, Target};
use rollcall_core::event::AuditKind;
use rollcall_core::ids::{MemberId, RunId};
use rollcall_core::roster::{MemberState, MemberStatus};
use rollcall_core::world::World;
use serde_json::json;
use std::collections::HashSet;

/// `None` where the policy asks for nothing.
pub(super) fn wanted_for(world: &World) -> Option<HashSet<MemberId>> {
    let can_use = world.memberships.iter().filter(|membership| membership.has_access);
    world.policy.pre_create_sharing_keys.then(|| can_use.map(|membership| membership.member).collect())
}

impl RosterChange<'_> {
    /// Of whom is added without access nothing is asked until they have it; then it is asked of all their groups at once.
    pub(super) fn ask_for_keys(
        &mut self,
        item: &Item,
        run: RunId,
        kind: AuditKind,
        target: Target,
        before: Option<&Facts>,
    ) {
        let Some(can_use) = &self.makes_keys_for else { return };
        let (member, group) = match target {
            Target::Member(id) => (id, None),
            Target::Membership(group, id) => (id, Some(group)),
            Target::Group(_) => return,
        };
        let known = self.members.get(&member).or_else(|| self.created.iter().rfind(|known| known.id == member));
        let asks = if group.is_some() {
            let has_access = known.map_or_else(|| can_use.contains(&member), MemberState::has_access);
            kind == AuditKind::GroupMemberAdded && has_access
        } else {
            known.is_some_and(MemberState::has_access) && !had_access(before)
        };
        if asks {
            let detail = json!({ "group_id": group, "why": item.why });
            let news = event(AuditKind::SharingKeysRequested, "member", member.0, detail);
            self.events.push(self.tx.event_row(news, actor_of(item), request_of(item), Some(run)));
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
