//! One connection to the broker: how it is made, named in messages, and how long to wait before the next try.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;
use std::time::Duration;

use lapin::uri::AMQPUri;
use lapin::{Channel, Connection, ConnectionProperties};

use super::super::{QueueConfig, QueueError};

/// State of a connection, as readiness and callers see it.
pub(super) enum Link {
    /// The first attempt has not ended yet.
    Starting,
    Up(Arc<Connection>),
    /// Why there is none at the moment.
    Down(String),
}

impl Link {
    /// Why there is no connection; `None` when there is one.
    pub(super) fn problem(&self) -> Option<&str> {
        match self {
            Self::Starting => Some("not connected yet"),
            Self::Up(_) => None,
            Self::Down(reason) => Some(reason),
        }
    }
}

/// Where the broker is.
pub(super) struct Broker {
    uri: AMQPUri,
    address: String,
    connect_timeout: Duration,
}

impl Broker {
    pub(super) fn new(config: &QueueConfig) -> Result<Self, QueueError> {
        let setting = |problem: String| QueueError::Setting {
            setting: "url",
            problem,
        };
        let mut uri: AMQPUri = config
            .url
            .parse()
            // The parser's message may repeat the URL, and with it a password.
            .map_err(|_| {
                setting("is not of the form amqp://user:password@host:port/vhost".to_owned())
            })?;
        let heartbeat = u16::try_from(config.heartbeat.as_secs().max(1)).unwrap_or(u16::MAX);
        uri.query.heartbeat.get_or_insert(heartbeat);
        let address = format!(
            "{}:{}/{}",
            uri.authority.host, uri.authority.port, uri.vhost
        );
        Ok(Self {
            uri,
            address,
            connect_timeout: config.connect_timeout,
        })
    }

    /// Host, port and virtual host.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn unavailable(&self, reason: &str) -> QueueError {
        QueueError::Unavailable {
            address: self.address.clone(),
            reason: reason.to_owned(),
        }
    }

    /// Connects and prepares a channel, all within the connect timeout. `role` names the connection for operators.
    pub(super) async fn connect<T>(
        &self,
        role: &str,
        prepare: impl AsyncFnOnce(&Connection, Channel) -> Result<T, lapin::Error>,
    ) -> Result<(Connection, T), String> {
        let attempt = async {
            let properties = ConnectionProperties::default()
                .with_connection_name(format!("rollcall {role}").into());
            let connection = Connection::connect_uri(self.uri.clone(), properties).await?;
            let channel = connection.create_channel().await?;
            let prepared = prepare(&connection, channel).await?;
            Ok((connection, prepared))
        };
        match tokio::time::timeout(self.connect_timeout, attempt).await {
            Ok(connected) => connected.map_err(|error: lapin::Error| error.to_string()),
            Err(_) => Err(format!("no answer within {:?}", self.connect_timeout)),
        }
    }
}

/// Pauses that double from `min` to `max`, each shortened by up to a half at random so that the processes of a fleet
/// do not come back in step.
pub(super) struct Backoff {
    min: Duration,
    max: Duration,
    next: Duration,
}

impl Backoff {
    pub(super) fn new(config: &QueueConfig) -> Self {
        let min = config.reconnect_delay_min.max(Duration::from_millis(1));
        Self {
            min,
            max: config.reconnect_delay_max.max(min),
            next: min,
        }
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

/// A number from 0.0 to 1.0 from the keys that the standard library makes for each hash map: enough for jitter, and
/// no clock or generator that tests would have to inject.
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
            assert!(
                pause <= Duration::from_millis(full) && pause >= Duration::from_millis(full / 2),
                "{pause:?}"
            );
        }
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(100));
    }

    #[test]
    fn a_bad_url_is_reported_without_its_password() {
        let error = Broker::new(&QueueConfig::new("http://user:hunter2@host"))
            .err()
            .unwrap()
            .to_string();
        assert!(
            error.contains("url") && !error.contains("hunter2"),
            "{error}"
        );
        let broker = Broker::new(&QueueConfig::new("amqp://user:hunter2@host:5673/%2f"))
            .ok()
            .unwrap();
        assert_eq!(broker.address(), "host:5673//");
        assert!(!broker.unavailable("gone").to_string().contains("hunter2"));
    }
}
