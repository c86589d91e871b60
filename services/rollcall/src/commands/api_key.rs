//! `rollcall api-key …`.

use super::operator::{Operator, print};
use crate::cli::ApiKeyCommand;
use crate::ports::Backend;
use crate::settings::Settings;
use anyhow::Result;
use rollcall_store::ApiKey;
use serde_json::{Value, json};

pub(crate) async fn run(command: ApiKeyCommand, backend: &Backend, settings: &Settings) -> Result<()> {
    let operator = Operator::open(backend, settings).await?;
    let store = &operator.store;
    match command {
        ApiKeyCommand::Create(args) => {
            let scope = operator.scope(&args.of).await?;
            let secret = store.create_api_key(&scope, args.role, &args.name).await?;
            let lines = format!("API key (shown once): {}", secret.secret);
            Ok(print(&args.output, json!({ "key": secret.secret, "key_id": secret.id }), &lines)?)
        }
        ApiKeyCommand::List(args) => {
            let keys = store.api_keys(&operator.scope(&args.of).await?).await?;
            let line = |key: &ApiKey| {
                let ApiKey { id, prefix, role, name, created_at, revoked_at } = key;
                let end = revoked_at.map(|at| format!(", revoked {at}")).unwrap_or_default();
                format!("{id}  {prefix}…  {role}  {name:?}, made {created_at}{end}")
            };
            let lines: Vec<String> = keys.iter().map(line).collect();
            Ok(print(
                &args.output,
                json!({ "items": keys.iter().map(shown).collect::<Vec<Value>>() }),
                &lines.join("\n"),
            )?)
        }
        ApiKeyCommand::Revoke(args) => {
            let scope = operator.scope(&args.of).await?;
            let id = args.key_id;
            operator.after_commit(store.revoke_api_key(&scope, id).await?).await?;
            Ok(print(&args.output, json!({ "key_id": id, "revoked": true }), "The key is revoked.")?)
        }
    }
}

fn shown(key: &ApiKey) -> Value {
    let ApiKey { id, name, prefix, role, created_at, revoked_at } = key;
    json!({
        "id": id, "name": name, "prefix": prefix, "role": role, "created_at": created_at, "revoked_at": revoked_at,
    })
}
