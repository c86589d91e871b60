//! Requests to addresses that a tenant chose. The client connects to public addresses alone, unless the operator allows private ones; it
//! resolves a name once, by itself, and connects to what it found, so that a name cannot be public when it is checked and private when it
//! is called. It follows no redirect, uses no proxy, and bounds time and bytes.

mod public_address;
mod public_names;
mod signature;

pub use public_address::is_public;
pub use public_names::PublicNames;
pub use signature::sign;

use reqwest::header::RETRY_AFTER;
use std::time::Duration;
use tokio::time::timeout;
use url::{Host, Url};
use uuid::Uuid;

const CONNECT_TIME: Duration = Duration::from_secs(5);
/// Time of an attempt as a whole, the answer's body included.
const TIME: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read; the connection is closed at more.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// A connection is kept for further messages for this time.
const IDLE: Duration = Duration::from_secs(5);
/// Time in which a name is resolved when an address is saved.
const RESOLVE_TIME: Duration = Duration::from_secs(5);

/// Rules for addresses.
#[derive(Clone, Debug)]
pub struct OutboundRules {
    /// Private addresses, plain HTTP and every port are allowed.
    pub private_addresses: bool,
    /// Ports that are called.
    pub ports: Vec<u16>,
}

/// The client. Cheap to clone; clones share connections.
#[derive(Clone, Debug)]
pub struct Outbound {
    /// The reason where there is none: a hub without certificates to trust serves everything else.
    client: Result<reqwest::Client, String>,
    rules: OutboundRules,
}

/// A message of Standard Webhooks.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    pub url: &'a str,
    /// The same in each attempt.
    pub id: Uuid,
    /// Seconds since 1970 UTC, of this attempt.
    pub timestamp: i64,
    pub body: Vec<u8>,
    /// The secrets in force; each gives a signature.
    pub secrets: &'a [Vec<u8>],
}

/// An answer to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    pub status: u16,
    /// The beginning of the body.
    pub body: String,
    /// The time for which the receiver wants to be left alone.
    pub retry_after: Option<Duration>,
}

impl Answered {
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsent {
    #[error("{0}")]
    Address(String),
    #[error("{0}")]
    Unreachable(String),
    #[error("no whole answer within {} s", TIME.as_secs())]
    Slow,
}

impl Outbound {
    pub fn new(rules: OutboundRules) -> Self {
        let mut client = reqwest::Client::builder()
            .user_agent("Rollcall")
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .http1_only()
            .connect_timeout(CONNECT_TIME)
            .timeout(TIME)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(1)
            .tcp_nodelay(true)
            .https_only(!rules.private_addresses);
        if !rules.private_addresses {
            client = client.dns_resolver(std::sync::Arc::new(PublicNames));
        }
        let client = client.build().map_err(|error| {
            let why = innermost(&error);
            format!("the hub can call nobody: {why}; its operator installs certificates to trust (ca-certificates)")
        });
        Self { client, rules }
    }

    /// The address in its one spelling, if the rules allow it.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn check(&self, address: &str) -> Result<Url, String> {
        let url = Url::parse(address).map_err(|error| format!("it is no address: {error}"))?;
        let private = self.rules.private_addresses;
        match url.scheme() {
            "https" => {}
            "http" if private => {}
            _ => return Err("it takes an https address".into()),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("it holds a password; the signature says who sends".into());
        }
        if url.fragment().is_some() {
            return Err("it has a fragment (#), which no request sends".into());
        }
        let public = match url.host() {
            Some(Host::Ipv4(address)) => is_public(address.into()),
            Some(Host::Ipv6(address)) => is_public(address.into()),
            Some(Host::Domain(name)) => is_public_name(name),
            None => return Err("it names no host".into()),
        };
        if !public && !private {
            return Err(PRIVATE.into());
        }
        let port = url.port_or_known_default().unwrap_or_default();
        if !private && !self.rules.ports.contains(&port) {
            let ports: Vec<String> = self.rules.ports.iter().map(u16::to_string).collect();
            return Err(format!("its port is {port}; the hub calls {} (webhooks.ports)", ports.join(", ")));
        }
        Ok(url)
    }

    /// As [`check`](Self::check), and refuses a name that has private addresses alone. A name without any passes: it may be made later, and
    /// each attempt looks again.
    ///
    /// # Errors
    /// As there.
    pub async fn check_name(&self, address: &str) -> Result<Url, String> {
        let url = self.check(address)?;
        if let (Some(Host::Domain(name)), false) = (url.host(), self.rules.private_addresses)
            && let Ok(Ok(found)) = timeout(RESOLVE_TIME, tokio::net::lookup_host((name, 0))).await
        {
            let found: Vec<_> = found.collect();
            if !found.is_empty() && found.iter().all(|address| !is_public(address.ip())) {
                return Err(PRIVATE.into());
            }
        }
        Ok(url)
    }

    /// Sends a message. The address is checked anew, since the rules may have changed since it was saved.
    ///
    /// # Errors
    /// [`Unsent`] without a whole answer in time.
    pub async fn send(&self, message: Message<'_>) -> Result<Answered, Unsent> {
        match timeout(TIME, self.attempt(message)).await {
            Ok(answered) => answered,
            Err(_) => Err(Unsent::Slow),
        }
    }

    async fn attempt(&self, message: Message<'_>) -> Result<Answered, Unsent> {
        let Message { url, id, timestamp, body, secrets } = message;
        let url = self.check(url).map_err(Unsent::Address)?;
        let client = self.client.as_ref().map_err(|why| Unsent::Unreachable(why.clone()))?;
        let id = id.to_string();
        let signature = sign(secrets, &id, timestamp, &body);
        let request = client.post(url).header("content-type", "application/json").header("webhook-id", id);
        let request = request.header("webhook-timestamp", timestamp.to_string()).header("webhook-signature", signature);
        let mut answer = request.body(body).send().await.map_err(unreachable)?;
        let retry_after = answer.headers().get(RETRY_AFTER).and_then(|wait| wait.to_str().ok()?.trim().parse().ok());
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(unreachable)? {
            let room = ANSWER_BYTES_MAX - body.len();
            body.extend_from_slice(&part[..part.len().min(room)]);
            if part.len() >= room {
                break;
            }
        }
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok(Answered { status: answer.status().as_u16(), body, retry_after: retry_after.map(Duration::from_secs) })
    }
}

/// False for names that belong to no public zone: those of this machine and network (RFC 6761, RFC 6762, RFC 8375, `.internal`), and
/// names of one label, as services beside the hub have.
fn is_public_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let last = name.rsplit('.').next().unwrap_or_default();
    name.contains('.') && !matches!(last, "localhost" | "local" | "internal" | "lan" | "home" | "arpa")
}

/// Told to whoever names a private address.
const PRIVATE: &str =
    "it is a private address; only the operator of the hub can allow those (webhooks.private_addresses)";

fn unreachable(error: reqwest::Error) -> Unsent {
    if error.is_timeout() && !error.is_connect() {
        return Unsent::Slow;
    }
    Unsent::Unreachable(innermost(&error))
}

/// The last cause of an error: that is what says `connection refused`.
pub fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests;
