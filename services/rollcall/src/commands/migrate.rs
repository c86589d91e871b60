//! `rollcall migrate`.

use crate::output::line;
use crate::ports::{self, Backend};
use crate::settings::Settings;
use anyhow::{Context, Result};

pub(crate) async fn run(backend: &Backend, settings: &Settings) -> Result<()> {
    let store = ports::open_store(backend, settings).await?;
    let database = backend.database(settings);
    let made = if store.has_no_schema().await? { "made just now" } else { "up to date" };
    store.migrate().await.with_context(|| format!("the schema of {database} cannot be brought up to date"))?;
    Ok(line(format_args!("The schema of {database} is {made}."))?)
}
