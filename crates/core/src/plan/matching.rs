//! Matching: the member of a directory record, and the subject that may have an email address.
//!
//! Email is evidence, not identity (docs/design.md#matching). A linked record keeps its member whatever happens to the
//! address; an address moves only when its holder gives it up, in the same plan or before, or has no access any more
//! (docs/matching.md).

use super::claims::{Claim, Settled, Weight, settle};
use crate::action::{ActionKind, ItemKey};
use crate::change::Subject;
use crate::directory::{Dispute, PersonRecord, UserSubject};
use crate::email::{fold, strip_tombstone};
use crate::ids::MemberId;
use crate::policy::OnDeleted;
use crate::roster::{MemberState, MemberStatus};
use crate::world::World;
use std::collections::{HashMap, HashSet};

/// The member that matches a record.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Match<'w> {
    /// No member, and none is wanted.
    Nobody,
    /// The linked member.
    Linked(&'w MemberState),
    /// A member whose former record is deleted, or disabled while this one is active: the same person again.
    Returning(&'w MemberState),
    /// An unmanaged member with the same address (DX2).
    Adopted(&'w MemberState),
    /// A new person.
    New,
    Disputed(Dispute),
}

impl<'w> Match<'w> {
    /// The member that the record would be linked to now.
    fn gained(self) -> Option<&'w MemberState> {
        match self {
            Self::Returning(member) | Self::Adopted(member) => Some(member),
            _ => None,
        }
    }

    /// True if the match brings the person in with this record, which is possible only with its address.
    fn enters(self, user: &UserSubject) -> bool {
        match self {
            Self::New => true,
            Self::Linked(member) | Self::Returning(member) => user.lets_in(member) && !member.holds_address(),
            _ => false,
        }
    }

    /// An open invitation is bound to its address, so profile changes wait until it is accepted or ended (DX13). The
    /// invitation of a person who returns by another record has ended.
    pub(crate) fn is_frozen(self, world: &World) -> bool {
        match self {
            Self::Returning(member) => world.takes_over && member.status == MemberStatus::Invited,
            Self::Linked(member) | Self::Adopted(member) => member.status == MemberStatus::Invited,
            _ => false,
        }
    }
}

/// Result for one subject.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Matched<'w> {
    pub(crate) who: Match<'w>,
    /// The record's address can be given to that member now.
    pub(crate) address_free: bool,
    /// The member without access who gives the address up for it.
    pub(crate) takes_from: Option<&'w MemberState>,
}

impl<'w> Matched<'w> {
    /// The match with the members as they are after they gave up their addresses.
    pub(crate) fn with<'m>(self, given_up: &'m HashMap<MemberId, MemberState>) -> Matched<'m>
    where
        'w: 'm,
    {
        let now = |member: &'w MemberState| -> &'m MemberState { given_up.get(&member.id).unwrap_or(member) };
        let who = match self.who {
            Match::Linked(member) => Match::Linked(now(member)),
            other => other,
        };
        Matched { who, ..self }
    }
}

/// Matches every subject, in order. Subjects must be sorted by id: the earlier announced person wins a contested address.
/// Items in `beyond` will be withheld by a limit, so they take and give up no address.
pub(crate) fn match_users<'w>(world: &'w World, beyond: &HashSet<ItemKey>) -> Vec<Matched<'w>> {
    let evidence = Evidence::gather(world);
    let matches = world.users.iter().map(|subject| evidence.match_one(subject));
    let mut matched: Vec<Matched<'_>> =
        matches.map(|who| Matched { who, address_free: true, takes_from: None }).collect();
    evidence.refuse_shared_members(&mut matched);
    let settled = settle_claims(world, beyond, &matched);
    for subject in settled.refused {
        matched[subject].address_free = false;
        if matched[subject].who.enters(&world.users[subject]) {
            matched[subject].who = Match::Disputed(Dispute::EmailTaken);
        }
    }
    if !settled.given_way.is_empty() {
        let holders: HashMap<MemberId, &MemberState> =
            world.holders.values().map(|member| (member.id, member)).collect();
        for (subject, holder) in settled.given_way {
            matched[subject].takes_from = holders.get(&holder).copied();
        }
    }
    matched
}

