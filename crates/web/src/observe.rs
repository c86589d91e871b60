//! Gives every request an id (`X-Request-Id`) and a span, and measures it under its route.

use crate::answer_bytes::{AnswerBody, AnswerBytes};
use crate::connection::{Connection, KnownCaller};
use crate::endpoint::{Refused, RouteLabel};
use crate::peer::Proxies;
use crate::refusal::Refusal;
use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::ErrorInternalServerError;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{ConnectionType, Method};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, web};
use rollcall_core::clock::Clock;
use rollcall_core::ids::{RequestId, TenantId};
use rollcall_runtime::{Metrics, TraceContext};
use std::sync::Arc;
use std::time::Instant;
use tracing::{Instrument, Span};

/// Dependencies of the observation, as data of the application.
#[derive(Clone)]
pub struct Observer {
    pub clock: Clock,
    pub metrics: Metrics,
    pub proxies: Proxies,
    pub answers: AnswerBytes,
}

/// Marks a request with a trailing slash, which the router removes before a service sees the path.
#[derive(Clone, Copy, Debug)]
pub struct HadTrailingSlash;

/// The id of a request in the log and in its answer.
pub fn request_id(request: &HttpRequest) -> Option<RequestId> {
    request.extensions().get::<RequestId>().copied()
}

/// Refuses a request with a large answer while too many others of its tenant are not read, before the work for it is done.
///
/// # Errors
/// [`Refusal::AnswersUnread`].
pub fn expects_large_answer(request: &HttpRequest, tenant: TenantId) -> Result<(), Refusal> {
    request.app_data::<web::Data<Observer>>().map_or(Ok(()), |observer| observer.answers.admits(tenant))
}

/// The target of the access log; `telemetry.log_filter` switches it on.
const ACCESS_LOG: &str = "rollcall::access";

/// Gives the request an id and a span, answers the id in `X-Request-Id`, and measures the request under its route.
///
/// # Errors
/// As the handler; and 500 when the application has no [`Observer`].
pub async fn observe(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let started = Instant::now();
    let observer = request.app_data::<web::Data<Observer>>().cloned();
    let observer = observer.ok_or_else(|| ErrorInternalServerError("the service is not configured"))?;
    let method = method_name(request.method());
    let id: RequestId = observer.clock.new_id();
    let span = span_of(&request, method, id);
    request.extensions_mut().insert(id);
    if request.path().len() > 1 && request.path().ends_with('/') {
        request.extensions_mut().insert(HadTrailingSlash);
    }
    let has_body = has_body(&mut request);
    let connection = Connection::of(request.request()).cloned();
    if let Some(connection) = &connection {
        connection.handles(has_body);
    }
    let response = next.call(request).instrument(span.clone()).await?;
    let mut response = within_budget(&observer.answers, response, connection);
    let RouteLabel { service, pattern } = label_of(response.request());
    let status = response.status().as_u16();
    tracing::record_all!(span, service = service, route = pattern, status = status);
    let took = started.elapsed();
    observer.metrics.http_request(service, pattern, method, status, took);
    // The route's pattern, never the path or the query, which hold names and addresses.
    let took_ms = took.as_secs_f64() * 1e3;
    let credential = || {
        let caller = response.request().extensions().get::<KnownCaller>().copied();
        caller.map(|caller| tracing::field::display(caller.credential))
    };
    tracing::debug!(
        target: ACCESS_LOG, method, route = pattern, status, took_ms, request_id = %id, credential = credential()
    );
    let may_keep = response.response().extensions().get::<MayKeep>().map_or("no-store", |keep| keep.0);
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        headers.insert(HeaderName::from_static("x-request-id"), value);
    }
    // Answers hold people's data and, once, secrets.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(may_keep));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

/// The `Cache-Control` of an answer that holds nobody's data, as an extension of the answer. Every other one is `no-store`.
#[derive(Clone, Copy, Debug)]
pub struct MayKeep(pub &'static str);

/// Whether more than the head of a request is to come. A `Content-Length: 0` announces a body without any bytes.
fn has_body(request: &mut ServiceRequest) -> bool {
    let is_announced = !matches!(request.parts_mut().1, Payload::None);
    is_announced && request.headers().get(header::CONTENT_LENGTH).is_none_or(|length| length.as_bytes() != b"0")
}

/// The answer, its bytes taken out of the budget; a refusal instead when there is no room for it. An answer to a request whose
/// body is not read closes its connection.
fn within_budget(
    answers: &AnswerBytes,
    response: ServiceResponse<impl MessageBody + 'static>,
    connection: Option<Arc<Connection>>,
) -> ServiceResponse<AnswerBody> {
    let close = connection.as_ref().is_some_and(|connection| connection.answers());
    let tenant = response.request().extensions().get::<KnownCaller>().map(|caller| caller.tenant);
    let (request, answer) = response.map_into_boxed_body().into_parts();
    let (answer, body) = answer.into_parts();
    let mut answer = match answers.body(tenant, body, connection.clone()) {
        Ok(body) => answer.set_body(body),
        Err(refusal) => {
            let (answer, body) = Refused::answer(&request, refusal).into_parts();
            answer.set_body(AnswerBody::small(body, connection))
        }
    };
    if close {
        answer.head_mut().set_connection_type(ConnectionType::Close);
    }
    ServiceResponse::new(request, answer)
}

/// The span of a request. It has the route once that is known, and never the query, because a filter holds an email
/// address.
fn span_of(request: &ServiceRequest, method: &'static str, id: RequestId) -> Span {
    let span = tracing::info_span!(
        "request",
        method,
        request_id = %id,
        service = tracing::field::Empty,
        route = tracing::field::Empty,
        status = tracing::field::Empty,
    );
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    TraceContext::from_headers(header("traceparent"), header("tracestate")).adopt(&span);
    span
}

/// The label of the matched route; a path outside every table has none.
fn label_of(request: &HttpRequest) -> RouteLabel {
    request.app_data::<RouteLabel>().copied().unwrap_or(RouteLabel::unknown("none"))
}

/// The label of a method. Any token is a valid HTTP method, and it takes no credential to send one.
fn method_name(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
