//! The pure domain: the directory, the roster, and the functions between them.
//!
//! [`plan::plan`] works out the next state of a tenant's roster, and [`guard::review`] withholds the items that need a
//! decision. Neither does I/O nor reads a clock, so simulation, approval and the live path are the same code with other
//! inputs (docs/design.md#the-idea).

pub mod action;
pub mod backoff;
pub mod block;
pub mod budget;
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
pub mod invitation;
pub mod operator_rule;
pub mod outcome;
pub mod permission;
pub mod plan;
pub mod policy;
pub mod quota;
pub mod remedy;
pub mod role_rules;
pub mod roster;
pub mod run;
pub mod search;
pub mod sign_in;
pub mod sign_in_groups;
pub mod slug;
pub mod spelling;
mod text_enum;
pub mod upload;
pub mod user_code;
pub mod webhook;
pub mod world;
