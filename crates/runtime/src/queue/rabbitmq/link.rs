//! One connection to the broker: connect, describe it in messages, and back off before the next try.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lapin::tcp::{AsyncTcpStream, TLSConfig};
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{Channel, Connection, ConnectionProperties};

use super::super::{QueueConfig, QueueError};

/// The virtual host of a fresh broker; messages leave it out.
const DEFAULT_VHOST: &str = "/";

/// State of a connection, as readiness and callers see it.
pub(super) enum Link {
    /// The first attempt has not ended yet.
    Starting,
    Up(Arc<Connection>),
    /// No connection, with the reason.
    Down(String),
}

impl Link {
    /// The reason for a missing connection; `None` when there is one.
    pub(super) fn problem(&self) -> Option<&str> {
        match self {
            Self::Starting => Some("not connected yet"),
            Self::Up(_) => None,
            Self::Down(reason) => Some(reason),
        }
    }
}

/// Address and credentials of the broker.
pub(super) struct Broker {
    uri: AMQPUri,
    address: String,
    connect_timeout: Duration,
}

impl Broker {
    pub(super) fn new(config: &QueueConfig) -> Result<Self, QueueError> {
        let setting = |problem: String| QueueError::Setting { setting: "url", problem };
        // The parser's message may repeat the URL, and with it a password.
        let mut uri: AMQPUri = config
            .url
            .parse()
            .map_err(|_| setting("is not of the form amqp://user:password@host:port/vhost".to_owned()))?;
        // `amqp://host/` is what operators of RabbitMQ hand out for the default virtual host; by the letter of the specification
        // it would be the one without a name, which nobody has.
        if uri.vhost.is_empty() {
            DEFAULT_VHOST.clone_into(&mut uri.vhost);
        }
        let heartbeat = u16::try_from(config.heartbeat.as_secs().max(1)).unwrap_or(u16::MAX);
        uri.query.heartbeat.get_or_insert(heartbeat);
        let mut address = format!("{}:{}", uri.authority.host, uri.authority.port);
        if uri.vhost != DEFAULT_VHOST {
            address.push_str(&format!(" (virtual host {})", uri.vhost));
        }
        Ok(Self { uri, address, connect_timeout: config.connect_timeout })
    }

    /// Host, port and virtual host.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn unavailable(&self, reason: &str) -> QueueError {
        QueueError::Unavailable { address: self.address.clone(), reason: reason.to_owned() }
    }

    /// Connects and prepares a channel within the connect timeout. `role` names the connection for operators.
    pub(super) async fn connect<T>(
        &self,
        role: &str,
        prepare: impl AsyncFnOnce(&Connection, Channel) -> Result<T, lapin::Error>,
    ) -> Result<Attached<T>, String> {
        let wire = Wire::default();
        let attempt = async {
            let connection = self.open(role, wire.clone()).await?;
            let channel = connection.create_channel().await?;
            let prepared = prepare(&connection, channel).await?;
            Ok((connection, prepared))
        };
        let severed = Severed(wire.clone());
        match tokio::time::timeout(self.connect_timeout, attempt).await {
            Ok(Ok((connection, prepared))) => {
                Ok(Attached { connection: Arc::new(connection), prepared, _severed: severed })
            }
            Ok(Err::<_, lapin::Error>(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer within {:?}", self.connect_timeout)),
        }
    }

    async fn open(&self, role: &str, wire: Wire) -> Result<Connection, lapin::Error> {
        let limit = self.connect_timeout;
        let properties = ConnectionProperties::default().with_connection_name(format!("rollcall {role}").into());
        let runtime = lapin::runtime::default_runtime()?;
        // Not extracted, because the type of its runtime is inferred from here.
        Connection::connector(
            self.uri.clone(),
            runtime,
            async move |uri: AMQPUri, runtime| {
                let host = uri.authority.host.as_str();
                let opening = async {
                    let address = runtime.to_socket_addrs((host.to_owned(), uri.authority.port));
                    let stream = AsyncTcpStream::connect(&runtime, address).await?;
                    if let AsyncTcpStream::Plain(socket) = &stream {
                        wire.remember(socket.get_ref().as_fd())?;
                    }
                    match uri.scheme {
                        AMQPScheme::AMQP => Ok(stream),
                        AMQPScheme::AMQPS => stream.into_tls(host, TLSConfig::default()).await,
                    }
                };
                match tokio::time::timeout(limit, opening).await {
                    Ok(opened) => Ok(opened?),
                    Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
                }
            },
            properties,
        )
        .await
    }
}

/// A connection with its channel and state. Dropping it shuts the socket down: lapin alone would wait for a hanging
/// broker to close, with a thread and a socket for each abandoned connection.
pub(super) struct Attached<T> {
    pub(super) connection: Arc<Connection>,
    pub(super) prepared: T,
    _severed: Severed,
}

/// A second handle on the socket of a connection.
#[derive(Clone, Default)]
struct Wire(Arc<Mutex<WireState>>);

#[derive(Default)]
enum WireState {
    #[default]
    Closed,
    Open(TcpStream),
    /// Abandoned, perhaps before it was open.
    Cut,
}

impl Wire {
    /// An error when the attempt was abandoned meanwhile.
    fn remember(&self, socket: BorrowedFd<'_>) -> io::Result<()> {
        let socket = TcpStream::from(socket.try_clone_to_owned()?);
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, WireState::Cut) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        *state = WireState::Open(socket);
        Ok(())
    }
}

