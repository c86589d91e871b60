//! Logs, traces and the context that connects them across processes.
//!
//! Logs go to stderr, one line for each event, as text or JSON, with the trace id of its span. Spans go to an OTLP
//! collector over HTTP when an endpoint is configured; without one the ids still exist, so that a request, its wake-up
//! and its reconcile can be matched in the logs alone.

mod detail;
mod log_line;
mod span_export;
mod trace_context;

use std::ffi::OsString;
use std::io;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::{EnvFilter, Registry};

pub use crate::metrics::Metrics;
pub use trace_context::TraceContext;

use detail::DetailInSampledTraces;
use log_line::LogLine;

/// Format of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// One readable line, with colours on a terminal.
    #[default]
    Text,
    /// One JSON object for each line.
    Json,
}

impl FromStr for LogFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(format!("log format {other:?} is neither \"text\" nor \"json\"")),
        }
    }
}

/// Settings of [`init`]. `Default` logs text at `info` and exports no spans.
#[derive(Clone, Debug)]
pub struct TelemetryConfig {
    /// Format of a log line.
    pub log_format: LogFormat,
    /// Directives as in `RUST_LOG`, e.g. `info,rollcall_worker=debug`.
    pub log_filter: String,
    /// Base address of an OTLP/HTTP collector (`http://127.0.0.1:4318`); `/v1/traces` is appended unless present.
    pub otlp_endpoint: Option<String>,
    /// Share of new traces that are exported, 0.0 to 1.0. A sampled parent is always followed.
    pub trace_ratio: f64,
    /// `service.name` of the spans, e.g. `rollcall-worker`.
    pub service_name: String,
    /// `service.version` of the spans.
    pub service_version: String,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self {
            log_format: LogFormat::Text,
            log_filter: "info".to_owned(),
            otlp_endpoint: None,
            trace_ratio: 1.0,
            service_name: "rollcall".to_owned(),
            service_version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// Failure to start telemetry: a mistake in the configuration or in `main`.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter directives do not parse.
    #[error("log_filter {filter:?} is not a list of directives such as \"info,rollcall_worker=debug\": {source}")]
    Filter {
        /// The configured value.
        filter: String,
        /// The parser's error.
        source: tracing_subscriber::filter::ParseError,
    },
    /// The exporter cannot be built, mostly because of its address.
    #[error("otlp_endpoint {endpoint:?} cannot be used: {reason}")]
    Exporter {
        /// The configured value.
        endpoint: String,
        /// The exporter's error message.
        reason: String,
    },
    /// `init` was called twice in one process.
    #[error("telemetry is initialised already")]
    AlreadyInitialised,
}

/// Keeps the span exporter alive. Call [`Telemetry::shutdown`] last in `main`.
#[must_use = "spans that are not flushed by shutdown() are lost"]
#[derive(Debug)]
pub struct Telemetry {
    provider: SdkTracerProvider,
}

/// Longest wait for the collector at the end of a process.
const FLUSH_LIMIT: Duration = Duration::from_secs(5);

/// Installs logging and tracing for the whole process. Must be called on a tokio runtime, which runs the exports.
///
/// # Errors
/// See [`TelemetryError`]; nothing is installed then.
pub fn init(config: &TelemetryConfig) -> Result<Telemetry, TelemetryError> {
    let provider = span_export::provider(config)?;
    let subscriber = subscriber(config, &provider, io::stderr)?;
    tracing::subscriber::set_global_default(subscriber.registry).map_err(|_| TelemetryError::AlreadyInitialised)?;
    tracing::dispatcher::get_default(|dispatch| {
        // Set once, right after the only successful installation.
        let _ = subscriber.dispatch.set(dispatch.downgrade());
    });
    Ok(Telemetry { provider })
}

impl Telemetry {
    /// Sends the remaining spans, for at most five seconds.
    pub async fn shutdown(self) {
        let provider = self.provider;
        // The batch processor blocks its caller, and needs the runtime's threads to send.
        let stopped = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(FLUSH_LIMIT)).await;
        match stopped {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "spans were not flushed"),
            Err(error) => tracing::warn!(%error, "spans were not flushed"),
        }
    }
}

/// A subscriber and the cell through which its log lines find their dispatcher.
struct Subscriber<S> {
    registry: S,
    dispatch: Arc<OnceLock<tracing::dispatcher::WeakDispatch>>,
}

fn subscriber<W>(
    config: &TelemetryConfig,
    provider: &SdkTracerProvider,
    writer: W,
) -> Result<Subscriber<impl tracing::Subscriber + Send + Sync + use<W>>, TelemetryError>
where
    W: for<'w> tracing_subscriber::fmt::MakeWriter<'w> + Send + Sync + 'static,
{
    let dispatch = Arc::new(OnceLock::new());
    let registry = Registry::default()
        .with(filter(&config.log_filter)?)
        .with(DetailInSampledTraces::new(span_export::is_configured(config), Arc::clone(&dispatch)))
        .with(
            tracing_opentelemetry::layer()
                .with_tracer(provider.tracer("rollcall"))
                .with_location(false)
                .with_threads(false)
                // Nothing reads OpenTelemetry's current span, and updating it costs at every poll.
                .with_context_activation(false)
                .with_tracked_inactivity(false),
        )
        .with(log_layer(config.log_format, Arc::clone(&dispatch), writer));
    Ok(Subscriber { registry, dispatch })
}

fn log_layer<S, W>(
    format: LogFormat,
    dispatch: Arc<OnceLock<tracing::dispatcher::WeakDispatch>>,
    writer: W,
) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'span> tracing_subscriber::registry::LookupSpan<'span>,
    W: for<'w> tracing_subscriber::fmt::MakeWriter<'w> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer().with_writer(writer);
    match format {
        LogFormat::Text => {
            let colours = io::IsTerminal::is_terminal(&io::stderr()) && !refuses_colours(std::env::var_os("NO_COLOR"));
            layer.with_ansi(colours).event_format(LogLine::text(dispatch)).boxed()
        }
        LogFormat::Json => layer
            .with_ansi(false)
            .fmt_fields(tracing_subscriber::fmt::format::JsonFields::new())
            .event_format(LogLine::json(dispatch))
            .boxed(),
    }
}

/// Whether `NO_COLOR` is set to anything but an empty text (no-color.org).
fn refuses_colours(no_color: Option<OsString>) -> bool {
    no_color.is_some_and(|value| !value.is_empty())
}

/// The configured directives over defaults that silence the AMQP client's own error lines: this crate reports every
/// outage once, with its consequence.
fn filter(directives: &str) -> Result<EnvFilter, TelemetryError> {
    // The HTTP client would export its own spans, and each export would make new ones.
    let quiet = "lapin=off,async_rs=off,sqlx=warn,sea_orm=warn,opentelemetry=warn,hyper=warn,h2=warn,reqwest=warn";
    EnvFilter::try_new(format!("{quiet},{directives}"))
        .map_err(|source| TelemetryError::Filter { filter: directives.to_owned(), source })
}

#[cfg(test)]
mod tests;
