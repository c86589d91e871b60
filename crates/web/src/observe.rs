//! Gives every request an id (`X-Request-Id`) and a span, and measures it under its route.

use crate::endpoint::RouteLabel;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::ErrorInternalServerError;
use actix_web::http::Method;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, web};
use rollcall_core::clock::Clock;
use rollcall_core::ids::RequestId;
use rollcall_runtime::{Metrics, TraceContext};
use std::time::Instant;
use tracing::{Instrument, Span};

/// Dependencies of the observation, as data of the application.
#[derive(Clone)]
pub struct Observer {
    pub clock: Clock,
    pub metrics: Metrics,
}

/// Marks a request with a trailing slash, which the router removes before a service sees the path.
#[derive(Clone, Copy, Debug)]
pub struct HadTrailingSlash;

/// The id of a request in the log and in its answer.
pub fn request_id(request: &HttpRequest) -> Option<RequestId> {
    request.extensions().get::<RequestId>().copied()
}

/// The target of the access log; `telemetry.log_filter` switches it on.
const ACCESS_LOG: &str = "rollcall::access";

/// Gives the request an id and a span, answers the id in `X-Request-Id`, and measures the request under its route.
///
/// # Errors
/// As the handler; and 500 when the application has no [`Observer`].
pub async fn observe(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
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
    let mut response = next.call(request).instrument(span.clone()).await?;
    let RouteLabel { service, pattern } = label_of(response.request());
    let status = response.status().as_u16();
    tracing::record_all!(span, service = service, route = pattern, status = status);
    let took = started.elapsed();
    observer.metrics.http_request(service, pattern, method, status, took);
    // The route's pattern, never the path or the query, which hold names and addresses.
    let took_ms = took.as_secs_f64() * 1e3;
    tracing::debug!(target: ACCESS_LOG, method, route = pattern, status, took_ms, request_id = %id);
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
    }
    Ok(response)
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
