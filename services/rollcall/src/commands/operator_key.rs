//! `rollcall operator-key …`.

use super::operator::{Operator, print};
use crate::cli::OperatorKeyCommand;
use crate::ports::Backend;
use crate::settings::Settings;
use anyhow::Result;
use rollcall_store::OperatorKey;
use serde_json::{Value, json};

pub(crate) async fn run(command: OperatorKeyCommand, backend: &Backend, settings: &Settings) -> Result<()> {
    let operator = Operator::open(backend, settings).await?;
    let store = &operator.store;
    match command {
        OperatorKeyCommand::Create(args) => {
            let expires_at = args.expires_in.map(|after| store.clock.now() + after);
            let made = store.create_operator_key(&args.name, expires_at).await?;
            let lines = format!("Operator's key (shown once): {}", made.secret);
            let body = json!({ "key": made.secret, "key_id": made.id, "expires_at": expires_at });
            Ok(print(&args.output, body, &lines)?)
        }
        OperatorKeyCommand::List(output) => {
            let keys = store.operator_keys().await?;
            let lines: Vec<String> = keys.iter().map(told).collect();
            let items: Vec<Value> = keys.iter().map(shown).collect();
            Ok(print(&output, json!({ "items": items }), &lines.join("\n"))?)
        }
        OperatorKeyCommand::Revoke(args) => {
            store.revoke_operator_key(args.key_id).await?;
            let body = json!({ "key_id": args.key_id, "revoked": true });
            Ok(print(&args.output, body, "The key is revoked.")?)
        }
    }
}

fn told(key: &OperatorKey) -> String {
    let OperatorKey { id, prefix, name, created_at, expires_at, revoked_at } = key;
    let until = expires_at.map(|at| format!(", ends {at}")).unwrap_or_default();
    let end = revoked_at.map(|at| format!(", revoked {at}")).unwrap_or_default();
    format!("{id}  {prefix}…  {name:?}, made {created_at}{until}{end}")
}

fn shown(key: &OperatorKey) -> Value {
    let OperatorKey { id, prefix, name, created_at, expires_at, revoked_at } = key;
    json!({
        "id": id, "name": name, "prefix": prefix, "created_at": created_at, "expires_at": expires_at,
        "revoked_at": revoked_at,
    })
}
