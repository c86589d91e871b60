//! The HTTP server: which services listen, and what every request gets (an id, a span, a measurement).

use crate::health::{Health, healthz, readyz};
use crate::settings::Settings;
use actix_web::body::MessageBody;
use actix_web::dev::{Server, ServiceRequest, ServiceResponse};
use actix_web::error::ErrorInternalServerError;
use actix_web::http::Method;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::{Next, NormalizePath, TrailingSlash, from_fn};
use actix_web::{App, Error, HttpMessage, HttpRequest, HttpResponse, HttpServer, web};
use anyhow::{Context, Result};
use rollcall_admin::{Admin, AdminConfig};
use rollcall_core::ids::RequestId;
use rollcall_ingest::{HadTrailingSlash, Ingest, IngestConfig, Ledger};
use rollcall_runtime::{Cache, Metrics, Queue, Rate, Readiness, RoutePattern, TraceContext};
use rollcall_scim::Limits;
use rollcall_scim::list::PageLimits;
use rollcall_store::Store;
use serde_json::json;
use std::borrow::Cow;
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};
use tracing::{Instrument, Span};

/// How long a process that cannot be told of a revocation may trust a credential.
const CREDENTIAL_TTL: Duration = Duration::from_secs(60);

/// What a process works with.
#[derive(Clone)]
pub(crate) struct Hub {
    pub(crate) store: Store,
    pub(crate) queue: Queue,
    pub(crate) cache: Cache,
    pub(crate) metrics: Metrics,
    pub(crate) readiness: Readiness,
    /// What SCIM requests showed since it was last written.
    pub(crate) ledger: Ledger,
    pub(crate) health: Health,
}

/// Which services this process serves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Services {
    pub(crate) ingest: bool,
    pub(crate) admin: bool,
}

impl Hub {
    fn ingest(&self, settings: &Settings) -> Ingest {
        let given = &settings.ingest;
        let config = IngestConfig {
            body_bytes_max: given.body_bytes_max,
            rate: Rate { per_second: given.rate_per_second, burst: given.rate_burst },
            failed_auth_rate: failed_auth_rate(settings),
            limits: Limits {
                patch_operations: given.patch_operations_max,
                members_per_request: given.members_per_request_max,
            },
            pages: PageLimits { default: given.page_default, max: given.page_max },
            bulk_operations_max: given.bulk_operations_max,
            public_url: Some(settings.http.public_url.clone()).filter(|url| !url.is_empty()),
            credential_ttl: CREDENTIAL_TTL,
        };
        let Self { store, queue, cache, metrics, ledger, .. } = self.clone();
        Ingest { store, queue, cache, metrics, ledger, config }
    }

    fn admin(&self, settings: &Settings) -> Admin {
        let config = AdminConfig {
            rate: Rate { per_second: settings.admin.rate_per_second, burst: settings.admin.rate_burst },
            failed_auth_rate: failed_auth_rate(settings),
            credential_ttl: CREDENTIAL_TTL,
        };
        let Self { store, queue, cache, metrics, .. } = self.clone();
        Admin { store, queue, cache, metrics, config }
    }

    /// Binds the address and starts to serve; the address is the one really bound.
    pub(crate) fn serve(&self, services: Services, settings: &Settings) -> Result<(Server, SocketAddr)> {
        let hub = self.clone();
        let ingest = services.ingest.then(|| hub.ingest(settings));
        let admin = services.admin.then(|| hub.admin(settings));
        let shared = web::Data::new(hub);
        let app = move || {
            let mut app = App::new()
                .wrap(NormalizePath::new(TrailingSlash::Trim))
                .wrap(from_fn(observe))
                .app_data(shared.clone())
                .route("/healthz", web::get().to(healthz))
                .route("/readyz", web::get().to(readyz))
                .default_service(web::to(unknown_path));
            if let Some(ingest) = ingest.clone() {
                app = app.configure(rollcall_ingest::routes::configure(ingest));
            }
            if let Some(admin) = admin.clone() {
                app = app.configure(rollcall_admin::routes::configure(admin));
            }
            app
        };
        let listener = bind(&settings.http.listen, "http.listen")?;
        let address = listener.local_addr()?;
        let mut server = HttpServer::new(app)
            .disable_signals()
            .client_request_timeout(Duration::from_secs(settings.http.request_timeout_seconds))
            .keep_alive(Duration::from_secs(75))
            .shutdown_timeout(settings.http.shutdown_seconds);
        if settings.http.workers > 0 {
            server = server.workers(settings.http.workers);
        }
        Ok((server.listen(listener)?.run(), address))
    }

