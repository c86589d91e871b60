//! POST, PUT, PATCH and DELETE: the body is read only after authentication, and the hub performs the write in it.

use super::{base_url, groups, header_text, names_attributes, users};
use crate::auth::SourceAuth;
use crate::scim::error::IngestError;
use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use rollcall_core::budget::Budget;
use rollcall_hub::Performed;
use rollcall_scim::bulk::{BulkCall, BulkVerb};
use rollcall_scim::{Quirks, ResourceKind, ScimError, parse_json, parse_unchecked, parse_write};
use rollcall_web::{Body, Refusal};
use serde_json::Value;

/// A write to `/Users`.
pub(crate) async fn user(request: HttpRequest, auth: SourceAuth, body: Body) -> Result<HttpResponse, IngestError> {
    let call = read_call(&request, &auth, ResourceKind::User, body).await?;
    let status = if *request.method() == Method::POST { StatusCode::CREATED } else { StatusCode::OK };
    match alone(&auth, call).await? {
        Performed::User(user) => users::one(&request, &auth, status, user.value),
        Performed::Group(_) | Performed::Deleted => Ok(HttpResponse::NoContent().finish()),
    }
}

/// A write to `/Groups`. PATCH answers 204: Entra wants no body, and a body would mean reading every member
/// (docs/decisions/0007-a-group-patch-answers-204.md); unless the client names the attributes that it wants to see (RFC
/// 7644 §3.5.2).
pub(crate) async fn group(request: HttpRequest, auth: SourceAuth, body: Body) -> Result<HttpResponse, IngestError> {
    let call = read_call(&request, &auth, ResourceKind::Group, body).await?;
    let status = match *request.method() {
        Method::POST => StatusCode::CREATED,
        Method::PUT => StatusCode::OK,
        Method::PATCH if names_attributes(&request, &auth)? => StatusCode::OK,
        _ => StatusCode::NO_CONTENT,
    };
    match alone(&auth, call).await? {
        Performed::Group(group) if status != StatusCode::NO_CONTENT => {
            let group = groups::reread(&request, &auth, group.value).await?;
            groups::one(&request, &auth, status, group)
        }
        _ => Ok(HttpResponse::NoContent().finish()),
    }
}

/// Performs the write of a request that is one.
async fn alone(auth: &SourceAuth, call: BulkCall) -> Result<Performed, IngestError> {
    let budget = auth.budget();
    let done = apply(auth, call, &budget).await;
    budget.settle().await;
    done
}

/// Performs one write and records its quirks. The hub wakes a worker when it changed something.
pub(super) async fn apply(auth: &SourceAuth, call: BulkCall, budget: &Budget) -> Result<Performed, IngestError> {
    let mut quirks = Quirks::new();
    let (hub, limits) = (&auth.ingest.hub, &auth.ingest.config.limits);
    let done = hub.perform(&auth.scope, call, limits, (&mut quirks, budget)).await;
    auth.quirks().merge(&quirks);
    let done = done?;
    if let Some(subject) = done.subject() {
        auth.noted.concerns(subject);
    }
    Ok(done)
}

async fn read_call(
    request: &HttpRequest,
    auth: &SourceAuth,
    kind: ResourceKind,
    body: Body,
) -> Result<BulkCall, IngestError> {
    let id = request.match_info().get("id").unwrap_or_default().to_owned();
    let verb = match *request.method() {
        Method::POST => BulkVerb::Post,
        Method::PUT => BulkVerb::Put(id),
        Method::PATCH => BulkVerb::Patch(id),
        _ => BulkVerb::Delete(id),
    };
    let data = match verb {
        BulkVerb::Delete(_) => Value::Null,
        _ => read_resource(auth, kind, body, &base_url(request, auth)).await?,
    };
    let version = header_text(request, header::IF_MATCH).map(str::to_owned);
    Ok(BulkCall { verb, kind, version, data })
}

/// The body of a single write; `base` is the address of the source's endpoints, which a group names with each member
/// and a user with each group.
async fn read_resource(auth: &SourceAuth, kind: ResourceKind, body: Body, base: &str) -> Result<Value, IngestError> {
    let config = &auth.ingest.config;
    // The groups of a user are read-only, but clients send back what they were given.
    let remedy = match kind {
        ResourceKind::User => "; leave out `groups`, which is read-only",
        ResourceKind::Group => "; add and remove the members of a larger group by PATCH, in parts",
    };
    let most = Most { bytes: config.body_bytes_max.max(config.limits.resource_bytes(base)), remedy };
    read(auth, body, most, |bytes| parse_write(kind, bytes)).await
}

/// The body of a search.
///
/// # Errors
/// 415 for another media type or encoding, 413 over the limit, 400 for a body that is not JSON.
pub(super) async fn read_search(auth: &SourceAuth, body: Body) -> Result<Value, IngestError> {
    let most = Most { bytes: auth.ingest.config.body_bytes_max, remedy: "" };
    read(auth, body, most, parse_json).await
}

/// The body of a bulk.
///
/// # Errors
/// As [`read_search`].
pub(super) async fn read_bulk(auth: &SourceAuth, body: Body) -> Result<Value, IngestError> {
    let most = Most { bytes: auth.ingest.config.body_bytes_max, remedy: "; send fewer operations at a time" };
    read(auth, body, most, parse_unchecked).await
}

async fn read(
    auth: &SourceAuth,
    body: Body,
    most: Most,
    parse: impl FnOnce(&[u8]) -> Result<Value, ScimError>,
) -> Result<Value, IngestError> {
    if !matches!(body.media_type().as_str(), "" | "application/scim+json" | "application/json") {
        let detail = "send application/scim+json or application/json";
        return Err(ScimError::unsupported_media_type(detail).into());
    }
    let bytes = body.read(most.bytes).await.map_err(|refusal| most.explain(refusal))?;
    let json = parse(&bytes);
    auth.noted.keep_body(bytes);
    Ok(json?)
}

/// How large a body may be, and the remedy for one that is larger.
struct Most {
    bytes: usize,
    remedy: &'static str,
}

impl Most {
    fn explain(&self, refusal: Refusal) -> IngestError {
        match refusal {
            Refusal::BodyTooLarge { .. } => ScimError::too_large(format!("{refusal}{}", self.remedy)).into(),
            refusal => refusal.into(),
        }
    }
}