/// Facts about the world's members beyond each one's own state.
struct Evidence<'w> {
    world: &'w World,
    /// Members whose record is gone.
    gone: HashSet<MemberId>,
    /// Members whose record asks for another address, and whether that record is of a live source.
    leaving: HashMap<MemberId, bool>,
}

impl<'w> Evidence<'w> {
    fn gather(world: &'w World) -> Self {
        let deleted = world.users.iter().filter(|subject| subject.record.is_none());
        let gone = deleted.filter_map(|subject| subject.member.as_ref()).map(|member| member.id).collect();
        let mut leaving = HashMap::new();
        for subject in &world.users {
            let returning = subject.returning.as_ref().filter(|member| may_return(world, subject, member));
            let who = match (&subject.member, returning) {
                (Some(member), _) => Match::Linked(member),
                (None, Some(member)) => Match::Returning(member),
                (None, None) => continue,
            };
            let Some(member) = subject.member.as_ref().or(returning) else { continue };
            let wanted = subject.record.as_ref().and_then(|record| wanted_email(record, Some(member)));
            if !who.is_frozen(world) && wanted.is_some_and(|email| fold(email) != fold(&member.profile.email)) {
                *leaving.entry(member.id).or_default() |= subject.origin.is_live();
            }
        }
        Self { world, gone, leaving }
    }

    fn match_one(&self, subject: &'w UserSubject) -> Match<'w> {
        match (&subject.member, &subject.record, &subject.returning) {
            (Some(member), _, _) => Match::Linked(member),
            (None, None, _) => Match::Nobody,
            (None, Some(record), _) if is_replaced(self.world, subject, record) => match record.active {
                true => Match::Disputed(Dispute::ExternalIdTaken),
                false => Match::Nobody,
            },
            (None, Some(_), Some(member)) if may_return(self.world, subject, member) => Match::Returning(member),
            (None, Some(_), Some(_)) => Match::Nobody,
            (None, Some(record), None) => self.match_by_email(subject, record),
        }
    }

    /// A person who was never active has no claim. But a record of an unmanaged member shows that they have left (DX14).
    fn match_by_email(&self, subject: &UserSubject, record: &PersonRecord) -> Match<'w> {
        let found = match wanted_email(record, None).map(fold) {
            Some(email) => self.holder_of(&email, subject, record),
            None => Match::Disputed(Dispute::NoEmail),
        };
        // A person who would be removed again at once is not provisioned.
        let stays = self.world.policy_of(subject.origin.source).on_disabled == OnDeleted::Suspend;
        let wanted = subject.in_scope && (record.active || (record.was_active && stays));
        let known = match found {
            // The scope limits the people whom this source may affect.
            Match::Adopted(_) => subject.in_scope,
            Match::Returning(_) => self.world.takes_over,
            _ => false,
        };
        if wanted || known { found } else { Match::Nobody }
    }

    fn holder_of(&self, email: &str, subject: &UserSubject, record: &PersonRecord) -> Match<'w> {
        match self.world.holders.get(email) {
            None => Match::New,
            // A simulated record displaces only other simulated ones.
            Some(holder) if self.leaving.get(&holder.id).is_some_and(|live| *live || !subject.origin.is_live()) => {
                Match::New
            }
            Some(holder) if holder.managed_by.is_none() && holder.directory_user.is_none() => {
                if self.world.policy_of(subject.origin.source).adopt_existing {
                    Match::Adopted(holder)
                } else {
                    Match::Disputed(Dispute::AdoptionOff)
                }
            }
            Some(holder) if self.is_taken_over(holder, subject) => Match::Returning(holder),
            Some(holder)
                if (holder.directory_user.is_none() || self.gone.contains(&holder.id))
                    && same_person(record, holder) =>
            {
                Match::Returning(holder)
            }
            Some(holder) if are_two_people(record, holder) && gives_way(self.world, subject, holder) => Match::New,
            Some(_) => Match::Disputed(Dispute::EmailTaken),
        }
    }

    /// The present authority has the person under this address too. External ids of two sources are not compared. But a
    /// person who left that source and has another external id may be somebody else with a re-issued address.
    fn is_taken_over(&self, holder: &MemberState, subject: &UserSubject) -> bool {
        let of_another = holder.managed_by.is_some_and(|source| source != subject.origin.source);
        self.world.takes_over && of_another && holder.directory_user.is_some()
    }

    /// Two records never get one member, and the ended record of a returning member gives it up. A live record goes
    /// before a simulated one, an external id before an address, the earlier announced before the later.
    fn refuse_shared_members(&self, matched: &mut [Matched<'w>]) {
        let users = &self.world.users;
        let mut order: Vec<usize> = (0..users.len()).filter(|index| matched[*index].who.gained().is_some()).collect();
        order.sort_by_key(|index| (!users[*index].origin.is_live(), users[*index].returning.is_none(), *index));
        let mut given: HashMap<MemberId, bool> = HashMap::new();
        for index in order {
            let subject = &users[index];
            // A record that lost the member of its external id may still match by address.
            let by_email =
                || subject.record.as_ref().map_or(Match::Nobody, |record| self.match_by_email(subject, record));
            let first = matched[index].who;
            let second = if subject.returning.is_some() { by_email() } else { first };
            let free = |who: &Match<'w>| who.gained().is_none_or(|member| !given.contains_key(&member.id));
            let who = [first, second].into_iter().find(free).unwrap_or(Match::Disputed(Dispute::EmailTaken));
            if let Some(member) = who.gained() {
                given.insert(member.id, subject.origin.is_live());
            }
            matched[index].who = who;
        }
        for (matched, user) in matched.iter_mut().zip(users) {
            if let Match::Linked(member) = matched.who
                && user.record.as_ref().is_none_or(|record| !record.active)
                && given.get(&member.id).is_some_and(|live| *live || !user.origin.is_live())
            {
                matched.who = Match::Nobody;
            }
        }
    }
}

