//! A lean HTTP/1.1 keep-alive client: one connection, one request at a time, buffers re-used.
//! The load tool shares two cores with what it measures, so each request may cost it only a few microseconds.
//! It reaches loopback addresses only.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
    net::{SocketAddr, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::error::BenchError;

/// A request that takes longer is counted as an error.
const REQUEST_LIMIT: Duration = Duration::from_secs(60);
const HEADERS_AT_MOST: usize = 64;

/// Target of the requests: a base such as `http://127.0.0.1:8080/scim/v2/{source}` and the bearer token.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    /// The base's path without a trailing slash; may be empty.
    pub(crate) base_path: Arc<str>,
    /// The constant part of the request head.
    fixed_headers: Arc<str>,
}

impl Endpoint {
    /// Parses `http://host:port[/path]`; refuses other schemes and hosts that are not loopback.
    pub(crate) fn parse(base: &str, token: &str) -> Result<Self, BenchError> {
        let rest = base
            .strip_prefix("http://")
            .ok_or_else(|| BenchError::setup(format!("{base}: the load tool speaks plain http:// to loopback only")))?;
        let (authority, path) = rest.split_once('/').map_or((rest, ""), |(host, path)| (host, path));
        let address = authority
            .to_socket_addrs()
            .map_err(BenchError::io(format!("resolving {authority}")))?
            .find(|address| address.ip().is_loopback())
            .ok_or_else(|| BenchError::setup(format!("{authority} is not a loopback address")))?;
        let trimmed = path.trim_end_matches('/');
        let base_path = if trimmed.is_empty() { String::new() } else { format!("/{trimmed}") };
        let mut fixed_headers = format!("host: {authority}\r\naccept: application/scim+json\r\n");
        if !token.is_empty() {
            let _ = write!(fixed_headers, "authorization: Bearer {token}\r\n");
        }
        Ok(Self { address, base_path: base_path.into(), fixed_headers: fixed_headers.into() })
    }
}

/// Reason for a request without a usable answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    #[error("connection closed before the answer")]
    Closed,
    #[error("no answer within {} s", REQUEST_LIMIT.as_secs())]
    TimedOut,
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("malformed answer: {0}")]
    Malformed(&'static str),
}

/// One keep-alive connection; opened with the first request and re-opened after a close.
pub(crate) struct Connection {
    endpoint: Endpoint,
    stream: Option<TcpStream>,
    outgoing: Vec<u8>,
    incoming: Vec<u8>,
    body: Vec<u8>,
    /// Number of times that the other side had closed the connection between two requests.
    pub(crate) reconnects: u64,
}

/// Properties of the rest of an answer, from its head.
struct Head {
    status: u16,
    length: usize,
    framing: Framing,
    closes: bool,
}

enum Framing {
    Sized(usize),
    Chunked,
}

impl Connection {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            stream: None,
            outgoing: Vec::with_capacity(4096),
            incoming: Vec::with_capacity(16 * 1024),
            body: Vec::with_capacity(16 * 1024),
            reconnects: 0,
        }
    }

    /// Sends one request (`path` is relative to the endpoint's base) and reads the whole answer; returns the status.
    /// The body stays readable by [`Self::body`] until the next call.
    pub(crate) async fn send(&mut self, method: &str, path: &str, body: &[u8]) -> Result<u16, HttpError> {
        self.write_request(method, path, body)?;
        let was_open = self.stream.is_some();
        let mut outcome = timeout(REQUEST_LIMIT, self.exchange()).await.unwrap_or(Err(HttpError::TimedOut));
        if was_open && matches!(outcome, Err(HttpError::Closed)) {
            self.reconnects += 1;
            outcome = timeout(REQUEST_LIMIT, self.exchange()).await.unwrap_or(Err(HttpError::TimedOut));
        }
        if outcome.is_err() {
            self.stream = None;
        }
        outcome
    }

    /// The body of the last answer.
    pub(crate) fn body(&self) -> &[u8] {
        &self.body
    }

    fn write_request(&mut self, method: &str, path: &str, body: &[u8]) -> io::Result<()> {
        let out = &mut self.outgoing;
        out.clear();
        write!(out, "{method} {}{path} HTTP/1.1\r\n", self.endpoint.base_path)?;
        out.extend_from_slice(self.endpoint.fixed_headers.as_bytes());
        if !body.is_empty() {
            write!(out, "content-type: application/scim+json\r\ncontent-length: {}\r\n", body.len())?;
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(body);
        Ok(())
    }

    async fn exchange(&mut self) -> Result<u16, HttpError> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.endpoint.address).await?;
                stream.set_nodelay(true)?;
                stream
            }
        };
        self.incoming.clear();
        stream.write_all(&self.outgoing).await.map_err(closed_or_io)?;
        let head = loop {
            read_more(&mut stream, &mut self.incoming).await?;
            if let Some(head) = parse_head(&self.incoming)? {
                break head;
            }
        };
        self.body.clear();
        match head.framing {
            Framing::Sized(size) => {
                while self.incoming.len() < head.length + size {
                    read_more(&mut stream, &mut self.incoming).await?;
                }
                self.body.extend_from_slice(&self.incoming[head.length..head.length + size]);
            }
            Framing::Chunked => {
                while !decode_chunks(&self.incoming[head.length..], &mut self.body)? {
                    read_more(&mut stream, &mut self.incoming).await?;
                }
            }
        }
        if !head.closes {
            self.stream = Some(stream);
        }
        Ok(head.status)
    }
}

