//! The world: everything that a plan, its review and its outcome may depend on, and the questions they ask of it.
//!
//! A world holds the touched subjects, the members and groups that these can meet, and a few counts. It never holds a
//! whole tenant, so the cost of a plan follows the number of changes.

use crate::action::{ActionKind, ItemKey};
use crate::change::{GroupFacts, Step, Subject};
use crate::digest::PlanDigest;
use crate::directory::{GroupState, GroupSubject, MembershipSubject, UserSubject};
use crate::hold_reason::HoldReason;
use crate::ids::{DirectoryGroupId, DirectoryUserId, MemberId, SharingGroupId, SourceId};
use crate::policy::Policy;
use crate::roster::MemberState;
use std::collections::{HashMap, HashSet};

/// The input of a plan.
#[derive(Clone, Debug, Default)]
pub struct World {
    pub policy: Policy,
    /// Policies of the sources that differ from the tenant's.
    pub source_policies: HashMap<SourceId, Policy>,
    /// Sorted by id.
    pub users: Vec<UserSubject>,
    /// Members by folded email, for every address that the users ask for.
    pub holders: HashMap<String, MemberState>,
    /// Sorted by id.
    pub groups: Vec<GroupSubject>,
    /// Sharing groups by folded name, for every name that the groups ask for.
    pub group_names: HashMap<String, GroupState>,
    pub memberships: Vec<MembershipSubject>,
    /// Losses and sizes of the sharing groups that may lose a member.
    pub group_standing: HashMap<SharingGroupId, GroupStanding>,
    /// The head of the waitlist in the policy's order; at least as many people as could get a seat.
    pub waiting: Vec<MemberState>,
    /// Items about the touched subjects that an admin released although a guard withheld them.
    pub approved: HashSet<ItemKey>,
    /// Those among them that an owner released although they change a privileged member, as they were then: an item with
    /// another effect is another item.
    pub approved_by_owner: HashMap<ItemKey, PlanDigest>,
    /// Items about the touched subjects that wait for an admin, with the reason.
    pub held: HashMap<ItemKey, HoldReason>,
    pub standing: Standing,
    /// The steps of a rewind; a plan for them is about nothing else.
    pub rewind: Rewind,
    /// The names of the members and groups of the memberships.
    pub names: Names,
    /// The source of these people would become the authority: a member of another source becomes theirs if a record
    /// matches (DX3). In the actual world members of other sources are left alone.
    pub takes_over: bool,
}

/// The counts that guards need. The lease holder maintains them, so that no query counts over the tenant.
#[derive(Clone, Debug, Default)]
pub struct Standing {
    pub seats_bought: u32,
    pub seats_used: u32,
    /// Managed members, without the removed ones.
    pub managed: u32,
    /// People who lost access in the policy's window, through any channel.
    pub removals_in_window: u32,
    /// Removals in the window that uploads of agents allowed beyond the limit (DA10).
    pub removals_allowed: u32,
    /// Members created in the window of the creation limit; 0 without a limit (PE8).
    pub creations_in_window: u32,
    /// Profiles changed in the window of the modification limit; 0 without a limit (PE8).
    pub modifications_in_window: u32,
    pub active_admins: HashSet<MemberId>,
    pub active_billing_contacts: HashSet<MemberId>,
}

/// Names that people know, for members and groups of which a world holds nothing else.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// The address and the display name.
    pub members: HashMap<MemberId, (String, Option<String>)>,
    pub groups: HashMap<SharingGroupId, String>,
}

/// People whom any group may lose in a window.
pub const GROUP_LOSSES_FREE: u32 = 9;

/// Losses and size of a sharing group. Only people with access count, because suspended and removed members have nothing to
/// lose. Numbers larger than what decides may be cut off there.
#[derive(Clone, Copy, Debug, Default)]
pub struct GroupStanding {
    /// People whom the group lost in the policy's window without an approval, and who are not back.
    pub lost: u32,
    /// People in the group now.
    pub inside: u32,
    /// People whom the source has in the group. Fewer than would remain after this plan means that more losses follow.
    pub wanted: u32,
}

impl GroupStanding {
    /// Would the group lose over half of its people, and at least ten?
    pub(crate) fn is_wiped_by(&self, leaving: u32) -> bool {
        let lost = self.lost.saturating_add(leaving);
        lost > GROUP_LOSSES_FREE && lost > self.inside.saturating_sub(leaving).min(self.wanted)
    }
}

