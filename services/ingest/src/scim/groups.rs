//! `/Groups`. Membership changes are row operations: no handler reads a group's members to change them.

use super::{
    Listed, base_url, call, header_text, id_in_path, list_answer, list_query, list_request, names_attributes,
    not_modified, projection, resource,
};
use crate::auth::SourceAuth;
use crate::body::Body;
use crate::scim::error::IngestError;
use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use rollcall_core::ids::DirectoryGroupId;
use rollcall_hub::Performed;
use rollcall_scim::etag::{etag, if_none_match_hits};
use rollcall_scim::render::{GroupParts, render_group};
use rollcall_scim::schema::get_ignore_case;
use rollcall_scim::{ListQuery, Projection, Quirk, ResourceKind};
use rollcall_store::{DirectoryGroup, StoreError};
use serde_json::Value;

const KIND: ResourceKind = ResourceKind::Group;

pub(super) fn location(base: &str, id: DirectoryGroupId) -> String {
    format!("{base}/Groups/{id}")
}

fn render(group: &DirectoryGroup, base: &str, projection: &Projection) -> Value {
    let parts = GroupParts {
        id: &group.id.to_string(),
        attributes: group.resource.attributes(),
        members: group.resource.members.as_deref().unwrap_or_default(),
        created: group.created_at,
        last_modified: group.modified_at,
        version: group.shown_version(),
        location: &location(base, group.id),
    };
    render_group(&parts, projection)
}

fn one(
    request: &HttpRequest,
    auth: &SourceAuth,
    status: StatusCode,
    group: &DirectoryGroup,
) -> Result<HttpResponse, IngestError> {
    let base = base_url(request, auth);
    let body = render(group, &base, &projection(request, auth, KIND)?);
    Ok(resource(status, &body, &etag(group.shown_version()), &location(&base, group.id)))
}

/// The group with its members, if the client asks for them.
async fn reread(
    request: &HttpRequest,
    auth: &SourceAuth,
    group: DirectoryGroup,
) -> Result<DirectoryGroup, IngestError> {
    if !projection(request, auth, KIND)?.wants_members() {
        return Ok(group);
    }
    Ok(auth.ingest.hub.store.group(&auth.scope, group.id, true).await?.unwrap_or(group))
}

pub(crate) async fn get(request: HttpRequest, auth: SourceAuth) -> Result<HttpResponse, IngestError> {
    let id = id_in_path(&request, "group")?;
    let with_members = projection(&request, &auth, KIND)?.wants_members();
    let group = auth.ingest.hub.store.group(&auth.scope, id, with_members).await?;
    let group = group.ok_or(StoreError::NotFound("group"))?;
    let version = group.shown_version();
    if if_none_match_hits(header_text(&request, header::IF_NONE_MATCH), version) {
        return Ok(not_modified(&etag(version)));
    }
    one(&request, &auth, StatusCode::OK, &group)
}

pub(crate) async fn list(request: HttpRequest, auth: SourceAuth) -> Result<HttpResponse, IngestError> {
    let query = list_query(&request, &auth, KIND)?;
    page(&request, &auth, &query).await
}

/// `POST /Groups/.search` (RFC 7644 §3.4.3).
pub(crate) async fn search(request: HttpRequest, auth: SourceAuth, body: Body) -> Result<HttpResponse, IngestError> {
    let body = body.json(&auth).await?;
    let query = super::search_query(&auth, KIND, &body)?;
    page(&request, &auth, &query).await
}

async fn page(request: &HttpRequest, auth: &SourceAuth, query: &ListQuery) -> Result<HttpResponse, IngestError> {
    Ok(list_answer(query, listed(request, auth, query).await?))
}

/// One page, each group projected for the client.
pub(super) async fn listed(request: &HttpRequest, auth: &SourceAuth, query: &ListQuery) -> Result<Listed, IngestError> {
    let base = base_url(request, auth);
    let wanted = list_request(query, KIND, query.projection.wants_members(), &base);
    let page = auth.ingest.hub.store.list_groups(&auth.scope, &wanted).await?;
    if let [only] = page.items.as_slice() {
        auth.noted.concerns(only.id.0);
    }
    Ok(Listed::of(page, |group| render(group, &base, &query.projection)))
}

/// POST, PUT, PATCH and DELETE. PATCH answers 204: Entra wants no body, and a body would mean reading every member
/// (docs/decisions/0007-a-group-patch-answers-204.md); unless the client names the attributes that it wants to see (RFC
/// 7644 §3.5.2).
pub(crate) async fn write(request: HttpRequest, auth: SourceAuth, body: Body) -> Result<HttpResponse, IngestError> {
    let call = call(&request, &auth, KIND, body).await?;
    let leaves_members_out = *request.method() == Method::PUT && says_no_members(&call.data);
    let status = match *request.method() {
        Method::POST => StatusCode::CREATED,
        Method::PUT => StatusCode::OK,
        Method::PATCH if names_attributes(&request, &auth)? => StatusCode::OK,
        _ => StatusCode::NO_CONTENT,
    };
    match auth.perform(call).await? {
        Performed::Group(group) if status != StatusCode::NO_CONTENT => {
            let group = reread(&request, &auth, group.value).await?;
            if leaves_members_out && group.resource.members.as_ref().is_some_and(|members| !members.is_empty()) {
                auth.quirks().note(Quirk::PutWithoutMembers);
            }
            one(&request, &auth, status, &group)
        }
        _ => Ok(HttpResponse::NoContent().finish()),
    }
}

/// Whether the body of a group leaves its members alone.
fn says_no_members(body: &Value) -> bool {
    body.as_object().is_some_and(|body| get_ignore_case(body, "members").is_none_or(Value::is_null))
}
