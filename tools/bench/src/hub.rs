//! The hub as scripts use it: its command line makes tenants, sources and API keys (docs/design.md#contract).

use std::{path::PathBuf, process::Command};

use serde::{Deserialize, de::DeserializeOwned};

use crate::{error::BenchError, tenant::Tenant};

/// A running hub and the command that administers it.
#[derive(Debug, Clone)]
pub(crate) struct Hub {
    /// The `rollcall` binary.
    pub(crate) binary: PathBuf,
    /// Base URL: `http://127.0.0.1:8080`.
    pub(crate) url: String,
    /// `--data` of an embedded hub; otherwise the environment names the database.
    pub(crate) data: Option<PathBuf>,
}

#[derive(Deserialize)]
struct CreatedTenant {
    slug: String,
}

#[derive(Deserialize)]
struct CreatedSource {
    scim_endpoint: String,
    token: String,
}

#[derive(Deserialize)]
struct CreatedKey {
    key: String,
}

impl Hub {
    /// A tenant with a live SCIM source and enough seats.
    pub(crate) fn create_tenant(&self, name: &str, seats: u64) -> Result<Tenant, BenchError> {
        let tenant: CreatedTenant =
            self.run(&["tenant", "create", "--name", name, "--seats", &seats.to_string(), "--json"])?;
        let source: CreatedSource =
            self.run(&["source", "create", "--tenant", &tenant.slug, "--kind", "scim", "--mode", "live", "--json"])?;
        // The printed endpoint has the configured public address; the load goes to this process.
        let path = source.scim_endpoint.find("/scim/").map_or("", |start| &source.scim_endpoint[start..]);
        let endpoint = format!("{}{path}", self.url.trim_end_matches('/'));
        Ok(Tenant { slug: Some(tenant.slug), ..Tenant::new(endpoint, source.token, name) })
    }

    /// An API key for the read side.
    pub(crate) fn create_api_key(&self, slug: &str) -> Result<String, BenchError> {
        let created: CreatedKey = self.run(&["api-key", "create", "--tenant", slug, "--role", "owner", "--json"])?;
        Ok(created.key)
    }

    fn run<T: DeserializeOwned>(&self, args: &[&str]) -> Result<T, BenchError> {
        let what = format!("rollcall {} {}", args[0], args[1]);
        let mut command = Command::new(&self.binary);
        command.args(args);
        if let Some(data) = &self.data {
            command.arg("--data").arg(data).env_remove("DATABASE_URL").env_remove("AMQP_URL").env_remove("REDIS_URL");
        }
        let output = command.output().map_err(BenchError::io(what.clone()))?;
        if !output.status.success() {
            let errors: String = String::from_utf8_lossy(&output.stderr).chars().take(600).collect();
            return Err(BenchError::setup(format!("{what} failed: {errors}")));
        }
        serde_json::from_slice(&output.stdout).map_err(BenchError::json(what))
    }
}
