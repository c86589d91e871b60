//! `rollcall migrate`.

use crate::ports::{self, Backend};
use crate::settings::Settings;
use anyhow::Result;

pub(crate) async fn run(backend: &Backend, settings: &Settings) -> Result<()> {
    let store = ports::open_store(backend, settings).await?;
    store.migrate().await?;
    println!("The schema is up to date.");
    Ok(())
}
