//! Group wipe: a wrong filter at the source removes all people of a group at once, and the folders that it opens go with
//! it. Removals that would wipe a group are withheld.

use super::review::Review;
use crate::action::{Action, Item};
use crate::hold_reason::HoldReason;
use crate::ids::{MemberId, SharingGroupId};
use std::collections::{HashMap, HashSet};

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
                let loss = loss(&item).filter(|_| item.is_live() && !self.is_approved(&item));
                (item, loss)
            })
            .collect();
        let mut leaving: HashMap<SharingGroupId, u32> = HashMap::new();
        for (group, _) in judged.iter().filter_map(|(_, loss)| *loss) {
            *leaving.entry(group).or_default() += 1;
        }
        let is_wiped = |group| self.world.group_standing_of(group).is_wiped_by(leaving[&group]);
        let wiped: HashSet<SharingGroupId> = leaving.keys().copied().filter(|group| is_wiped(*group)).collect();
        let mut others = Vec::with_capacity(judged.len());
        for (item, loss) in judged {
            let stays = match (&item.action, loss) {
                (_, Some((group, _))) => wiped.contains(&group) || self.stays_held(&item, HoldReason::GroupWipe),
                (Action::RemoveGroup { group }, _) => {
                    item.is_live() && self.world.withholds_group_removal(item.key(), *group)
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
