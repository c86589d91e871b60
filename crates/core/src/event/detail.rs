//! Details: the data of an audit event beside its kind and subject. Each serialises to the event's `detail`.

use crate::action::Why;
use crate::change::{GroupFacts, MemberFacts};
use crate::directory::{PeopleAfter, SourceKind, SourceMode, SourceSettings};
use crate::event::sign_in::ByRules;
use crate::ids::{
    CredentialId, DirectoryGroupId, DirectoryUserId, MemberId, RunId, SharingGroupId, SignInConnectionId, SourceId,
};
use crate::permission::Permissions;
use crate::policy::Policy;
use crate::roster::{Approval, MemberStatus, Profile, Role};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value as Json};
use std::collections::{BTreeMap, BTreeSet};

/// No detail: the kind and the subject suffice, and `detail` is null.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct NoDetail;

/// A value before and after the event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference<T> {
    pub before: T,
    pub after: T,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TenantCreated {
    pub name: String,
    pub slug: String,
    pub seats: u32,
    pub policy: Policy,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TenantNames {
    pub name: String,
    pub slug: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SeatsChanged {
    pub seats: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SeatsGrown {
    pub before: u32,
    pub after: u32,
    pub seat_cap: Option<u32>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PolicyChanged {
    pub before: Policy,
    pub after: Policy,
    pub version: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceCreated {
    pub kind: SourceKind,
    pub mode: SourceMode,
    pub name: String,
    #[serde(flatten)]
    pub settings: SourceSettings,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceName {
    pub name: String,
}

/// A deleted source as it was stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceDeleted {
    pub kind: String,
    pub mode: String,
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceModeChanged {
    /// As stored.
    pub before: String,
    pub after: SourceMode,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourcePromoted {
    /// The source that was the authority.
    pub former: Option<SourceId>,
    pub digest: String,
    pub run_id: Option<RunId>,
    pub members: i64,
    pub groups: i64,
    pub leaving: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceQuarantined {
    pub reason: String,
    pub held: i64,
    pub allowed: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceReleased {
    pub since: DateTime<Utc>,
    pub reason: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceDetached {
    pub people: PeopleAfter,
    pub members: i64,
    pub groups: i64,
    pub digest: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CredentialCreated {
    pub kind: &'static str,
    pub prefix: String,
    pub source_id: Option<SourceId>,
    pub role: Option<Role>,
    /// Only an API key has them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Permissions>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CredentialRotated {
    pub replaced_by: CredentialId,
    pub expires_at: DateTime<Utc>,
}

/// The part of a user's record in the log: the identity, and `active`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DirectoryUserDetail {
    pub user_name: String,
    pub external_id: Option<String>,
    pub email: Option<String>,
    pub display_name: Option<String>,
    pub active: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DirectoryGroupDetail {
    pub display_name: String,
    pub external_id: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DirectoryMembershipDetail {
    pub user_id: DirectoryUserId,
}

/// The owner of a new tenant, or a person who came by the rules of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MemberCreated {
    pub email: String,
    pub role: Role,
    pub billing_contact: bool,
    #[serde(flatten)]
    pub by: Option<ByRules>,
}

/// A decision about a pending member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MemberDecided {
    /// As stored.
    pub before: Option<String>,
    pub after: Approval,
    /// As stored.
    pub waiting_for: Option<String>,
}

/// The link of a member to a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MemberLink {
    pub directory_user_id: Option<DirectoryUserId>,
    pub external_id: Option<String>,
    /// Absent for events that never had it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Option<SourceId>>,
}

/// A change of a member. One kind can have several causes, each with its own fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum MemberDetail {
    /// A record made the member.
    Provisioned {
        after: Profile,
        why: Why,
    },
    /// The status changed, for instance because the person accepted the invitation.
    Status {
        from: MemberStatus,
        to: MemberStatus,
    },
    /// A rewind changed the status.
    StatusTakenBack {
        from: MemberStatus,
        to: MemberStatus,
        why: Why,
    },
    Suspended {
        from: MemberStatus,
        why: Why,
        seat_released: bool,
    },
    Removed {
        from: MemberStatus,
        why: Why,
    },
    /// An admin shut the member out.
    Blocked {
        from: MemberStatus,
        seat_released: bool,
    },
    /// An admin lifted the block; a managed member comes in by a later change.
    Unblocked {
        to: MemberStatus,
        seat_taken: bool,
    },
    Linked {
        before: MemberLink,
        after: MemberLink,
        why: Why,
    },
    /// The record changed the profile.
    Profile(Difference<Profile>),
    /// The address went to the person of this record.
    AddressGivenOn {
        before: Profile,
        after: Profile,
        why: Why,
        directory_user_id: Option<DirectoryUserId>,
    },
    /// An admin invited the person, who gets this once a seat is theirs.
    InvitedByHand {
        after: Profile,
        role: Role,
        billing_contact: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// The invitation goes out again; `repeats` counts how often it did.
    InvitedAgain {
        repeats: u32,
        #[serde(skip_serializing_if = "Option::is_none")]
        message: Option<String>,
    },
    /// An admin changed these fields.
    Fields(Difference<Map<String, Json>>),
    /// A sign-in changed these fields, as the rules of its connection say.
    Ruled {
        #[serde(flatten)]
        difference: Difference<Map<String, Json>>,
        #[serde(flatten)]
        by: ByRules,
    },
    /// A rewind changed fields other than the status.
    TakenBack {
        before: Box<MemberFacts>,
        after: Box<MemberFacts>,
        why: Why,
    },
    Because {
        why: Why,
    },
    Nothing {},
}

/// An export, with its filters: null for the value of one that may name a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExportMade {
    pub list: &'static str,
    pub format: &'static str,
    pub filters: BTreeMap<String, Option<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceWipe {
    pub why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SharingKeys {
    pub group_id: Option<SharingGroupId>,
    pub why: Why,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupName {
    pub name: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupNamed {
    pub after: GroupName,
}

/// The link of a sharing group to a directory group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupLink {
    pub name: String,
    pub directory_group_id: Option<DirectoryGroupId>,
    pub managed_by: Option<SourceId>,
}

/// A sharing group that follows another directory group now, or none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum GroupMoved {
    /// By a plan.
    Named { before: GroupName, after: GroupName, spelling_differs: bool },
    /// By a promotion or a detachment.
    Linked { before: GroupLink, after: GroupLink, spelling_differs: bool },
    /// By a rewind.
    TakenBack(Difference<GroupFacts>),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GroupRemoved {
    /// The name, if an admin removed the group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct GroupMember {
    pub member_id: MemberId,
    /// A sign-in by this connection said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sign_in_connection_id: Option<SignInConnectionId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunHeld {
    pub held_reasons: BTreeSet<&'static str>,
    pub items: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunDecided {
    pub digest: String,
    /// The decided items; none of a rewind, whose items the worker decides.
    pub items: Option<u64>,
    /// The reason, in the words of the caller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RunRewound {
    pub rewind_run_id: RunId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SkippedRecord {
    /// As stored.
    pub dispute: String,
    pub about: String,
    pub note: Option<String>,
}
