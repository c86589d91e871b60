//! The HTTP server: it builds the services that this process serves from the settings, and binds their addresses.

use crate::descriptors;
use crate::health::{self, Health};
use crate::settings::Settings;
use actix_web::dev::Server;
use actix_web::http::{StatusCode, header};
use actix_web::middleware::{Condition, DefaultHeaders, NormalizePath, TrailingSlash, from_fn};
use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context, Result};
use nix::sys::socket::{Backlog, setsockopt, sockopt};
use rollcall_admin::Admin;
use rollcall_hub::{CallerLimits, Hub, OperatorSignIns, ProviderSignIns, Sampler};
use rollcall_ingest::{Ingest, IngestConfig, Ledger};
use rollcall_runtime::outbound::Outbound;
use rollcall_runtime::{Rate, Readiness};
use rollcall_scim::Limits;
use rollcall_scim::list::PageLimits;
use rollcall_web::{
    AnswerBytes, Code, ConnectionLimits, Connections, Observer, Problem, Proxies, ServerLimits, listen, observe,
};
use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Trust in a cached credential by a process that misses its revocation.
const CREDENTIAL_TTL: Duration = Duration::from_secs(60);
/// Time before a client must send and read at the least rate.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes that the kernel keeps of a connection in each direction; it doubles them for its own use. They are on the way during one
/// round trip, so a client 100 ms away gets 2.5 MB a second.
const SOCKET_BUFFER: usize = 256 * 1024;
/// Connections of the port of metrics.
const SCRAPERS_MAX: usize = 32;
/// Parts of agents' uploads that are decompressed at a time; each takes up to some 40 MiB.
const PARTS_READ_AT_ONCE: usize = 2;

