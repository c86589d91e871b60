//! Resources as answers: what is stored, plus what the server knows about it.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::projection::Projection;
use crate::resource::MemberRef;

/// What a user's answer is built from.
#[derive(Debug, Clone, Copy)]
pub struct UserParts<'a> {
    pub id: &'a str,
    /// As [`crate::UserResource::into_attributes`] gave them.
    pub attributes: &'a Map<String, Value>,
    /// Id and name of each group the user is in.
    pub groups: &'a [(String, String)],
    pub created: DateTime<Utc>,
    pub last_modified: DateTime<Utc>,
    pub version: i64,
    /// Full URL of the user: `https://…/Users/{id}`.
    pub location: &'a str,
}

/// What a group's answer is built from.
#[derive(Debug, Clone, Copy)]
pub struct GroupParts<'a> {
    pub id: &'a str,
    /// As [`crate::GroupResource::into_attributes`] gave them.
    pub attributes: &'a Map<String, Value>,
    pub members: &'a [MemberRef],
    pub created: DateTime<Utc>,
    pub last_modified: DateTime<Utc>,
    pub version: i64,
    /// Full URL of the group: `https://…/Groups/{id}`.
    pub location: &'a str,
}

/// A user as the client sees it.
#[must_use]
pub fn render_user(user: &UserParts<'_>, projection: &Projection) -> Value {
    todo!("{user:?} {projection:?}")
}

/// A group as the client sees it.
#[must_use]
pub fn render_group(group: &GroupParts<'_>, projection: &Projection) -> Value {
    todo!("{group:?} {projection:?}")
}
