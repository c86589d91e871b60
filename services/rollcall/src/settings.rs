//! Settings: one commented default file, compiled in, overridden by a file and by the environment. An invalid one stops
//! the start with the key's name and the remedy.

mod given;

use crate::address::{is_address, is_public_url, with_host};
use anyhow::{Context, Result, anyhow, bail};
use given::{USUAL_NAMES, merge_file, merge_variable, variable_of};
use rollcall_admin::Origins;
use rollcall_core::operator_rule::OperatorRule;
use rollcall_core::quota::Quotas;
use rollcall_runtime::outbound::OutboundRules;
use rollcall_store::SealingKeys;
use rollcall_web::Proxies;
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::Path;
use toml::Table;

/// The default file; it is the documentation too.
pub(crate) const DEFAULTS: &str = include_str!("settings.toml");

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    pub(crate) http: Http,
    pub(crate) metrics: Metrics,
    pub(crate) database: Database,
    pub(crate) limits: Limits,
    pub(crate) queue: Port,
    pub(crate) cache: Port,
    pub(crate) ingest: Ingest,
    pub(crate) admin: Admin,
    pub(crate) sign_in: SignIn,
    pub(crate) operators: Operators,
    pub(crate) sealing: Sealing,
    pub(crate) events: Events,
    pub(crate) webhooks: Webhooks,
    pub(crate) quotas: Quotas,
    pub(crate) worker: Worker,
    pub(crate) telemetry: Telemetry,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Http {
    pub(crate) listen: String,
    pub(crate) public_url: String,
    pub(crate) workers: usize,
    pub(crate) request_timeout_seconds: u64,
    pub(crate) body_timeout_seconds: u64,
    pub(crate) bytes_per_second_min: u64,
    pub(crate) connections_max: usize,
    pub(crate) connections_per_peer_max: usize,
    pub(crate) trusted_proxies: String,
    pub(crate) answer_bytes_unread_max: usize,
    pub(crate) shutdown_seconds: u64,
    pub(crate) drain_delay_seconds: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Metrics {
    pub(crate) listen: String,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Database {
    pub(crate) url: String,
    pub(crate) url_file: String,
    pub(crate) connections_max: u32,
    pub(crate) acquire_timeout_seconds: u64,
    pub(crate) statement_timeout_seconds: u64,
    pub(crate) sqlite_synchronous: String,
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URL holds a password.
        f.debug_struct("Database").field("connections_max", &self.connections_max).finish_non_exhaustive()
    }
}

/// Limits on the work of requests.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    pub(crate) tenant_connections: usize,
    pub(crate) tenant_heavy: usize,
    pub(crate) all_heavy: usize,
    pub(crate) heavy_wait_seconds: u64,
    pub(crate) list_seconds: u64,
    pub(crate) list_cost_max: u64,
    pub(crate) plan_seconds: u64,
    pub(crate) export_seconds: u64,
    pub(crate) compute_seconds: u64,
}

/// Sign-in by identity providers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignIn {
    pub(crate) private_addresses: bool,
    pub(crate) dns_server: String,
}

impl SignIn {
    /// The name server that is to be asked; none for those of the system.
    pub(crate) fn name_server(&self) -> Result<Option<SocketAddr>> {
        let server = Some(&self.dns_server).filter(|server| !server.is_empty());
        let wrong = || {
            anyhow!("sign_in.dns_server is {:?}; it takes an address and a port such as 127.0.0.1:53", self.dns_server)
        };
        server.map(|server| server.parse().map_err(|_| wrong())).transpose()
    }
}

/// Sign-in of the operators of a hosted service.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Operators {
    pub(crate) issuer: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) client_secret_file: String,
    pub(crate) emails: String,
    pub(crate) claim: String,
    pub(crate) claim_value: String,
}

impl std::fmt::Debug for Operators {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The client secret is one.
        f.debug_struct("Operators").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

impl Operators {
    /// The people who are operators; none where no provider is named.
    pub(crate) fn rule(&self) -> Result<Option<OperatorRule>> {
        if self.issuer.is_empty() {
            let others = [&self.client_id, &self.client_secret, &self.emails, &self.claim, &self.claim_value];
            if others.iter().any(|other| !other.is_empty()) {
                bail!(
                    "operators.issuer is empty, and other settings of operators are not: name the provider, or leave all of them out"
                );
            }
            return Ok(None);
        }
        if self.client_id.is_empty() {
            bail!("operators.client_id is empty: register the hub at {} and set it", self.issuer);
        }
        OperatorRule::of(&self.emails, &self.claim, &self.claim_value).map(Some).map_err(|why| anyhow!(why))
    }
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sealing {
    pub(crate) keys: String,
    pub(crate) keys_file: String,
}

impl std::fmt::Debug for Sealing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The keys are secrets.
        f.debug_struct("Sealing").field("keys_file", &self.keys_file).finish_non_exhaustive()
    }
}

/// An address and a prefix.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Port {
    pub(crate) url: String,
    pub(crate) url_file: String,
    pub(crate) prefix: String,
}

