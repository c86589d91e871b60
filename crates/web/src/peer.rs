//! The address of a caller and the address at which it reached the hub. Forwarded headers are believed from trusted proxies
//! alone: anybody can send them.

use crate::observe::Observer;
use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpRequest, web};
use rollcall_runtime::Caller;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

/// An address with the bits of it that count, such as `10.0.0.0/8`; an address alone counts whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no address or network such as 10.0.0.0/8, 192.0.2.7 or fd00::/8");
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address = address.parse::<IpAddr>().map_err(|_| wrong())?.to_canonical();
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), str::parse).map_err(|_| wrong())?;
        if bits > most { Err(wrong()) } else { Ok(Self { address, bits }) }
    }
}

impl Network {
    fn holds(self, other: IpAddr) -> bool {
        let same = |one: u128, two: u128, width: u32| {
            let rest = width - u32::from(self.bits);
            rest >= width || one >> rest == two >> rest
        };
        match (self.address, other) {
            (IpAddr::V4(one), IpAddr::V4(two)) => same(one.to_bits().into(), two.to_bits().into(), 32),
            (IpAddr::V6(one), IpAddr::V6(two)) => same(one.to_bits(), two.to_bits(), 128),
            _ => false,
        }
    }
}

/// Proxies in front of the hub whose forwarded headers are believed.
#[derive(Clone, Debug, Default)]
pub struct Proxies(Arc<[Network]>);

impl FromStr for Proxies {
    type Err = String;

    /// Reads networks that are separated by commas or blanks.
    fn from_str(text: &str) -> Result<Self, String> {
        let names = text.split([',', ' ']).filter(|name| !name.is_empty());
        Ok(Self(names.map(str::parse).collect::<Result<Vec<Network>, String>>()?.into()))
    }
}

impl Proxies {
    pub(crate) fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.0.iter().any(|network| network.holds(peer))
    }

    /// The client's address: the peer's, or behind trusted proxies the last forwarded one that is no trusted proxy's.
    fn client(&self, request: &HttpRequest) -> Option<IpAddr> {
        let peer = request.peer_addr()?.ip().to_canonical();
        if !self.trusts(peer) {
            return Some(peer);
        }
        let headers: Vec<&str> =
            request.headers().get_all(FORWARDED_FOR).filter_map(|value| value.to_str().ok()).collect();
        let mut client = peer;
        // Each proxy appends the address that it saw, so the end is believed and the begin is the client's own word.
        for hop in headers.iter().rev().flat_map(|header| header.rsplit(',')) {
            let Some(address) = address_of(hop.trim()) else { break };
            client = address;
            if !self.trusts(client) {
                break;
            }
        }
        Some(client)
    }
}

const FORWARDED_FOR: &str = "x-forwarded-for";

/// An address with or without a port.
fn address_of(hop: &str) -> Option<IpAddr> {
    let address = hop.parse::<IpAddr>().or_else(|_| hop.parse::<std::net::SocketAddr>().map(|hop| hop.ip()));
    address.ok().map(|address| address.to_canonical())
}

/// The network that counts as one caller: one subscriber has 2^64 addresses of IPv6.
pub(crate) fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

fn proxies(request: &HttpRequest) -> Proxies {
    request.app_data::<web::Data<Observer>>().map(|observer| observer.proxies.clone()).unwrap_or_default()
}

/// The caller for the limit of failed authentications, and for the log of refused ones.
pub fn peer(request: &HttpRequest) -> Caller {
    Caller::at(proxies(request).client(request))
}

/// Scheme and host by which the client reached the hub, such as `https://rollcall.example.com`. They are those of the request
/// itself, or of its forwarded headers when a trusted proxy sent them.
pub fn origin(request: &HttpRequest) -> String {
    let text = |name: HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    let by_proxy = request.peer_addr().is_some_and(|peer| proxies(request).trusts(peer.ip()));
    let forwarded = |name: &'static str| {
        let first = text(HeaderName::from_static(name)).filter(|_| by_proxy)?.split(',').next()?.trim();
        Some(first).filter(|value| is_host(value))
    };
    let scheme = forwarded("x-forwarded-proto").filter(|scheme| matches!(*scheme, "http" | "https")).unwrap_or("http");
    let own = || request.uri().authority().map(|authority| authority.as_str()).or_else(|| text(header::HOST));
    let host = forwarded("x-forwarded-host").or_else(|| own().filter(|host| is_host(host))).unwrap_or("localhost");
    format!("{scheme}://{host}")
}

