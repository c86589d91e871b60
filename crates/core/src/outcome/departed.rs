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
    pub member: &'o MemberState,
    /// The record that the member followed until now: it is no heir. After a rewind it would take the member back at once.
    pub followed: Option<DirectoryUserId>,
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
        let ended = world.users.iter().filter(|user| user.has_ended() && touched(user.id));
        // A record that has ended may have got another address in this outcome, which somebody asked for in the same plan.
        let moved = ended.clone().filter_map(|user| {
            let before = user.member.as_ref()?;
            let after = self.members.get(&before.id)?;
            let moved = fold(before.own_address()) != fold(after.own_address()) && is_asked_for(user, after);
            moved.then_some((after, before))
        });
        let ended = ended.filter_map(|user| user.member.as_ref().filter(|member| is_asked_for(user, member)));
        let left = self.changed().filter(|(before, after)| {
            has_left(before, after) && {
                let user = after.directory_user.and_then(|record| world.user(record)).filter(|user| user.has_ended());
                user.is_none_or(|user| is_asked_for(user, before) || is_asked_for(user, after))
            }
        });
        let left = left.chain(self.changed().filter(|(before, after)| has_other_id(before, after)));
        // Someone who left before a worker looked is a member without access from the start.
        let left_before = self.created.iter().filter(|member| member.status == MemberStatus::Suspended);
        let left = left.flat_map(|(before, after)| [before, after].map(|member| (member, before)));
        let left = left.chain(left_before.map(|member| (member, member))).chain(moved);
        let departed = |member, before: &MemberState, just_now| {
            let followed = before.directory_user;
            Departed { member, followed, just_now }
        };
        let ended = ended.map(|member| departed(member, member, false));
        ended.chain(left.map(|(member, before)| departed(member, before, true))).collect()
    }
}

/// The member has no access any more, or nothing is held for them any more.
fn has_left(before: &MemberState, after: &MemberState) -> bool {
    let gone = |member: &MemberState| matches!(member.status, MemberStatus::Suspended | MemberStatus::Removed);
    gone(after) && (!gone(before) || (before.held && !after.held))
}

fn has_other_id(before: &MemberState, after: &MemberState) -> bool {
    before.profile.external_id != after.profile.external_id
}
