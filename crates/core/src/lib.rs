//! The domain, pure: what a directory says, what the roster holds, and the two functions between them.
//!
//! [`plan::plan`] works out what a tenant's roster should become, [`guard::review`] withholds what must
//! not happen by itself. Neither does IO nor reads a clock, so simulation, approval and the live path are
//! the same code over other inputs (docs/design.md#the-idea).

pub mod action;
pub mod backoff;
pub mod change;
pub mod clock;
pub mod digest;
pub mod directory;
pub mod dry_run;
pub mod email;
pub mod event;
pub mod explain;
pub mod guard;
pub mod hold_reason;
pub mod ids;
pub mod outcome;
pub mod plan;
pub mod policy;
pub mod remedy;
pub mod roster;
pub mod run;
pub mod slug;
pub mod spelling;
mod text_enum;
pub mod world;
