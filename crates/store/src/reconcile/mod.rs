//! The worker's side: the lease, the world of a plan, and the write of an outcome.

pub(crate) mod apply;
pub(crate) mod authority;
pub(crate) mod lease;
pub(crate) mod open_items;
pub(crate) mod retention;
pub(crate) mod subjects;
pub(crate) mod user_scope;
pub(crate) mod world;
