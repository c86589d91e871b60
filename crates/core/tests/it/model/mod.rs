//! A hub in memory: a directory, a roster, and the changes between them. It reads worlds as `rollcall-store` reads them, and
//! plans, reviews and plays them with the functions of `rollcall-core` that the worker runs; only the tables are its own. So
//! a history of a thousand runs takes milliseconds.

mod apply;
mod blocks;
mod by_hand;
mod read;
mod rewind;

use rollcall_core::action::{Item, ItemKey};
use rollcall_core::change::{Impossible, Recorded, Subject};
use rollcall_core::digest::PlanDigest;
use rollcall_core::directory::{Dispute, PersonRecord, SourceMode};
use rollcall_core::guard::{Verdict, review};
use rollcall_core::hold_reason::HoldReason;
use rollcall_core::ids::{DirectoryGroupId, DirectoryUserId, MemberId, SharingGroupId, SourceId};
use rollcall_core::plan::plan;
use rollcall_core::policy::{Onboarding, Policy};
use rollcall_core::roster::{Approval, MemberState, MemberStatus, Profile, Role};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use uuid::Uuid;

/// Subject of a change mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Touch {
    User(DirectoryUserId),
    Group(DirectoryGroupId),
    Membership(DirectoryGroupId, DirectoryUserId),
    Tenant,
}

