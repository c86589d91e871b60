//! On-prem agents: their keys, their uploads until they are applied, and how an upload becomes directory records. An upload is
//! compared with `agent_records` bucket by bucket, so that equal records cost nothing, and each piece is applied once.

pub(crate) mod apply;
pub(crate) mod compare;
pub(crate) mod keys;
pub(crate) mod memberships;
pub(crate) mod nonces;
pub(crate) mod outcome;
pub(crate) mod parts;
pub(crate) mod rows;
pub(crate) mod state;
pub(crate) mod upkeep;
pub(crate) mod uploads;
mod verdict;
pub(crate) mod work;
