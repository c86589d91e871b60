//! `/Users` (RFC 7644 §3.3 to §3.6).

use super::{
    base_url, header_text, id_in_path, list_answer, list_query, list_request, not_modified, projection, resource,
};
use crate::auth::SourceAuth;
use crate::body::Body;
use crate::error::IngestError;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use rollcall_core::ids::DirectoryUserId;
use rollcall_scim::etag::{etag, if_match_allows, if_none_match_hits};
use rollcall_scim::patch::apply_to_user;
use rollcall_scim::render::{UserParts, render_user};
use rollcall_scim::{ListQuery, PatchRequest, Projection, Quirks, ResourceKind, ScimError, UserResource};
use rollcall_store::{DirectoryUser, StoreError};
use serde_json::Value;

const KIND: ResourceKind = ResourceKind::User;

fn location(base: &str, id: DirectoryUserId) -> String {
    format!("{base}/Users/{id}")
}

fn render(user: &DirectoryUser, base: &str, projection: &Projection) -> Value {
    let parts = UserParts {
        id: &user.id.to_string(),
        attributes: user.resource.attributes(),
        groups: &user.groups,
        created: user.created_at,
        last_modified: user.modified_at,
        version: user.version,
        location: &location(base, user.id),
    };
    render_user(&parts, projection)
}

fn one(request: &HttpRequest, auth: &SourceAuth, status: StatusCode, user: &DirectoryUser) -> Result<HttpResponse, IngestError> {
    let base = base_url(request, auth);
    let body = render(user, &base, &projection(request, KIND)?);
    Ok(resource(status, &body, &etag(user.version), &location(&base, user.id)))
}

pub(crate) async fn create(request: HttpRequest, auth: SourceAuth, body: Body) -> Result<HttpResponse, IngestError> {
    let body = body.json(&auth.ingest.config).await?;
    let resource = UserResource::from_json(body, &mut Quirks::new())?;
    let user = auth.ingest.store.create_user(&auth.scope, resource).await?;
    auth.ingest.wake(&auth.scope);
    one(&request, &auth, StatusCode::CREATED, &user)
}

pub(crate) async fn get(request: HttpRequest, auth: SourceAuth) -> Result<HttpResponse, IngestError> {
    let id = id_in_path(&request, "user")?;
    let with_groups = projection(&request, KIND)?.wants_groups();
    let user = auth.ingest.store.user(&auth.scope, id, with_groups).await?;
    let user = user.ok_or(StoreError::NotFound("user"))?;
    if if_none_match_hits(header_text(&request, header::IF_NONE_MATCH), user.version) {
        return Ok(not_modified(&etag(user.version)));
    }
    one(&request, &auth, StatusCode::OK, &user)
}

pub(crate) async fn list(request: HttpRequest, auth: SourceAuth) -> Result<HttpResponse, IngestError> {
    let query = list_query(&request, &auth, KIND)?;
    page(&request, &auth, &query).await
}

/// `POST /Users/.search` (RFC 7644 §3.4.3).
pub(crate) async fn search(request: HttpRequest, auth: SourceAuth, body: Body) -> Result<HttpResponse, IngestError> {
    let body = body.json(&auth.ingest.config).await?;
    let query = ListQuery::from_search(KIND, &body, auth.ingest.config.pages, &mut Quirks::new())?;
    page(&request, &auth, &query).await
}

async fn page(request: &HttpRequest, auth: &SourceAuth, query: &ListQuery) -> Result<HttpResponse, IngestError> {
    let base = base_url(request, auth);
    let wanted = list_request(query, KIND, query.projection.wants_groups(), &base);
    let page = auth.ingest.store.list_users(&auth.scope, &wanted).await?;
    Ok(list_answer(query, page, |user| render(user, &base, &query.projection)))
}

pub(crate) async fn replace(request: HttpRequest, auth: SourceAuth, body: Body) -> Result<HttpResponse, IngestError> {
    let body = body.json(&auth.ingest.config).await?;
    let resource = UserResource::from_json(body, &mut Quirks::new())?;
    change(&request, &auth, |_| Ok(resource)).await
}

pub(crate) async fn patch(request: HttpRequest, auth: SourceAuth, body: Body) -> Result<HttpResponse, IngestError> {
    let body = body.json(&auth.ingest.config).await?;
    let mut quirks = Quirks::new();
    let patch = PatchRequest::parse(KIND, body, &auth.ingest.config.limits, &mut quirks)?;
    change(&request, &auth, |user| Ok(apply_to_user(&user.resource, &patch, &mut quirks)?)).await
}

async fn change(
    request: &HttpRequest,
    auth: &SourceAuth,
    edit: impl FnOnce(&DirectoryUser) -> Result<UserResource, IngestError>,
) -> Result<HttpResponse, IngestError> {
    let id = id_in_path(request, "user")?;
    let if_match = header_text(request, header::IF_MATCH);
    let edit = |user: &DirectoryUser| {
        if !if_match_allows(if_match, user.version) {
            return Err(IngestError::from(ScimError::precondition_failed("the user changed since you read it")));
        }
        edit(user)
    };
    let written = auth.ingest.store.change_user(&auth.scope, id, edit).await?;
    if written.changed {
        auth.ingest.wake(&auth.scope);
    }
    one(request, auth, StatusCode::OK, &written.value)
}

pub(crate) async fn delete(request: HttpRequest, auth: SourceAuth) -> Result<HttpResponse, IngestError> {
    auth.ingest.store.delete_user(&auth.scope, id_in_path(&request, "user")?).await?;
    auth.ingest.wake(&auth.scope);
    Ok(HttpResponse::NoContent().finish())
}
