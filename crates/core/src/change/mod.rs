//! Changes: the effect of an applied item, and the inverse that takes it back.
//!
//! An applied item is recorded as a [`Change`]: the fields of its member, group or membership that differ, before and after.
//! Its inverse, a [`Step`], is the same change read backwards. A step is possible while those fields are as the item left
//! them and its address, name and record are free; otherwise it is [`Impossible`] for a named reason and the rest goes on. A
//! rewind is recorded the same way, so it can be taken back too.

mod step;

pub use step::{Step, StepKind};

use crate::directory::GroupState;
use crate::ids::{DirectoryGroupId, DirectoryUserId, MemberId, SharingGroupId, SourceId};
use crate::roster::{MemberState, MemberStatus, Profile, WaitingFor};
use crate::text_enum::text_enum;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

text_enum! {
    /// The reason why an item cannot be taken back.
    Impossible {
        /// A later run, or a person, changed the same fields.
        ChangedSince = "changed_since",
        /// The fields are as they were before already.
        AlreadyBack = "already_back",
        /// Another member has the address now.
        AddressTaken = "address_taken",
        /// Another sharing group has the name now.
        NameTaken = "name_taken",
        /// Another member or group follows the record now.
        RecordTaken = "record_taken",
        /// The group of a membership, or the member or group itself, does not exist any more.
        Gone = "gone",
        /// No seat is free for a returning member.
        NoSeat = "no_seat",
        /// The policy protects this member.
        ProtectedMember = "protected_member",
        /// An admin blocked the member.
        Blocked = "blocked",
        /// The member is an owner, admin or auditor, and no owner approved the rewind.
        PrivilegedMember = "privileged_member",
        /// No active admin would remain (DA7).
        LastAdmin = "last_active_admin",
        /// No active billing contact would remain (DA7).
        LastBillingContact = "last_billing_contact",
        /// The run is older than this ability, so the former state was not recorded.
        NotReversible = "not_reversible",
        /// Applying it failed for an unknown reason; the error is in the worker's log.
        Failed = "failed",
    }
}

/// The record, member or group that an item is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "id")]
pub enum Subject {
    DirectoryUser(DirectoryUserId),
    DirectoryGroup(DirectoryGroupId),
    Member(MemberId),
    SharingGroup(SharingGroupId),
}

impl Subject {
    /// The id, whatever it is of. Ids are in the order in which things were announced or made.
    pub const fn id(self) -> Uuid {
        match self {
            Self::DirectoryUser(id) => id.0,
            Self::DirectoryGroup(id) => id.0,
            Self::Member(id) => id.0,
            Self::SharingGroup(id) => id.0,
        }
    }

    /// The subject under which a member waits for a seat: their record, or the member who was invited by hand.
    pub fn of_waiting(member: &MemberState) -> Self {
        member.directory_user.map_or(Self::Member(member.id), Self::DirectoryUser)
    }
}

/// The managed fields of a member: runs change them and a rewind brings them back. Role and billing contact are not among
/// them, because no run changes those; memberships are items of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberFacts {
    pub status: MemberStatus,
    pub suspended_from: Option<MemberStatus>,
    pub waiting_for: Option<WaitingFor>,
    pub seated: bool,
    pub held: bool,
    #[serde(flatten)]
    pub profile: Profile,
    pub managed_by: Option<SourceId>,
    pub directory_user: Option<DirectoryUserId>,
}

impl MemberFacts {
    pub fn of(member: &MemberState) -> Self {
        Self {
            status: member.status,
            suspended_from: member.suspended_from,
            waiting_for: member.waiting_for,
            seated: member.seated,
            held: member.held,
            profile: member.profile.clone(),
            managed_by: member.managed_by,
            directory_user: member.directory_user,
        }
    }

    /// The member with these fields; role, billing contact, approval and block stay as they are.
    pub fn into_member(self, member: &MemberState) -> MemberState {
        MemberState {
            id: member.id,
            role: member.role,
            billing_contact: member.billing_contact,
            approval: member.approval,
            blocked_from: member.blocked_from,
            profile: self.profile,
            status: self.status,
            suspended_from: self.suspended_from,
            waiting_for: self.waiting_for,
            seated: self.seated,
            held: self.held,
            managed_by: self.managed_by,
            directory_user: self.directory_user,
            former_record: member.former_record,
        }
    }

    /// Would this let a member in, or let them wait for it?
    pub(crate) fn lets_in(&self) -> bool {
        let out = matches!(self.status, MemberStatus::Suspended | MemberStatus::Removed);
        !out || self.seated || self.held || self.waiting_for.is_some()
    }

    /// Is this a state that a member can have? A change that was mixed with a later one can produce a removed member with a
    /// seat, or an active one without.
    pub(crate) fn is_sound(&self) -> bool {
        let free = self.waiting_for.is_none() && !self.held;
        match self.status {
            MemberStatus::Invited | MemberStatus::Active => self.seated && free,
            MemberStatus::Removed => !self.seated && free,
            MemberStatus::Pending | MemberStatus::Suspended => true,
        }
    }
}

