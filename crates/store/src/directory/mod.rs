//! The directory: records of users, groups and memberships from the sources, their lists and filters.

pub(crate) mod dialect_counts;
pub(crate) mod filter;
pub(crate) mod groups;
pub(crate) mod list;
pub(crate) mod memberships;
pub(crate) mod rejected;
pub(crate) mod request_log;
pub(crate) mod tombstone;
pub(crate) mod users;
