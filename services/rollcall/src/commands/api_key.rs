//! `rollcall api-key …`.

use super::operator::{print, scope_of};
use crate::cli::ApiKeyCommand;
use crate::ports::{self, Backend, open_store_for_command};
use crate::settings::Settings;
use anyhow::{Context, Result};
use rollcall_runtime::Metrics;
use rollcall_store::ApiKey;
use serde_json::json;

pub(crate) async fn run(command: ApiKeyCommand, backend: &Backend, settings: &Settings) -> Result<()> {
    let store = open_store_for_command(backend, settings).await?;
    match command {
        ApiKeyCommand::Create(args) => {
            let scope = scope_of(&store, &args.tenant).await?;
            let secret = store.create_api_key(&scope, args.role, &args.name).await?;
            let lines = format!("API key (shown once): {}", secret.secret);
            print(&args.output, json!({ "key": secret.secret, "key_id": secret.id }), &lines);
        }
        ApiKeyCommand::List(args) => {
            let keys = store.api_keys(&scope_of(&store, &args.tenant).await?).await?;
            let line = |key: &ApiKey| {
                let ApiKey { id, prefix, role, name, created_at, revoked_at } = key;
                let end = revoked_at.map(|at| format!(", revoked {at}")).unwrap_or_default();
                format!("{id}  {prefix}…  {role}  {name:?}, made {created_at}{end}")
            };
            let lines: Vec<String> = keys.iter().map(line).collect();
            print(&args.output, json!({ "items": keys }), &lines.join("\n"));
        }
        ApiKeyCommand::Revoke(args) => {
            let scope = scope_of(&store, &args.tenant).await?;
            let id = args.key_id.parse().context("--key-id takes the id of a key")?;
            let digest = store.revoke_api_key(&scope, id).await?;
            ports::open_cache(backend, settings, &Metrics::new()?)?.revoke_credential(&digest).await;
            print(&args.output, json!({ "key_id": id, "revoked": true }), "The key is revoked.");
        }
    }
    Ok(())
}
