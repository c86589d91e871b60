//! `/Groups`. Membership changes are row operations: no handler reads a group's members to change them.

use super::write::read_search;
use super::{
    Listed, base_url, header_text, id_in_path, list_answer, list_query, list_request, not_modified, projection,
    resource,
};
use crate::auth::SourceAuth;
use crate::scim::error::IngestError;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use rollcall_core::ids::DirectoryGroupId;
use rollcall_scim::etag::{etag, if_none_match_hits};
use rollcall_scim::render::{GroupParts, render_group};
use rollcall_scim::{ListQuery, Projection, ResourceKind};
use rollcall_store::{DirectoryGroup, StoreError};
use rollcall_web::Body;
use serde_json::Value;

const KIND: ResourceKind = ResourceKind::Group;

pub(super) fn location(base: &str, id: DirectoryGroupId) -> String {
    format!("{base}/Groups/{id}")
}

fn render(mut group: DirectoryGroup, base: &str, projection: &Projection) -> Value {
    let version = group.shown_version();
    let members = group.resource.members.take();
    let parts = GroupParts {
        id: &group.id.to_string(),
        attributes: group.resource.into_attributes(),
        members: members.as_deref().unwrap_or_default(),
        created: group.created_at,
        last_modified: group.modified_at,
        version,
        location: &location(base, group.id),
    };
    let mut shown = render_group(parts, projection);
    // Members that were not read are left out: an empty list would say that there are none.
    if members.is_none()
        && let Some(shown) = shown.as_object_mut()
    {
        shown.remove("members");
    }
    shown
}

pub(super) fn one(
    request: &HttpRequest,
    auth: &SourceAuth,
    status: StatusCode,
    group: DirectoryGroup,
) -> Result<HttpResponse, IngestError> {
    let base = base_url(request, auth);
    let (etag, location) = (etag(group.shown_version()), location(&base, group.id));
    let body = render(group, &base, &projection(request, auth, KIND)?);
    Ok(resource(status, &body, &etag, &location))
}

/// The group with its members, if the client asks for them and they fit into an answer: the write is done, so it is no failure that
/// they do not.
pub(super) async fn reread(
    request: &HttpRequest,
    auth: &SourceAuth,
    group: DirectoryGroup,
) -> Result<DirectoryGroup, IngestError> {
    if !projection(request, auth, KIND)?.wants_members() {
        return Ok(group);
    }
    match auth.ingest.hub.store.group(&auth.scope, group.id, auth.members_shown(true)).await {
        Ok(reread) => Ok(reread.unwrap_or(group)),
        Err(StoreError::TooMany(_)) => Ok(group),
        Err(error) => Err(error.into()),
    }
}

pub(crate) async fn get(request: HttpRequest, auth: SourceAuth) -> Result<HttpResponse, IngestError> {
    let id = id_in_path(&request, "group")?;
    let with_members = projection(&request, &auth, KIND)?.wants_members();
    auth.expects_large_answer(&request)?;
    let group = auth.ingest.hub.store.group(&auth.scope, id, auth.members_shown(with_members)).await?;
    let group = group.ok_or(StoreError::NotFound("group"))?;
    let version = group.shown_version();
    if if_none_match_hits(header_text(&request, header::IF_NONE_MATCH), version) {
        return Ok(not_modified(&etag(version)));
    }
    one(&request, &auth, StatusCode::OK, group)
}

pub(crate) async fn list(request: HttpRequest, auth: SourceAuth) -> Result<HttpResponse, IngestError> {
    let query = list_query(&request, &auth, KIND)?;
    page(&request, &auth, &query).await
}

/// `POST /Groups/.search` (RFC 7644 §3.4.3).
pub(crate) async fn search(request: HttpRequest, auth: SourceAuth, body: Body) -> Result<HttpResponse, IngestError> {
    let body = read_search(&auth, body).await?;
    let query = super::search_query(&auth, KIND, &body)?;
    page(&request, &auth, &query).await
}

async fn page(request: &HttpRequest, auth: &SourceAuth, query: &ListQuery) -> Result<HttpResponse, IngestError> {
    Ok(list_answer(query, listed(request, auth, query).await?))
}

/// One page, each group projected for the client.
pub(super) async fn listed(request: &HttpRequest, auth: &SourceAuth, query: &ListQuery) -> Result<Listed, IngestError> {
    auth.expects_large_answer(request)?;
    let base = base_url(request, auth);
    let budget = auth.budget();
    let wanted = list_request(query, auth, KIND, query.projection.wants_members(), &base, &budget);
    let page = auth.ingest.hub.store.list_groups(&auth.scope, &wanted).await;
    budget.settle().await;
    let page = page?;
    if let [only] = page.items.as_slice() {
        auth.noted.concerns(only.id.0);
    }
    Listed::of(page, |group| render(group, &base, &query.projection))
}
