//! One attempt to reach a server that a process depends on, for an operator's diagnosis. A process itself connects in the
//! background and runs without it; here the answer is the cause, with host and port.

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use url::Url;

use crate::queue;

/// Longest wait for a server.
const PATIENCE: Duration = Duration::from_secs(3);

/// A kind of server, which decides how far the attempt goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// Only whether the port listens: the store logs in on its own and reports its error.
    Postgres,
    /// Login and virtual host too.
    RabbitMq,
    /// Login too.
    Redis,
}

impl Server {
    fn port(self, scheme: &str) -> u16 {
        match self {
            Self::Postgres => 5432,
            Self::RabbitMq if scheme == "amqps" => 5671,
            Self::RabbitMq => 5672,
            Self::Redis => 6379,
        }
    }
}

/// # Errors
/// Names host, port and cause; never a password.
pub async fn check(server: Server, url: &str) -> Result<(), String> {
    // The parser's message may repeat the URL, and with it a password.
    let parsed = Url::parse(url).map_err(|_| "the address is not a URL".to_owned())?;
    let host = parsed.host_str().map(|host| host.trim_matches(['[', ']']).to_owned()).filter(|host| !host.is_empty());
    // Without a host it is a socket of this machine, which the login finds.
    let at = host.map(|host| (host, parsed.port().unwrap_or(server.port(parsed.scheme()))));
    if let Some((host, port)) = at.clone() {
        let connected = tokio::task::spawn_blocking(move || listens(&host, port)).await;
        connected.map_err(|error| error.to_string())??;
    }
    let refused = |why: String| match &at {
        Some((host, port)) => format!("{host}:{port} answers, but refuses: {why}"),
        None => why,
    };
    match server {
        Server::Postgres => Ok(()),
        Server::RabbitMq => queue::log_in(url, PATIENCE).await.map_err(refused),
        Server::Redis => log_in_to_redis(url).await.map_err(refused),
    }
}

/// Whether another hub than the one of this name uses the queues with this prefix. A broker that cannot tell is no problem of
/// its own: [`check`] says what is wrong.
pub async fn queues_are_shared(url: &str, prefix: &str, hub: &str) -> bool {
    queue::is_shared(url, prefix, hub, PATIENCE).await.unwrap_or(false)
}

fn listens(host: &str, port: u16) -> Result<(), String> {
    let addresses =
        (host, port).to_socket_addrs().map_err(|error| format!("the host {host} has no address: {error}"))?;
    let mut cause = format!("the host {host} has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                cause = format!("nothing listens at {host}:{port} (connection refused)");
            }
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                cause = format!("no answer from {host}:{port} within {PATIENCE:?}");
            }
            Err(error) => cause = format!("{host}:{port} cannot be reached: {error}"),
        }
    }
    Err(cause)
}

async fn log_in_to_redis(url: &str) -> Result<(), String> {
    let client = redis::Client::open(url).map_err(|_| "the address is not one of Redis".to_owned())?;
    let asking = async {
        let mut connection = client.get_multiplexed_async_connection().await?;
        redis::cmd("PING").query_async::<redis::Value>(&mut connection).await
    };
    match tokio::time::timeout(PATIENCE, asking).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {PATIENCE:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A port that was free a moment ago.
    fn closed_port() -> u16 {
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).map_or(1, |at| at.port())
    }

    #[tokio::test]
    async fn f7_a_closed_port_is_named_and_no_password() {
        let port = closed_port();
        for (server, scheme) in [(Server::Postgres, "postgres"), (Server::RabbitMq, "amqp"), (Server::Redis, "redis")] {
            let why = check(server, &format!("{scheme}://someone:hunter2@127.0.0.1:{port}/x")).await.unwrap_err();
            assert_eq!(why, format!("nothing listens at 127.0.0.1:{port} (connection refused)"));
        }
        let why = check(Server::Redis, "hunter2").await.unwrap_err();
        assert!(!why.contains("hunter2"), "{why}");
    }
}
