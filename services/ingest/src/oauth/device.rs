//! Device authorization for agents (RFC 8628): an agent without a browser shows a code, an admin types it at `/activate`, and the agent
//! gets a token of an hour for the source that the admin chose.

use super::error::OauthError;
use super::form::Form;
use super::wire::{AccessToken, Code, DeviceCodes, DeviceRequest, Failure};
use super::{Answer, base_of};
use crate::Ingest;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use rollcall_core::user_code::shown;
use rollcall_hub::CallerError;
use rollcall_store::{BegunDevice, DEVICE_PAUSE_SECONDS, DEVICE_TIME, DevicePoll, ENROLMENT_TIME};
use rollcall_web::{Body, peer};

pub(super) const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// The only thing that a token of this grant is for.
pub(super) const SCOPE: &str = "agent";
/// The one client of this grant; it has no secret.
const CLIENT: &str = "rollcall-agent";

#[utoipa::path(
    post, path = "/oauth/device_authorization", tag = "oauth", operation_id = "oauth_device_authorization", summary = "Begins to let an agent in",
    request_body(content = DeviceRequest, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, body = DeviceCodes, description = "The codes, for some minutes"),
        (status = 400, body = Failure, description = "The form is not understood"),
        (status = 401, body = Failure, description = "The client is none that is known"),
        (status = 408, body = Failure, description = "The form came too slowly"),
        (status = 413, body = Failure, description = "The form is too large"),
        (status = 415, body = Failure, description = "The form is compressed in an unknown way"),
        (status = 429, body = Failure, description = "Too many requests; `Retry-After` says when to try again"),
        (status = 500, body = Failure, description = "An error of the hub, logged under the request's id"),
        (status = 503, body = Failure, description = "The hub is short of something; `Retry-After` says when to try again"),
    ),
    security(()),
)]
pub(crate) async fn begin(request: HttpRequest, ingest: web::Data<Ingest>, payload: Body) -> Answer {
    let form = Form::read(payload).await?;
    check_client(&form)?;
    let name = form.value("device_name").unwrap_or_default();
    let begun = ingest.hub.begin_enrolment(name, &peer(&request), &ingest.config.callers).await;
    let BegunDevice { device_code, user_code } = begun.map_err(refused)?;
    let (page, user_code) = (format!("{}/activate", base_of(&request, &ingest)), shown(&user_code));
    let answer = DeviceCodes {
        device_code,
        verification_uri_complete: format!("{page}?user_code={user_code}"),
        verification_uri: page,
        user_code,
        expires_in: DEVICE_TIME.num_seconds(),
        interval: DEVICE_PAUSE_SECONDS,
    };
    Ok(HttpResponse::Ok().insert_header((header::PRAGMA, "no-cache")).json(answer))
}

/// The answer of `/oauth/token` to an agent.
pub(super) async fn token(request: &HttpRequest, ingest: &Ingest, form: &Form) -> Answer {
    check_client(form)?;
    let code = form.value("device_code").ok_or_else(|| OauthError::invalid("device_code is missing"))?;
    match ingest.hub.poll_enrolment(code, &peer(request), &ingest.config.callers).await.map_err(refused)? {
        DevicePoll::Pending => Err(OauthError::Device(Code::AuthorizationPending, "nobody has approved the agent yet")),
        DevicePoll::SlowDown => {
            Err(OauthError::Device(Code::SlowDown, "wait five seconds longer between two questions"))
        }
        DevicePoll::Expired => Err(OauthError::Device(Code::ExpiredToken, "the code has ended: begin again")),
        DevicePoll::Denied => Err(OauthError::Device(Code::AccessDenied, "an admin refused the agent")),
        DevicePoll::Enrolled { token, source } => {
            let (expires_in, source_id) = (ENROLMENT_TIME.num_seconds(), Some(source.0));
            let token =
                AccessToken { access_token: token.secret, token_type: "Bearer", expires_in, scope: SCOPE, source_id };
            Ok(HttpResponse::Ok().insert_header((header::PRAGMA, "no-cache")).json(token))
        }
    }
}

fn check_client(form: &Form) -> Result<(), OauthError> {
    match form.value("client_id") {
        Some(CLIENT) => Ok(()),
        Some(_) => Err(OauthError::InvalidClient { by_header: false }),
        None => Err(OauthError::invalid("client_id is missing; it is rollcall-agent")),
    }
}

fn refused(error: CallerError) -> OauthError {
    match error {
        CallerError::Missing | CallerError::Unknown | CallerError::Ended => {
            OauthError::Device(Code::InvalidGrant, "the device code is unknown or was used: begin again")
        }
        CallerError::RateLimited { retry_after } => OauthError::RateLimited { retry_after },
        CallerError::Store(error) => error.into(),
    }
}
