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
            let expires_at = args.expires_in.map(|after| store.clock.now() + after);
            let secret = store.create_api_key(&scope, args.role, &args.name, expires_at).await?;
            let lines = format!("API key (shown once): {}", secret.secret);
            let body = json!({ "key": secret.secret, "key_id": secret.id, "expires_at": expires_at });
            Ok(print(&args.output, body, &lines)?)
        }
        ApiKeyCommand::List(args) => {
            let keys = store.api_keys(&operator.scope(&args.of).await?).await?;
            let line = |key: &ApiKey| {
                let ApiKey { id, prefix, role, name, created_at, expires_at, revoked_at, last_used_at } = key;
                let used = last_used_at.map_or("never used".to_owned(), |at| format!("last used {at}"));
                let until = expires_at.map(|at| format!(", ends {at}")).unwrap_or_default();
                let end = revoked_at.map(|at| format!(", revoked {at}")).unwrap_or_default();
                format!("{id}  {prefix}…  {role}  {name:?}, made {created_at}, {used}{until}{end}")
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
    let ApiKey { id, name, prefix, role, created_at, expires_at, revoked_at, last_used_at } = key;
    json!({
        "id": id, "name": name, "prefix": prefix, "role": role, "created_at": created_at, "expires_at": expires_at,
        "revoked_at": revoked_at, "last_used_at": last_used_at,
    })
}
