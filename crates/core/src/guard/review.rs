//! A review in progress: the verdict so far, and the questions that every rule asks.

use super::allowance::Allowance;
use super::invariants::Invariants;
use crate::action::{Action, ActionKind, Disputed, Item, ItemKey};
use crate::change::Impossible;
use crate::hold_reason::HoldReason;
use crate::ids::{MemberId, SharingGroupId};
use crate::roster::MemberState;
use crate::world::World;
use std::collections::{HashMap, HashSet};
use uuid::Uuid;

/// The result of a review: the items that may happen, and those that wait for an admin.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    pub apply: Vec<Item>,
    pub withheld: Vec<(Item, HoldReason)>,
    /// Records that are skipped.
    pub disputed: Vec<Disputed>,
    /// People in `apply` who lose access; they count against the next plan's limit.
    pub removals: u32,
    /// New members in `apply`; they count against the next plan's limit.
    pub creations: u32,
    /// Changed profiles in `apply`; they count against the next plan's limit.
    pub modifications: u32,
    /// Departures from sharing groups in `apply`; they count against the group's next losses.
    pub group_losses: Vec<(SharingGroupId, MemberId)>,
    /// Seats that are bought automatically for people in `apply` (PE3).
    pub seats_grown: u32,
    /// Members whose irreversible part is among `withheld`.
    pub holding: HashSet<MemberId>,
    /// Steps of a rewind that are impossible, by their id.
    pub impossible: Vec<(Uuid, Impossible)>,
}

/// Actions by which a member leaves.
const LEAVING: [ActionKind; 3] = [ActionKind::Suspend, ActionKind::ReleaseSeat, ActionKind::Remove];

pub(super) struct Review<'w> {
    pub(super) world: &'w World,
    pub(super) members: &'w HashMap<MemberId, &'w MemberState>,
    /// Items that an earlier draft of this plan withheld over a limit.
    pub(super) beyond: &'w HashSet<ItemKey>,
    pub(super) invariants: Invariants,
    pub(super) removals: Allowance,
    pub(super) creations: Allowance,
    pub(super) modifications: Allowance,
    pub(super) seats_free: i64,
    pub(super) verdict: Verdict,
}

impl<'w> Review<'w> {
    /// A review in which the admins and billing contacts `back` count as active.
    pub(super) fn new(
        world: &'w World,
        members: &'w HashMap<MemberId, &'w MemberState>,
        (back, beyond): (&HashSet<MemberId>, &'w HashSet<ItemKey>),
    ) -> Self {
        let (policy, standing) = (&world.policy, &world.standing);
        let allowance = |limit, before| Allowance::new(limit, standing.managed, before, 0);
        Self {
            world,
            members,
            beyond,
            invariants: Invariants::new(standing, back.iter().filter_map(|id| members.get(id).copied())),
            removals: Allowance::new(
                Some(&policy.removal_limit),
                standing.managed,
                standing.removals_in_window,
                standing.removals_allowed,
            ),
            creations: allowance(policy.creation_limit.as_ref(), standing.creations_in_window),
            modifications: allowance(policy.modification_limit.as_ref(), standing.modifications_in_window),
            seats_free: i64::from(standing.seats_bought) - i64::from(standing.seats_used),
            verdict: Verdict::default(),
        }
    }

    /// Did an admin release this action? An approval lifts limits and switches, never an invariant.
    pub(super) fn is_approved(&self, item: &Item) -> bool {
        self.world.approved.contains(&item.key())
    }

    /// Was this item withheld before for the same reason, without a decision since? Time alone releases nothing.
    pub(super) fn stays_held(&self, item: &Item, reason: HoldReason) -> bool {
        let key = item.key();
        // A person who was disabled and is deleted now leaves once, by another action.
        let actions =
            if LEAVING.contains(&key.action) { LEAVING.as_slice() } else { std::slice::from_ref(&key.action) };
        actions.iter().any(|action| self.world.held.get(&ItemKey { action: *action, ..key }) == Some(&reason))
    }

    pub(super) fn withhold(&mut self, item: Item, reason: HoldReason) {
        if reason == HoldReason::RemovalOverLimit
            && let Action::ReleaseSeat { member } | Action::Remove { member, .. } = item.action
        {
            self.verdict.holding.insert(member);
        }
        self.verdict.withheld.push((item, reason));
    }
}
