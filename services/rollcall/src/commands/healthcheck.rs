//! `rollcall healthcheck`: asks a hub of this machine whether it is ready, for containers without a shell or curl.

use crate::output::line;
use crate::settings::Settings;
use anyhow::{Context, Result, anyhow, bail};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

/// Longest wait for each step: probes of orchestrators wait for a few seconds only.
const PATIENCE: Duration = Duration::from_secs(3);
/// The begin of an answer is enough.
const ANSWER_BYTES: u64 = 4096;

pub(crate) fn run(live: bool, settings: &Settings) -> Result<()> {
    let path = if live { "/healthz" } else { "/readyz" };
    let listen = &settings.http.listen;
    let address = listen.to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    let address = reached_at(address.with_context(|| format!("http.listen is {listen:?}, which has no address"))?);
    let answer = ask(address, path).map_err(|error| {
        let why = error.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        let late = matches!(why, Some(ErrorKind::WouldBlock | ErrorKind::TimedOut));
        let why = if late { format!("it gave none within {} s", PATIENCE.as_secs()) } else { format!("{error:#}") };
        anyhow!("http://{address}{path} does not answer: {why}; check that the hub runs, and http.listen")
    })?;
    let status = answer.split_whitespace().nth(1).unwrap_or("no status");
    if status != "200" {
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body.trim());
        bail!("http://{address}{path} answers {status} {body}; the hub's log says why, and `rollcall doctor`");
    }
    Ok(line(format_args!("http://{address}{path} answers 200"))?)
}

/// A hub that listens on every address is asked on the loopback one.
fn reached_at(listens: SocketAddr) -> SocketAddr {
    let ip = match listens.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listens.port())
}

fn ask(address: SocketAddr, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d10_a_hub_on_every_address_is_asked_on_the_loopback_one() {
        for (listens, asked) in
            [("0.0.0.0:8080", "127.0.0.1:8080"), ("[::]:8080", "[::1]:8080"), ("192.0.2.7:80", "192.0.2.7:80")]
        {
            assert_eq!(reached_at(listens.parse().unwrap()).to_string(), asked);
        }
    }
}
