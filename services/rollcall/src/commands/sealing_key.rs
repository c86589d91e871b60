//! `rollcall sealing-key …`.

use super::operator::{Operator, print};
use crate::cli::SealingKeyCommand;
use crate::ports::Backend;
use crate::settings::Settings;
use anyhow::Result;
use rollcall_store::SealingKeys;
use serde_json::json;

pub(crate) async fn run(command: SealingKeyCommand, backend: &Backend, settings: &Settings) -> Result<()> {
    match command {
        SealingKeyCommand::New(output) => {
            let key = SealingKeys::new_key()?;
            Ok(print(&output, json!({ "key": key }), &key)?)
        }
        SealingKeyCommand::Reseal(output) => {
            let store = Operator::open(backend, settings).await?.store;
            let (mut all, mut resealed) = (0, 0);
            for (tenant, connection) in store.sealed_connections().await? {
                all += 1;
                resealed += u32::from(store.reseal_connection(tenant, connection).await?);
            }
            for (tenant, webhook) in store.sealed_webhooks().await? {
                all += 1;
                resealed += u32::from(store.reseal_webhook(tenant, webhook).await?);
            }
            let line = format!("{resealed} of {all} secrets are sealed anew; all have the first key now.");
            Ok(print(&output, json!({ "secrets": all, "resealed": resealed }), &line)?)
        }
    }
}
