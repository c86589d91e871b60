//! `Idempotency-Key`: a POST that is sent twice runs once, and the second one gets the answer of the first. It stands around the
//! handlers, so that no handler can be left out.

use crate::Admin;
use crate::auth::ApiAuth;
use crate::error::AdminError;
use actix_web::body::{BoxBody, MessageBody, to_bytes};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{Error, FromRequest, HttpMessage, HttpResponse, ResponseError};
use futures_util::stream;
use rollcall_store::{KeptAnswer, Once, OnceOnly};
use rollcall_web::{Body, Demands};
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

const KEY: &str = "idempotency-key";
/// Says that an answer is that of an earlier request.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Longest key, in bytes; a UUID has 36.
const KEY_BYTES_MAX: usize = 255;
/// Largest body of any request.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Secrets, which are shown once: a repetition has null in their place, and no database keeps them.
const SECRETS: [&str; 6] = ["key", "token", "client_secret", "url", "codes", "sign_in_link"];

/// Runs a request with a key once.
///
/// # Errors
/// None of its own: a refusal is an answer.
pub(crate) async fn once(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let asks = request.headers().contains_key(KEY) && *request.method() == Method::POST;
    let demands = request.app_data::<Demands>().and_then(|demands| demands.of_method(&Method::POST));
    if !asks || demands.is_none() {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let begun = begin(&mut request).await;
    match begun {
        Ok(Begun::Runs(running)) => {
            let answer = next.call(request).await?.map_into_boxed_body();
            Ok(running.keep(answer).await)
        }
        Ok(Begun::Answered(answer)) => Ok(request.into_response(answer)),
        Err(error) => Ok(request.into_response(error.error_response())),
    }
}

enum Begun {
    Runs(Running),
    Answered(HttpResponse),
}

/// A request that runs for the first time.
struct Running {
    admin: actix_web::web::Data<Admin>,
    scope: rollcall_store::AdminScope,
    once: OnceOnly,
}

/// The caller is known, and within all limits, before anything is looked up; the handler takes both from the request.
async fn begin(request: &mut ServiceRequest) -> Result<Begun, AdminError> {
    let key = key_of(request)?;
    let auth = ApiAuth::from_request(request.request(), &mut Payload::None).await?;
    let mut payload = request.take_payload();
    let Ok(body) = Body::from_request(request.request(), &mut payload).await;
    let bytes = Bytes::from(body.read(BODY_BYTES_MAX).await?);
    let mut asked = Sha256::new();
    for part in [request.method().as_str().as_bytes(), request.path().as_bytes(), &bytes] {
        asked.update((part.len() as u64).to_be_bytes());
        asked.update(part);
    }
    let once =
        OnceOnly { credential: auth.credential, key: Sha256::digest(key).into(), fingerprint: asked.finalize().into() };
    let standing = auth.admin.hub.store.begin_once(&auth.scope, &once).await?;
    match standing {
        Once::Runs => {}
        Once::Answered(answer) => return Ok(Begun::Answered(replayed(&answer))),
        Once::Running => return Err(AdminError::StillRunning),
        Once::Differs => return Err(AdminError::KeyReused),
    }
    let running = Running { admin: auth.admin.clone(), scope: auth.scope, once };
    // It was decompressed.
    request.headers_mut().remove(header::CONTENT_ENCODING);
    request.set_payload(Payload::Stream { payload: Box::pin(stream::once(async { Ok(bytes) })) });
    request.extensions_mut().insert(auth);
    Ok(Begun::Runs(running))
}

fn key_of(request: &ServiceRequest) -> Result<String, AdminError> {
    let mut keys = request.headers().get_all(KEY);
    let key = keys.next().and_then(|key| key.to_str().ok()).map(str::trim).unwrap_or_default();
    if key.is_empty() || key.len() > KEY_BYTES_MAX || keys.next().is_some() {
        return Err(AdminError::BadRequest(format!("Idempotency-Key is one text of 1 to {KEY_BYTES_MAX} characters")));
    }
    Ok(key.to_owned())
}

fn replayed(kept: &KeptAnswer) -> HttpResponse {
    let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
    let media_type = if status.is_success() { "application/json" } else { "application/problem+json" };
    let mut answer = HttpResponse::build(status);
    answer.insert_header((REPLAYED, HeaderValue::from_static("true")));
    if kept.body.is_empty() {
        return answer.finish();
    }
    answer.content_type(media_type).body(kept.body.clone())
}

impl Running {
    /// Keeps the answer, or forgets the request when it did nothing and may do something later.
    async fn keep(self, answer: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
        let (request, answer) = answer.into_parts();
        let (answer, body) = answer.into_parts();
        let status = answer.status();
        let bytes = to_bytes(body).await.unwrap_or_default();
        let store = &self.admin.hub.store;
        let kept = match status.as_u16() {
            401 | 403 | 408 | 413 | 415 | 429 | 500.. => store.drop_once(&self.scope, &self.once).await,
            status => {
                let answer = KeptAnswer { status, body: without_secrets(&bytes) };
                store.keep_answer(&self.scope, &self.once, &answer).await
            }
        };
        if let Err(error) = kept {
            // The work is done and its caller must hear so; a repetition is refused until the request counts as lost.
            tracing::warn!(%error, "the answer to a request with an idempotency key could not be kept");
        }
        ServiceResponse::new(request, answer.set_body(BoxBody::new(bytes)))
    }
}

/// The body as it is kept.
fn without_secrets(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let Ok(Json::Object(mut answer)) = serde_json::from_slice::<Json>(bytes) else { return text };
    let secrets: Vec<&str> = SECRETS.into_iter().filter(|name| answer.contains_key(*name)).collect();
    if secrets.is_empty() {
        return text;
    }
    for name in secrets {
        answer.insert(name.to_owned(), Json::Null);
    }
    Json::Object(answer).to_string()
}
