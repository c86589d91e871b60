//! `/Users` (RFC 7644 §3.3 to §3.6).

use super::write::read_search;
use super::{
    Listed, base_url, header_text, id_in_path, list_answer, list_query, list_request, not_modified, projection,
    resource,
};
use crate::auth::SourceAuth;
use crate::scim::error::IngestError;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use rollcall_core::ids::DirectoryUserId;
use rollcall_scim::etag::{etag, if_none_match_hits};
use rollcall_scim::render::{UserParts, render_user};
use rollcall_scim::{ListQuery, Projection, ResourceKind};
use rollcall_store::{DirectoryUser, StoreError};
use rollcall_web::Body;
use serde_json::Value;

const KIND: ResourceKind = ResourceKind::User;

pub(super) fn location(base: &str, id: DirectoryUserId) -> String {
    format!("{base}/Users/{id}")
}

fn render(user: DirectoryUser, base: &str, projection: &Projection) -> Value {
    let version = user.shown_version();
    let parts = UserParts {
        id: &user.id.to_string(),
        attributes: user.resource.into_attributes(),
        groups: &user.groups,
        created: user.created_at,
        last_modified: user.modified_at,
        version,
        location: &location(base, user.id),
    };
    render_user(parts, projection)
}

pub(super) fn one(
    request: &HttpRequest,
    auth: &SourceAuth,
    status: StatusCode,
    user: DirectoryUser,
) -> Result<HttpResponse, IngestError> {
    let base = base_url(request, auth);
    let (etag, location) = (etag(user.shown_version()), location(&base, user.id));
    let body = render(user, &base, &projection(request, auth, KIND)?);
    Ok(resource(status, &body, &etag, &location))
}

pub(crate) async fn get(request: HttpRequest, auth: SourceAuth) -> Result<HttpResponse, IngestError> {
    let id = id_in_path(&request, "user")?;
    let with_groups = projection(&request, &auth, KIND)?.wants_groups();
    let user = auth.ingest.hub.store.user(&auth.scope, id, with_groups).await?;
    let user = user.ok_or(StoreError::NotFound("user"))?;
    let version = user.shown_version();
    if if_none_match_hits(header_text(&request, header::IF_NONE_MATCH), version) {
        return Ok(not_modified(&etag(version)));
    }
    one(&request, &auth, StatusCode::OK, user)
}

pub(crate) async fn list(request: HttpRequest, auth: SourceAuth) -> Result<HttpResponse, IngestError> {
    let query = list_query(&request, &auth, KIND)?;
    page(&request, &auth, &query).await
}

/// `POST /Users/.search` (RFC 7644 §3.4.3).
pub(crate) async fn search(request: HttpRequest, auth: SourceAuth, body: Body) -> Result<HttpResponse, IngestError> {
    let body = read_search(&auth, body).await?;
    let query = super::search_query(&auth, KIND, &body)?;
    page(&request, &auth, &query).await
}

async fn page(request: &HttpRequest, auth: &SourceAuth, query: &ListQuery) -> Result<HttpResponse, IngestError> {
    Ok(list_answer(query, listed(request, auth, query).await?))
}

/// One page, each user projected for the client.
pub(super) async fn listed(request: &HttpRequest, auth: &SourceAuth, query: &ListQuery) -> Result<Listed, IngestError> {
    auth.expects_large_answer(request)?;
    let base = base_url(request, auth);
    let budget = auth.budget();
    let wanted = list_request(query, auth, KIND, query.projection.wants_groups(), &base, &budget);
    let page = auth.ingest.hub.store.list_users(&auth.scope, &wanted).await;
    budget.settle().await;
    let page = page?;
    if let [only] = page.items.as_slice() {
        auth.noted.concerns(only.id.0);
    }
    Listed::of(page, |user| render(user, &base, &query.projection))
}