/// Shuts the socket down when dropped.
struct Severed(Wire);

impl Drop for Severed {
    fn drop(&mut self) {
        let mut state = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let WireState::Open(socket) = std::mem::replace(&mut *state, WireState::Cut) {
            // Fails when the connection has ended already.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

/// Back-off that doubles from `min` to `max`, each shortened by up to a half at random, so that the processes of a
/// fleet do not reconnect in step.
pub(super) struct Backoff {
    min: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    pub(super) fn new(config: &QueueConfig) -> Self {
        let min = config.reconnect_delay_min.max(Duration::from_millis(1));
        Self { min, max: config.reconnect_delay_max.max(min), next: min }
    }

    pub(super) fn reset(&mut self) {
        self.next = self.min;
    }

    pub(super) fn next(&mut self) -> Duration {
        let full = self.next;
        self.next = full.saturating_mul(2).min(self.max);
        full - full.mul_f64(0.5 * random_share())
    }
}

/// A number from 0.0 to 1.0 from the random keys of the standard library's hash maps: enough for jitter, without a
/// clock or generator that tests would have to inject.
fn random_share() -> f64 {
    let bits = RandomState::new().build_hasher().finish();
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_its_bound_and_starts_over() {
        let mut backoff = Backoff::new(&QueueConfig::new("amqp://localhost"));
        for full in [100, 200, 400, 800, 1600, 2000, 2000] {
            let pause = backoff.next();
            assert!(pause <= Duration::from_millis(full) && pause >= Duration::from_millis(full / 2), "{pause:?}");
        }
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(100));
    }

    #[test]
    fn d2_a_slash_alone_is_the_default_virtual_host() {
        for (url, vhost) in [
            ("amqp://u:p@host:5672", "/"),
            ("amqp://u:p@host:5672/", "/"),
            ("amqp://u:p@host:5672/%2f", "/"),
            ("amqp://u:p@host:5672/other", "other"),
        ] {
            let broker = Broker::new(&QueueConfig::new(url)).ok().unwrap();
            assert_eq!(broker.uri.vhost, vhost, "{url}");
        }
    }

    #[test]
    fn a_bad_url_is_reported_without_its_password() {
        let error = Broker::new(&QueueConfig::new("http://user:hunter2@host")).err().unwrap().to_string();
        assert!(error.contains("url") && !error.contains("hunter2"), "{error}");
        let broker = Broker::new(&QueueConfig::new("amqp://user:hunter2@host:5673/%2f")).ok().unwrap();
        assert_eq!(broker.address(), "host:5673");
        assert!(!broker.unavailable("gone").to_string().contains("hunter2"));
    }
}
