//! Tests of log lines, with a buffer instead of stderr.

use std::io;
use std::sync::{Arc, Mutex};

use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::fmt::MakeWriter;

use super::*;

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Captured {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

/// The log output of `body` under `config`.
fn logged(log_format: LogFormat, body: impl FnOnce()) -> String {
    let captured = Captured::default();
    let config = TelemetryConfig { log_format, ..TelemetryConfig::default() };
    let provider: SdkTracerProvider = span_export::provider(&config).unwrap();
    let subscriber = subscriber(&config, &provider, captured.clone()).unwrap();
    let dispatch = tracing::Dispatch::new(subscriber.registry);
    subscriber.dispatch.set(dispatch.downgrade()).unwrap();
    tracing::dispatcher::with_default(&dispatch, body);
    let bytes = captured.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_json_line_is_one_object_with_its_trace_id_even_without_a_collector() {
    let mut context = TraceContext::default();
    let text = logged(LogFormat::Json, || {
        tracing::info_span!("reconcile", tenant = "t-1").in_scope(|| {
            context = TraceContext::current();
            tracing::warn!(held = 2, "a \"quoted\" message");
            tracing::debug!("below the level");
        });
    });
    assert_eq!(text.lines().count(), 1, "{text}");
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["message"], "a \"quoted\" message");
    assert_eq!(line["held"], 2);
    assert_eq!(line["span"]["tenant"], "t-1");
    assert_eq!(line["trace_id"], context.trace_id().unwrap());
    assert!(context.traceparent().unwrap().contains(line["span_id"].as_str().unwrap()));
}

#[test]
fn a_text_line_names_its_trace_and_one_outside_of_a_span_has_none() {
    let text = logged(LogFormat::Text, || {
        tracing::info!("outside");
        tracing::info_span!("request").in_scope(|| tracing::info!(status = 201, "inside"));
    });
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].ends_with("outside"), "{text}");
    assert!(lines[1].contains("status=201") && lines[1].contains(" trace_id="), "{text}");
}

#[tokio::test]
async fn spans_of_detail_exist_in_sampled_traces_only() {
    rustls::crypto::ring::default_provider().install_default().ok();
    let detail = |sampled: &str, otlp_endpoint: Option<&str>| {
        let config = TelemetryConfig { otlp_endpoint: otlp_endpoint.map(str::to_owned), ..TelemetryConfig::default() };
        let provider = span_export::provider(&config).unwrap();
        let subscriber = subscriber(&config, &provider, Captured::default()).unwrap();
        let dispatch = tracing::Dispatch::new(subscriber.registry);
        subscriber.dispatch.set(dispatch.downgrade()).unwrap();
        tracing::dispatcher::with_default(&dispatch, || {
            let outside = tracing::info_span!(target: "rollcall_store::engine", "store.statement");
            assert!(outside.is_disabled(), "outside of a trace");
            let traceparent = format!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{sampled}");
            let span = tracing::info_span!("request");
            TraceContext::from_headers(Some(&traceparent), None).adopt(&span);
            span.in_scope(|| !tracing::info_span!(target: "rollcall_store::engine", "store.statement").is_disabled())
        })
    };
    let collector = Some("http://127.0.0.1:9");
    assert!(detail("01", collector));
    assert!(!detail("00", collector));
    assert!(!detail("01", None));
}

#[test]
fn a_remote_parent_is_adopted() {
    let remote =
        TraceContext::from_headers(Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), Some("vendor=1"));
    logged(LogFormat::Text, || {
        let span = tracing::info_span!("request");
        remote.adopt(&span);
        let own = TraceContext::of(&span);
        assert_eq!(own.trace_id(), remote.trace_id());
        assert_ne!(own.traceparent(), remote.traceparent(), "a span of its own");
        assert_eq!(own.tracestate(), Some("vendor=1"));
    });
}

#[test]
fn the_amqp_client_is_silenced_and_a_bad_filter_is_named() {
    let text = logged(LogFormat::Text, || tracing::error!(target: "lapin::io_loop", "noise"));
    assert_eq!(text, "");
    let error = filter("rollcall=shout=x").unwrap_err().to_string();
    assert!(error.contains("rollcall=shout=x"), "{error}");
}

#[test]
fn f8_no_color_is_respected() {
    assert!(refuses_colours(Some("1".into())));
    assert!(!refuses_colours(Some("".into())) && !refuses_colours(None));
}
