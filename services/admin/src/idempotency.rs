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
use actix_web::rt::spawn;
use actix_web::rt::time::timeout;
use actix_web::web::Bytes;
use actix_web::{Error, FromRequest, HttpMessage, HttpResponse, ResponseError};
use futures_util::stream;
use rollcall_store::{AdminScope, Attempt, KeptAnswer, ONCE_TIME, Once, OnceOnly, StoreError, holds_secret};
use rollcall_web::{Body, Demands};
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};
use tracing::{Instrument, Span};

const KEY: &str = "idempotency-key";
/// Says that an answer is that of an earlier request.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Longest key, in bytes; a UUID has 36.
const KEY_BYTES_MAX: usize = 255;
/// Largest body of any request.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Secrets, which are shown once: a repetition has null in their place, and no database keeps them.
pub(crate) const SECRETS: [&str; 7] = ["key", "token", "client_secret", "secret", "url", "codes", "sign_in_link"];

/// Runs a request with a key once. A caller who goes away ends neither the work nor the keeping of its answer: both are in a task of
/// their own, which has its time.
///
/// # Errors
/// None of its own: a refusal is an answer.
pub(crate) async fn once(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let asks = request.headers().contains_key(KEY) && *request.method() == Method::POST;
    let demand = request.app_data::<Demands>().and_then(|demands| demands.of_method(&Method::POST));
    // A preview changes nothing, so it runs each time.
    if !asks || demand.is_none_or(|demand| demand.previews) {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let asked = match asked(&mut request).await {
        Ok(asked) => asked,
        Err(error) => return Ok(request.into_response(error.error_response())),
    };
    let head = request.request().clone();
    let answer = spawn(answered(request, next, asked).instrument(Span::current())).await;
    let answer = answer.unwrap_or_else(|error| {
        tracing::error!(%error, "a request with an idempotency key ended without an answer");
        AdminError::from(StoreError::Database("the request ended without an answer".into())).error_response()
    });
    Ok(ServiceResponse::new(head, answer))
}

/// A request with a key, and its caller.
struct Asked {
    auth: ApiAuth,
    once: OnceOnly,
}

/// The caller is known, and within all limits, before anything is looked up; the handler takes both from the request.
async fn asked(request: &mut ServiceRequest) -> Result<Asked, AdminError> {
    let key = key_of(request)?;
    let auth = ApiAuth::from_request(request.request(), &mut Payload::None).await?;
    let mut payload = request.take_payload();
    let Ok(body) = Body::from_request(request.request(), &mut payload).await;
    let body = Bytes::from(body.read(BODY_BYTES_MAX).await?);
    // It was decompressed.
    request.headers_mut().remove(header::CONTENT_ENCODING);
    let mut asked = Sha256::new();
    let [method, path, query] = [request.method().as_str(), request.path(), request.query_string()];
    for part in [method.as_bytes(), path.as_bytes(), query.as_bytes(), &body] {
        asked.update((part.len() as u64).to_be_bytes());
        asked.update(part);
    }
    let once =
        OnceOnly { credential: auth.credential, key: Sha256::digest(key).into(), fingerprint: asked.finalize().into() };
    request.set_payload(Payload::Stream { payload: Box::pin(stream::once(async { Ok(body) })) });
    Ok(Asked { auth, once })
}

/// The answer of the first run, now or from before.
async fn answered(request: ServiceRequest, next: Next<impl MessageBody + 'static>, asked: Asked) -> HttpResponse {
    let Asked { auth, once } = asked;
    let (admin, scope) = (auth.admin.clone(), auth.scope);
    let attempt = match begin(&auth, once).await {
        Ok(Begun::Runs(attempt)) => attempt,
        Ok(Begun::Answered(answer)) => return answer,
        Err(error) => return error.error_response(),
    };
    request.extensions_mut().insert(auth);
    let answer = match timeout(ONCE_TIME, next.call(request)).await {
        Ok(Ok(answer)) => answer.map_into_boxed_body().into_parts().1,
        Ok(Err(error)) => error.error_response(),
        // The work may be done. A repetition is refused until the request counts as lost.
        Err(_) => return AdminError::from(StoreError::Unavailable("it took too long".into())).error_response(),
    };
    keep(&admin, &scope, &attempt, answer).await
}

enum Begun {
    Runs(Attempt),
    Answered(HttpResponse),
}

async fn begin(auth: &ApiAuth, once: OnceOnly) -> Result<Begun, AdminError> {
    let hub = &auth.admin.hub;
    match hub.store.begin_once(&auth.scope, once).await? {
        Once::Runs(attempt) => match hub.room_for_key(auth.scope.tenant()).await {
            Ok(()) => Ok(Begun::Runs(attempt)),
            Err(full) => {
                hub.store.drop_once(&auth.scope, &attempt).await?;
                Err(full.into())
            }
        },
        Once::Answered(answer) => Ok(Begun::Answered(replayed(&answer))),
        Once::TooLarge(status) => Err(AdminError::AnswerNotKept(status)),
        Once::Running => Err(AdminError::StillRunning),
        Once::Differs => Err(AdminError::KeyReused),
    }
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

/// An answer is kept when it says what was done, or that the request itself is wrong. Every other one tells of a state that may
/// change: such a request did nothing, and its repetition runs.
fn is_lasting(status: StatusCode) -> bool {
    status.is_success() || matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY)
}

/// Keeps the answer, or forgets the request when it did nothing and may do something later.
async fn keep(admin: &Admin, scope: &AdminScope, attempt: &Attempt, answer: HttpResponse) -> HttpResponse {
    let (answer, body) = answer.into_parts();
    let status = answer.status();
    let bytes = to_bytes(body).await.unwrap_or_default();
    let store = &admin.hub.store;
    let kept = if is_lasting(status) {
        let answer = KeptAnswer { status: status.as_u16(), body: without_secrets(&bytes) };
        store.keep_answer(scope, attempt, &answer).await
    } else {
        store.drop_once(scope, attempt).await.map(|()| true)
    };
    match kept {
        Ok(true) => {}
        Ok(false) => tracing::warn!("a request with an idempotency key was late, and another attempt took its place"),
        // The work is done and its caller must hear so; a repetition is refused until the request counts as lost.
        Err(error) => {
            tracing::warn!(%error, "the answer to a request with an idempotency key could not be kept");
        }
    }
    answer.set_body(BoxBody::new(bytes))
}

/// The body as it is kept.
fn without_secrets(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let Ok(Json::Object(mut answer)) = serde_json::from_slice::<Json>(bytes) else { return text };
    let secrets: Vec<&str> = SECRETS.into_iter().filter(|name| answer.contains_key(*name)).collect();
    if secrets.is_empty() && !holds_secret(&text) {
        return text;
    }
    for name in secrets {
        answer.insert(name.to_owned(), Json::Null);
    }
    let mut answer = Json::Object(answer);
    hide(&mut answer);
    answer.to_string()
}

/// Hides what has the form of a secret in a field that [`SECRETS`] does not name.
fn hide(value: &mut Json) {
    match value {
        Json::String(text) if holds_secret(text) => *value = Json::Null,
        Json::Array(items) => items.iter_mut().for_each(hide),
        Json::Object(entries) => entries.values_mut().for_each(hide),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_secret_in_any_field_is_not_kept() {
        let secret = format!("rcx_{}", "Ab-_9".repeat(9).get(..43).expect("long enough"));
        let kept = |answer: Json| without_secrets(answer.to_string().as_bytes());
        for answer in [
            json!({ "key": "short" }),
            json!({ "new_field": secret }),
            json!({ "items": [{ "deep": format!("https://hub.example/x?link={secret}") }] }),
        ] {
            let after = kept(answer.clone());
            assert!(
                !after.contains(&secret) && !after.contains("short") && after.contains("null"),
                "{answer}: {after}"
            );
        }
        let plain = json!({ "id": "01a22746-cb40-74d7-8d75-806a38acf500", "name": "rcx_ and _ more" });
        assert_eq!(kept(plain.clone()), plain.to_string());
    }
}
