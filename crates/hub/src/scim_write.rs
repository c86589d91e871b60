//! One SCIM write as a value: a single request, an operation of a bulk and a replayed request share this code, so their
//! effects are the same.

use crate::Hub;
use crate::quota::Adds;
use rollcall_core::budget::{Budget, Spent};
use rollcall_core::ids::{DirectoryGroupId, DirectoryUserId};
use rollcall_core::policy::PutWithoutMembers;
use rollcall_scim::bulk::{BulkCall, BulkVerb};
use rollcall_scim::limits::MEMBER_COMPARISONS;
use rollcall_scim::patch::{apply_to_group, apply_to_user, group_changes};
use rollcall_scim::{
    Filter, GroupChange, GroupResource, Limits, MemberRef, PatchRequest, Quirk, Quirks, ResourceKind, ScimError,
    UserReplacement, UserResource,
};
use rollcall_store::{
    Committed, DirectoryGroup, DirectoryUser, HeavyKind, MemberChange, SourceScope, StoreError, Written,
};
use serde_json::{Value, json};
use std::str::FromStr;
use uuid::Uuid;

/// Reason for refusing a write.
#[derive(Debug, thiserror::Error)]
pub enum ScimWriteError {
    /// The request is invalid or not allowed.
    #[error(transparent)]
    Scim(#[from] ScimError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Result of a write. A group comes without its members.
#[derive(Clone, Debug)]
pub enum Performed {
    User(Box<Written<DirectoryUser>>),
    Group(Box<Written<DirectoryGroup>>),
    Deleted,
}

impl Performed {
    /// True if the record changed; an unchanged one causes no wake-up.
    pub fn changed(&self) -> bool {
        match self {
            Self::User(user) => user.changed,
            Self::Group(group) => group.changed,
            Self::Deleted => true,
        }
    }

    /// The written resource, unless it is gone.
    pub fn subject(&self) -> Option<Uuid> {
        match self {
            Self::User(user) => Some(user.value.id.0),
            Self::Group(group) => Some(group.value.id.0),
            Self::Deleted => None,
        }
    }
}

/// The answer of a users-only source to requests about groups (DS3).
pub fn no_groups() -> ScimError {
    ScimError::forbidden(
        "this source takes users only, groups are switched off for it; turn group provisioning off in the identity provider",
    )
}

/// An id that is not a UUID was never given by this hub, so it names nothing.
fn id_of<T: FromStr>(id: &str, what: &'static str) -> Result<T, StoreError> {
    id.parse().map_err(|_| StoreError::NotFound(what))
}

/// A parsed write, which may be tried more than once.
enum Write {
    CreateUser(UserResource),
    PutUser(String, UserReplacement),
    PatchUser(String, PatchRequest),
    DeleteUser(String),
    CreateGroup(GroupResource, Vec<DirectoryUserId>),
    /// Without members when the body has none.
    PutGroup(String, GroupResource, Option<MemberChange>),
    PatchGroup(String, PatchRequest),
    DeleteGroup(String),
}

impl Write {
    fn read(
        kind: ResourceKind,
        verb: BulkVerb,
        data: Value,
        limits: &Limits,
        quirks: &mut Quirks,
    ) -> Result<Self, ScimError> {
        Ok(match (kind, verb) {
            (ResourceKind::User, BulkVerb::Post) => Self::CreateUser(UserResource::from_json(data, quirks)?),
            (ResourceKind::User, BulkVerb::Put(id)) => Self::PutUser(id, UserReplacement::from_json(data, quirks)?),
            (ResourceKind::User, BulkVerb::Patch(id)) => {
                Self::PatchUser(id, PatchRequest::parse(kind, data, limits, quirks)?)
            }
            (ResourceKind::User, BulkVerb::Delete(id)) => Self::DeleteUser(id),
            (ResourceKind::Group, BulkVerb::Post) => {
                let resource = GroupResource::from_json(data, limits, quirks)?;
                let members = user_ids(resource.members.as_deref().unwrap_or_default())?;
                Self::CreateGroup(resource, members)
            }
            (ResourceKind::Group, BulkVerb::Put(id)) => {
                // PUT replaces the attributes; the members when the body has the key (docs/scim.md#traps, 2).
                let resource = GroupResource::from_json(data, limits, quirks)?;
                let members = resource.members.as_deref().map(user_ids).transpose()?;
                Self::PutGroup(id, resource, members.map(MemberChange::Replace))
            }
            (ResourceKind::Group, BulkVerb::Patch(id)) => {
                Self::PatchGroup(id, PatchRequest::parse(kind, data, limits, quirks)?)
            }
            (ResourceKind::Group, BulkVerb::Delete(id)) => Self::DeleteGroup(id),
        })
    }
}

fn adds_of(verb: &BulkVerb, data: &Value) -> Adds {
    match verb {
        BulkVerb::Post => Adds::creation(data),
        BulkVerb::Put(_) | BulkVerb::Patch(_) => Adds::update(data),
        BulkVerb::Delete(_) => Adds::deletion(),
    }
}

/// Retries after the database rolled a write back in favour of another one. Requests of one source seldom conflict, and
/// the other one has finished by then.
const RETRIES: u32 = 3;

/// An edit of a group's attributes.
type Edit = fn(&DirectoryGroup) -> Result<GroupResource, ScimWriteError>;

/// No edit of attributes; fixes the type that `change_group` needs.
const NO_EDIT: Option<Edit> = None;

impl Hub {
    /// Performs one write. `call.version` is the `If-Match` value; its check and the write are one transaction. The budget is that of
    /// the client's request, which may be many writes.
    ///
    /// # Errors
    /// As in RFC 7644 §3.3 to §3.6; nothing is changed then.
    pub async fn perform(
        &self,
        scope: &SourceScope,
        call: BulkCall,
        limits: &Limits,
        (quirks, budget): (&mut Quirks, &Budget),
    ) -> Result<Performed, ScimWriteError> {
        let BulkCall { verb, kind, version, data } = call;
        if kind == ResourceKind::Group && scope.users_only() {
            return Err(no_groups().into());
        }
        let adds = adds_of(&verb, &data);
        let write = Write::read(kind, verb, data, limits, quirks)?;
        let _admitted = self.admit(scope, &adds).await?;
        let mut retries = RETRIES;
        loop {
            let mut noted = Quirks::new();
            let done = self.attempt(scope, &write, version.as_deref(), (&mut noted, budget)).await;
            match done {
                Err(ScimWriteError::Store(StoreError::Contended(why))) if retries > 0 => {
                    tracing::debug!(%why, "a SCIM write is tried again");
                    retries -= 1;
                }
                done => {
                    quirks.merge(&noted);
                    return done;
                }
            }
        }
    }

    async fn attempt(
        &self,
        scope: &SourceScope,
        write: &Write,
        if_match: Option<&str>,
        (quirks, budget): (&mut Quirks, &Budget),
    ) -> Result<Performed, ScimWriteError> {
        let group = match write {
            Write::CreateUser(resource) => {
                let user = self.after_commit(self.store.create_user(scope, resource.clone()).await?).await;
                return Ok(Performed::User(Box::new(Written { value: user, changed: true })));
            }
            Write::PutUser(id, replacement) => {
                let edit = |user: &UserResource, noted: &mut Quirks| Ok(replacement.over(user, noted));
                return self.edit_user(scope, id, if_match, quirks, edit).await;
            }
            Write::PatchUser(id, patch) => {
                let edit = |user: &UserResource, noted: &mut Quirks| apply_to_user(user, patch, noted);
                return self.edit_user(scope, id, if_match, quirks, edit).await;
            }
            Write::DeleteUser(id) => {
                let deleted = self.store.delete_user(scope, id_of(id, "user")?, if_match).await?;
                self.after_commit(deleted).await;
                return Ok(Performed::Deleted);
            }
            Write::CreateGroup(resource, members) => {
                let group = self.after_commit(self.store.create_group(scope, resource.clone(), members).await?).await;
                Written { value: group, changed: true }
            }
            Write::PutGroup(id, resource, members) => {
                let edit = |_: &DirectoryGroup| Ok::<_, ScimWriteError>(resource.clone());
                let id = id_of(id, "group")?;
                let (members, left_out) = match members {
                    Some(members) => (Some(members.clone()), None),
                    None => self.members_left_out(scope, id).await?,
                };
                let members = members.as_slice();
                let group = self.store.change_group(scope, id, if_match, Some(edit), members).await?;
                left_out.into_iter().for_each(|quirk| quirks.note(quirk));
                self.after_commit(group).await
            }
            Write::PatchGroup(id, patch) => {
                let id = id_of(id, "group")?;
                let members = self.member_changes(scope, id, group_changes(patch), budget).await?;
                self.after_commit(self.patch_group(scope, id, if_match, (patch, &members), quirks).await?).await
            }
            Write::DeleteGroup(id) => {
                let deleted = self.store.delete_group(scope, id_of(id, "group")?, if_match).await?;
                self.after_commit(deleted).await;
                return Ok(Performed::Deleted);
            }
        };
        Ok(Performed::Group(Box::new(group)))
    }

    /// The change that a PUT without `members` makes to a group's members, and how the ledger counts it where there are some.
    async fn members_left_out(
        &self,
        scope: &SourceScope,
        id: DirectoryGroupId,
    ) -> Result<(Option<MemberChange>, Option<Quirk>), StoreError> {
        let left_out = self.store.members_left_out(scope, id).await?;
        let (change, quirk) = match left_out.read_as {
            PutWithoutMembers::Keep => (None, Quirk::PutWithoutMembers),
            PutWithoutMembers::Empty => (Some(MemberChange::Replace(Vec::new())), Quirk::PutWithoutMembersAsEmpty),
        };
        Ok((change, Some(quirk).filter(|_| left_out.has_members)))
    }

    async fn edit_user(
        &self,
        scope: &SourceScope,
        id: &str,
        if_match: Option<&str>,
        quirks: &mut Quirks,
        edit: impl Fn(&UserResource, &mut Quirks) -> Result<UserResource, ScimError>,
    ) -> Result<Performed, ScimWriteError> {
        let id = id_of(id, "user")?;
        let mut edited = |user: &DirectoryUser| {
            if !user.is_what(if_match) {
                return Err(StoreError::Changed.into());
            }
            // Reset, because an edit may run twice.
            *quirks = Quirks::new();
            Ok::<_, ScimWriteError>(edit(&user.resource, quirks)?)
        };
        let user = match self.store.change_user(scope, id, &mut edited).await {
            // A write that ends a person's access is applied even when it requests a name that another user has.
            Err(ScimWriteError::Store(StoreError::Taken(what))) => {
                let ended = |user: &DirectoryUser| {
                    let after = edited(user)?.ended_under_former_name(&user.resource);
                    after.ok_or_else(|| ScimWriteError::from(StoreError::Taken(what)))
                };
                let user = self.store.change_user(scope, id, ended).await?;
                quirks.note(Quirk::ValueLeftOut);
                user
            }
            edited => edited?,
        };
        Ok(Performed::User(Box::new(self.after_commit(user).await)))
    }

    async fn patch_group(
        &self,
        scope: &SourceScope,
        id: DirectoryGroupId,
        if_match: Option<&str>,
        (patch, members): (&PatchRequest, &[MemberChange]),
        quirks: &mut Quirks,
    ) -> Result<Committed<Written<DirectoryGroup>>, ScimWriteError> {
        if !patch.changes_attributes() {
            return self.store.change_group(scope, id, if_match, NO_EDIT, members).await;
        }
        let edit = |group: &DirectoryGroup| Ok::<_, ScimWriteError>(apply_to_group(&group.resource, patch, quirks)?);
        self.store.change_group(scope, id, if_match, Some(edit), members).await
    }

    /// The row operations of these changes, whose filters are about the members before the request.
    async fn member_changes(
        &self,
        scope: &SourceScope,
        group: DirectoryGroupId,
        steps: Vec<GroupChange>,
        budget: &Budget,
    ) -> Result<Vec<MemberChange>, ScimWriteError> {
        let filter_of = |step: &GroupChange| match step {
            GroupChange::RemoveMembersWhere(filter) => Some(filter.clone()),
            _ => None,
        };
        let filters: Vec<Filter> = steps.iter().filter_map(filter_of).collect();
        let selected = match filters.is_empty() {
            true => Vec::new(),
            // Boxed: identity providers filter by nothing but the id, which is no filter here any more.
            false => Box::pin(self.selected_members(scope, group, filters, budget)).await?,
        };
        let mut selected = selected.into_iter();
        let change = |step: GroupChange| {
            Ok::<_, ScimWriteError>(match step {
                GroupChange::AddMembers(members) => MemberChange::Add(user_ids(&members)?),
                GroupChange::ReplaceMembers(members) => MemberChange::Replace(user_ids(&members)?),
                GroupChange::ClearMembers => MemberChange::Replace(Vec::new()),
                // Removing an absent member succeeds, also under an unknown id.
                GroupChange::RemoveMembers(ids) => {
                    MemberChange::Remove(ids.iter().filter_map(|id| id.parse().ok()).collect())
                }
                GroupChange::RemoveMembersWhere(_) => MemberChange::Remove(selected.next().unwrap_or_default()),
            })
        };
        steps.into_iter().map(change).collect()
    }

    /// The members that fulfil each of the filters. The group is read once, and compared in another thread.
    async fn selected_members(
        &self,
        scope: &SourceScope,
        group: DirectoryGroupId,
        filters: Vec<Filter>,
        budget: &Budget,
    ) -> Result<Vec<Vec<DirectoryUserId>>, ScimWriteError> {
        let work = self.store.heavy(budget, HeavyKind::GroupPatch).await?;
        let group = work.run(self.store.group(scope, group, Some(usize::MAX))).await?;
        let members = group.and_then(|group| group.resource.members).unwrap_or_default();
        let terms: usize = filters.iter().map(Filter::terms).sum();
        if budget.take(u64::try_from(members.len().saturating_mul(terms)).unwrap_or(u64::MAX)).is_err() {
            return Err(ScimError::too_large(format!(
                "this would compare each of {} members with {terms} terms, and a request may make {MEMBER_COMPARISONS} comparisons: \
                 name the members by `members[value eq \"…\"]`, or send fewer filters at a time",
                members.len()
            ))
            .into());
        }
        Ok(work.compute(&self.store.clock, move |budget| select(&members, &filters, budget)).await?)
    }
}

/// The budget of one request of a source.
#[must_use]
pub fn request_budget(scope: &SourceScope) -> Budget {
    Budget::unlimited(scope.tenant()).with_steps(MEMBER_COMPARISONS)
}

/// The ids of the members that fulfil each of the filters.
fn select(members: &[MemberRef], filters: &[Filter], budget: &Budget) -> Result<Vec<Vec<DirectoryUserId>>, Spent> {
    let mut selected = vec![Vec::new(); filters.len()];
    for member in members {
        budget.take(1)?;
        let Ok(id) = member.value.parse() else { continue };
        let element = json!({ "value": member.value, "display": member.display, "type": "User" });
        let group = json!({ "members": [element] });
        for (filter, chosen) in filters.iter().zip(&mut selected) {
            if filter.matches(&group) {
                chosen.push(id);
            }
        }
    }
    Ok(selected)
}

/// An id that is not a UUID was never given by this hub, so it names nobody.
fn user_ids(members: &[MemberRef]) -> Result<Vec<DirectoryUserId>, ScimError> {
    let unknown = |member: &MemberRef| {
        ScimError::invalid_value(format!("members: `{}` is not a user of this source", member.value))
    };
    members.iter().map(|member| member.value.parse().map_err(|_| unknown(member))).collect()
}
