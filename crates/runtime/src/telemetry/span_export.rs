//! Export of spans to an OTLP collector.
//!
//! The SDK's batch processor runs on a plain thread, where an async HTTP client finds no reactor and panics. So the
//! client here hands each request to the tokio runtime and waits for its answer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry::KeyValue;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};

use super::{TelemetryConfig, TelemetryError};

/// Path of the traces signal, OTLP/HTTP.
const TRACES_PATH: &str = "/v1/traces";
/// Longest wait for one export.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// Whether spans go anywhere.
pub(super) fn is_configured(config: &TelemetryConfig) -> bool {
    endpoint(config).is_some()
}

fn endpoint(config: &TelemetryConfig) -> Option<&str> {
    config.otlp_endpoint.as_deref().filter(|endpoint| !endpoint.is_empty())
}

/// A provider that exports to the configured collector, or one that only makes ids.
pub(super) fn provider(config: &TelemetryConfig) -> Result<SdkTracerProvider, TelemetryError> {
    let Some(endpoint) = endpoint(config) else {
        return Ok(SdkTracerProvider::builder().with_sampler(Sampler::AlwaysOff).build());
    };
    let exporter =
        exporter(endpoint).map_err(|reason| TelemetryError::Exporter { endpoint: endpoint.to_owned(), reason })?;
    let resource = Resource::builder()
        .with_service_name(config.service_name.clone())
        .with_attribute(KeyValue::new("service.version", config.service_version.clone()))
        .build();
    let sampler = Sampler::TraceIdRatioBased(config.trace_ratio);
    Ok(SdkTracerProvider::builder()
        .with_sampler(Sampler::ParentBased(Box::new(sampler)))
        .with_resource(resource)
        .with_batch_exporter(exporter)
        .build())
}

fn exporter(endpoint: &str) -> Result<SpanExporter, String> {
    let client = reqwest::Client::builder()
        .timeout(EXPORT_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Handle::try_current().map_err(|error| error.to_string())?;
    SpanExporter::builder()
        .with_http()
        .with_http_client(OnRuntime { client, runtime, failing: AtomicBool::new(false) })
        .with_endpoint(traces_address(endpoint))
        .with_timeout(EXPORT_TIMEOUT)
        .build()
        .map_err(|error| error.to_string())
}

fn traces_address(endpoint: &str) -> String {
    let base = endpoint.trim_end_matches('/');
    if base.ends_with(TRACES_PATH) { base.to_owned() } else { format!("{base}{TRACES_PATH}") }
}

/// Sends on the tokio runtime from any thread.
#[derive(Debug)]
struct OnRuntime {
    client: reqwest::Client,
    runtime: tokio::runtime::Handle,
    /// True while exports fail, because the SDK logs nothing about it.
    failing: AtomicBool,
}

impl OnRuntime {
    /// Logs once when a collector goes away and once when it comes back.
    fn report(&self, problem: Option<String>) {
        let was_failing = self.failing.swap(problem.is_some(), Ordering::Relaxed);
        match problem {
            Some(reason) if !was_failing => {
                tracing::warn!(reason, "spans cannot be exported and are dropped")
            }
            None if was_failing => tracing::info!("spans are exported again"),
            _ => {}
        }
    }
}

#[async_trait]
impl HttpClient for OnRuntime {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let sent = self.runtime.spawn(async move {
            let answer = client.execute(request.try_into()?).await?;
            let mut response = Response::builder().status(answer.status());
            for (name, value) in answer.headers() {
                response = response.header(name, value);
            }
            Ok::<_, HttpError>(response.body(answer.bytes().await?)?)
        });
        let sent = sent.await?;
        self.report(match &sent {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(format!("the collector answers {}", response.status())),
            Err(error) => Some(error.to_string()),
        });
        sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_traces_path_is_appended_once() {
        for endpoint in ["http://c:4318", "http://c:4318/", "http://c:4318/v1/traces"] {
            assert_eq!(traces_address(endpoint), "http://c:4318/v1/traces");
        }
    }
}
