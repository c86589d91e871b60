//! Who is who: which member a directory record means, and who may have an email address.
//!
//! Email is evidence, not identity (design §3). A record that is linked keeps its member whatever happens to the
//! address; an address moves only when its holder lets go of it, in the same plan or before.

use crate::directory::{Dispute, PersonRecord, UserSubject};
use crate::email::fold;
use crate::ids::MemberId;
use crate::plan::World;
use crate::roster::{MemberState, MemberStatus};
use std::collections::HashSet;
use std::hash::Hash;

/// The member a record means.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Match<'w> {
    /// Nobody, and nobody is wanted.
    Nobody,
    /// The member it was linked to all along.
    Linked(&'w MemberState),
    /// A member whose former record is gone: the same person again.
    Returning(&'w MemberState),
    /// A member made by hand with the same address (DX2).
    Adopted(&'w MemberState),
    /// A new person.
    New,
    Disputed(Dispute),
}

impl<'w> Match<'w> {
    /// The member whose address the record's address will replace.
    fn mover(self) -> Option<&'w MemberState> {
        match self {
            Self::Linked(member) | Self::Returning(member) => Some(member),
            _ => None,
        }
    }
}

/// One subject's answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matched<'w> {
    pub(crate) who: Match<'w>,
    /// The record's address may be given to that member now.
    pub(crate) address_free: bool,
}

/// Matches every subject, in order. Subjects must be sorted by id: the earlier announced person wins a contested address.
pub(crate) fn match_users(world: &World) -> Vec<Matched<'_>> {
    let gone = records_gone(world);
    let leaving = may_leave(world);
    let matches = world.users.iter().map(|subject| match_one(world, subject, &gone, &leaving));
    let mut matched: Vec<Matched<'_>> = matches.map(|who| Matched { who, address_free: true }).collect();
    refuse_shared_members(&mut matched, &world.users);
    for subject in refused_claims(world, &matched) {
        matched[subject].address_free = false;
        if matches!(matched[subject].who, Match::New) {
            matched[subject].who = Match::Disputed(Dispute::EmailTaken);
        }
    }
    matched
}

/// Two records never get one member: the earlier announced one gets it, and the gone record it comes from lets it go.
fn refuse_shared_members(matched: &mut [Matched<'_>], users: &[UserSubject]) {
    let mut given: HashSet<MemberId> = HashSet::new();
    for matched in matched.iter_mut() {
        if let Match::Returning(member) | Match::Adopted(member) = matched.who
            && !given.insert(member.id)
        {
            matched.who = Match::Disputed(Dispute::EmailTaken);
        }
    }
    for (matched, user) in matched.iter_mut().zip(users) {
        if let Match::Linked(member) = matched.who
            && user.record.is_none()
            && given.contains(&member.id)
        {
            matched.who = Match::Nobody;
        }
    }
}

fn records_gone(world: &World) -> HashSet<MemberId> {
    let deleted = world.users.iter().filter(|subject| subject.record.is_none());
    deleted.filter_map(|subject| subject.member.as_ref()).map(|member| member.id).collect()
}

/// Members whose own record in this world asks for another address.
fn may_leave(world: &World) -> HashSet<MemberId> {
    let wanting = world.users.iter().filter_map(|subject| {
        let member = subject.member.as_ref().or(subject.returning.as_ref())?;
        let email = subject.record.as_ref().and_then(wanted_email)?;
        (takes_updates(member) && email != fold(&member.profile.email)).then_some(member.id)
    });
    wanting.collect()
}

fn match_one<'w>(
    world: &'w World,
    subject: &'w UserSubject,
    gone: &HashSet<MemberId>,
    leaving: &HashSet<MemberId>,
) -> Match<'w> {
    if let Some(member) = &subject.member {
        return Match::Linked(member);
    }
    let Some(record) = &subject.record else { return Match::Nobody };
    if let Some(member) = &subject.returning {
        return Match::Returning(member);
    }
    let Some(email) = wanted_email(record) else {
        return if record.active { Match::Disputed(Dispute::NoEmail) } else { Match::Nobody };
    };
    match world.holders.get(&email) {
        None => Match::New,
        Some(holder) if leaving.contains(&holder.id) => Match::New,
        Some(holder) if holder.managed_by.is_none() && holder.directory_user.is_none() => {
            if world.policy.adopt_existing { Match::Adopted(holder) } else { Match::Disputed(Dispute::AdoptionOff) }
        }
        Some(holder) if holder.directory_user.is_none() || gone.contains(&holder.id) => {
            if same_person(record, holder) { Match::Returning(holder) } else { Match::Disputed(Dispute::EmailTaken) }
        }
        Some(_) => Match::Disputed(Dispute::EmailTaken),
    }
}

/// Two different external ids are two people, whatever the address says; one that is missing says nothing.
fn same_person(record: &PersonRecord, member: &MemberState) -> bool {
    match (&record.external_id, &member.profile.external_id) {
        (Some(left), Some(right)) => left == right,
        _ => true,
    }
}

/// Subjects whose wanted address cannot be theirs now.
fn refused_claims(world: &World, matches: &[Matched<'_>]) -> Vec<usize> {
    let mut claims = Vec::new();
    for (subject, (user, matched)) in world.users.iter().zip(matches).enumerate() {
        let claiming = match matched.who {
            Match::New => true,
            Match::Linked(member) | Match::Returning(member) => takes_updates(member),
            Match::Nobody | Match::Adopted(_) | Match::Disputed(_) => false,
        };
        let Some(key) = user.record.as_ref().and_then(wanted_email).filter(|_| claiming) else { continue };
        let mover = matched.who.mover();
        if mover.is_none_or(|m| fold(&m.profile.email) != key || m.status == MemberStatus::Removed) {
            claims.push(Claim { subject, key, mover: mover.map(|m| m.id) });
        }
    }
    refused(claims, |email| world.holders.get(email).map(|holder| holder.id))
}

/// A unique text (an address, a name) that a subject wants and does not have yet.
pub(crate) struct Claim<Owner> {
    /// The subject's place in its list; the earlier announced one wins a contested text.
    pub(crate) subject: usize,
    pub(crate) key: String,
    /// Who gives up another text by this claim.
    pub(crate) mover: Option<Owner>,
}

/// The subjects whose text is held by somebody who does not let go of it, or was claimed by an earlier subject.
/// All claims start as granted; refusing one may strand another, so it repeats until nothing changes: a swap and a
/// longer cycle stay granted as a whole.
pub(crate) fn refused<Owner: Copy + Eq + Hash>(
    mut claims: Vec<Claim<Owner>>,
    holder: impl Fn(&str) -> Option<Owner>,
) -> Vec<usize> {
    let mut refused = Vec::new();
    loop {
        let leaving: HashSet<Owner> = claims.iter().filter_map(|claim| claim.mover).collect();
        let mut taken: HashSet<&str> = HashSet::new();
        let blocked = claims.iter().position(|claim| {
            let free = holder(&claim.key).is_none_or(|owner| claim.mover == Some(owner) || leaving.contains(&owner));
            !free || !taken.insert(&claim.key)
        });
        match blocked {
            Some(index) => refused.push(claims.remove(index).subject),
            None => return refused,
        }
    }
}

/// Profile changes reach everybody but those who have an open invitation (DX13).
pub(crate) fn takes_updates(member: &MemberState) -> bool {
    member.status != MemberStatus::Invited && member.suspended_from != Some(MemberStatus::Invited)
}

pub(crate) fn wanted_email(record: &PersonRecord) -> Option<String> {
    record.email.as_deref().map(fold).filter(|email| !email.is_empty())
}
