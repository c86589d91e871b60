//! Events that products hear of. They are read from the audit log, where each was written in the transaction of its change, so that no
//! write costs anything for them (decision 0094).

pub(crate) mod deliveries;
pub(crate) mod endpoints;
pub(crate) mod event;
pub(crate) mod events;
pub(crate) mod lease;
pub(crate) mod replays;
pub(crate) mod roster;
mod secrets;
pub(crate) mod sequence;
pub(crate) mod states;