/// Dependencies of a process.
#[derive(Clone)]
pub(crate) struct Process {
    pub(crate) hub: Hub,
    pub(crate) sign_ins: ProviderSignIns,
    pub(crate) operators: OperatorSignIns,
    pub(crate) outbound: Outbound,
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
            callers: caller_limits("scim", rate, settings),
            limits: Limits {
                patch_operations: given.patch_operations_max,
                members_per_request: given.members_per_request_max,
            },
            pages: PageLimits { default: given.page_default, max: given.page_max },
            answer_bytes_max: given.answer_bytes_max,
            bulk_operations_max: given.bulk_operations_max,
            upload_bytes_max: given.agent_upload_bytes_max,
            part_turns: Arc::new(Semaphore::new(PARTS_READ_AT_ONCE)),
            public_url: Some(settings.http.public_url.clone()).filter(|url| !url.is_empty()),
        };
        Ingest { hub: self.hub.clone(), ledger: self.ledger.clone(), config }
    }

    fn admin(&self, settings: &Settings) -> Result<Admin> {
        let rate = Rate { per_second: settings.admin.rate_per_second, burst: settings.admin.rate_burst };
        let public_url = Some(settings.http.public_url.clone()).filter(|url| !url.is_empty());
        Ok(Admin {
            hub: self.hub.clone(),
            limits: caller_limits("admin", rate, settings),
            public_url,
            sign_ins: self.sign_ins.clone(),
            operators: self.operators.clone(),
            webhooks: self.outbound.clone(),
            cors: settings.admin.cors_origins.parse().map_err(anyhow::Error::msg)?,
        })
    }

    /// Starts to serve; returns the bound address.
    pub(crate) fn serve(
        &self,
        services: Services,
        listener: TcpListener,
        settings: &Settings,
    ) -> Result<(Server, SocketAddr)> {
        let ingest = services.ingest.then(|| self.ingest(settings));
        let admin = services.admin.then(|| self.admin(settings)).transpose()?;
        let metrics = self.hub.metrics.clone();
        let proxies: Proxies = settings.http.trusted_proxies.parse().map_err(anyhow::Error::msg)?;
        let (limits, accepted_max) = connection_limits(settings);
        let observer = Observer {
            clock: self.hub.store.clock.clone(),
            metrics: metrics.clone(),
            proxies: proxies.clone(),
            answers: AnswerBytes::new(settings.http.answer_bytes_unread_max, metrics.clone()),
        };
        let connections = Connections::new(limits, proxies, metrics);
        let (process, observer) = (web::Data::new(self.clone()), web::Data::new(observer));
        let of_bodies = web::Data::new(connections.clone());
        let is_https = settings.http.public_url.starts_with("https://");
        let app = move || {
            // Browsers that came by https once never come without (RFC 6797).
            let https_only = DefaultHeaders::new().add((header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"));
            let mut app = App::new()
                .wrap(Condition::new(is_https, https_only))
                .wrap(NormalizePath::new(TrailingSlash::Trim))
                .wrap(from_fn(observe))
                .app_data(process.clone())
                .app_data(observer.clone())
                .app_data(of_bodies.clone())
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
        // Accepted connections inherit them. The kernel would otherwise take megabytes for each client that does not read.
        setsockopt(&listener, sockopt::SndBuf, &SOCKET_BUFFER)?;
        setsockopt(&listener, sockopt::RcvBuf, &SOCKET_BUFFER)?;
        // A flood overflows the usual queue of 128, and who is turned away there tries again a second later.
        nix::sys::socket::listen(&listener, Backlog::MAXCONN)?;
        let address = listener.local_addr()?;
        let workers = match settings.http.workers {
            0 => std::thread::available_parallelism().map_or(2, NonZeroUsize::get),
            given => given,
        };
        let shutdown = Duration::from_secs(settings.http.shutdown_seconds);
        let server = listen(app, listener, &connections, ServerLimits { workers, accepted_max, shutdown })?;
        Ok((server, address))
    }

    /// Prometheus on a port of its own, so that it can be closed to the outside.
    pub(crate) fn serve_metrics(&self, settings: &Settings) -> Result<Option<Server>> {
        if settings.metrics.listen.is_empty() {
            return Ok(None);
        }
        let process = web::Data::new(self.clone());
        let app = move || {
            let headers = DefaultHeaders::new().add((header::CACHE_CONTROL, "no-store"));
            let headers = headers.add((header::X_CONTENT_TYPE_OPTIONS, "nosniff"));
            App::new().wrap(headers).app_data(process.clone()).route("/metrics", web::get().to(render_metrics))
        };
        let listener = match bind(&settings.metrics.listen, "metrics.listen") {
            Ok(listener) => listener,
            Err(error) if settings.metrics.listen == Settings::DEFAULT_METRICS => {
                // A second hub on one machine is common in trials, and the default port is only a convenience.
                tracing::warn!(error = format!("{error:#}"), "no metrics: the default port is taken");
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let server = HttpServer::new(app).disable_signals().workers(1).max_connections(SCRAPERS_MAX);
        Ok(Some(server.listen(listener)?.run()))
    }
}

/// The limits of connections, and how many to accept.
fn connection_limits(settings: &Settings) -> (ConnectionLimits, usize) {
    let (given, database) = (&settings.http, settings.database.connections_max);
    let accepted_max = descriptors::accepted_max(descriptors::raise_limit(), database);
    let connections_max = descriptors::connections_max(given.connections_max, accepted_max);
    let limits = ConnectionLimits {
        connections_max,
        per_peer_max: descriptors::per_peer_max(given.connections_per_peer_max, connections_max),
        head: Duration::from_secs(given.request_timeout_seconds),
        body: Duration::from_secs(given.body_timeout_seconds),
        bytes_per_second_min: given.bytes_per_second_min,
        patience: PATIENCE,
    };
    let to_accept = descriptors::to_accept(&limits, accepted_max);
    (limits, to_accept)
}

fn caller_limits(service: &'static str, rate: Rate, settings: &Settings) -> CallerLimits {
    let given = &settings.ingest;
    let failed_auth_rate = Rate { per_second: given.failed_auth_per_second, burst: given.failed_auth_burst };
    CallerLimits { service, rate, failed_auth_rate, credential_ttl: CREDENTIAL_TTL, refusals: Sampler::default() }
}

/// Binds the address of the services. Callers wait in its queue until [`Process::serve`].
pub(crate) fn bind_services(settings: &Settings) -> Result<TcpListener> {
    bind(&settings.http.listen, "http.listen (`--listen`)")
}

fn bind(address: &str, key: &str) -> Result<TcpListener> {
    let listener = TcpListener::bind(address)
        .with_context(|| format!("{address} cannot be bound; choose another {key} or stop who has it"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

async fn render_metrics(process: web::Data<Process>) -> HttpResponse {
    let (metrics, database) = (&process.hub.metrics, process.hub.store.connections());
    metrics.set_database_connections(database.used, database.idle, database.waiting);
    metrics.set_database_waits(database.waits, database.waited);
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(metrics.render())
}

async fn unknown_path() -> HttpResponse {
    Problem::new(StatusCode::NOT_FOUND, Code::NotFound, "there is nothing here").response(|_| {})
}