/// The managed fields of a sharing group. Its memberships are items of their own; those of a removed group stay on record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupFacts {
    pub name: String,
    pub managed_by: Option<SourceId>,
    /// The directory group that it follows, also when that is deleted.
    pub directory_group: Option<DirectoryGroupId>,
    pub removed: bool,
}

impl GroupFacts {
    /// The fields of a group that exists.
    pub fn of(group: &GroupState) -> Self {
        let (name, managed_by) = (group.name.clone(), group.managed_by);
        Self { name, managed_by, directory_group: group.tied_to, removed: false }
    }
}

/// The managed field of a membership.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inside {
    pub inside: bool,
}

/// The fields that one item changed. A member or group that the item made has nothing `before`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    pub before: Option<Map<String, Value>>,
    pub after: Map<String, Value>,
}

impl Change {
    /// The fields in which the two differ.
    pub fn between<T: Serialize>(before: &T, after: &T) -> Self {
        let (mut before, mut after) = (fields(before), fields(after));
        before.retain(|key, value| after.get(key) != Some(value));
        after.retain(|key, _| before.contains_key(key));
        Self { before: Some(before), after }
    }

    /// All fields of something new.
    pub fn made<T: Serialize>(after: &T) -> Self {
        Self { before: None, after: fields(after) }
    }

    pub(super) fn inverse(&self, target: Target) -> Option<Self> {
        match (&self.before, target) {
            (Some(before), _) => Some(Self { before: Some(self.after.clone()), after: before.clone() }),
            (None, Target::Member(_)) => {
                let made: MemberFacts = read(&self.after)?;
                let gone = MemberFacts {
                    status: MemberStatus::Removed,
                    suspended_from: made.suspended_from.or(Some(made.status)),
                    waiting_for: None,
                    seated: false,
                    held: false,
                    ..made.clone()
                };
                Some(Self::between(&made, &gone))
            }
            (None, Target::Group(_)) => {
                let made: GroupFacts = read(&self.after)?;
                Some(Self::between(&made, &GroupFacts { removed: true, ..made.clone() }))
            }
            (None, Target::Membership(..)) => None,
        }
    }

    /// The state after this change.
    ///
    /// # Errors
    /// The reason why the change does not fit the state.
    pub fn applied_to<T: Serialize + DeserializeOwned>(&self, state: &T) -> Result<T, Impossible> {
        let mut now = fields(state);
        let is_at = |there: &Map<String, Value>| there.iter().all(|(key, value)| now.get(key) == Some(value));
        if self.before.as_ref().is_none_or(|before| !is_at(before)) {
            return Err(if is_at(&self.after) { Impossible::AlreadyBack } else { Impossible::ChangedSince });
        }
        now.extend(self.after.clone());
        read(&now).ok_or(Impossible::NotReversible)
    }

    pub(super) fn field<T: DeserializeOwned>(side: Option<&Map<String, Value>>, key: &str) -> Option<T> {
        serde_json::from_value(side?.get(key)?.clone()).ok()
    }

    /// A field's value before and after, when it changes.
    pub(super) fn moves<T: DeserializeOwned>(&self, key: &str) -> Option<(T, T)> {
        Some((Self::field(self.before.as_ref(), key)?, Self::field(Some(&self.after), key)?))
    }
}

fn fields<T: Serialize>(value: &T) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

fn read<T: DeserializeOwned>(fields: &Map<String, Value>) -> Option<T> {
    serde_json::from_value(Value::Object(fields.clone())).ok()
}

/// The member, group or membership that an item changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    Member(MemberId),
    Group(SharingGroupId),
    Membership(SharingGroupId, MemberId),
}

impl Target {
    /// The member, or the member of the membership.
    pub const fn member(self) -> Option<MemberId> {
        match self {
            Self::Member(member) | Self::Membership(_, member) => Some(member),
            Self::Group(_) => None,
        }
    }

    /// The group, or the group of the membership.
    pub const fn group(self) -> Option<SharingGroupId> {
        match self {
            Self::Group(group) | Self::Membership(group, _) => Some(group),
            Self::Member(_) => None,
        }
    }
}

/// The recorded fields of one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Facts {
    Member(MemberFacts),
    Group(GroupFacts),
    Membership(Inside),
}

impl Facts {
    /// The difference between two states of a target; without a former state, it is new. A member never becomes a group.
    pub fn change(before: Option<&Self>, after: &Self) -> Change {
        match (before, after) {
            (Some(Self::Member(before)), Self::Member(after)) => Change::between(before, after),
            (Some(Self::Group(before)), Self::Group(after)) => Change::between(before, after),
            (Some(Self::Membership(before)), Self::Membership(after)) => Change::between(before, after),
            (_, Self::Member(after)) => Change::made(after),
            (_, Self::Group(after)) => Change::made(after),
            (_, Self::Membership(after)) => Change::made(after),
        }
    }
}

/// The record of an applied item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    pub subject: Subject,
    pub target: Target,
    pub change: Change,
}
