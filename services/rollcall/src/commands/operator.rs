//! What the operator's commands share: the tenant they name, the hub they wake, the answer they print.

use crate::cli::Json;
use crate::ports::{self, Backend};
use crate::settings::Settings;
use anyhow::{Result, anyhow};
use rollcall_runtime::{Lane, Metrics};
use rollcall_store::{AdminScope, Store, StoreError};
use serde_json::Value;
use std::time::Duration;

/// Longest wait until the broker took the wake-up of a command; the sweep finds it otherwise.
const WAKE_FLUSH: Duration = Duration::from_secs(2);

pub(crate) async fn scope_of(store: &Store, slug: &str) -> Result<AdminScope> {
    store.operator_scope(slug).await.map_err(|error| match error {
        StoreError::NotFound(_) => {
            anyhow!("there is no tenant {slug:?}; --tenant takes the slug that `tenant create` printed")
        }
        other => other.into(),
    })
}

/// Tells a running hub; an embedded one is another process without a queue, its sweep finds the change.
pub(crate) async fn wake(backend: &Backend, settings: &Settings, scope: &AdminScope) -> Result<()> {
    if matches!(backend, Backend::Services) && !settings.queue.url.is_empty() {
        let queue = ports::open_queue(backend, settings, &Metrics::new()?)?;
        queue.wake(scope.tenant().0, Lane::Push);
        queue.flush(WAKE_FLUSH).await;
    }
    Ok(())
}

pub(crate) fn print(output: &Json, body: Value, lines: &str) {
    if output.json { println!("{body}") } else { println!("{lines}") }
}
