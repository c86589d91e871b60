//! The HTTP server: HTTP/1.1 over watched connections. `HttpServer` of actix-web takes no stream of another type, so its few
//! lines that join an application, the protocol and the listener are repeated here.

use super::Connection;
use super::registry::Connections;
use super::watched::Watched;
use actix_http::error::DispatchError;
use actix_http::{HttpServiceBuilder, Request};
use actix_server::Server;
use actix_service::{IntoServiceFactory, Service, ServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, Response};
use actix_web::rt::net::TcpStream;
use std::fmt::Debug;
use std::io::{Error, Result as IoResult};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

/// Time between two requests of a connection.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// Time for a client to read the answer to a request whose body is not read any more, and for the last bytes of a connection.
const DISCONNECT: Duration = Duration::from_secs(1);

/// Settings of a server beside those of its connections.
#[derive(Clone, Copy, Debug)]
pub struct ServerLimits {
    /// Threads.
    pub workers: usize,
    /// Accepted connections at most, more than [`ConnectionLimits::connections_max`](super::ConnectionLimits): those over the
    /// limit are accepted too, and another one is closed for each.
    pub accepted_max: usize,
    /// Time that running requests get when the process is asked to stop.
    pub shutdown: Duration,
}

/// Serves an application on a listener.
///
/// # Errors
/// When the listener has no address.
pub fn listen<F, I, S, B>(
    app: F,
    listener: TcpListener,
    connections: &Connections,
    limits: ServerLimits,
) -> IoResult<Server>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<actix_web::Error> + 'static,
    S::InitError: Debug,
    S::Response: Into<Response<B>> + 'static,
    <S::Service as Service<Request>>::Future: 'static,
    S::Service: 'static,
    B: MessageBody + 'static,
{
    let address = listener.local_addr()?;
    let builder = Server::build()
        .disable_signals()
        .workers(limits.workers)
        .max_concurrent_connections(limits.accepted_max.div_ceil(limits.workers))
        .shutdown_timeout(limits.shutdown.as_secs());
    let stopping = builder.graceful_shutdown_signal();
    let connections = connections.clone();
    let server = builder.listen(format!("http {address}"), listener, move || {
        let (stopping, connections) = (stopping.clone(), connections.clone());
        let head = connections.limits().head;
        let http = HttpServiceBuilder::default()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .keep_alive(KEEP_ALIVE)
            // A caller who closes its side has gone away: the work for it ends, and its statement is cancelled.
            .h1_allow_half_closed(false)
            .client_request_timeout(head)
            .client_disconnect_timeout(DISCONNECT)
            .local_addr(address)
            .on_connect_ext(|stream: &Watched, data| {
                data.insert::<Arc<Connection>>(Arc::clone(stream.connection()));
            });
        let app = app().into_factory().map_err(|error| error.into().error_response());
        let http = http.h1(map_config(app, |()| AppConfig::default()));
        let watch = move |stream: TcpStream| {
            let connections = connections.clone();
            // It takes its place in its own task, in which its request is read at once: of many connections that are accepted
            // together, the later ones would otherwise push out the earlier ones before these are looked at.
            async move {
                // The end of an answer would otherwise wait for the acknowledgement of its beginning, which clients delay by 40 ms.
                stream.set_nodelay(true).map_err(DispatchError::Io)?;
                let peer = stream.peer_addr().ok();
                let place = connections.admit(peer.map(|peer| peer.ip()));
                let place = place.ok_or_else(|| DispatchError::Io(Error::other("too many connections")))?;
                Ok((Watched::new(stream, place, connections), peer))
            }
        };
        fn_service(watch).and_then(http)
    })?;
    Ok(server.run())
}
