//! `/Groups`. Membership arrives as row operations and stays so: no handler reads a group's members to change them.

use super::{
    base_url, header_text, id_in_path, list_answer, list_query, list_request, not_modified, projection, resource,
};
use crate::auth::SourceAuth;
use crate::body::Body;
use crate::error::IngestError;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use rollcall_core::ids::{DirectoryGroupId, DirectoryUserId};
use rollcall_scim::etag::{etag, if_match_allows, if_none_match_hits};
use rollcall_scim::patch::{apply_to_group, group_changes};
use rollcall_scim::render::{GroupParts, render_group};
use rollcall_scim::{
    GroupChange, GroupResource, ListQuery, MemberRef, PatchRequest, Projection, Quirks, ResourceKind, ScimError,
};
use rollcall_store::{DirectoryGroup, MemberChange, StoreError};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const KIND: ResourceKind = ResourceKind::Group;

/// No edit of attributes; names the type that `change_group` wants.
const NO_EDIT: Option<fn(&DirectoryGroup) -> Result<GroupResource, IngestError>> = None;

fn location(base: &str, id: DirectoryGroupId) -> String {
    format!("{base}/Groups/{id}")
}

/// The version of what is shown. Membership changes do not touch the group's row, so where members are shown they are
/// part of the version.
fn version(group: &DirectoryGroup) -> i64 {
    let Some(members) = &group.resource.members else { return group.version };
    let mut sum = Sha256::new().chain_update(group.version.to_be_bytes());
    for member in members {
        sum.update(member.value.as_bytes());
    }
    let sum: [u8; 32] = sum.finalize().into();
    let mut first = [0_u8; 8];
    first.copy_from_slice(&sum[..8]);
    i64::from_be_bytes(first) & i64::MAX
}

fn render(group: &DirectoryGroup, base: &str, projection: &Projection) -> Value {
    let parts = GroupParts {
        id: &group.id.to_string(),
        attributes: group.resource.attributes(),
        members: group.resource.members.as_deref().unwrap_or_default(),
        created: group.created_at,
        last_modified: group.modified_at,
        version: version(group),
        location: &location(base, group.id),
    };
    render_group(&parts, projection)
}

fn one(request: &HttpRequest, auth: &SourceAuth, status: StatusCode, group: &DirectoryGroup) -> Result<HttpResponse, IngestError> {
    let base = base_url(request, auth);
    let body = render(group, &base, &projection(request, KIND)?);
    Ok(resource(status, &body, &etag(version(group)), &location(&base, group.id)))
}

/// An id that is no UUID was never given by this hub, so it is nobody's.
fn user_ids(members: &[MemberRef]) -> Result<Vec<DirectoryUserId>, IngestError> {
    let id = |member: &MemberRef| {
        let unknown = || ScimError::invalid_value(format!("members: `{}` is not a user of this source", member.value));
        member.value.parse().map_err(|_| unknown().into())
    };
    members.iter().map(id).collect()
}

pub(crate) async fn create(request: HttpRequest, auth: SourceAuth, body: Body) -> Result<HttpResponse, IngestError> {
    let config = &auth.ingest.config;
    let resource = GroupResource::from_json(body.json(config).await?, &config.limits, &mut Quirks::new())?;
    let members = resource.members.clone().unwrap_or_default();
    let group = auth.ingest.store.create_group(&auth.scope, resource, &user_ids(&members)?).await?;
    auth.ingest.wake(&auth.scope);
    let group = reread(&request, &auth, group).await?;
    one(&request, &auth, StatusCode::CREATED, &group)
}

/// The group with its members, when the client wants to see them.
async fn reread(request: &HttpRequest, auth: &SourceAuth, group: DirectoryGroup) -> Result<DirectoryGroup, IngestError> {
    if !projection(request, KIND)?.wants_members() {
        return Ok(group);
    }
    Ok(auth.ingest.store.group(&auth.scope, group.id, true).await?.unwrap_or(group))
}

pub(crate) async fn get(request: HttpRequest, auth: SourceAuth) -> Result<HttpResponse, IngestError> {
    let id = id_in_path(&request, "group")?;
    let with_members = projection(&request, KIND)?.wants_members();
    let group = auth.ingest.store.group(&auth.scope, id, with_members).await?;
    let group = group.ok_or(StoreError::NotFound("group"))?;
    if if_none_match_hits(header_text(&request, header::IF_NONE_MATCH), version(&group)) {
        return Ok(not_modified(&etag(version(&group))));
    }
    one(&request, &auth, StatusCode::OK, &group)
}

pub(crate) async fn list(request: HttpRequest, auth: SourceAuth) -> Result<HttpResponse, IngestError> {
    let query = list_query(&request, &auth, KIND)?;
    page(&request, &auth, &query).await
}