/// Letters, digits and the few signs of a host and port: nothing that ends the host in an address.
fn is_host(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;
    use rollcall_core::clock::Clock;
    use rollcall_runtime::Metrics;

    fn request(peer: &str, trusted: &str, headers: &[(&'static str, &str)]) -> HttpRequest {
        let observer = Observer {
            clock: Clock::System,
            metrics: Metrics::new().expect("metrics"),
            proxies: trusted.parse().expect("networks"),
            answers: crate::AnswerBytes::new(1, Metrics::new().expect("metrics")),
        };
        let request = TestRequest::default().peer_addr(peer.parse().expect("an address"));
        let request = headers.iter().fold(request, |request, header| request.append_header(*header));
        request.app_data(web::Data::new(observer)).to_http_request()
    }

    #[test]
    fn s3_forwarded_addresses_are_believed_from_trusted_proxies_alone() {
        let seen = |peer, trusted, forwarded| {
            let request = request(peer, trusted, &[(FORWARDED_FOR, forwarded)]);
            proxies(&request).client(&request).expect("a client").to_string()
        };
        for (peer, trusted, forwarded, client) in [
            ("192.0.2.1:7", "", "203.0.113.9", "192.0.2.1"),
            ("192.0.2.1:7", "10.0.0.0/8", "203.0.113.9", "192.0.2.1"),
            ("10.1.2.3:7", "10.0.0.0/8", "203.0.113.9", "203.0.113.9"),
            ("10.1.2.3:7", "10.0.0.0/8", "198.51.100.1, 203.0.113.9, 10.9.9.9", "203.0.113.9"),
            ("10.1.2.3:7", "10.0.0.0/8", "203.0.113.9:4711", "203.0.113.9"),
            ("10.1.2.3:7", "10.0.0.0/8", "unknown", "10.1.2.3"),
            ("10.1.2.3:7", "10.0.0.0/8", "203.0.113.9, nonsense", "10.1.2.3"),
            ("[::ffff:10.1.2.3]:7", "10.0.0.0/8 fd00::/8", "2001:db8::1", "2001:db8::1"),
            ("127.0.0.1:7", "127.0.0.1", "10.0.0.1", "10.0.0.1"),
        ] {
            assert_eq!(seen(peer, trusted, forwarded), client, "{peer} trusting {trusted:?} with {forwarded:?}");
        }
    }

    #[test]
    fn s10_the_origin_is_the_requests_own_unless_a_trusted_proxy_says_otherwise() {
        let forwarded = [("x-forwarded-proto", "https"), ("x-forwarded-host", "evil.example"), ("host", "hub:8080")];
        assert_eq!(origin(&request("192.0.2.1:7", "", &forwarded)), "http://hub:8080");
        assert_eq!(origin(&request("192.0.2.1:7", "192.0.2.0/24", &forwarded)), "https://evil.example");
        let spoiled = [("x-forwarded-proto", "gopher"), ("x-forwarded-host", "a/b?"), ("host", "hub:8080")];
        assert_eq!(origin(&request("192.0.2.1:7", "192.0.2.0/24", &spoiled)), "http://hub:8080");
    }

    #[test]
    fn s3_a_network_is_read_with_its_bits() {
        for wrong in ["10.0.0.0/33", "x", "10.0.0/8", "::/129", "10.0.0.1/-1"] {
            assert!(wrong.parse::<Network>().is_err(), "{wrong}");
        }
        let all: Network = "0.0.0.0/0".parse().expect("a network");
        assert!(all.holds("203.0.113.9".parse().expect("an address")));
        assert!(!all.holds("2001:db8::1".parse().expect("an address")));
    }
}
