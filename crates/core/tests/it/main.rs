//! The planner and its guards on a hub without a database: named cases, brute force, and random histories.

// Tests fail by panicking.
#![allow(clippy::unwrap_used, clippy::panic)]

mod approval;
mod attributes;
mod audit_kinds;
mod block;
mod change_limits;
mod cutover;
mod dry_run;
mod explain;
mod group_wipe;
mod guards;
mod invitation;
mod mapping;
mod matching;
mod model;
mod privileged;
mod properties;
mod protected;
mod quarantine;
mod rewind;
mod seats;
mod sign_in_groups;
mod smallest_part;
mod user_scope;
