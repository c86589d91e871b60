//! W3C Trace Context as two strings, to cross a process boundary in a header or a wake-up.

use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{SpanContext, TraceContextExt};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use serde::{Deserialize, Serialize};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Longest `tracestate` that is forwarded: the length that the recommendation asks every vendor to support at least.
const TRACESTATE_LIMIT: usize = 512;

/// `traceparent` and `tracestate` (W3C Trace Context, level 1). Empty when there is no trace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceContext {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tracestate: Option<String>,
}

impl TraceContext {
    /// The context of the current span.
    pub fn current() -> Self {
        Self::of(&Span::current())
    }

    /// The context of `span`; empty for a disabled span.
    pub fn of(span: &Span) -> Self {
        let context = span.context();
        Self::from_span_context(context.span().span_context())
    }

    /// The context from the two headers of a request. Malformed values make an empty context when they are used.
    pub fn from_headers(traceparent: Option<&str>, tracestate: Option<&str>) -> Self {
        let tracestate = tracestate.filter(|state| !state.is_empty() && state.len() <= TRACESTATE_LIMIT);
        Self { traceparent: traceparent.map(str::to_owned), tracestate: tracestate.map(str::to_owned) }
    }

    /// Links `span` to this context as its cause. The work is a trace of its own, such as a reconcile that several
    /// requests asked for.
    pub fn link(&self, span: &Span) {
        if let Some(remote) = self.span_context() {
            span.add_link(remote);
        }
    }

    /// Makes this context the parent of `span`, which must not have been entered yet.
    pub fn adopt(&self, span: &Span) {
        if self.span_context().is_some() {
            // Fails only for a span that is disabled or has been started, which cannot take a parent.
            let _ = span.set_parent(TraceContextPropagator::new().extract(self));
        }
    }

    /// The 32 hexadecimal digits of the trace id.
    pub fn trace_id(&self) -> Option<String> {
        self.span_context().map(|context| context.trace_id().to_string())
    }

    /// The `traceparent` header, as received or captured.
    pub fn traceparent(&self) -> Option<&str> {
        self.traceparent.as_deref()
    }

    /// The `tracestate` header, as received or captured.
    pub fn tracestate(&self) -> Option<&str> {
        self.tracestate.as_deref()
    }

    fn from_span_context(context: &SpanContext) -> Self {
        if !context.is_valid() {
            return Self::default();
        }
        let flags = context.trace_flags().to_u8() & 0x01;
        let traceparent = format!("00-{}-{}-{flags:02x}", context.trace_id(), context.span_id());
        Self::from_headers(Some(&traceparent), Some(&context.trace_state().header()))
    }

    fn span_context(&self) -> Option<SpanContext> {
        self.traceparent.as_ref()?;
        let context = TraceContextPropagator::new().extract(self);
        let remote = context.span().span_context().clone();
        remote.is_valid().then_some(remote)
    }
}

impl Extractor for TraceContext {
    fn get(&self, key: &str) -> Option<&str> {
        match key {
            "traceparent" => self.traceparent(),
            "tracestate" => self.tracestate(),
            _ => None,
        }
    }

    fn keys(&self) -> Vec<&str> {
        vec!["traceparent", "tracestate"]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_well_formed_header_is_understood() {
        let context = TraceContext::from_headers(Some(PARENT), Some("vendor=1"));
        assert_eq!(context.trace_id().as_deref(), Some("0af7651916cd43dd8448eb211c80319c"));
        let again = TraceContext::from_span_context(&context.span_context().unwrap());
        assert_eq!(again, context, "what is captured is what was received");
    }

    #[test]
    fn a_malformed_header_is_no_context() {
        for bad in [
            "",
            "00",
            "00-0-0-00",
            "zz-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        ] {
            assert_eq!(TraceContext::from_headers(Some(bad), None).trace_id(), None, "{bad}");
        }
    }

    #[test]
    fn an_oversized_tracestate_is_dropped() {
        let long = format!("k={}", "v".repeat(600));
        assert_eq!(TraceContext::from_headers(Some(PARENT), Some(&long)).tracestate(), None);
    }
}