    /// Prometheus on a port of its own, so that it can be closed to the outside.
    pub(crate) fn serve_metrics(&self, settings: &Settings) -> Result<Option<Server>> {
        if settings.metrics.listen.is_empty() {
            return Ok(None);
        }
        let metrics = web::Data::new(self.metrics.clone());
        let app = move || App::new().app_data(metrics.clone()).route("/metrics", web::get().to(render_metrics));
        let listener = match bind(&settings.metrics.listen, "metrics.listen") {
            Ok(listener) => listener,
            Err(error) if settings.metrics.listen == Settings::DEFAULT_METRICS => {
                // A second hub on one machine is common while trying things out; the default port is a convenience.
                tracing::warn!(error = format!("{error:#}"), "no metrics: the default port is taken");
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        Ok(Some(HttpServer::new(app).disable_signals().workers(1).listen(listener)?.run()))
    }
}

fn failed_auth_rate(settings: &Settings) -> Rate {
    Rate { per_second: settings.ingest.failed_auth_per_second, burst: settings.ingest.failed_auth_burst }
}

fn bind(address: &str, key: &str) -> Result<TcpListener> {
    let listener = TcpListener::bind(address)
        .with_context(|| format!("{address} cannot be bound; choose another {key} or stop who has it"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Gives the request an id and a span, answers the id in `X-Request-Id`, and measures the request under its route's pattern.
async fn observe(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let started = Instant::now();
    let hub = request.app_data::<web::Data<Hub>>().cloned();
    let hub = hub.ok_or_else(|| ErrorInternalServerError("the service is not configured"))?;
    let method = method_name(request.method());
    let id: RequestId = hub.store.clock.new_id();
    let span = span_of(&request, method, id);
    request.extensions_mut().insert(id);
    if request.path().len() > 1 && request.path().ends_with('/') {
        request.extensions_mut().insert(HadTrailingSlash);
    }
    let mut response = next.call(request).instrument(span.clone()).await?;
    let (route, status) = (route_of(response.request()), response.status().as_u16());
    tracing::record_all!(span, route = &*route, status = status);
    let service = if route.starts_with("/scim") { "ingest" } else { "admin" };
    hub.metrics.http_request(service, &route, method, status, started.elapsed());
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
    }
    Ok(response)
}

/// The span of a request. It names the route once that is known, and never the query: a filter holds an email address.
fn span_of(request: &ServiceRequest, method: &'static str, id: RequestId) -> Span {
    let span = tracing::info_span!(
        "request",
        method,
        request_id = %id,
        route = tracing::field::Empty,
        status = tracing::field::Empty,
    );
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    TraceContext::from_headers(header("traceparent"), header("tracestate")).adopt(&span);
    span
}

/// The pattern of the route that a request took. What is in a service's table says so itself; to search the router for it
/// takes as long as to route the request.
fn route_of(request: &HttpRequest) -> Cow<'static, str> {
    match request.app_data::<RoutePattern>() {
        Some(RoutePattern(pattern)) => Cow::Borrowed(pattern),
        None => request.match_pattern().map_or(Cow::Borrowed("unknown"), Cow::Owned),
    }
}

/// Any token is a method to HTTP, and nobody needs a credential to send one: a label and a span take those that are known.
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

async fn render_metrics(metrics: web::Data<Metrics>) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(metrics.render())
}

async fn unknown_path() -> HttpResponse {
    let body = json!({ "type": "about:blank", "title": "Not Found", "status": 404, "code": "not_found", "detail": "there is nothing here" });
    HttpResponse::NotFound().content_type("application/problem+json").body(body.to_string())
}
