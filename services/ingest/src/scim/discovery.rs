//! Discovery (RFC 7644 §4): exactly the served features.

use super::{answer, base_url, header_text};
use crate::auth::SourceAuth;
use crate::scim::error::IngestError;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use rollcall_scim::discovery::{self, Capabilities};
use rollcall_scim::{ScimError, query};

/// Least validity of a cursor (RFC 9865). Present cursors are positions in the order of ids and never expire; later
/// versions must keep to a day.
const CURSOR_VALID_SECONDS: u64 = 86_400;

/// Whether a request may come from a client that is known to refuse a configuration with an attribute beyond RFC 7643:
/// scim2-client, which Canaille uses and which has the name of its HTTP library (docs/decisions/0060-plain-discovery.md).
fn refuses_the_unknown(request: &HttpRequest) -> bool {
    header_text(request, header::USER_AGENT).is_some_and(|agent| agent.starts_with("python-httpx/"))
}

fn capabilities(request: &HttpRequest, auth: &SourceAuth) -> Capabilities {
    let plain = auth.scope.plain_discovery() || refuses_the_unknown(request);
    Capabilities {
        bulk: Some(auth.ingest.config.bulk()),
        pages: auth.ingest.config.pages,
        // The one attribute that RFC 7643 does not have. Cursors are served all the same.
        cursor_timeout_seconds: (!plain).then_some(CURSOR_VALID_SECONDS),
        sort: true,
        etag: true,
        groups: !auth.scope.users_only(),
        documentation_uri: None,
    }
}

/// Discovery lists are short and fixed: a filter on them is refused (RFC 7644 §4).
fn refuse_filter(request: &HttpRequest, auth: &SourceAuth) -> Result<(), IngestError> {
    let pairs = query::parse_query(request.query_string(), &mut auth.quirks())?;
    if pairs.iter().any(|(key, _)| key.eq_ignore_ascii_case("filter")) {
        return Err(ScimError::forbidden("discovery endpoints take no filter").into());
    }
    Ok(())
}

pub(crate) async fn service_provider_config(
    request: HttpRequest,
    auth: SourceAuth,
) -> Result<HttpResponse, IngestError> {
    refuse_filter(&request, &auth)?;
    let body = discovery::service_provider_config(&capabilities(&request, &auth), &base_url(&request, &auth));
    Ok(answer(StatusCode::OK, &body))
}

pub(crate) async fn resource_types(request: HttpRequest, auth: SourceAuth) -> Result<HttpResponse, IngestError> {
    refuse_filter(&request, &auth)?;
    Ok(answer(StatusCode::OK, &discovery::resource_types(&capabilities(&request, &auth), &base_url(&request, &auth))))
}

pub(crate) async fn resource_type(request: HttpRequest, auth: SourceAuth) -> Result<HttpResponse, IngestError> {
    let name = request.match_info().get("name").unwrap_or_default();
    let body = discovery::resource_type(&capabilities(&request, &auth), &base_url(&request, &auth), name);
    let body = body.ok_or_else(|| ScimError::not_found("there is no such resource type"))?;
    Ok(answer(StatusCode::OK, &body))
}

pub(crate) async fn schemas(request: HttpRequest, auth: SourceAuth) -> Result<HttpResponse, IngestError> {
    refuse_filter(&request, &auth)?;
    Ok(answer(StatusCode::OK, &discovery::schemas(&capabilities(&request, &auth), &base_url(&request, &auth))))
}

pub(crate) async fn schema(request: HttpRequest, auth: SourceAuth) -> Result<HttpResponse, IngestError> {
    let urn = request.match_info().get("urn").unwrap_or_default();
    let body = discovery::schema(&capabilities(&request, &auth), &base_url(&request, &auth), urn);
    let body = body.ok_or_else(|| ScimError::not_found("there is no such schema"))?;
    Ok(answer(StatusCode::OK, &body))
}

/// `/Me`: a token of an identity provider belongs to no person (RFC 7644 §3.11).
pub(crate) async fn me(_: SourceAuth) -> Result<HttpResponse, IngestError> {
    Err(ScimError::not_implemented("/Me is not served: this token belongs to a system, not to a person").into())
}
