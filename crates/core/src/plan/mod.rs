//! The plan: the difference between the directory and the roster, for the touched subjects. It is pure and deterministic,
//! and empty once it has been applied.

mod claims;
mod groups;
pub(crate) mod matching;
mod people;
mod rewind;

pub(crate) use people::{admitted_status, restored_status};
pub(crate) use rewind::plan_rewind;

use crate::action::{ItemKey, Plan};
use crate::world::World;
use groups::{plan_groups, plan_memberships};
use matching::match_users;
use people::{admit_waiting, adopted_leavers, give_up_addresses, plan_user};
use std::collections::{HashMap, HashSet};

/// Works out the next state of the roster for the touched subjects.
pub fn plan(world: &World) -> Plan {
    if world.rewind.steps.is_empty() {
        plan_without(world, &HashSet::new())
    } else {
        plan_rewind(world, &HashMap::new())
    }
}

/// As [`plan`], but no item counts on anything that the items in `beyond` would free, because a limit withholds them.
pub(crate) fn plan_without(world: &World, beyond: &HashSet<ItemKey>) -> Plan {
    let mut plan = Plan::default();
    let matched = match_users(world, beyond);
    let given_up = give_up_addresses(world, &matched, &mut plan);
    let leaving = adopted_leavers(world, &matched);
    for (subject, matched) in world.users.iter().zip(matched) {
        plan_user(world, subject, matched.with(&given_up), &mut plan);
    }
    admit_waiting(world, &leaving, &mut plan);
    plan_groups(world, &mut plan);
    plan_memberships(world, &mut plan);
    plan
}
