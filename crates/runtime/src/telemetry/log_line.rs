//! One log line: the standard layout of `tracing-subscriber`, plus the trace and span id.

use std::fmt;
use std::sync::{Arc, OnceLock};

use opentelemetry::trace::TraceContextExt;
use tracing::Event;
use tracing::dispatcher::WeakDispatch;
use tracing::subscriber::Subscriber;
use tracing_subscriber::fmt::format::{Format, Full, Json, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Formats an event by `inner`, then adds the ids by `ids`.
pub(super) struct LogLine<F> {
    inner: Format<F>,
    ids: fn(&mut String, &str, &str),
    dispatch: Arc<OnceLock<WeakDispatch>>,
}

impl LogLine<Full> {
    pub(super) fn text(dispatch: Arc<OnceLock<WeakDispatch>>) -> Self {
        let ids = |line: &mut String, trace: &str, _span: &str| {
            line.push_str(" trace_id=");
            line.push_str(trace);
        };
        Self { inner: Format::default(), ids, dispatch }
    }
}

impl LogLine<Json> {
    pub(super) fn json(dispatch: Arc<OnceLock<WeakDispatch>>) -> Self {
        let ids = |line: &mut String, trace: &str, span: &str| {
            // The inner format ends with the closing brace of a never empty object; the ids are hexadecimal.
            if line.pop() == Some('}') {
                for part in [r#","trace_id":""#, trace, r#"","span_id":""#, span, r#""}"#] {
                    line.push_str(part);
                }
            }
        };
        let inner = Format::default().json().flatten_event(true).with_current_span(true).with_span_list(false);
        Self { inner, ids, dispatch }
    }
}

impl<F> LogLine<F> {
    /// Trace id and span id of the event's span.
    fn ids_of<S, N>(&self, context: &FmtContext<'_, S, N>) -> Option<(String, String)>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
        N: for<'writer> FormatFields<'writer> + 'static,
    {
        let span = context.lookup_current()?;
        let dispatch = self.dispatch.get()?.upgrade()?;
        let otel = tracing_opentelemetry::get_otel_context(&span.id(), &dispatch)?;
        let ids = otel.span().span_context().clone();
        ids.is_valid().then(|| (ids.trace_id().to_string(), ids.span_id().to_string()))
    }
}

impl<F, S, N> FormatEvent<S, N> for LogLine<F>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
    Format<F>: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let Some((trace, span)) = self.ids_of(context) else {
            return self.inner.format_event(context, writer, event);
        };
        let mut line = String::with_capacity(256);
        self.inner.format_event(context, Writer::new(&mut line), event)?;
        line.truncate(line.trim_end_matches('\n').len());
        (self.ids)(&mut line, &trace, &span);
        writeln!(writer, "{line}")
    }
}