fn closed_or_io(error: io::Error) -> HttpError {
    match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => HttpError::Closed,
        _ => HttpError::Io(error),
    }
}

async fn read_more(stream: &mut TcpStream, into: &mut Vec<u8>) -> Result<(), HttpError> {
    into.reserve(16 * 1024);
    match stream.read_buf(into).await.map_err(closed_or_io)? {
        0 if into.is_empty() => Err(HttpError::Closed),
        0 => Err(HttpError::Malformed("it ends early")),
        _ => Ok(()),
    }
}

/// `None` while the head is not complete.
fn parse_head(bytes: &[u8]) -> Result<Option<Head>, HttpError> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_AT_MOST];
    let mut response = httparse::Response::new(&mut headers);
    let length = match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(HttpError::Malformed("its head does not parse")),
    };
    let status = response.code.ok_or(HttpError::Malformed("it has no status"))?;
    let (mut framing, mut closes) = (None, response.version == Some(0));
    for header in response.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            let size = std::str::from_utf8(header.value).ok().and_then(|text| text.trim().parse().ok());
            framing = Some(Framing::Sized(size.ok_or(HttpError::Malformed("bad content-length"))?));
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            framing = Some(Framing::Chunked);
        } else if header.name.eq_ignore_ascii_case("connection") {
            closes = header.value.eq_ignore_ascii_case(b"close");
        }
    }
    let framing = match (status, framing) {
        (204 | 304, _) => Framing::Sized(0),
        (_, Some(framing)) => framing,
        (_, None) => return Err(HttpError::Malformed("neither content-length nor chunks")),
    };
    Ok(Some(Head { status, length, framing, closes }))
}

/// Decodes a chunked body from its start; true when the last chunk is there. `into` is rebuilt on each call.
fn decode_chunks(mut bytes: &[u8], into: &mut Vec<u8>) -> Result<bool, HttpError> {
    into.clear();
    loop {
        let Ok(httparse::Status::Complete((head, size))) = httparse::parse_chunk_size(bytes) else {
            return Ok(false);
        };
        let size = usize::try_from(size).map_err(|_| HttpError::Malformed("chunk too large"))?;
        let Some(chunk) = bytes.get(head..head + size) else {
            return Ok(false);
        };
        if bytes.len() < head + size + 2 {
            return Ok(false);
        }
        if size == 0 {
            return Ok(true);
        }
        into.extend_from_slice(chunk);
        bytes = &bytes[head + size + 2..];
    }
}

/// Percent-encodes a query value (everything but unreserved characters, RFC 3986 §2.3).
pub(crate) fn encode_query_value(text: &str, into: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(char::from(byte));
        } else {
            let _ = write!(into, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_accepted() {
        assert!(Endpoint::parse("http://127.0.0.1:1/x", "t").is_ok());
        assert!(Endpoint::parse("http://192.0.2.1:1/x", "t").is_err());
        assert!(Endpoint::parse("https://127.0.0.1:1/x", "t").is_err());
    }

    #[test]
    fn chunks_are_joined_and_incomplete_ones_wait() {
        let mut body = Vec::new();
        assert!(!decode_chunks(b"4\r\nab", &mut body).unwrap());
        assert!(!decode_chunks(b"4\r\nabcd\r\n", &mut body).unwrap());
        assert!(decode_chunks(b"4\r\nabcd\r\n2;x=y\r\nef\r\n0\r\n\r\n", &mut body).unwrap());
        assert_eq!(body, b"abcdef");
    }

    #[test]
    fn a_head_tells_its_framing() {
        assert!(parse_head(b"HTTP/1.1 200 OK\r\ncontent-le").unwrap().is_none());
        let head = parse_head(b"HTTP/1.1 201 Created\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")
            .unwrap()
            .unwrap();
        assert_eq!((head.status, head.closes), (201, true));
        assert!(matches!(head.framing, Framing::Sized(5)));
        assert!(parse_head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }

    #[test]
    fn query_values_are_encoded() {
        let mut text = String::new();
        encode_query_value("userName eq \"a+b@x\"", &mut text);
        assert_eq!(text, "userName%20eq%20%22a%2Bb%40x%22");
    }
}
