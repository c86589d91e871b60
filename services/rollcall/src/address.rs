//! Addresses as people write them in settings and on the command line.

/// The host of an address with a port only, because a short form must not open a hub to the network.
const LOOPBACK: &str = "127.0.0.1";

/// `:9000` is that port of the loopback address.
pub(crate) fn with_host(address: &str) -> String {
    if address.starts_with(':') { format!("{LOOPBACK}{address}") } else { address.to_owned() }
}

/// An IP address or a host name, and a port.
pub(crate) fn is_address(text: &str) -> bool {
    let is_name =
        |host: &str| host.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '.') && !host.is_empty();
    let named = |(host, port): (&str, &str)| is_name(host) && port.parse::<u16>().is_ok();
    text.parse::<std::net::SocketAddr>().is_ok() || text.rsplit_once(':').is_some_and(named)
}

/// The address for clients, to which paths are appended.
pub(crate) fn is_public_url(text: &str) -> bool {
    let plain =
        |url: url::Url| matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none();
    !text.ends_with('/') && url::Url::parse(text).is_ok_and(plain)
}
