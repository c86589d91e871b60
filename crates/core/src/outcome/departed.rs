//! Members who left. Another record may ask for their address, or have their external id, so it is planned again.

use super::Outcome;
use crate::action::Disputed;
use crate::change::Subject;
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
        // A record may be in dispute about its address, and be the same person as the member all the same.
        let ids = disputed.iter().filter_map(|disputed| match disputed.subject {
            Subject::DirectoryUser(user) => world.user(user)?.record.as_ref()?.external_id.as_deref(),
            _ => None,
        });
        let ids: HashSet<&str> = ids.collect();
        let disputed: HashSet<&str> = disputed.iter().map(|disputed| disputed.about.as_str()).collect();
        let in_dispute = |member: &MemberState| {
            let same_id = || member.profile.external_id.as_deref().is_some_and(|id| ids.contains(id));
            !disputed.is_empty() && (same_id() || disputed.contains(fold(member.own_address()).as_str()))
        };
        let is_asked_for = |user: &UserSubject, member: &MemberState| user.contested || in_dispute(member);
        let ended = world.users.iter().filter(|user| user.has_ended() && touched(user.id));
        let ended = ended.filter_map(|user| user.member.as_ref().filter(|member| is_asked_for(user, member)));
        // Any change of a member who is out may let go of what the same plan refused to somebody else: the departure, another
        // address, a link to another record.
        let left = self.changed().filter(|(before, after)| {
            let user = after.directory_user.and_then(|record| world.user(record)).filter(|user| user.has_ended());
            let asked = user.is_some_and(|user| user.contested) || in_dispute(before) || in_dispute(after);
            is_out(after) && (asked || (user.is_none() && has_left(before, after)))
        });
        let left = left.chain(self.changed().filter(|(before, after)| has_other_id(before, after)));
        // Someone who left before a worker looked is a member without access from the start.
        let left_before = self.created.iter().filter(|member| member.status == MemberStatus::Suspended);
        let left = left.flat_map(|(before, after)| [before, after].map(|member| (member, before)));
        let left = left.chain(left_before.map(|member| (member, member)));
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
    is_out(after) && (!is_out(before) || (before.held && !after.held))
}

fn is_out(member: &MemberState) -> bool {
    matches!(member.status, MemberStatus::Suspended | MemberStatus::Removed)
}

fn has_other_id(before: &MemberState, after: &MemberState) -> bool {
    before.profile.external_id != after.profile.external_id
}