/// A person out of scope does not return by a new record, because their source lost them with the former one. But a
/// member of another source becomes this source's by the record, and leaves by it. Only an active record replaces one that
/// is disabled.
fn may_return(world: &World, subject: &UserSubject, member: &MemberState) -> bool {
    let replaces = || followed_record(world, subject, member).is_none_or(|record| record.active);
    world.takes_over
        || member.directory_user == Some(subject.id)
        || (subject.in_scope && (subject.is_wanted() || replaces()))
}

/// The record that this member follows instead of the subject's own, if it exists at the source.
fn followed_record<'w>(world: &'w World, subject: &UserSubject, member: &MemberState) -> Option<&'w PersonRecord> {
    let followed = member.directory_user.filter(|id| *id != subject.id)?;
    world.user(followed)?.record.as_ref()
}

/// Another record of the same external id took the member over from this one and still rules: it is active, or both are
/// disabled.
fn is_replaced(world: &World, subject: &UserSubject, record: &PersonRecord) -> bool {
    let same = |member: &&MemberState| {
        let same_id = record.external_id.is_some() && record.external_id == member.profile.external_id;
        same_id && member.managed_by == Some(subject.origin.source)
    };
    let former = subject.former.as_ref().filter(same);
    let ruling = former.and_then(|member| followed_record(world, subject, member));
    ruling.is_some_and(|ruling| ruling.active || !subject.is_wanted())
}

/// The member who has this address gives it up for a person who is wanted: they have left and keep no right to it. An
/// admin, an auditor, a billing contact or a protected member never gives way, nor does anybody for whom a held item waits.
fn gives_way(world: &World, subject: &UserSubject, holder: &MemberState) -> bool {
    let has_left = holder.directory_user.is_none_or(|id| world.user(id).is_some_and(|user| !user.is_wanted()));
    let waits = holder.directory_user.is_some_and(|id| world.holds_departure_of(id));
    let counts = holder.role.is_privileged() || holder.billing_contact;
    let protected = world.policy.protected_members.contains(&holder.id);
    let wanted = subject.is_wanted() && subject.origin.is_live() && !world.takes_over;
    let of_same_source = holder.managed_by == Some(subject.origin.source);
    let rests = holder.status == MemberStatus::Suspended && holder.holds_address() && !holder.held;
    wanted && of_same_source && rests && has_left && !waits && !counts && !protected
}

/// Both have an external id, and the ids differ.
fn are_two_people(record: &PersonRecord, member: &MemberState) -> bool {
    record.external_id.is_some() && member.profile.external_id.is_some() && !same_person(record, member)
}

/// Two different external ids are two people, whatever the address is; a missing one decides nothing.
fn same_person(record: &PersonRecord, member: &MemberState) -> bool {
    match (&record.external_id, &member.profile.external_id) {
        (Some(left), Some(right)) => left == right,
        _ => true,
    }
}

