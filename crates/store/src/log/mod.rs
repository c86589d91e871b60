//! The append-only tables: change marks for the worker, audit events for people.

pub(crate) mod audit_events;
pub(crate) mod changes;
