//! The HTTP server: it builds the services that this process serves from the settings, and binds their addresses.

use crate::health::{self, Health};
use crate::settings::Settings;
use actix_web::dev::Server;
use actix_web::http::StatusCode;
use actix_web::middleware::{NormalizePath, TrailingSlash, from_fn};
use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context, Result};
use rollcall_admin::Admin;
use rollcall_hub::{CallerLimits, Hub};
use rollcall_ingest::{Ingest, IngestConfig, Ledger};
use rollcall_runtime::{Metrics, Rate, Readiness};
use rollcall_scim::Limits;
use rollcall_scim::list::PageLimits;
use rollcall_web::{Observer, Problem, observe};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

/// Trust in a cached credential by a process that misses its revocation.
const CREDENTIAL_TTL: Duration = Duration::from_secs(60);

/// Dependencies of a process.
#[derive(Clone)]
pub(crate) struct Process {
    pub(crate) hub: Hub,
    pub(crate) readiness: Readiness,
    /// Quirks and log lines of SCIM requests since the last flush.
    pub(crate) ledger: Ledger,
    pub(crate) health: Health,
}

/// The services of this process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Services {
    pub(crate) ingest: bool,
    pub(crate) admin: bool,
}

impl Process {
    fn ingest(&self, settings: &Settings) -> Ingest {
        let given = &settings.ingest;
        let rate = Rate { per_second: given.rate_per_second, burst: given.rate_burst };
        let config = IngestConfig {
            body_bytes_max: given.body_bytes_max,
            callers: caller_limits("ingest", rate, settings),
            limits: Limits {
                patch_operations: given.patch_operations_max,
                members_per_request: given.members_per_request_max,
            },
            pages: PageLimits { default: given.page_default, max: given.page_max },
            bulk_operations_max: given.bulk_operations_max,
            public_url: Some(settings.http.public_url.clone()).filter(|url| !url.is_empty()),
        };
        Ingest { hub: self.hub.clone(), ledger: self.ledger.clone(), config }
    }

    fn admin(&self, settings: &Settings) -> Admin {
        let rate = Rate { per_second: settings.admin.rate_per_second, burst: settings.admin.rate_burst };
        Admin { hub: self.hub.clone(), limits: caller_limits("admin", rate, settings) }
    }

    /// Binds the address and starts to serve; returns the bound address.
    pub(crate) fn serve(&self, services: Services, settings: &Settings) -> Result<(Server, SocketAddr)> {
        let ingest = services.ingest.then(|| self.ingest(settings));
        let admin = services.admin.then(|| self.admin(settings));
        let observer = Observer { clock: self.hub.store.clock.clone(), metrics: self.hub.metrics.clone() };
        let (process, observer) = (web::Data::new(self.clone()), web::Data::new(observer));
        let app = move || {
            let mut app = App::new()
                .wrap(NormalizePath::new(TrailingSlash::Trim))
                .wrap(from_fn(observe))
                .app_data(process.clone())
                .app_data(observer.clone())
                .configure(health::configure)
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
            // A caller who closes its side has gone away: the work for it ends, and its statement is cancelled.
            .h1_allow_half_closed(false)
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
        let metrics = web::Data::new(self.hub.metrics.clone());
        let app = move || App::new().app_data(metrics.clone()).route("/metrics", web::get().to(render_metrics));
        let listener = match bind(&settings.metrics.listen, "metrics.listen") {
            Ok(listener) => listener,
            Err(error) if settings.metrics.listen == Settings::DEFAULT_METRICS => {
                // A second hub on one machine is common in trials, and the default port is only a convenience.
                tracing::warn!(error = format!("{error:#}"), "no metrics: the default port is taken");
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        Ok(Some(HttpServer::new(app).disable_signals().workers(1).listen(listener)?.run()))
    }
}

fn caller_limits(service: &'static str, rate: Rate, settings: &Settings) -> CallerLimits {
    let given = &settings.ingest;
    let failed_auth_rate = Rate { per_second: given.failed_auth_per_second, burst: given.failed_auth_burst };
    CallerLimits { service, rate, failed_auth_rate, credential_ttl: CREDENTIAL_TTL }
}

fn bind(address: &str, key: &str) -> Result<TcpListener> {
    let listener = TcpListener::bind(address)
        .with_context(|| format!("{address} cannot be bound; choose another {key} or stop who has it"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

async fn render_metrics(metrics: web::Data<Metrics>) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(metrics.render())
}

async fn unknown_path() -> HttpResponse {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing here").response(|_| {})
}
