//! The domain, pure: what a directory says, what the roster holds, and the two functions between them.
//!
//! [`plan::plan`] works out what a tenant's roster should become, [`guard::review`] withholds what must
//! not happen by itself. Neither does IO nor reads a clock, so simulation, approval and the live path are
//! the same code over other inputs (design §1).

pub mod approval;
pub mod audit;
pub mod backoff;
pub mod clock;
pub mod digest;
pub mod directory;
pub mod email;
pub mod explain;
pub mod group_scope;
pub mod guard;
pub mod ids;
pub mod mapping;
mod matching;
pub mod plan;
pub mod policy;
pub mod policy_change;
pub mod rewind;
pub mod roster;
pub mod source_policy;
pub mod trial;
