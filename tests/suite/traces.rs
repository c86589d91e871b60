//! One trace leads from the HTTP request through the queue message to the reconcile, and a stop loses no span.

use std::fmt;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::answer::Answer;
use crate::hub::Hub;
use crate::registry::{Case, cases};
use crate::verbs::{email, person};

pub(crate) fn cases() -> Vec<Case> {
    cases![a_request_is_followed_to_its_reconcile_and_a_stop_flushes_spans]
}

async fn a_request_is_followed_to_its_reconcile_and_a_stop_flushes_spans(hub: Hub) {
    let collector = Collector::start().await;
    let hub = hub.another().setting("ROLLCALL_TELEMETRY_OTLP_ENDPOINT", &collector.url).start().await;
    let tenant = hub.tenant().create();
    let source = tenant.scim_source();
    let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    let request = source.request(reqwest::Method::POST, "/Users").body(person("ann").to_string());
    Answer::of(request.header("traceparent", format!("00-{trace}-{parent}-01"))).await.expect(201);
    tenant.eventually_status(&email("ann"), "invited").await;
    hub.stop();
    let spans = collector.spans();
    let served = spans.iter().find(|span| span.trace == trace && span.parent == parent);
    assert!(served.is_some(), "no server span continues the caller's trace: {spans:#?}");
    let reconciled = spans.iter().find(|span| {
        let led_here = span.trace == trace || span.links.iter().any(|linked| linked == trace);
        span.name.contains("reconcile") && led_here
    });
    let reconciled = reconciled.unwrap_or_else(|| panic!("no reconcile belongs to the trace: {spans:#?}"));
    let statements = |trace: &str| -> Vec<&Span> {
        spans.iter().filter(|span| span.trace == trace && span.name == "store.statement").collect()
    };
    // On SQLite the statement is a part of a group commit, which is no one request's.
    let commits = spans.iter().any(|span| span.trace == trace && span.name == "store.group_commit");
    let inserts = statements(trace).into_iter().any(|span| span.says("INSERT INTO directory_users"));
    assert!(commits || inserts, "no span of the request is its write: {spans:#?}");
    let of_reconcile = statements(&reconciled.trace);
    for part in ["UPDATE tenant_leases", "FROM directory_changes", "INSERT INTO members", "INSERT INTO audit_events"] {
        assert!(of_reconcile.iter().any(|span| span.says(part)), "no {part} in the reconcile: {spans:#?}");
    }
    let commits = spans.iter().any(|span| span.trace == reconciled.trace && span.name == "store.commit");
    assert!(commits, "the reconcile's commit has a span: {spans:#?}");
    for span in spans.iter().filter(|span| span.name.starts_with("store.")) {
        assert!(!span.says(&email("ann")) && !span.says(&tenant.id), "a span holds data: {span:#?}");
    }
}

/// An OTLP collector that keeps every export.
struct Collector {
    url: String,
    bodies: Arc<Mutex<Vec<Vec<u8>>>>,
    serving: JoinHandle<()>,
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let kept = bodies.clone();
        let serving = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, kept.clone()));
            }
        });
        Self { url, bodies, serving }
    }

    fn spans(&self) -> Vec<Span> {
        self.bodies.lock().unwrap().iter().flat_map(|body| spans_of(body)).collect()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Enough of HTTP/1.1 for an exporter: requests with a Content-Length, one after the other.
async fn serve(mut connection: TcpStream, kept: Arc<Mutex<Vec<Vec<u8>>>>) {
    let mut buffer = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break end + 4;
            }
            if connection.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                return;
            }
        };
        let head = String::from_utf8_lossy(&buffer[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        let length: usize = length.unwrap_or(0);
        while buffer.len() < end + length {
            if connection.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                return;
            }
        }
        kept.lock().unwrap().push(buffer[end..end + length].to_vec());
        buffer.drain(..end + length);
        if connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.is_err() {
            return;
        }
    }
}

struct Span {
    name: String,
    trace: String,
    parent: String,
    /// Trace ids.
    links: Vec<String>,
    /// The message as it came, attributes among it.
    bytes: Vec<u8>,
}

impl fmt::Debug for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of {} in {}", self.name, self.parent, self.trace)
    }
}

impl Span {
    fn says(&self, text: &str) -> bool {
        self.bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

/// `ExportTraceServiceRequest` → `resource_spans` (1) → `scope_spans` (2) → `spans` (2), by the field numbers of OTLP 1.
fn spans_of(body: &[u8]) -> Vec<Span> {
    let inside = |message: &[u8], number: u64| -> Vec<Vec<u8>> {
        fields(message).into_iter().filter(|(field, _)| *field == number).map(|(_, bytes)| bytes).collect()
    };
    let first = |message: &[u8], number: u64| inside(message, number).into_iter().next().unwrap_or_default();
    let mut spans = Vec::new();
    for resource in inside(body, 1) {
        for scope in inside(&resource, 2) {
            for span in inside(&scope, 2) {
                spans.push(Span {
                    name: String::from_utf8_lossy(&first(&span, 5)).into_owned(),
                    trace: hex(&first(&span, 1)),
                    parent: hex(&first(&span, 4)),
                    links: inside(&span, 13).iter().map(|link| hex(&first(link, 1))).collect(),
                    bytes: span,
                });
            }
        }
    }
    spans
}

/// The length-delimited fields of a protobuf message; others are skipped.
fn fields(message: &[u8]) -> Vec<(u64, Vec<u8>)> {
    let mut found = Vec::new();
    let mut rest = message;
    while let Some(key) = varint(&mut rest) {
        let taken = match key & 7 {
            0 => varint(&mut rest).map(|_| 0),
            1 => Some(8),
            2 => varint(&mut rest),
            5 => Some(4),
            _ => None,
        };
        let Some((bytes, after)) = taken.and_then(|length| rest.split_at_checked(usize::try_from(length).ok()?)) else {
            break;
        };
        if key & 7 == 2 {
            found.push((key >> 3, bytes.to_vec()));
        }
        rest = after;
    }
    found
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
