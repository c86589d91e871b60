//! PATCH (RFC 7644 §3.5.2), as the identity providers send it.

use serde_json::Value;

use crate::dialect::Quirks;
use crate::error::ScimError;
use crate::filter::Filter;
use crate::limits::Limits;
use crate::resource::{GroupResource, MemberRef, UserResource};
use crate::schema::ResourceKind;

/// A PATCH body, checked as a whole: every path resolved, every value in canonical form. What is left to fail
/// depends on the resource.
#[derive(Debug, Clone, PartialEq)]
pub struct PatchRequest {}

/// One change to the membership of a group, to be applied as row operations in this order.
#[derive(Debug, Clone, PartialEq)]
pub enum GroupChange {
    /// Members that are there already stay; that is a success.
    AddMembers(Vec<MemberRef>),
    /// Only these go (trap 1); one that is not there is a success.
    RemoveMembers(Vec<String>),
    /// Those whose `members` element fulfils the filter go. Reduced to `RemoveMembers` when it only names ids.
    RemoveMembersWhere(Filter),
    /// These and no others. Never empty (trap 2).
    ReplaceMembers(Vec<MemberRef>),
    /// All go: asked for in so many words.
    ClearMembers,
}

impl PatchRequest {
    /// Reads a PATCH body for a kind of resource.
    ///
    /// # Errors
    /// `invalidSyntax`, `invalidPath`, `invalidValue`, `invalidFilter`, `noTarget` or `mutability` as RFC 7644 §3.5.2 says;
    /// 413 over the limits.
    pub fn parse(kind: ResourceKind, body: Value, limits: &Limits, quirks: &mut Quirks) -> Result<Self, ScimError> {
        todo!("{kind:?} {body} {limits:?} {quirks:?}")
    }

    /// Whether anything but membership is touched. When not, a group's attributes need not be read.
    #[must_use]
    pub fn changes_attributes(&self) -> bool {
        todo!()
    }
}

/// Applies all operations or none. An operation that changes nothing is a success, so compare the result with the input before
/// moving `lastModified`.
///
/// # Errors
/// `invalidValue` when the outcome is no valid user (no `userName`), `noTarget` for a filter that selects nothing and
/// from which nothing can be created.
pub fn apply_to_user(user: &UserResource, patch: &PatchRequest, quirks: &mut Quirks) -> Result<UserResource, ScimError> {
    todo!("{user:?} {patch:?} {quirks:?}")
}

/// As [`apply_to_user`], for a group's attributes. Membership goes by [`group_changes`].
///
/// # Errors
/// `invalidValue` when the outcome is no valid group (no `displayName`).
pub fn apply_to_group(group: &GroupResource, patch: &PatchRequest, quirks: &mut Quirks) -> Result<GroupResource, ScimError> {
    todo!("{group:?} {patch:?} {quirks:?}")
}

/// The changes of membership, in order; neighbours that add (or remove) are merged.
#[must_use]
pub fn group_changes(patch: &PatchRequest) -> Vec<GroupChange> {
    todo!("{patch:?}")
}
