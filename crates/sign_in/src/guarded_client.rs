//! The HTTP client for addresses that a tenant chose. It connects to public addresses alone, unless the operator allows private
//! ones; it follows no redirect, uses no proxy, and bounds time and bytes. The name is resolved once, by the client itself, so that a
//! name cannot be public when it is checked and private when it is called.

use crate::failure::Failure;
use openidconnect::http::Response;
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use rollcall_runtime::outbound::{PublicNames, innermost, is_public};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use url::{Host, Url};

const CONNECT_TIME: Duration = Duration::from_secs(5);
const TIME: Duration = Duration::from_secs(10);
/// Longest answer; documents and key sets of providers have some kilobytes, and tokens with many groups more.
const ANSWER_BYTES_MAX: usize = 512 * 1024;

/// Cheap to clone; clones share connections.
#[derive(Clone, Debug)]
pub struct GuardedClient {
    /// The reason where there is none: a hub without certificates to trust serves everything else.
    client: Result<reqwest::Client, Failure>,
    private: bool,
}

impl GuardedClient {
    /// A client; `private` allows plain HTTP and private addresses.
    pub fn new(private: bool) -> Self {
        let mut client = reqwest::Client::builder()
            .user_agent("Rollcall")
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT_TIME)
            .timeout(TIME)
            .https_only(!private);
        if !private {
            client = client.dns_resolver(Arc::new(PublicNames));
        }
        let client = client.build().map_err(|error| {
            let why = innermost(&error);
            Failure::Address(format!(
                "the hub can call no identity provider: {why}; its operator installs certificates to trust (ca-certificates)"
            ))
        });
        Self { client, private }
    }

    /// Refuses an address that this client does not call.
    ///
    /// # Errors
    /// [`Failure::Address`].
    pub fn check(&self, address: &Url) -> Result<(), Failure> {
        let refuse = |why: &str| Err(Failure::Address(format!("the hub does not call {address}: {why}")));
        match address.scheme() {
            "https" => {}
            "http" if self.private => {}
            _ => return refuse("an identity provider has an https address"),
        }
        if !address.username().is_empty() || address.password().is_some() {
            return refuse("it holds a password");
        }
        let public = match address.host() {
            Some(Host::Ipv4(address)) => is_public(address.into()),
            Some(Host::Ipv6(address)) => is_public(address.into()),
            Some(Host::Domain(_)) => true,
            None => return refuse("it names no host"),
        };
        if public || self.private { Ok(()) } else { refuse(PRIVATE) }
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Failure> {
        let address = request.uri().to_string();
        let address = Url::parse(&address).map_err(|error| Failure::Address(format!("{address}: {error}")))?;
        self.check(&address)?;
        let unreachable = |error: &dyn std::error::Error| Failure::Unreachable {
            host: address.host_str().unwrap_or_default().to_owned(),
            why: innermost(error),
        };
        let request = request.try_into().map_err(|error| unreachable(&error))?;
        let client = self.client.as_ref().map_err(Failure::clone)?;
        let mut answer = client.execute(request).await.map_err(|error| unreachable(&error))?;
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(|error| unreachable(&error))? {
            if body.len() + part.len() > ANSWER_BYTES_MAX {
                return Err(Failure::NoProvider(format!("{address} answers more than {ANSWER_BYTES_MAX} bytes")));
            }
            body.extend_from_slice(&part);
        }
        let mut response = Response::new(body);
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        Ok(response)
    }
}

impl<'c> AsyncHttpClient<'c> for GuardedClient {
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Failure>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

const PRIVATE: &str =
    "it is a private address; only the operator of the hub can allow those (sign_in.private_addresses)";

#[cfg(test)]
mod tests {
    use super::*;

    fn client(private: bool) -> GuardedClient {
        rustls::crypto::ring::default_provider().install_default().ok();
        GuardedClient::new(private)
    }

    fn get(address: &str) -> HttpRequest {
        openidconnect::http::Request::get(address).body(Vec::new()).expect("a request")
    }

    #[test]
    fn spellings_of_private_addresses_are_refused_before_a_connection() {
        let client = client(false);
        for address in [
            "https://127.0.0.1",
            "https://127.1",
            "https://2130706433",
            "https://0x7f000001",
            "https://0177.0.0.1",
            "https://[::1]",
            "https://[::ffff:127.0.0.1]",
            "https://[::ffff:7f00:1]",
            "https://169.254.169.254",
            "https://10.1.2.3:8443",
            "https://user:secret@idp.example",
            "http://idp.example",
            "ftp://idp.example",
            "https://0",
        ] {
            let url = Url::parse(address).expect("a URL");
            assert!(matches!(client.check(&url), Err(Failure::Address(_))), "{address}");
        }
        client.check(&Url::parse("https://idp.example:8443/tenant").expect("a URL")).expect("a public name");
    }

    #[tokio::test]
    async fn a_name_of_a_private_address_is_refused_when_it_is_resolved() {
        let refused = client(false).call(get("https://localhost/")).await.expect_err("a private address");
        assert!(refused.to_string().contains("private address"), "{refused}");
    }

    #[tokio::test]
    async fn a_closed_port_is_told() {
        let refused = client(true).call(get("http://127.0.0.1:1/")).await.expect_err("nobody listens");
        assert!(refused.to_string().contains("Connection refused"), "{refused}");
    }
}