/// The input of a rewind, or of a part of one.
#[derive(Clone, Debug, Default)]
pub struct Rewind {
    /// In reverse order of the items that they take back.
    pub steps: Vec<Step>,
    /// The steps may change privileged members: they are only being planned, or an owner approved them.
    pub reaches_privileged: bool,
    pub members: HashMap<MemberId, MemberState>,
    pub groups: HashMap<SharingGroupId, GroupFacts>,
    /// Memberships of the steps that exist now.
    pub memberships: HashSet<(SharingGroupId, MemberId)>,
    /// Members that follow the directory users of the steps now.
    pub linked_users: HashMap<DirectoryUserId, MemberId>,
    /// Members that followed the directory users of the steps before another record took over.
    pub former_members: Vec<MemberState>,
    /// Sharing groups that follow the directory groups of the steps now.
    pub linked_groups: HashMap<DirectoryGroupId, SharingGroupId>,
    /// Members that give up an address in another part of the same rewind.
    pub leaving_members: HashSet<MemberId>,
    /// Groups that give up a name in another part of the same rewind.
    pub leaving_groups: HashSet<SharingGroupId>,
}

impl World {
    /// A world with a policy and nothing else.
    ///
    /// # Errors
    /// Names the part of the policy that is invalid for a source.
    pub fn under(policy: Policy) -> Result<Self, String> {
        Ok(Self { source_policies: policy.by_source()?, policy, ..Self::default() })
    }

    /// The policy for a source's records.
    pub fn policy_of(&self, source: SourceId) -> &Policy {
        self.source_policies.get(&source).unwrap_or(&self.policy)
    }

    /// Every member in this world. A member can occur twice; the later one counts.
    pub fn members<'w>(&'w self) -> impl Iterator<Item = &'w MemberState> {
        let known = |user: &'w UserSubject| user.member.iter().chain(&user.returning);
        let touched = self.users.iter().flat_map(known).chain(self.former_members());
        self.holders.values().chain(touched).chain(&self.waiting).chain(self.rewind.members.values())
    }

    /// Members that followed a record of this world before another one took over.
    pub(crate) fn former_members(&self) -> impl Iterator<Item = &MemberState> {
        self.users.iter().filter_map(|user| user.former.as_ref()).chain(&self.rewind.former_members)
    }

    /// A person of this world.
    pub(crate) fn user(&self, id: DirectoryUserId) -> Option<&UserSubject> {
        self.users.binary_search_by_key(&id, |user| user.id).ok().map(|index| &self.users[index])
    }

    /// True if an admin has not decided yet about a departure of this record's person.
    pub(crate) fn holds_departure_of(&self, record: DirectoryUserId) -> bool {
        let leaving = [ActionKind::Suspend, ActionKind::ReleaseSeat, ActionKind::Remove];
        let key = |action| ItemKey::of(Subject::DirectoryUser(record), action);
        leaving.into_iter().any(|action| self.held.contains_key(&key(action)))
    }

    /// How many waiting people a plan could give a seat to: the free seats, and those that it may free itself.
    pub fn waiting_to_read(&self) -> usize {
        // Each person who leaves may free a seat, or be one of those who wait and have to be skipped.
        let leaving = |user: &&UserSubject| {
            let mut known = user.member.iter().chain(&user.returning);
            let counts = known.any(|member| member.seated || member.waiting_for.is_some());
            counts && !user.is_wanted()
        };
        // A member made by hand may turn out to have left.
        let by_hand = self.holders.values().filter(|holder| holder.seated && holder.managed_by.is_none());
        let released = self.users.iter().filter(leaving).count() + by_hand.count();
        let seats = self.policy.seats_at_most(self.standing.seats_bought);
        let free = seats.saturating_sub(self.standing.seats_used);
        usize::try_from(free).unwrap_or(usize::MAX).saturating_add(released)
    }

    pub(crate) fn group_standing_of(&self, group: SharingGroupId) -> GroupStanding {
        self.group_standing.get(&group).copied().unwrap_or_default()
    }

    /// True if this item is withheld whatever the rest of the plan is, because it was in an earlier draft of this plan
    /// (`beyond`), or is a new member or changed profile in a held run. No other item may count on it then.
    pub(crate) fn withholds_change(&self, beyond: &HashSet<ItemKey>, item: ItemKey) -> bool {
        if beyond.contains(&item) {
            return true;
        }
        let (limit, reason) = match item.action {
            ActionKind::Provision => (&self.policy.creation_limit, HoldReason::CreationOverLimit),
            ActionKind::UpdateProfile => (&self.policy.modification_limit, HoldReason::ModificationOverLimit),
            _ => return false,
        };
        let held = self.held.get(&item) == Some(&reason);
        limit.is_some() && held && !self.approved.contains(&item)
    }

    /// Is the removal of this group withheld, although its source deleted it? The group then keeps its name, too.
    pub(crate) fn withholds_group_removal(&self, item: ItemKey, group: SharingGroupId) -> bool {
        let standing = self.group_standing_of(group);
        let held = self.held.get(&item) == Some(&HoldReason::GroupWipe);
        let loses = standing.inside > 0 && (held || standing.is_wiped_by(standing.inside));
        loses && !self.approved.contains(&item)
    }
}
