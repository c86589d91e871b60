//! Sharing groups that would be emptied: a wrong filter at the source takes a group's people out all at once, and with the
//! group go the folders it opens.

use super::{HoldReason, Review, is_simulated};
use crate::action::ItemKey;
use crate::ids::{MemberId, SharingGroupId};
use crate::plan::{Action, Item, World};
use std::collections::{HashMap, HashSet};

/// People whom any group may lose in a window.
pub const GROUP_LOSSES_FREE: u32 = 9;

/// What is known of a sharing group that loses people. Only people with access count: who is suspended or removed has
/// nothing to lose. Numbers that are larger than what decides may be cut off there.
#[derive(Clone, Copy, Debug, Default)]
pub struct GroupStanding {
    /// People whom it lost in the policy's window without an approval, and who are not back.
    pub lost: u32,
    /// People in it now.
    pub inside: u32,
    /// People whom the source says are in it. Fewer than would remain after this plan: more losses are to come.
    pub wanted: u32,
}

impl GroupStanding {
    /// Would it lose over half of its people, and at least ten?
    fn is_wiped_by(&self, leaving: u32) -> bool {
        let lost = self.lost.saturating_add(leaving);
        lost > GROUP_LOSSES_FREE && lost > self.inside.saturating_sub(leaving).min(self.wanted)
    }
}

/// Would the removal of this group, which its source deleted, be withheld? Then it keeps its name, too.
pub(crate) fn keeps_group(world: &World, item: ItemKey, group: SharingGroupId) -> bool {
    let standing = standing_of(world, group);
    let held = world.held.get(&item) == Some(&HoldReason::GroupWipe);
    let loses = standing.inside > 0 && (held || standing.is_wiped_by(standing.inside));
    loses && !world.approved.contains(&item)
}

fn standing_of(world: &World, group: SharingGroupId) -> GroupStanding {
    world.group_standing.get(&group).copied().unwrap_or_default()
}

impl Review<'_> {
    /// Withholds every removal from a group that this plan would wipe; the other groups go on.
    pub(super) fn keep_groups(&mut self, items: Vec<Item>) -> Vec<Item> {
        let memberships = self.world.memberships.iter().filter(|membership| membership.has_access);
        let with_access: HashSet<(SharingGroupId, MemberId)> = memberships.map(|m| (m.group, m.member)).collect();
        let loss = |item: &Item| match item.action {
            Action::RemoveFromGroup { group, member } => {
                Some((group, member)).filter(|pair| with_access.contains(pair))
            }
            _ => None,
        };
        let judged: Vec<(Item, Option<(SharingGroupId, MemberId)>)> = items
            .into_iter()
            .map(|item| {
                let loss = loss(&item).filter(|_| !is_simulated(&item) && !self.is_approved(&item));
                (item, loss)
            })
            .collect();
        let mut leaving: HashMap<SharingGroupId, u32> = HashMap::new();
        for (group, _) in judged.iter().filter_map(|(_, loss)| *loss) {
            *leaving.entry(group).or_default() += 1;
        }
        let is_wiped = |group| standing_of(self.world, group).is_wiped_by(leaving[&group]);
        let wiped: HashSet<SharingGroupId> = leaving.keys().copied().filter(|group| is_wiped(*group)).collect();
        let mut others = Vec::with_capacity(judged.len());
        for (item, loss) in judged {
            let stays = match (&item.action, loss) {
                (_, Some((group, _))) => wiped.contains(&group) || self.stays_held(&item, HoldReason::GroupWipe),
                (Action::RemoveGroup { group }, _) => {
                    !is_simulated(&item) && keeps_group(self.world, item.key(), *group)
                }
                _ => false,
            };
            if stays {
                self.withhold(item, HoldReason::GroupWipe);
            } else {
                self.verdict.group_losses.extend(loss);
                others.push(item);
            }
        }
        others
    }
}
