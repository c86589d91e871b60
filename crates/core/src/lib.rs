//! The domain, pure: what a directory says, what the roster holds, and the two functions between them.
//!
//! [`plan::plan`] works out what a tenant's roster should become, [`guard::review`] withholds what must
//! not happen by itself. Neither does IO nor reads a clock, so simulation, approval and the live path are
//! the same code over other inputs (design §1).

pub mod audit;
pub mod backoff;
pub mod clock;
pub mod digest;
pub mod directory;
pub mod email;
pub mod guard;
pub mod ids;
mod matching;
pub mod plan;
pub mod policy;
pub mod roster;
