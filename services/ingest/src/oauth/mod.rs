//! `/oauth`: short-lived tokens for identity providers that want them instead of a token that lasts (RFC 6749 §4.4). One client is of
//! one source; its tokens open that source alone. A token is given back at `/oauth/revoke` (RFC 7009). Agents are enrolled by device
//! authorization (RFC 8628).

pub(crate) mod device;
mod document;
mod error;
mod form;
mod wire;

pub(crate) use document::json as document;

pub(crate) use error::OauthError;

use self::form::{Form, Presented};
use self::wire::{AccessToken, Failure, GRANT, METHODS, Metadata, RevocationRequest, SCOPE, TokenRequest};
use crate::Ingest;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use rollcall_hub::{CallerError, ClientSecret};
use rollcall_store::{NewAccessToken, OauthClient};
use rollcall_web::{Body, known_caller, origin, peer, request_id};

type Answer = Result<HttpResponse, OauthError>;

#[utoipa::path(
    post, path = "/oauth/token", tag = "oauth", operation_id = "oauth_token", summary = "Gets a token for the client's source",
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, body = AccessToken, description = "A token of an hour"),
        (status = 400, body = Failure, description = "The form is not understood, or asks for another grant"),
        (status = 401, body = Failure, description = "The client is unknown, or its secret is not in force"),
        (status = 408, body = Failure, description = "The form came too slowly"),
        (status = 413, body = Failure, description = "The form is too large"),
        (status = 415, body = Failure, description = "The form is compressed in an unknown way"),
        (status = 429, body = Failure, description = "Too many requests; `Retry-After` says when to try again"),
        (status = 500, body = Failure, description = "An error of the hub, logged under the request's id"),
        (status = 503, body = Failure, description = "The hub is short of something; `Retry-After` says when to try again"),
    ),
    security(("client" = []), ()),
)]
pub(crate) async fn token(request: HttpRequest, ingest: web::Data<Ingest>, payload: Body) -> Answer {
    let form = Form::read(payload).await?;
    if form.value("grant_type") == Some(device::GRANT) {
        return device::token(&request, &ingest, &form).await;
    }
    let client = client(&request, &ingest, &form).await?;
    match form.value("grant_type") {
        Some(GRANT) => {}
        Some(_) => return Err(OauthError::UnsupportedGrant),
        None => return Err(OauthError::invalid("grant_type is missing; it is client_credentials")),
    }
    let issued = ingest.hub.access_token(&client, &peer(&request)).await.map_err(|error| refused(&request, error))?;
    let NewAccessToken { token, expires_in, .. } = issued;
    let token = AccessToken { access_token: token, token_type: "Bearer", expires_in, scope: SCOPE, source_id: None };
    Ok(HttpResponse::Ok().insert_header((header::PRAGMA, "no-cache")).json(token))
}

/// Ends a token of the client. Another text is answered in the same way (RFC 7009 §2.2), so that nobody learns about tokens of others.
#[utoipa::path(
    post, path = "/oauth/revoke", tag = "oauth", operation_id = "oauth_revoke", summary = "Gives a token back",
    request_body(content = RevocationRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The token is over, if it was the client's"),
        (status = 400, body = Failure, description = "The form is not understood, or asks for another grant"),
        (status = 401, body = Failure, description = "The client is unknown, or its secret is not in force"),
        (status = 408, body = Failure, description = "The form came too slowly"),
        (status = 413, body = Failure, description = "The form is too large"),
        (status = 415, body = Failure, description = "The form is compressed in an unknown way"),
        (status = 429, body = Failure, description = "Too many requests; `Retry-After` says when to try again"),
        (status = 500, body = Failure, description = "An error of the hub, logged under the request's id"),
        (status = 503, body = Failure, description = "The hub is short of something; `Retry-After` says when to try again"),
    ),
    security(("client" = []), ()),
)]
pub(crate) async fn revoke(request: HttpRequest, ingest: web::Data<Ingest>, payload: Body) -> Answer {
    let form = Form::read(payload).await?;
    let client = client(&request, &ingest, &form).await?;
    let token = form.value("token").ok_or_else(|| OauthError::invalid("token is missing"))?;
    ingest.hub.return_token(&client, token).await?;
    Ok(HttpResponse::Ok().finish())
}

/// The addresses and ways of this hub, for clients that read them (RFC 8414).
#[utoipa::path(
    get, path = "/.well-known/oauth-authorization-server", tag = "oauth", operation_id = "oauth_metadata",
    summary = "The addresses and ways of this hub",
    responses((status = 200, body = Metadata, description = "The metadata")),
)]
pub(crate) async fn metadata(request: HttpRequest, ingest: web::Data<Ingest>) -> HttpResponse {
    let base = base_of(&request, &ingest);
    HttpResponse::Ok().json(Metadata {
        token_endpoint: format!("{base}/oauth/token"),
        revocation_endpoint: format!("{base}/oauth/revoke"),
        device_authorization_endpoint: format!("{base}/oauth/device_authorization"),
        grant_types_supported: [GRANT, device::GRANT],
        response_types_supported: [],
        scopes_supported: [SCOPE, device::SCOPE],
        token_endpoint_auth_methods_supported: [METHODS[0], METHODS[1], "none"],
        revocation_endpoint_auth_methods_supported: METHODS,
        issuer: base,
    })
}

/// The address of the hub as the caller reaches it.
fn base_of(request: &HttpRequest, ingest: &Ingest) -> String {
    let base = ingest.config.public_url.clone().unwrap_or_else(|| origin(request));
    base.trim_end_matches('/').to_owned()
}

/// The client that sent the request.
async fn client(request: &HttpRequest, ingest: &Ingest, form: &Form) -> Result<OauthClient, OauthError> {
    let Presented { id, secret } = Presented::of(request, form)?;
    let presented = ClientSecret { id: &id, secret: &secret };
    let client = ingest.hub.oauth_client(&presented, &peer(request), &ingest.config.callers).await;
    let client = client.map_err(|error| refused(request, error))?;
    known_caller(request, client.tenant(), client.secret);
    Ok(request_id(request).map_or(client, |id| client.for_request(id)))
}

fn refused(request: &HttpRequest, error: CallerError) -> OauthError {
    match error {
        CallerError::Missing | CallerError::Unknown | CallerError::Ended => OauthError::unknown_client(request),
        CallerError::RateLimited { retry_after } => OauthError::RateLimited { retry_after },
        CallerError::Store(error) => error.into(),
    }
}
