//! Members who left. Another record may ask for their address, or have their external id, so it is planned again.

use super::Outcome;
use crate::action::Disputed;
use crate::directory::UserSubject;
use crate::email::fold;
use crate::ids::DirectoryUserId;
use crate::roster::{MemberState, MemberStatus};
use crate::world::World;
use std::collections::HashSet;

/// A member whose address or external id others may have now.
#[derive(Clone, Copy, Debug)]
pub struct Departed<'o> {
    /// The member before the outcome.
    pub member: &'o MemberState,
    /// The departure happened in this outcome, so a record that its plan looked at is planned again as well.
    pub just_now: bool,
}

impl Outcome {
    /// The members of `touched` records that have ended, and those who left in this outcome, unless nobody asks for anything
    /// of theirs: neither a record of the world ([`UserSubject::contested`]) nor one that this plan has `disputed`.
    pub fn departed<'o>(
        &'o self,
        world: &'o World,
        touched: impl Fn(DirectoryUserId) -> bool,
        disputed: &[Disputed],
    ) -> Vec<Departed<'o>> {
        let disputed: HashSet<&str> = disputed.iter().map(|disputed| disputed.about.as_str()).collect();
        let is_asked_for = |user: &UserSubject, member: &MemberState| {
            user.contested || disputed.contains(fold(member.own_address()).as_str())
        };
        let ended = world
            .users
            .iter()
            .filter(|user| user.has_ended() && touched(user.id))
            .filter_map(|user| user.member.as_ref().filter(|member| is_asked_for(user, member)));
        let left = self.departures().filter(|member| {
            let user = member.directory_user.and_then(|record| world.user(record)).filter(|user| user.has_ended());
            user.is_none_or(|user| is_asked_for(user, member))
        });
        let ended = ended.map(|member| Departed { member, just_now: false });
        ended.chain(left.map(|member| Departed { member, just_now: true })).collect()
    }

    /// The members, as they were, who left, for whom nothing is held any more, or who have another external id.
    fn departures(&self) -> impl Iterator<Item = &MemberState> {
        self.changed().filter_map(|(before, after)| {
            let gone = |member: &MemberState| matches!(member.status, MemberStatus::Suspended | MemberStatus::Removed);
            let left = gone(after) && (!gone(before) || (before.held && !after.held));
            (left || before.profile.external_id != after.profile.external_id).then_some(before)
        })
    }
}
