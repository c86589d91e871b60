//! `ETag` and `If-Match`: a thing is changed as its caller read it, or not at all. One table names the things; reading and the check
//! stand around the handlers, so that no handler can be left out.

use crate::auth::ApiAuth;
use crate::error::AdminError;
use crate::path::id_in_path;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, ResponseError};
use rollcall_store::{AdminScope, Expected, Version, Versioned};
use rollcall_web::RouteLabel;

/// True for a route whose things have versions.
pub(crate) fn is_versioned(pattern: &str) -> bool {
    matches!(
        pattern,
        "/api/v1/members/{id}"
            | "/api/v1/groups/{id}"
            | "/api/v1/sources/{id}"
            | "/api/v1/sign-in-connections/{id}"
            | "/api/v1/webhooks/{id}"
            | "/api/v1/policy"
    )
}

/// The thing that a request is about, if it has versions.
fn thing_of(request: &HttpRequest) -> Result<Option<Versioned>, AdminError> {
    let Some(RouteLabel { pattern, .. }) = request.app_data::<RouteLabel>() else { return Ok(None) };
    if !is_versioned(pattern) {
        return Ok(None);
    }
    let rest = pattern.trim_start_matches("/api/v1/");
    Ok(match rest.split('/').next() {
        Some("members") => Some(Versioned::Member(id_in_path(request, "member")?)),
        Some("groups") => Some(Versioned::Group(id_in_path(request, "group")?)),
        Some("sources") => Some(Versioned::Source(id_in_path(request, "source")?)),
        Some("sign-in-connections") => Some(Versioned::Connection(id_in_path(request, "sign-in connection")?)),
        Some("webhooks") => Some(Versioned::Webhook(id_in_path(request, "webhook")?)),
        _ => Some(Versioned::Policy),
    })
}

/// Tells the version of a thing that is read. It is looked up before the thing itself: if that changes in between, the caller has the
/// tag of the earlier one, and is asked to read again.
///
/// # Errors
/// None of its own: a refusal is an answer.
pub(crate) async fn tagged(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let version = match version_of(&request).await {
        Ok(version) => version,
        Err(error) => return Ok(request.into_response(error.error_response())),
    };
    let mut answer = next.call(request).await?.map_into_boxed_body();
    if let Some(tag) = version.filter(|_| answer.status() == StatusCode::OK) {
        answer.headers_mut().insert(header::ETAG, tag);
    }
    Ok(answer)
}

/// The caller is known before anything is looked up; the handler takes it from the request.
async fn version_of(request: &ServiceRequest) -> Result<Option<HeaderValue>, AdminError> {
    if request.request().app_data::<RouteLabel>().is_none_or(|label| !is_versioned(label.pattern)) {
        return Ok(None);
    }
    let auth = ApiAuth::from_request(request.request(), &mut Payload::None).await?;
    let Some(thing) = thing_of(request.request())? else { return Ok(None) };
    let version = auth.admin.hub.store.version(&auth.scope, thing).await?;
    request.extensions_mut().insert(auth);
    Ok(version.and_then(|Version(bytes)| {
        let tag: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        HeaderValue::from_str(&format!("\"{tag}\"")).ok()
    }))
}

/// The scope of a write that names the version of its thing.
pub(crate) fn expecting(request: &HttpRequest, scope: AdminScope) -> Result<AdminScope, AdminError> {
    let mut given = request.headers().get_all(header::IF_MATCH);
    let Some(tag) = given.next().filter(|_| !matches!(*request.method(), Method::GET | Method::HEAD)) else {
        return Ok(scope);
    };
    let thing = if *request.method() == Method::POST { None } else { thing_of(request)? };
    let Some(thing) = thing else { return Err(AdminError::BadRequest(NO_VERSION.into())) };
    let tag = tag.to_str().unwrap_or_default().trim();
    if tag == "*" {
        return Ok(scope);
    }
    if given.next().is_some() || tag.contains(',') {
        return Err(AdminError::BadRequest("If-Match names one ETag, as a GET of this thing gave it".into()));
    }
    // A tag that no GET gave is that of no version.
    let version = read(tag).unwrap_or(Version([0; 16]));
    Ok(scope.expecting(Expected { thing, version }))
}

/// Refuses a write that names a version of a thing which has none.
pub(crate) fn expects_nothing(request: &HttpRequest) -> Result<(), AdminError> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let asks = request.headers().contains_key(header::IF_MATCH);
    if asks && !reads { Err(AdminError::BadRequest(NO_VERSION.into())) } else { Ok(()) }
}

const NO_VERSION: &str = "If-Match is for PATCH, PUT and DELETE of a thing whose GET has an ETag (a member, a group, a source, a sign-in \
    connection, an endpoint of webhooks, the policy): send this call without it";

fn read(tag: &str) -> Option<Version> {
    let digits = tag.strip_prefix('"')?.strip_suffix('"')?;
    let number = u128::from_str_radix(digits, 16).ok()?;
    (digits.len() == 32).then(|| Version(number.to_be_bytes()))
}
