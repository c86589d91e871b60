//! What the hub says about itself (RFC 7644 §4): exactly what it serves.

use super::{answer, base_url};
use crate::auth::SourceAuth;
use crate::error::IngestError;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use rollcall_scim::discovery::{self, Capabilities};
use rollcall_scim::{Quirks, ScimError, query};

fn capabilities(auth: &SourceAuth) -> Capabilities {
    Capabilities {
        bulk: None,
        pages: auth.ingest.config.pages,
        cursor_timeout_seconds: None,
        sort: true,
        etag: true,
        respond_async: false,
        groups: true,
        documentation_uri: None,
    }
}

/// Discovery lists are short and fixed: a filter on them is refused (RFC 7644 §4).
fn refuse_filter(request: &HttpRequest) -> Result<(), IngestError> {
    let pairs = query::parse_query(request.query_string(), &mut Quirks::new())?;
    if pairs.iter().any(|(key, _)| key.eq_ignore_ascii_case("filter")) {
        return Err(ScimError::forbidden("discovery endpoints take no filter").into());
    }
    Ok(())
}

pub(crate) async fn service_provider_config(request: HttpRequest, auth: SourceAuth) -> Result<HttpResponse, IngestError> {
    refuse_filter(&request)?;
    let body = discovery::service_provider_config(&capabilities(&auth), &base_url(&request, &auth));
    Ok(answer(StatusCode::OK, &body))
}

pub(crate) async fn resource_types(request: HttpRequest, auth: SourceAuth) -> Result<HttpResponse, IngestError> {
    refuse_filter(&request)?;
    Ok(answer(StatusCode::OK, &discovery::resource_types(&capabilities(&auth), &base_url(&request, &auth))))
}

pub(crate) async fn resource_type(request: HttpRequest, auth: SourceAuth) -> Result<HttpResponse, IngestError> {
    let name = request.match_info().get("name").unwrap_or_default();
    let body = discovery::resource_type(&capabilities(&auth), &base_url(&request, &auth), name);
    let body = body.ok_or_else(|| ScimError::not_found("there is no such resource type"))?;
    Ok(answer(StatusCode::OK, &body))
}

pub(crate) async fn schemas(request: HttpRequest, auth: SourceAuth) -> Result<HttpResponse, IngestError> {
    refuse_filter(&request)?;
    Ok(answer(StatusCode::OK, &discovery::schemas(&capabilities(&auth), &base_url(&request, &auth))))
}

pub(crate) async fn schema(request: HttpRequest, auth: SourceAuth) -> Result<HttpResponse, IngestError> {
    let urn = request.match_info().get("urn").unwrap_or_default();
    let body = discovery::schema(&capabilities(&auth), &base_url(&request, &auth), urn);
    let body = body.ok_or_else(|| ScimError::not_found("there is no such schema"))?;
    Ok(answer(StatusCode::OK, &body))
}

/// Parts of SCIM that are not advertised (`/Me`, `/Bulk`).
pub(crate) async fn not_served(request: HttpRequest, _: SourceAuth) -> Result<HttpResponse, IngestError> {
    Err(ScimError::not_implemented(format!("{} is not served", request.path())).into())
}
