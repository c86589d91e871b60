//! Spans of detail: one for each call of the store and for each of its statements. They exist only inside a sampled trace. Outside
//! of one they would cost a request more than they tell anybody.

use std::sync::{Arc, OnceLock};

use opentelemetry::trace::TraceContextExt as _;
use tracing::dispatcher::WeakDispatch;
use tracing::subscriber::Interest;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer};
use tracing_subscriber::registry::LookupSpan;

/// Beginning of the targets whose spans are detail.
const DETAIL: &str = "rollcall_store";

/// Refuses spans of detail where nobody will see them.
pub(super) struct DetailInSampledTraces {
    /// Whether spans are exported at all.
    exported: bool,
    dispatch: Arc<OnceLock<WeakDispatch>>,
}

impl DetailInSampledTraces {
    pub(super) fn new(exported: bool, dispatch: Arc<OnceLock<WeakDispatch>>) -> Self {
        Self { exported, dispatch }
    }

    fn is_sampled<S>(&self, context: &Context<'_, S>) -> bool
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let current = || {
            let span = context.lookup_current()?;
            let dispatch = self.dispatch.get()?.upgrade()?;
            tracing_opentelemetry::get_otel_context(&span.id(), &dispatch)
        };
        current().is_some_and(|context| context.span().span_context().is_sampled())
    }
}

fn is_detail(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.target().starts_with(DETAIL)
}

impl<S> Layer<S> for DetailInSampledTraces
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    /// Asked once for each place in the code: without an exporter a span of detail costs nothing.
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        match (is_detail(metadata), self.exported) {
            (true, false) => Interest::never(),
            (true, true) => Interest::sometimes(),
            (false, _) => Interest::always(),
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>, context: Context<'_, S>) -> bool {
        !is_detail(metadata) || (self.exported && self.is_sampled(&context))
    }
}
