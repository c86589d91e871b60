//! Which attributes an answer carries (RFC 7644 §3.9).

use crate::schema::ResourceKind;

/// What `attributes` and `excludedAttributes` ask for. `id` and `schemas` always stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Projection {}

impl Projection {
    /// Everything that is returned by default.
    #[must_use]
    pub fn all() -> Self {
        todo!()
    }

    /// Reads the two comma-separated parameters. `attributes` wins when both are given; unknown names select nothing;
    /// `emails[type eq "work"].value` is read as `emails.value`.
    #[must_use]
    pub fn parse(kind: ResourceKind, attributes: Option<&str>, excluded: Option<&str>) -> Self {
        todo!("{kind:?} {attributes:?} {excluded:?}")
    }

    /// Whether a group's `members` are wanted: when not, they need not be read.
    #[must_use]
    pub fn wants_members(&self) -> bool {
        todo!()
    }

    /// Whether a user's `groups` are wanted.
    #[must_use]
    pub fn wants_groups(&self) -> bool {
        todo!()
    }
}