impl std::fmt::Debug for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Port").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ingest {
    pub(crate) rate_per_second: f64,
    pub(crate) rate_burst: u32,
    pub(crate) failed_auth_per_second: f64,
    pub(crate) failed_auth_burst: u32,
    pub(crate) body_bytes_max: usize,
    pub(crate) patch_operations_max: usize,
    pub(crate) bulk_operations_max: usize,
    pub(crate) members_per_request_max: usize,
    pub(crate) page_default: usize,
    pub(crate) page_max: usize,
    pub(crate) answer_bytes_max: usize,
    pub(crate) request_log_days: u32,
    pub(crate) agent_upload_bytes_max: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Admin {
    pub(crate) rate_per_second: f64,
    pub(crate) rate_burst: u32,
    pub(crate) cors_origins: String,
    pub(crate) streams_max: usize,
}

/// Events that products follow.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Events {
    pub(crate) kept_days: u32,
    pub(crate) exchange: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Webhooks {
    pub(crate) private_addresses: bool,
    pub(crate) ports: String,
    pub(crate) concurrency: usize,
    pub(crate) slow_concurrency: usize,
    pub(crate) give_up_days: u32,
}

impl Webhooks {
    /// The rules for addresses.
    pub(crate) fn rules(&self) -> Result<OutboundRules> {
        let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
        let ports: Option<Vec<u16>> = self.ports.split(',').map(port).collect();
        let wrong = || anyhow!("webhooks.ports is {:?}; it takes numbers of ports such as \"443, 8443\"", self.ports);
        Ok(OutboundRules { private_addresses: self.private_addresses, ports: ports.ok_or_else(wrong)? })
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Worker {
    pub(crate) push_concurrency: usize,
    pub(crate) bulk_concurrency: usize,
    pub(crate) chunk_changes_max: usize,
    pub(crate) lease_seconds: u64,
    pub(crate) sweep_seconds: u64,
    pub(crate) run_retention_days: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Telemetry {
    pub(crate) log_format: String,
    pub(crate) log_filter: String,
    pub(crate) otlp_endpoint: String,
    pub(crate) trace_ratio: f64,
}

impl Settings {
    /// The default of `metrics.listen`.
    pub(crate) const DEFAULT_METRICS: &'static str = "127.0.0.1:9464";

    /// Every setting as `(variable, key)`.
    pub(crate) fn variables() -> Result<Vec<(String, String)>> {
        let table: Table = DEFAULTS.parse()?;
        let mut variables = Vec::new();
        for (section, entries) in &table {
            for key in entries.as_table().into_iter().flat_map(Table::keys) {
                variables.push((variable_of(section, key), format!("{section}.{key}")));
            }
        }
        let usual = USUAL_NAMES.iter().map(|(usual, section, key)| ((*usual).to_owned(), format!("{section}.{key}")));
        variables.extend(usual);
        Ok(variables)
    }

    /// Reads defaults, file and environment, in this order.
    ///
    /// # Errors
    /// Names the first invalid key, the problem, and the valid values.
    pub(crate) fn load(file: Option<&Path>, environment: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        let mut table: Table = DEFAULTS.parse().context("the compiled-in settings")?;
        if let Some(path) = file {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("the settings file {} cannot be read", path.display()))?;
            let given: Table = text.parse().with_context(|| format!("the settings file {}", path.display()))?;
            merge_file(&mut table, given)?;
        }
        for (name, text) in environment {
            merge_variable(&mut table, &name, &text)?;
        }
        let mut settings: Self = table.try_into().map_err(|e| anyhow!("settings: {e}"))?;
        settings.read_value_files()?;
        for address in [&mut settings.http.listen, &mut settings.metrics.listen] {
            *address = with_host(address);
        }
        settings.validate()?;
        Ok(settings)
    }

    /// Takes addresses and keys from their files. A value that is given both ways is an error: it would be unclear which one holds.
    fn read_value_files(&mut self) -> Result<()> {
        let (database, queue, cache, sealing) =
            (&mut self.database, &mut self.queue, &mut self.cache, &mut self.sealing);
        let operators = &mut self.operators;
        for (key, url, file) in [
            ("database.url", &mut database.url, &database.url_file),
            ("queue.url", &mut queue.url, &queue.url_file),
            ("cache.url", &mut cache.url, &cache.url_file),
            ("sealing.keys", &mut sealing.keys, &sealing.keys_file),
            ("operators.client_secret", &mut operators.client_secret, &operators.client_secret_file),
        ] {
            if file.is_empty() {
                continue;
            }
            if !url.is_empty() {
                bail!("{key} and {key}_file are both set; keep one of them");
            }
            let text = std::fs::read_to_string(file)
                .with_context(|| format!("{key}_file names {file}, which cannot be read"))?;
            text.trim().clone_into(url);
            if url.is_empty() {
                bail!("{key}_file names {file}, which is empty; write the value into it");
            }
        }
        Ok(())
    }

    /// Listens on another address, as the command line asks.
    ///
    /// # Errors
    /// When it is no address.
    pub(crate) fn listen_on(&mut self, address: &str) -> Result<()> {
        self.http.listen = with_host(address);
        self.validate()
    }

    fn validate_sign_in(&self) -> Result<()> {
        self.sign_in.name_server()?;
        self.operators.rule()?;
        if !self.sealing.keys.is_empty()
            && let Err(wrong) = self.sealing.keys.parse::<SealingKeys>()
        {
            bail!("sealing.keys: {wrong}");
        }
        Ok(())
    }

    /// The proxies that are believed, and the sites that may call.
    fn validate_peers(&self) -> Result<()> {
        if let Err(wrong) = self.http.trusted_proxies.parse::<Proxies>() {
            bail!("http.trusted_proxies: {wrong}");
        }
        if let Err(wrong) = self.admin.cors_origins.parse::<Origins>() {
            bail!("admin.cors_origins: {wrong}");
        }
        Ok(())
    }

    /// # Errors
    /// Names the first key whose value cannot work, and the valid values.
    fn validate(&self) -> Result<()> {
        let positive = [
            ("ingest.rate_per_second", self.ingest.rate_per_second),
            ("ingest.rate_burst", f64::from(self.ingest.rate_burst)),
            ("ingest.failed_auth_per_second", self.ingest.failed_auth_per_second),
            ("ingest.failed_auth_burst", f64::from(self.ingest.failed_auth_burst)),
            ("ingest.body_bytes_max", self.ingest.body_bytes_max as f64),
            ("ingest.patch_operations_max", self.ingest.patch_operations_max as f64),
            ("ingest.bulk_operations_max", self.ingest.bulk_operations_max as f64),
            ("ingest.members_per_request_max", self.ingest.members_per_request_max as f64),
            ("ingest.page_default", self.ingest.page_default as f64),
            ("ingest.page_max", self.ingest.page_max as f64),
            ("ingest.answer_bytes_max", self.ingest.answer_bytes_max as f64),
            ("ingest.agent_upload_bytes_max", self.ingest.agent_upload_bytes_max as f64),
            ("admin.rate_per_second", self.admin.rate_per_second),
            ("admin.rate_burst", f64::from(self.admin.rate_burst)),
            ("worker.push_concurrency", self.worker.push_concurrency as f64),
            ("worker.bulk_concurrency", self.worker.bulk_concurrency as f64),
            ("worker.chunk_changes_max", self.worker.chunk_changes_max as f64),
            ("worker.lease_seconds", self.worker.lease_seconds as f64),
            ("worker.sweep_seconds", self.worker.sweep_seconds as f64),
            ("events.kept_days", f64::from(self.events.kept_days)),
            ("webhooks.concurrency", self.webhooks.concurrency as f64),
            ("webhooks.slow_concurrency", self.webhooks.slow_concurrency as f64),
            ("webhooks.give_up_days", f64::from(self.webhooks.give_up_days)),
            ("worker.run_retention_days", self.worker.run_retention_days as f64),
            ("database.connections_max", f64::from(self.database.connections_max)),
            ("limits.export_seconds", self.limits.export_seconds as f64),
            ("database.acquire_timeout_seconds", self.database.acquire_timeout_seconds as f64),
            ("http.request_timeout_seconds", self.http.request_timeout_seconds as f64),
            ("http.body_timeout_seconds", self.http.body_timeout_seconds as f64),
            ("http.bytes_per_second_min", self.http.bytes_per_second_min as f64),
            ("http.answer_bytes_unread_max", self.http.answer_bytes_unread_max as f64),
        ];
        for (key, value) in positive {
            if !(value.is_finite() && value > 0.0) {
                bail!("{key} is {value}; it takes a number greater than 0");
            }
        }
        for (key, address) in [("http.listen", &self.http.listen), ("metrics.listen", &self.metrics.listen)] {
            let optional = key == "metrics.listen" && address.is_empty();
            if !optional && !is_address(address) {
                bail!(
                    "{key} is {address:?}; it takes an address and a port such as 127.0.0.1:8080, localhost:8080 or [::]:8080"
                );
            }
        }
        self.validate_sign_in()?;
        self.validate_peers()?;
        self.webhooks.rules()?;
        if !matches!(self.database.sqlite_synchronous.as_str(), "full" | "normal") {
            bail!(
                "database.sqlite_synchronous is {:?}; it takes \"full\" or \"normal\"",
                self.database.sqlite_synchronous
            );
        }
        if !(0.0..=1.0).contains(&self.telemetry.trace_ratio) {
            bail!("telemetry.trace_ratio is {}; it takes a number from 0.0 to 1.0", self.telemetry.trace_ratio);
        }
        if self.ingest.page_default > self.ingest.page_max {
            bail!("ingest.page_default is larger than ingest.page_max; lower the one or raise the other");
        }
        let url = &self.http.public_url;
        if !url.is_empty() && !is_public_url(url) {
            bail!(
                "http.public_url is {url:?}; it takes an http or https address such as https://rollcall.example.com, without a \
                 slash at the end"
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
