//! Reads and decisions of a tenant's admins: members, runs, policy, skipped records, cut-over, explanations.

pub(crate) mod changed_lists;
pub(crate) mod cutover;
pub(crate) mod explain;
pub(crate) mod group_deletion;
pub(crate) mod invitations;
pub(crate) mod invitations_again;
pub(crate) mod mapping_preview;
pub(crate) mod member_approval;
pub(crate) mod member_blocks;
pub(crate) mod member_changes;
pub(crate) mod member_search;
pub(crate) mod members;
pub(crate) mod modified_members;
pub(crate) mod policy;
pub(crate) mod rewinds;
pub(crate) mod run_comparison;
pub(crate) mod runs;
pub(crate) mod scope_change;
pub(crate) mod skipped_records;
pub(crate) mod statistics;
