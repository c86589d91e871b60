//! One SCIM write as a value: a single request, an operation of a bulk and a replayed request are the same code, so they
//! cannot differ in what they do.

use crate::connect::Store;
use crate::directory_groups::{DirectoryGroup, MemberChange};
use crate::directory_users::{DirectoryUser, Written};
use crate::error::StoreError;
use crate::scope::SourceScope;
use rollcall_core::ids::{DirectoryGroupId, DirectoryUserId};
use rollcall_scim::bulk::{BulkCall, BulkVerb};
use rollcall_scim::etag::if_match_allows;
use rollcall_scim::patch::{apply_to_group, apply_to_user, group_changes};
use rollcall_scim::{
    GroupChange, GroupResource, Limits, MemberRef, PatchRequest, Quirks, ResourceKind, ScimError, UserResource,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::str::FromStr;

/// Why a write was refused.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The request was not understood, or must not be done.
    #[error(transparent)]
    Scim(#[from] ScimError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a write left. A group comes without its members.
#[derive(Clone, Debug)]
pub enum Performed {
    User(Box<Written<DirectoryUser>>),
    Group(Box<Written<DirectoryGroup>>),
    Deleted,
}

impl Performed {
    /// Whether anything changed: an unchanged record wakes nobody.
    pub fn changed(&self) -> bool {
        match self {
            Self::User(user) => user.changed,
            Self::Group(group) => group.changed,
            Self::Deleted => true,
        }
    }
}

/// What a users-only source says to anything about groups (DS3).
pub fn no_groups() -> ScimError {
    ScimError::forbidden(
        "this source takes users only, groups are switched off for it; turn group provisioning off in the identity provider",
    )
}

impl DirectoryGroup {
    /// The version of what is shown. Membership changes do not touch the group's row, so where members are shown they are
    /// part of the version.
    pub fn shown_version(&self) -> i64 {
        let Some(members) = &self.resource.members else { return self.version };
        let mut sum = Sha256::new().chain_update(self.version.to_be_bytes());
        for member in members {
            sum.update(member.value.as_bytes());
        }
        let sum: [u8; 32] = sum.finalize().into();
        let mut first = [0_u8; 8];
        first.copy_from_slice(&sum[..8]);
        i64::from_be_bytes(first) & i64::MAX
    }
}

/// An id that is no UUID was never given by this hub, so it names nothing.
fn id_of<T: FromStr>(id: &str, what: &'static str) -> Result<T, StoreError> {
    id.parse().map_err(|_| StoreError::NotFound(what))
}

fn stale(what: &str) -> CallError {
    ScimError::precondition_failed(format!("the {what} changed since you read it")).into()
}

/// An edit of a group's attributes.
type Edit = fn(&DirectoryGroup) -> Result<GroupResource, CallError>;

/// No edit of attributes; names the type that `change_group` wants.
const NO_EDIT: Option<Edit> = None;

impl Store {
    /// Performs one write. `call.version` is what `If-Match` says.
    ///
    /// # Errors
    /// As RFC 7644 §3.3 to §3.6 says; nothing is changed then.
    pub async fn perform(
        &self,
        scope: &SourceScope,
        call: BulkCall,
        limits: &Limits,
        quirks: &mut Quirks,
    ) -> Result<Performed, CallError> {
        match call.kind {
            ResourceKind::User => self.perform_on_user(scope, call, limits, quirks).await,
            ResourceKind::Group if scope.users_only() => Err(no_groups().into()),
            ResourceKind::Group => self.perform_on_group(scope, call, limits, quirks).await,
        }
    }

    async fn perform_on_user(
        &self,
        scope: &SourceScope,
        call: BulkCall,
        limits: &Limits,
        quirks: &mut Quirks,
    ) -> Result<Performed, CallError> {
        let if_match = call.version.as_deref();
        let written = match call.verb {
            BulkVerb::Post => {
                let user = self.create_user(scope, UserResource::from_json(call.data, quirks)?).await?;
                Written { value: user, changed: true }
            }
            BulkVerb::Put(id) => {
                let resource = UserResource::from_json(call.data, quirks)?;
                self.edit_user(scope, &id, if_match, |_| Ok(resource)).await?
            }
            BulkVerb::Patch(id) => {
                let patch = PatchRequest::parse(ResourceKind::User, call.data, limits, quirks)?;
                let edit = |user: &DirectoryUser| Ok(apply_to_user(&user.resource, &patch, quirks)?);
                self.edit_user(scope, &id, if_match, edit).await?
            }
            BulkVerb::Delete(id) => {
                let id: DirectoryUserId = id_of(&id, "user")?;
                if if_match.is_some() {
                    let user = self.user(scope, id, false).await?.ok_or(StoreError::NotFound("user"))?;
                    if !if_match_allows(if_match, user.version) {
                        return Err(stale("user"));
                    }
                }
                self.delete_user(scope, id).await?;
                return Ok(Performed::Deleted);
            }
        };
        Ok(Performed::User(Box::new(written)))
    }

    async fn edit_user(
        &self,
        scope: &SourceScope,
        id: &str,
        if_match: Option<&str>,
        edit: impl FnOnce(&DirectoryUser) -> Result<UserResource, CallError>,
    ) -> Result<Written<DirectoryUser>, CallError> {
        let edit = |user: &DirectoryUser| {
            if !if_match_allows(if_match, user.version) {
                return Err(stale("user"));
            }
            edit(user)
        };
        self.change_user(scope, id_of(id, "user")?, edit).await
    }

    async fn perform_on_group(
        &self,
        scope: &SourceScope,
        call: BulkCall,
        limits: &Limits,
        quirks: &mut Quirks,
    ) -> Result<Performed, CallError> {
        let if_match = call.version.as_deref();
        let written = match call.verb {
            BulkVerb::Post => {
                let resource = GroupResource::from_json(call.data, limits, quirks)?;
                let members = user_ids(resource.members.as_deref().unwrap_or_default())?;
                let group = self.create_group(scope, resource, &members).await?;
                Written { value: group, changed: true }
            }
            BulkVerb::Put(id) => {
                // PUT replaces the attributes; the members only when the body has the key (scim.md trap 2).
                let resource = GroupResource::from_json(call.data, limits, quirks)?;
                let members = match &resource.members {
                    Some(members) => vec![MemberChange::Replace(user_ids(members)?)],
                    None => Vec::new(),
                };
                let id = self.unchanged_group(scope, &id, if_match).await?;
                let edit = move |_: &DirectoryGroup| Ok::<_, CallError>(resource);
                self.change_group(scope, id, Some(edit), &members).await?
            }
            BulkVerb::Patch(id) => {
                let patch = PatchRequest::parse(ResourceKind::Group, call.data, limits, quirks)?;
                let id = self.unchanged_group(scope, &id, if_match).await?;
                let mut members = Vec::new();
                for step in group_changes(&patch) {
                    members.push(self.member_change(scope, id, step).await?);
                }
                if patch.changes_attributes() {
                    let edit =
                        |group: &DirectoryGroup| Ok::<_, CallError>(apply_to_group(&group.resource, &patch, quirks)?);
                    self.change_group(scope, id, Some(edit), &members).await?
                } else {
                    self.change_group(scope, id, NO_EDIT, &members).await?
                }
            }
            BulkVerb::Delete(id) => {
                let id = self.unchanged_group(scope, &id, if_match).await?;
                self.delete_group(scope, id).await?;
                return Ok(Performed::Deleted);
            }
        };
        Ok(Performed::Group(Box::new(written)))
    }

    /// The group's id, when it may still be written under this `If-Match`.
    async fn unchanged_group(
        &self,
        scope: &SourceScope,
        id: &str,
        if_match: Option<&str>,
    ) -> Result<DirectoryGroupId, CallError> {
        let id: DirectoryGroupId = id_of(id, "group")?;
        if if_match.is_some() {
            let group = self.group(scope, id, true).await?.ok_or(StoreError::NotFound("group"))?;
            if !if_match_allows(if_match, group.shown_version()) && !if_match_allows(if_match, group.version) {
                return Err(stale("group"));
            }
        }
        Ok(id)
    }

    async fn member_change(
        &self,
        scope: &SourceScope,
        group: DirectoryGroupId,
        step: GroupChange,
    ) -> Result<MemberChange, CallError> {
        Ok(match step {
            GroupChange::AddMembers(members) => MemberChange::Add(user_ids(&members)?),
            GroupChange::ReplaceMembers(members) => MemberChange::Replace(user_ids(&members)?),
            GroupChange::ClearMembers => MemberChange::Replace(Vec::new()),
            // Removing somebody who is not there is a success, also under an id that is nobody's.
            GroupChange::RemoveMembers(ids) => {
                MemberChange::Remove(ids.iter().filter_map(|id| id.parse().ok()).collect())
            }
            GroupChange::RemoveMembersWhere(filter) => {
                // No identity provider filters by anything but the id, which is reduced to the arm above.
                let group = self.group(scope, group, true).await?;
                let members = group.and_then(|group| group.resource.members).unwrap_or_default();
                let matching = members.iter().filter(|member| {
                    let element: Value = json!({ "value": member.value, "display": member.display, "type": "User" });
                    filter.matches(&json!({ "members": [element] }))
                });
                MemberChange::Remove(matching.filter_map(|member| member.value.parse().ok()).collect())
            }
        })
    }
}

/// An id that is no UUID was never given by this hub, so it is nobody's.
fn user_ids(members: &[MemberRef]) -> Result<Vec<DirectoryUserId>, ScimError> {
    let unknown = |member: &MemberRef| {
        ScimError::invalid_value(format!("members: `{}` is not a user of this source", member.value))
    };
    members.iter().map(|member| member.value.parse().map_err(|_| unknown(member))).collect()
}
