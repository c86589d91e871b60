//! PATCH (RFC 7644 §3.5.2) in the forms of the identity providers.
//!
//! [`PatchRequest::parse`] does nearly all of the work without the resource: it resolves paths, splits dotted keys and nested
//! objects, and brings values into canonical form, which gives a flat list of small changes. Applying them is mechanical, and the
//! membership of a group results in row operations.

mod apply;
mod attribute;
mod custom;
mod elements;
mod members;
mod parse;
pub(crate) mod target;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use crate::bounds::{check_document, kept_bytes};
use crate::dialect::Quirks;
use crate::error::ScimError;
use crate::filter::Filter;
use crate::limits::Limits;
use crate::path::AttrPath;
use crate::resource::{GroupResource, MemberRef, UserResource};
use crate::schema::{Attribute, ResourceKind};

/// Schema of a PATCH body.
pub const PATCH_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// A PATCH body, checked as a whole: every path resolved, every value in canonical form. Later failures depend on the
/// resource.
#[derive(Debug, Clone)]
pub struct PatchRequest {
    kind: ResourceKind,
    changes: Vec<PatchStep>,
    /// Extensions of the client's own that the body's `schemas` names.
    announced: Vec<String>,
}

/// One change to the membership of a group, to be applied as row operations in this order.
#[derive(Debug, Clone, PartialEq)]
pub enum GroupChange {
    /// Existing members stay, which is a success. Never empty.
    AddMembers(Vec<MemberRef>),
    /// Removes only these (docs/scim.md#traps, 1); an absent one is a success. Never empty.
    RemoveMembers(Vec<String>),
    /// Removes those whose `members` element fulfils the filter. Reduced to `RemoveMembers` when it only names ids.
    RemoveMembersWhere(Filter),
    /// These and no others. Never empty (docs/scim.md#traps, 2).
    ReplaceMembers(Vec<MemberRef>),
    /// Removes all, on an explicit request.
    ClearMembers,
}

/// One step of a patch.
#[derive(Debug, Clone)]
enum PatchStep {
    /// Sets an attribute or a sub-attribute; on a list, the sub-attribute of every element.
    Set(AttrPath, Value),
    /// Unassigns it.
    Unset(AttrPath),
    /// Unassigns everything of an extension.
    UnsetExtension(String),
    /// Adds elements to a list.
    Append(&'static Attribute, AttrPath, Vec<Value>),
    /// Removes the elements that are the same as one of these.
    RemoveElements(&'static Attribute, AttrPath, Vec<Value>),
    /// Changes the elements of a list that fulfil a filter.
    Elements { path: AttrPath, filter: Filter, edit: Edit },
    /// An operation on an extension that this server does not define, or on something within one.
    Custom(custom::CustomChange),
    /// Membership of a group.
    Members(GroupChange),
}

/// The effect on the selected elements of a list.
#[derive(Debug, Clone)]
enum Edit {
    /// Sets these sub-attributes. Without a selected element, one is made of the filter's terms and these
    /// (docs/scim.md#traps, 3).
    Merge(Map<String, Value>),
    /// They become this plain value; an object gets it as its `value`.
    Value(Value),
    /// Unassigns this sub-attribute.
    Unset(String),
    Remove,
}

impl PatchRequest {
    /// Reads a PATCH body for a kind of resource.
    ///
    /// # Errors
    /// `invalidSyntax`, `invalidPath`, `invalidValue`, `invalidFilter`, `noTarget` or `mutability` as in RFC 7644 §3.5.2;
    /// 413 over the limits.
    pub fn parse(kind: ResourceKind, body: Value, limits: &Limits, quirks: &mut Quirks) -> Result<Self, ScimError> {
        parse::parse(kind, body, limits, quirks)
    }

    /// True if the patch's last `active` is false: it ends a person's access, whatever else it holds.
    fn ends_access(&self) -> bool {
        let says = self.changes.iter().rev().find_map(|change| match change {
            PatchStep::Set(path, value) if path.core() == Some(("active", None)) => Some(value == &Value::Bool(false)),
            PatchStep::Unset(path) if path.core() == Some(("active", None)) => Some(false),
            _ => None,
        });
        says == Some(true)
    }

    /// True if anything but membership changes. Otherwise a group's attributes need not be read.
    #[must_use]
    pub fn changes_attributes(&self) -> bool {
        self.changes.iter().any(|change| !matches!(change, PatchStep::Members(_)))
    }
}

/// Applies all operations or none. An operation that changes nothing is a success, so compare the result with the input before
/// moving `lastModified`.
///
/// # Errors
/// `invalidValue` when the result is not a valid user (no `userName`, or too large), `noTarget` for a filter that selects
/// nothing and from which nothing can be created, 413 when applying it would take too much work.
pub fn apply_to_user(
    user: &UserResource,
    patch: &PatchRequest,
    quirks: &mut Quirks,
) -> Result<UserResource, ScimError> {
    let refused = match strictly_applied(user, patch, quirks) {
        Err(error) => error,
        applied => return applied,
    };
    if !patch.ends_access() {
        return Err(refused);
    }
    let after = apply::apply_what_can_be(user.attributes(), patch, quirks);
    Ok(user.ended_with(after, quirks))
}

fn strictly_applied(user: &UserResource, patch: &PatchRequest, quirks: &mut Quirks) -> Result<UserResource, ScimError> {
    let mut after = apply::apply(user.attributes(), patch, quirks)?;
    // `active` was removed: it is not shown any more, and a disabled user stays disabled.
    if !user.active() && !after.contains_key("active") {
        after.insert("active".to_owned(), Value::Null);
    }
    check_document("user", &after, kept_bytes(user.attributes()))?;
    UserResource::checked(after)
}

/// As [`apply_to_user`], for a group's attributes. Membership goes by [`group_changes`].
///
/// # Errors
/// `invalidValue` when the result is not a valid group (no `displayName`, or too large), 413 as for users.
pub fn apply_to_group(
    group: &GroupResource,
    patch: &PatchRequest,
    quirks: &mut Quirks,
) -> Result<GroupResource, ScimError> {
    let after = apply::apply(group.attributes(), patch, quirks)?;
    check_document("group", &after, kept_bytes(group.attributes()))?;
    GroupResource::checked(after)
}

/// The changes of membership, in order; neighbours that add (or remove) are merged, and each member is named once in them.
#[must_use]
pub fn group_changes(patch: &PatchRequest) -> Vec<GroupChange> {
    members::merged(patch.changes.iter().filter_map(|change| match change {
        PatchStep::Members(change) => Some(change),
        _ => None,
    }))
}
