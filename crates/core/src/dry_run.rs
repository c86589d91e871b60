//! Dry run for one person, step by step (PE14): the usual matching, [`plan`] and [`review`], over a world that was read
//! for that person. It only reports; the worker applies.

use crate::action::{Disputed, Item};
use crate::change::Subject;
use crate::explain::Situation;
use crate::guard::review;
use crate::hold_reason::HoldReason;
use crate::ids::{DirectoryUserId, MemberId};
use crate::plan::matching::{Match, match_users};
use crate::plan::plan;
use crate::world::World;
use serde::Serialize;
use std::collections::HashSet;

/// The match of the record, and its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MatchStep {
    pub situation: Situation,
    pub member_id: Option<MemberId>,
    pub how: &'static str,
    /// The record's address can be given to that member now.
    pub address_free: bool,
}

/// Result of each step for one person.
#[derive(Clone, Debug)]
pub struct DryRun {
    pub matched: MatchStep,
    /// The plan's items about the person.
    pub planned: Vec<Item>,
    pub disputed: Vec<Disputed>,
    /// Number of items about other people in the same world: the holder of the address, people on the waitlist.
    pub others: usize,
    /// Items that a guard withholds.
    pub withheld: Vec<(Item, HoldReason)>,
    /// The remaining items, which would be written.
    pub applied: Vec<Item>,
}

/// Plans and reviews the world, and returns the part about one of its people; `None` when the person is not in it.
pub fn dry_run(world: &World, user: DirectoryUserId) -> Option<DryRun> {
    let index = world.users.iter().position(|subject| subject.id == user)?;
    let matched = match_users(world, &HashSet::new()).into_iter().nth(index)?;
    let gone = world.users[index].record.is_none();
    let (situation, member_id, how) = match matched.who {
        Match::Nobody if gone => (Situation::Deleted, None, "the record is deleted, and nobody is linked to it"),
        Match::Nobody if !world.users[index].in_scope => {
            (Situation::Unmatched, None, "nobody: the person is in no group of the policy's user_scope")
        }
        Match::Nobody => (Situation::Unmatched, None, "nobody, and nobody is wanted"),
        Match::Linked(member) if gone => (Situation::Deleted, Some(member.id), "the member of the deleted record"),
        Match::Linked(member) => (Situation::Linked, Some(member.id), "the member the record is linked to"),
        Match::Returning(member) => {
            (Situation::Unlinked, Some(member.id), "a member whose former record is deleted or disabled")
        }
        Match::Adopted(member) => (Situation::Unlinked, Some(member.id), "a member made by hand, by the address"),
        Match::New => (Situation::Unmatched, None, "a new person"),
        Match::Disputed(dispute) => (Situation::Disputed, None, dispute.as_str()),
    };
    let concerns = |subject: Subject| {
        subject == Subject::DirectoryUser(user) || member_id.is_some_and(|id| subject == Subject::Member(id))
    };
    let plan = plan(world);
    let planned: Vec<Item> = plan.items.iter().filter(|item| concerns(item.subject)).cloned().collect();
    let others = plan.items.len() - planned.len();
    let verdict = review(plan, world);
    let disputed = verdict.disputed.into_iter().filter(|disputed| concerns(disputed.subject)).collect();
    Some(DryRun {
        matched: MatchStep { situation, member_id, how, address_free: matched.address_free },
        planned,
        disputed,
        others,
        withheld: verdict.withheld.into_iter().filter(|(item, _)| concerns(item.subject)).collect(),
        applied: verdict.apply.into_iter().filter(|item| concerns(item.subject)).collect(),
    })
}