#[derive(Clone, Debug)]
pub(crate) struct DirectoryUser {
    pub(crate) source: SourceId,
    pub(crate) record: Option<PersonRecord>,
    pub(crate) unmapped: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct DirectoryGroup {
    pub(crate) source: SourceId,
    pub(crate) name: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SharingGroup {
    pub(crate) name: String,
    pub(crate) managed_by: Option<SourceId>,
    pub(crate) directory_group: Option<DirectoryGroupId>,
    pub(crate) removed: bool,
}

/// Result of one run.
#[derive(Debug, Default)]
pub(crate) struct RunReport {
    pub(crate) applied: Vec<Item>,
    pub(crate) withheld: Vec<(Item, HoldReason)>,
    /// The recorded change of each applied item.
    pub(crate) recorded: Vec<Recorded>,
    pub(crate) impossible: Vec<(Uuid, Impossible)>,
}

impl RunReport {
    pub(crate) fn reasons(&self) -> Vec<HoldReason> {
        self.withheld.iter().map(|(_, reason)| *reason).collect()
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Hub {
    pub(crate) policy: Policy,
    pub(crate) seats: u32,
    pub(crate) modes: BTreeMap<SourceId, SourceMode>,
    pub(crate) quarantined: BTreeSet<SourceId>,
    pub(crate) users: BTreeMap<DirectoryUserId, DirectoryUser>,
    pub(crate) groups: BTreeMap<DirectoryGroupId, DirectoryGroup>,
    pub(crate) memberships: BTreeSet<(DirectoryGroupId, DirectoryUserId)>,
    pub(crate) members: BTreeMap<MemberId, MemberState>,
    pub(crate) sharing_groups: BTreeMap<SharingGroupId, SharingGroup>,
    pub(crate) group_members: BTreeSet<(SharingGroupId, MemberId)>,
    pub(crate) disputes: BTreeMap<Subject, (Dispute, String)>,
    pub(crate) changes: VecDeque<Touch>,
    /// The counts that the lease holder keeps; never counted over the tenant.
    pub(crate) seats_used: i64,
    pub(crate) managed: i64,
    pub(crate) removals_in_window: u32,
    pub(crate) creations_in_window: u32,
    pub(crate) modifications_in_window: u32,
    /// People whom sharing groups lost in the window.
    pub(crate) group_losses: BTreeSet<(SharingGroupId, MemberId)>,
    /// Items that wait for an admin, and items that an admin released.
    pub(crate) held: HashMap<ItemKey, HoldReason>,
    pub(crate) approved: HashSet<ItemKey>,
    /// Digests of the held items, and of those about owners and admins that an owner released.
    pub(crate) held_digests: HashMap<ItemKey, PlanDigest>,
    pub(crate) approved_by_owner: HashMap<ItemKey, PlanDigest>,
    /// Decisions come by the key of an admin, who has no say about owners and admins.
    pub(crate) no_owner: bool,
    /// An owner agrees at once to what a source asks of owners and admins, so that a case is about the other guards.
    pub(crate) owner_agrees: bool,
    /// People of the waitlist in one read.
    pub(crate) waiting_max: usize,
    ids: u128,
}

/// The one source of most cases.
pub(crate) fn scim() -> SourceId {
    Uuid::from_u128(1).into()
}

/// An active person with an address and no other attribute.
pub(crate) fn record(email: &str) -> PersonRecord {
    PersonRecord {
        email: Some(email.to_owned()),
        external_id: None,
        display_name: None,
        given_name: None,
        family_name: None,
        active: true,
        was_active: false,
    }
}

/// Variations of a record, to be chained.
pub(crate) trait Vary {
    fn anchored(self, external_id: &str) -> Self;
    fn named(self, display_name: &str) -> Self;
}

impl Vary for PersonRecord {
    fn anchored(self, external_id: &str) -> Self {
        Self { external_id: Some(external_id.to_owned()), ..self }
    }

    fn named(self, display_name: &str) -> Self {
        Self { display_name: Some(display_name.to_owned()), ..self }
    }
}

impl Hub {
    /// A tenant whose members are active at once, so that no case has to accept invitations first.
    pub(crate) fn new() -> Self {
        let policy = Policy { onboarding: Onboarding::Federated, ..Policy::default() };
        let modes = BTreeMap::from([(scim(), SourceMode::Live)]);
        Self { policy, seats: 1_000, modes, waiting_max: 500, ..Self::default() }
    }

    pub(crate) fn new_id<T: From<Uuid>>(&mut self) -> T {
        T::from(Self::next_id(&mut self.ids))
    }

    /// Ids grow, so that members and records sort in the order in which they were made.
    fn next_id(ids: &mut u128) -> Uuid {
        *ids += 1;
        Uuid::from_u128(0x1000 + *ids)
    }

    /// A member made by hand.
    pub(crate) fn unmanaged(&mut self, email: &str, role: Role) -> MemberId {
        let id = self.new_id();
        self.seats_used += 1;
        let member = MemberState {
            id,
            profile: Profile { email: email.to_owned(), ..Profile::default() },
            status: MemberStatus::Active,
            role,
            billing_contact: false,
            managed_by: None,
            directory_user: None,
            former_record: None,
            suspended_from: None,
            waiting_for: None,
            approval: None,
            blocked_from: None,
            seated: true,
            held: false,
        };
        self.members.insert(id, member);
        id
    }

    pub(crate) fn create_user(&mut self, record: PersonRecord) -> DirectoryUserId {
        self.create_user_of(scim(), record)
    }

    pub(crate) fn create_user_of(&mut self, source: SourceId, record: PersonRecord) -> DirectoryUserId {
        let id = self.new_id();
        let record = PersonRecord { was_active: record.active, ..record };
        self.users.insert(id, DirectoryUser { source, record: Some(record), unmapped: None });
        self.changes.push_back(Touch::User(id));
        id
    }

    /// Replaces a live record; a deleted one stays deleted.
    pub(crate) fn set_user(&mut self, id: DirectoryUserId, record: PersonRecord) {
        let Some(user) = self.users.get_mut(&id).filter(|user| user.record.is_some()) else { return };
        let was_active = record.active || user.record.as_ref().is_some_and(|before| before.was_active);
        user.record = Some(PersonRecord { was_active, ..record });
        self.changes.push_back(Touch::User(id));
    }

    pub(crate) fn edit_user(&mut self, id: DirectoryUserId, edit: impl FnOnce(&mut PersonRecord)) {
        let Some(mut record) = self.users[&id].record.clone() else { return };
        edit(&mut record);
        self.set_user(id, record);
    }

    pub(crate) fn delete_user(&mut self, id: DirectoryUserId) {
        let Some(user) = self.users.get_mut(&id).filter(|user| user.record.is_some()) else { return };
        user.record = None;
        self.memberships.retain(|(_, user)| *user != id);
        self.changes.push_back(Touch::User(id));
    }

    pub(crate) fn create_group(&mut self, name: &str) -> DirectoryGroupId {
        self.create_group_of(scim(), name)
    }

    pub(crate) fn create_group_of(&mut self, source: SourceId, name: &str) -> DirectoryGroupId {
        let id = self.new_id();
        self.groups.insert(id, DirectoryGroup { source, name: Some(name.to_owned()) });
        self.changes.push_back(Touch::Group(id));
        id
    }

    pub(crate) fn rename_group(&mut self, id: DirectoryGroupId, name: &str) {
        let Some(group) = self.groups.get_mut(&id).filter(|group| group.name.is_some()) else { return };
        group.name = Some(name.to_owned());
        self.changes.push_back(Touch::Group(id));
    }

    pub(crate) fn delete_group(&mut self, id: DirectoryGroupId) {
        let Some(group) = self.groups.get_mut(&id).filter(|group| group.name.is_some()) else { return };
        group.name = None;
        let left = self.memberships.iter().filter(|(group, _)| *group == id);
        self.changes.extend(left.map(|(group, user)| Touch::Membership(*group, *user)));
        self.memberships.retain(|(group, _)| *group != id);
        self.changes.push_back(Touch::Group(id));
    }

    /// Adds a person to a group at the source, or removes them.
    pub(crate) fn set_membership(&mut self, group: DirectoryGroupId, user: DirectoryUserId, inside: bool) {
        let live = self.users[&user].record.is_some() && self.groups[&group].name.is_some();
        if !live {
            return;
        }
        let changed =
            if inside { self.memberships.insert((group, user)) } else { self.memberships.remove(&(group, user)) };
        if changed {
            self.changes.push_back(Touch::Membership(group, user));
        }
    }

    pub(crate) fn set_seats(&mut self, seats: u32) {
        self.seats = seats;
        self.changes.push_back(Touch::Tenant);
    }

    /// The product reports that an invited person accepted.
    pub(crate) fn accept(&mut self, id: MemberId) {
        let Some(member) = self.members.get_mut(&id).filter(|m| m.status == MemberStatus::Invited) else { return };
        member.status = MemberStatus::Active;
        if let Some(user) = member.directory_user {
            self.changes.push_back(Touch::User(user));
        }
    }

    /// The guards' window passes.
    pub(crate) fn pass_window(&mut self) {
        (self.removals_in_window, self.creations_in_window, self.modifications_in_window) = (0, 0, 0);
        self.group_losses.clear();
    }

    /// An owner releases all held items, or an admin those that are not an owner's to decide.
    pub(crate) fn approve(&mut self) {
        let no_owner = self.no_owner;
        for (key, reason) in self.held.extract_if(|_, reason| !(no_owner && reason.is_for_owner())) {
            self.approved.insert(key);
            if reason.is_for_owner() {
                self.approved_by_owner.insert(key, self.held_digests[&key]);
            }
        }
        self.touch_everything();
    }

    /// An admin decides about a pending member (LP5).
    pub(crate) fn decide(&mut self, id: MemberId, approval: Approval) {
        let Some(member) = self.members.get_mut(&id).filter(|m| m.status == MemberStatus::Pending) else { return };
        member.approval = Some(approval);
        self.changes.extend(member.directory_user.map(Touch::User));
    }

    /// One run over these subjects.
    pub(crate) fn reconcile(&mut self, touched: &[Touch]) -> RunReport {
        let mut world = self.read(touched);
        let more_wait = self.read_waiting(&mut world);
        let plan = plan(&world);
        if self.owner_agrees {
            let digest = |item: &Item| (item.key(), item.digest().expect("an item is JSON"));
            world.approved_by_owner = plan.items.iter().map(digest).collect();
        }
        let mut verdict: Verdict = review(plan, &world);
        let disputed = std::mem::take(&mut verdict.disputed);
        self.seats += verdict.seats_grown;
        let (applied, withheld) = (verdict.apply.clone(), verdict.withheld.clone());
        let recorded = self.apply(&world, touched, disputed, verdict);
        if more_wait && i64::from(self.policy.seats_at_most(self.seats)) > self.seats_used {
            self.changes.push_back(Touch::Tenant);
        }
        self.check();
        RunReport { applied, withheld, recorded, impossible: Vec::new() }
    }

    /// Runs over all changes at once, then over their follow-ups, until none is left.
    pub(crate) fn settle(&mut self) -> RunReport {
        self.settle_in_chunks(&mut |waiting| waiting)
    }

    /// Runs until no change is left, in chunks; `size` gets the number of waiting changes.
    pub(crate) fn settle_in_chunks(&mut self, size: &mut dyn FnMut(usize) -> usize) -> RunReport {
        let mut all = RunReport::default();
        for _ in 0..10_000 {
            if self.changes.is_empty() {
                return all;
            }
            let size = size(self.changes.len()).clamp(1, self.changes.len());
            let touched: Vec<Touch> = self.changes.drain(..size).collect();
            let mut outcome = self.reconcile(&touched);
            all.applied.append(&mut outcome.applied);
            all.withheld.append(&mut outcome.withheld);
            all.recorded.append(&mut outcome.recorded);
        }
        panic!("the hub does not come to rest: {:?}", self.changes);
    }

    /// Touches the whole directory, and every membership of a person with a live record.
    pub(crate) fn touch_everything(&mut self) {
        self.changes.extend(self.users.keys().map(|id| Touch::User(*id)));
        self.changes.extend(self.groups.keys().map(|id| Touch::Group(*id)));
        let of_roster = self.group_members.iter().filter_map(|pair| self.membership_of(*pair));
        let has_record = |touch: &Touch| match touch {
            Touch::Membership(_, user) => self.users[user].record.is_some(),
            _ => true,
        };
        let of_roster: Vec<Touch> = of_roster.filter(has_record).collect();
        self.changes.extend(self.memberships.iter().map(|(group, user)| Touch::Membership(*group, *user)));
        self.changes.extend(of_roster);
        self.changes.push_back(Touch::Tenant);
    }

    fn membership_of(&self, (group, member): (SharingGroupId, MemberId)) -> Option<Touch> {
        let user = self.members[&member].directory_user?;
        Some(Touch::Membership(self.sharing_groups[&group].directory_group?, user))
    }

    /// The member that a record is linked to.
    pub(crate) fn member_of(&self, user: DirectoryUserId) -> Option<&MemberState> {
        self.members.values().find(|member| member.directory_user == Some(user))
    }
}
