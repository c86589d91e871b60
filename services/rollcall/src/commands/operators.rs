//! `rollcall operator …`.

use super::operator::{Operator, print};
use crate::cli::OperatorCommand;
use crate::ports::Backend;
use crate::settings::Settings;
use anyhow::Result;
use rollcall_store as store;
use serde_json::{Value, json};

pub(crate) async fn run(command: OperatorCommand, backend: &Backend, settings: &Settings) -> Result<()> {
    let operator = Operator::open(backend, settings).await?;
    let store = &operator.store;
    match command {
        OperatorCommand::List(output) => {
            let operators = store.operators().await?;
            let lines: Vec<String> = operators.iter().map(told).collect();
            let items: Vec<Value> = operators.iter().map(shown).collect();
            Ok(print(&output, json!({ "items": items }), &lines.join("\n"))?)
        }
        OperatorCommand::Revoke(args) => {
            store.revoke_operator(args.operator_id).await?;
            let body = json!({ "operator_id": args.operator_id, "revoked": true });
            Ok(print(&args.output, body, "The operator is revoked, and signed out.")?)
        }
        OperatorCommand::Restore(args) => {
            store.restore_operator(args.operator_id).await?;
            let body = json!({ "operator_id": args.operator_id, "revoked": false });
            Ok(print(&args.output, body, "The operator may sign in again.")?)
        }
    }
}

fn told(operator: &store::Operator) -> String {
    let store::Operator { id, subject, email, name, last_signed_in_at, revoked_at, .. } = operator;
    let who = name.as_deref().or(email.as_deref()).unwrap_or(subject);
    let end = revoked_at.map(|at| format!(", revoked {at}")).unwrap_or_default();
    format!("{id}  {who:?}, last signed in {last_signed_in_at}{end}")
}

fn shown(operator: &store::Operator) -> Value {
    let store::Operator { id, issuer, subject, email, name, created_at, last_signed_in_at, revoked_at } = operator;
    json!({
        "id": id, "issuer": issuer, "subject": subject, "email": email, "name": name, "created_at": created_at,
        "last_signed_in_at": last_signed_in_at, "revoked_at": revoked_at,
    })
}
