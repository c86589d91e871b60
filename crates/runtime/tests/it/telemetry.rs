//! Spans leave the process, also at its end, and a collector that is away delays nothing.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rollcall_runtime::queue::{Handled, Lane, QueueLimits};
use rollcall_runtime::telemetry::{self, TelemetryConfig, TelemetryError, TraceContext};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::queue_contract::{Arm, Bench, Seen, tenant};
use crate::servers::amqp_url;
use crate::waiting::{ends, until};

/// Answers one export and returns it whole.
async fn one_export(listener: TcpListener) -> Vec<u8> {
    let (mut socket, _) = listener.accept().await.unwrap();
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let read = socket.read(&mut chunk).await.unwrap();
        request.extend_from_slice(&chunk[..read]);
        if let Some(end) = find(&request, b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&request[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if request.len() >= end + 4 + length.trim().parse::<usize>().unwrap() {
                break;
            }
        }
    }
    socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await.unwrap();
    request
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn queues() -> Vec<Bench> {
    let mut queues = vec![Arm::InProcess.start(QueueLimits::default())];
    queues.extend(amqp_url().map(|url| Arm::RabbitMq(url).start(QueueLimits::default())));
    queues
}

/// A request wakes a tenant on each queue, and a worker links its work to the request; returns both trace ids.
async fn through_the_queue(queues: Vec<Bench>) -> (String, String) {
    let request = tracing::info_span!("the_request");
    let context = TraceContext::of(&request);
    let work_trace = Arc::new(Mutex::new(String::new()));
    for bench in queues {
        request.in_scope(|| bench.queue.wake(tenant(1), Lane::Push));
        let (seen, trace) = (Seen::default(), Arc::clone(&work_trace));
        let noted = seen.clone();
        let consumer = bench.consume(Lane::Push, 1, move |wakeup| {
            let work = tracing::info_span!(parent: None, "the_reconcile");
            wakeup.trace.link(&work);
            work.in_scope(|| tracing::info!("working"));
            *trace.lock().unwrap() = TraceContext::of(&work).trace_id().unwrap();
            noted.note(wakeup);
            std::future::ready(Handled::Done)
        });
        until("the wake-up arrives", || seen.len() == 1).await;
        assert_eq!(seen.trace(), context, "the request's context came along");
        bench.finish([consumer]).await;
    }
    let work_trace = work_trace.lock().unwrap().clone();
    (context.trace_id().unwrap(), work_trace)
}

/// One test for everything that needs the process-wide subscriber, which can be installed only once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_are_exported_and_flushed_at_the_end() {
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let bad = TelemetryConfig { log_filter: "rollcall=shout=x".to_owned(), ..TelemetryConfig::default() };
    assert!(matches!(telemetry::init(&bad), Err(TelemetryError::Filter { .. })));

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let config = TelemetryConfig {
        otlp_endpoint: Some(endpoint),
        service_name: "rollcall-under-test".to_owned(),
        ..TelemetryConfig::default()
    };
    let guard = telemetry::init(&config).unwrap();
    assert!(matches!(telemetry::init(&config), Err(TelemetryError::AlreadyInitialised)));

    let (request_trace, work_trace) = through_the_queue(queues()).await;
    assert_ne!(request_trace, work_trace, "linked, not a child");

    let export = tokio::spawn(one_export(listener));
    let begun = Instant::now();
    guard.shutdown().await;
    assert!(begun.elapsed() < Duration::from_secs(6));
    let export = ends("the export", export).await.unwrap();
    assert!(export.starts_with(b"POST /v1/traces HTTP/1.1"));
    for text in ["rollcall-under-test", "the_request", "the_reconcile"] {
        assert!(find(&export, text.as_bytes()).is_some(), "{text} is not in the export");
    }
    let id: Vec<u8> = (0..16).map(|at| u8::from_str_radix(&request_trace[2 * at..2 * at + 2], 16).unwrap()).collect();
    let carried = export.windows(16).filter(|window| *window == id).count();
    assert!(carried >= 2, "the request's trace id is in its own span and in the link of the reconcile: {carried}");
}