/// `POST /Groups/.search` (RFC 7644 §3.4.3).
pub(crate) async fn search(request: HttpRequest, auth: SourceAuth, body: Body) -> Result<HttpResponse, IngestError> {
    let body = body.json(&auth.ingest.config).await?;
    let query = ListQuery::from_search(KIND, &body, auth.ingest.config.pages, &mut Quirks::new())?;
    page(&request, &auth, &query).await
}

async fn page(request: &HttpRequest, auth: &SourceAuth, query: &ListQuery) -> Result<HttpResponse, IngestError> {
    let base = base_url(request, auth);
    let wanted = list_request(query, KIND, query.projection.wants_members(), &base);
    let page = auth.ingest.store.list_groups(&auth.scope, &wanted).await?;
    Ok(list_answer(query, page, |group| render(group, &base, &query.projection)))
}

/// PUT replaces the attributes; the members only when the body has the key (scim.md trap 2).
pub(crate) async fn replace(request: HttpRequest, auth: SourceAuth, body: Body) -> Result<HttpResponse, IngestError> {
    let config = &auth.ingest.config;
    let resource = GroupResource::from_json(body.json(config).await?, &config.limits, &mut Quirks::new())?;
    let members = match &resource.members {
        Some(members) => vec![MemberChange::Replace(user_ids(members)?)],
        None => Vec::new(),
    };
    let group = change(&request, &auth, Some(move |_: &DirectoryGroup| Ok(resource)), &members).await?;
    let group = reread(&request, &auth, group).await?;
    one(&request, &auth, StatusCode::OK, &group)
}

/// Answers 204: Entra wants no body, and a body would mean reading every member (ENTRA-DOC, scim.md §2).
pub(crate) async fn patch(request: HttpRequest, auth: SourceAuth, body: Body) -> Result<HttpResponse, IngestError> {
    let config = &auth.ingest.config;
    let mut quirks = Quirks::new();
    let patch = PatchRequest::parse(KIND, body.json(config).await?, &config.limits, &mut quirks)?;
    let mut members = Vec::new();
    for step in group_changes(&patch) {
        members.push(member_change(&request, &auth, step).await?);
    }
    if patch.changes_attributes() {
        let edit = |group: &DirectoryGroup| Ok(apply_to_group(&group.resource, &patch, &mut quirks)?);
        change(&request, &auth, Some(edit), &members).await?;
    } else {
        change(&request, &auth, NO_EDIT, &members).await?;
    }
    Ok(HttpResponse::NoContent().finish())
}

async fn member_change(request: &HttpRequest, auth: &SourceAuth, step: GroupChange) -> Result<MemberChange, IngestError> {
    Ok(match step {
        GroupChange::AddMembers(members) => MemberChange::Add(user_ids(&members)?),
        GroupChange::ReplaceMembers(members) => MemberChange::Replace(user_ids(&members)?),
        GroupChange::ClearMembers => MemberChange::Replace(Vec::new()),
        // Removing somebody who is not there is a success, also under an id that is nobody's.
        GroupChange::RemoveMembers(ids) => MemberChange::Remove(ids.iter().filter_map(|id| id.parse().ok()).collect()),
        GroupChange::RemoveMembersWhere(filter) => {
            // No identity provider filters by anything but the id, which is reduced to the arm above.
            let group = auth.ingest.store.group(&auth.scope, id_in_path(request, "group")?, true).await?;
            let members = group.and_then(|group| group.resource.members).unwrap_or_default();
            let matching = members.iter().filter(|member| {
                let element = json!({ "value": member.value, "display": member.display, "type": "User" });
                filter.matches(&json!({ "members": [element] }))
            });
            MemberChange::Remove(matching.filter_map(|member| member.value.parse().ok()).collect())
        }
    })
}

async fn change<F>(
    request: &HttpRequest,
    auth: &SourceAuth,
    edit: Option<F>,
    members: &[MemberChange],
) -> Result<DirectoryGroup, IngestError>
where
    F: FnOnce(&DirectoryGroup) -> Result<GroupResource, IngestError>,
{
    let id = id_in_path(request, "group")?;
    if let Some(if_match) = header_text(request, header::IF_MATCH) {
        let group = auth.ingest.store.group(&auth.scope, id, true).await?.ok_or(StoreError::NotFound("group"))?;
        if !if_match_allows(Some(if_match), version(&group)) && !if_match_allows(Some(if_match), group.version) {
            return Err(ScimError::precondition_failed("the group changed since you read it").into());
        }
    }
    let written = auth.ingest.store.change_group(&auth.scope, id, edit, members).await?;
    if written.changed {
        auth.ingest.wake(&auth.scope);
    }
    Ok(written.value)
}

pub(crate) async fn delete(request: HttpRequest, auth: SourceAuth) -> Result<HttpResponse, IngestError> {
    auth.ingest.store.delete_group(&auth.scope, id_in_path(&request, "group")?).await?;
    auth.ingest.wake(&auth.scope);
    Ok(HttpResponse::NoContent().finish())
}