/// Decides which subjects can have their address now.
fn settle_claims(world: &World, beyond: &HashSet<ItemKey>, matches: &[Matched<'_>]) -> Settled<MemberId> {
    let claim = |(subject, (user, matched)): (usize, (&UserSubject, &Matched<'_>))| {
        let record = user.record.as_ref()?;
        let (key, mover) = claimed(world, user, record, matched.who)?;
        let item = |action| ItemKey::of(Subject::DirectoryUser(user.id), action);
        let withheld = match (matched.who, mover) {
            (Match::New, _) => {
                let provision = item(ActionKind::Provision);
                let allowed = world.policy.auto_provision || world.approved.contains(&provision);
                !allowed || world.withholds_change(beyond, provision)
            }
            (_, Some(_)) => world.withholds_change(beyond, item(ActionKind::UpdateProfile)),
            // A removed member takes the former address again by returning.
            (_, None) => world.withholds_change(beyond, item(ActionKind::Restore)),
        };
        let weight = match (user.origin.is_live(), withheld) {
            (true, false) => Weight::Live,
            (true, true) => Weight::Withheld,
            (false, _) => Weight::Simulated,
        };
        Some(Claim { subject, key, mover, weight })
    };
    let claims = world.users.iter().zip(matches).enumerate().filter_map(claim).collect();
    let back: HashSet<MemberId> = matches.iter().filter_map(|matched| matched.who.gained()).map(|m| m.id).collect();
    let gives_way = |claim: &Claim<MemberId>, holder: MemberId| {
        let (user, who) = (&world.users[claim.subject], matches[claim.subject].who);
        // A member whom another record brings back keeps the address.
        let may = claim.weight == Weight::Live && !back.contains(&holder);
        let holder = world.holders.get(&claim.key).filter(|_| may);
        let stranger = |holder: &MemberState| match (who, &user.record) {
            (Match::New, Some(record)) => are_two_people(record, holder),
            _ => true,
        };
        holder.is_some_and(|holder| stranger(holder) && gives_way(world, user, holder))
    };
    settle(claims, &HashSet::new(), |email| world.holders.get(email).map(|holder| holder.id), gives_way)
}

/// The folded address that the match claims and its member does not have yet, and the member who gives up another one
/// by it.
fn claimed(
    world: &World,
    user: &UserSubject,
    record: &PersonRecord,
    who: Match<'_>,
) -> Option<(String, Option<MemberId>)> {
    match who {
        Match::New => Some((fold(wanted_email(record, None)?), None)),
        // The former address must be free for a return.
        Match::Linked(member) | Match::Returning(member) if !member.holds_address() => {
            let present = wanted_email(record, Some(member));
            let wanted = if user.lets_in(member) {
                present.or(Some(member.own_address()))
            } else {
                readdressed(present, member)
            };
            wanted.map(|email| (fold(email), None))
        }
        Match::Linked(member) | Match::Returning(member) if !who.is_frozen(world) => {
            let wanted = fold(wanted_email(record, Some(member))?);
            (wanted != fold(&member.profile.email)).then_some((wanted, Some(member.id)))
        }
        _ => None,
    }
}

/// The address that a member who gave one up has while they are out: the record's present one, if it is another.
pub(super) fn readdressed<'r>(present: Option<&'r str>, member: &MemberState) -> Option<&'r str> {
    let given_up = member.gave_up().filter(|_| member.status != MemberStatus::Removed)?;
    present.filter(|email| fold(email) != fold(given_up))
}

/// The address of a record, in the source's spelling. Entra's name for a soft-deleted person, 32 hexadecimal digits
/// before the former name, is no address on a disabled record or on the record of the member with that name. A person
/// who was active and is not a member yet becomes one under the former name.
pub(crate) fn wanted_email<'r>(record: &'r PersonRecord, member: Option<&MemberState>) -> Option<&'r str> {
    let email = record.email.as_deref().filter(|email| !fold(email).is_empty())?;
    match (strip_tombstone(email), member) {
        (Some(former), None) if !record.active => record.was_active.then_some(former),
        (Some(former), Some(member)) if !record.active || fold(member.own_address()) == fold(former) => None,
        _ => Some(email),
    }
}
