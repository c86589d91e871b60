//! From what the sources say to what the roster should become: pure, deterministic, and empty once it was applied.

mod groups;
pub(crate) mod matching;
mod people;

use crate::action::ItemKey;
use crate::change::{Impossible, Rewind, Step, plan_rewind};
use crate::directory::{Dispute, GroupState, GroupSubject, MembershipSubject, Origin, UserSubject};
use crate::guard::{GroupStanding, Standing};
use crate::hold_reason::HoldReason;
use crate::ids::{DirectoryGroupId, DirectoryUserId, MemberId, SharingGroupId, SourceId};
use crate::plan::matching::match_users;
use crate::policy::Policy;
use crate::roster::{MemberState, MemberStatus, Profile, WaitingFor, text_enum};
use groups::{plan_groups, plan_memberships};
use people::{admit_waiting, plan_user};
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// Everything a plan may depend on: the touched subjects and a few counts, never the whole tenant.
#[derive(Clone, Debug, Default)]
pub struct World {
    pub policy: Policy,
    /// The policies of the sources for which something is different.
    pub source_policies: HashMap<SourceId, Policy>,
    /// Sorted by id.
    pub users: Vec<UserSubject>,
    /// Members by folded email, for every address the users ask for.
    pub holders: HashMap<String, MemberState>,
    /// Sorted by id.
    pub groups: Vec<GroupSubject>,
    /// Sharing groups by folded name, for every name the groups ask for.
    pub group_names: HashMap<String, GroupState>,
    pub memberships: Vec<MembershipSubject>,
    /// Of each sharing group that may lose somebody.
    pub group_standing: HashMap<SharingGroupId, GroupStanding>,
    /// The head of the waitlist in the order the directory announced the people; at least as many as could get a seat.
    pub waiting: Vec<(DirectoryUserId, MemberState)>,
    /// What an admin released of the touched subjects, although a guard withheld it.
    pub approved: HashSet<ItemKey>,
    /// What of the touched subjects waits for an admin, and why.
    pub held: HashMap<ItemKey, HoldReason>,
    pub standing: Standing,
    /// The items to take back; a plan for them is about nothing else.
    pub rewind: Rewind,
    /// The people of this world belong to a source that would be the authority: whoever another source manages now is
    /// theirs, if a record of it means the same person (DX3). In the world as it is, another source's members are not.
    pub takes_over: bool,
}

impl World {
    /// A world of nothing but a policy.
    ///
    /// # Errors
    /// What of the policy cannot be.
    pub fn under(policy: Policy) -> Result<Self, String> {
        Ok(Self { source_policies: policy.by_source()?, policy, ..Self::default() })
    }

    /// The policy for what a source says.
    pub fn policy_of(&self, source: SourceId) -> &Policy {
        self.source_policies.get(&source).unwrap_or(&self.policy)
    }
}

text_enum! {
    /// Why an item is in the plan.
    Why {
        NewInDirectory = "new_in_directory",
        MatchedByEmail = "matched_by_email",
        MatchedByExternalId = "matched_by_external_id",
        /// The record was this member's before another source took them over.
        LinkedBefore = "linked_before",
        ProfileChanged = "profile_changed",
        DisabledAtSource = "disabled_at_source",
        DeletedAtSource = "deleted_at_source",
        /// No group of the policy's user scope has the person any more (DX6).
        OutOfScope = "out_of_scope",
        ActiveAtSource = "active_at_source",
        SeatBecameFree = "seat_became_free",
        ApprovedByAdmin = "approved_by_admin",
        RenamedAtSource = "renamed_at_source",
        AddedAtSource = "added_at_source",
        RemovedAtSource = "removed_at_source",
        TakenBack = "taken_back",
    }
}

/// What an item is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "id")]
pub enum Subject {
    DirectoryUser(DirectoryUserId),
    DirectoryGroup(DirectoryGroupId),
    Member(MemberId),
    SharingGroup(SharingGroupId),
}

/// One change of the roster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "action")]
pub enum Action {
    /// Makes a member. `Pending` exactly when `waiting_for` says for what; `Suspended` when the person left before a
    /// worker first looked.
    Provision {
        profile: Profile,
        status: MemberStatus,
        waiting_for: Option<WaitingFor>,
    },
    /// Lets a source manage a member that exists already.
    Adopt {
        member: MemberId,
        external_id: Option<String>,
    },
    /// Ties a returning person's new record to the member they had.
    Relink {
        member: MemberId,
        external_id: Option<String>,
    },
    UpdateProfile {
        member: MemberId,
        before: Profile,
        after: Profile,
    },
    /// Ends access; `from` is what a restore brings back. Without `release_seat` the irreversible part waits.
    Suspend {
        member: MemberId,
        from: MemberStatus,
        release_seat: bool,
    },
    /// Gives the seat of an already suspended member to whoever waits.
    ReleaseSeat {
        member: MemberId,
    },
    Remove {
        member: MemberId,
        from: MemberStatus,
    },
    /// Gives back exactly what a suspension or removal took (PE4), or lets in who waited for a seat.
    Restore {
        member: MemberId,
        from: MemberStatus,
        to: MemberStatus,
    },
    /// A suspended or removed member came back, or a pending one was approved, and no seat is free.
    Waitlist {
        member: MemberId,
    },
    /// No longer wanted, so no longer waiting.
    StopWaiting {
        member: MemberId,
    },
    CreateGroup {
        name: String,
    },
    AdoptGroup {
        group: SharingGroupId,
        name: String,
    },
    RenameGroup {
        group: SharingGroupId,
        before: String,
        after: String,
    },
    RemoveGroup {
        group: SharingGroupId,
    },
    AddToGroup {
        group: SharingGroupId,
        member: MemberId,
    },
    RemoveFromGroup {
        group: SharingGroupId,
        member: MemberId,
    },
    /// Takes back what an earlier run did; only an approved rewind has it.
    Undo(Step),
}

/// One line of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Item {
    pub subject: Subject,
    #[serde(flatten)]
    pub action: Action,
    pub why: Why,
    /// `None` for what Rollcall does by itself, e.g. letting in the next on the waitlist.
    #[serde(skip)]
    pub origin: Option<Origin>,
}

/// A record that was skipped, and the text it is in dispute about (an address, a name).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disputed {
    pub subject: Subject,
    pub dispute: Dispute,
    pub about: String,
}

/// What the touched subjects would make of the roster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub items: Vec<Item>,
    pub disputed: Vec<Disputed>,
    /// Steps of a rewind that cannot be, by their id.
    pub impossible: Vec<(Uuid, Impossible)>,
}

/// Works out the difference between the directory and the roster for the touched subjects.
pub fn plan(world: &World) -> Plan {
    if world.rewind.steps.is_empty() {
        plan_without(world, &HashSet::new())
    } else {
        plan_rewind(world, &HashMap::new())
    }
}

/// As [`plan`]; nobody counts on what these items would free, because a limit withholds them.
pub(crate) fn plan_without(world: &World, beyond: &HashSet<ItemKey>) -> Plan {
    let mut plan = Plan::default();
    for (subject, matched) in world.users.iter().zip(match_users(world, beyond)) {
        plan_user(world, subject, matched, &mut plan);
    }
    admit_waiting(world, &mut plan);
    plan_groups(world, &mut plan);
    plan_memberships(world, &mut plan);
    plan
}
