//! `rollcall migrate`.

use crate::output::line;
use crate::ports::{self, Backend};
use crate::settings::Settings;
use anyhow::{Context, Result};
use rollcall_store::Migrated;

pub(crate) async fn run(backend: &Backend, settings: &Settings) -> Result<()> {
    let store = ports::open_store(backend, settings).await?;
    let database = backend.database(settings);
    let made = if store.has_no_schema().await? { "made just now" } else { "up to date" };
    let migrated = store.migrate().await;
    let migrated = migrated.with_context(|| format!("the schema of {database} cannot be brought up to date"))?;
    match migrated {
        Migrated::UpToDate => line(format_args!("The schema of {database} is {made}."))?,
        Migrated::IsNewer { newest } => line(format_args!(
            "The schema of {database} was made by a newer Rollcall: it has the migration {newest}. This version may run on it; \
             nothing was changed."
        ))?,
    }
    Ok(())
}
