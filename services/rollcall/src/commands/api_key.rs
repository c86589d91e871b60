//! `rollcall api-key …`.

use super::operator::{Operator, print};
use crate::cli::ApiKeyCommand;
use crate::ports::Backend;
use crate::settings::Settings;
use anyhow::Result;
use rollcall_core::permission::Permissions;
use rollcall_store::{AdminScope, ApiKey, MAX_LIMIT, NewApiKey, PageRequest, Store};
use serde_json::{Value, json};

pub(crate) async fn run(command: ApiKeyCommand, backend: &Backend, settings: &Settings) -> Result<()> {
    let operator = Operator::open(backend, settings).await?;
    let store = &operator.store;
    match command {
        ApiKeyCommand::Create(args) => {
            let scope = operator.scope(&args.of).await?;
            let expires_at = args.expires_in.map(|after| store.clock.now() + after);
            let permissions =
                Some(args.permissions.into_iter().collect::<Permissions>()).filter(|set| *set != Permissions::NONE);
            let new = NewApiKey { name: &args.name, role: args.role, permissions, expires_at };
            let secret = store.create_api_key(&scope, &new).await?;
            let lines = format!("API key (shown once): {}", secret.secret);
            let body = json!({ "key": secret.secret, "key_id": secret.id, "expires_at": expires_at });
            Ok(print(&args.output, body, &lines)?)
        }
        ApiKeyCommand::List(args) => {
            let keys = all_keys(store, &operator.scope(&args.of).await?).await?;
            let line = |key: &ApiKey| {
                let ApiKey { id, prefix, role, permissions, name, created_at, expires_at, revoked_at, .. } = key;
                let ApiKey { last_used_at, replaced_by, .. } = key;
                let may = permissions.as_ref().map(|names| format!(" ({names})")).unwrap_or_default();
                let used = last_used_at.map_or("never used".to_owned(), |at| format!("last used {at}"));
                let until = expires_at.map(|at| format!(", ends {at}")).unwrap_or_default();
                let end = revoked_at.map(|at| format!(", revoked {at}")).unwrap_or_default();
                let by = replaced_by.map(|key| format!(", replaced by {key}")).unwrap_or_default();
                format!("{id}  {prefix}…  {role}{may}  {name:?}, made {created_at}, {used}{until}{end}{by}")
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

/// Every key of a tenant, the oldest first.
async fn all_keys(store: &Store, scope: &AdminScope) -> Result<Vec<ApiKey>> {
    let (mut keys, mut cursor) = (Vec::new(), None);
    loop {
        let page = store.api_keys(scope, &PageRequest::first(MAX_LIMIT).after(cursor)).await?;
        keys.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            return Ok(keys);
        }
    }
}

fn shown(key: &ApiKey) -> Value {
    let ApiKey {
        id,
        name,
        prefix,
        role,
        permissions,
        created_at,
        expires_at,
        revoked_at,
        last_used_at,
        replaced_by,
        created_by,
    } = key;
    let permissions = permissions.as_ref().map(|names| names.split(' ').collect::<Vec<_>>());
    json!({
        "id": id, "name": name, "prefix": prefix, "role": role, "permissions": permissions, "created_at": created_at, "expires_at": expires_at,
        "revoked_at": revoked_at, "last_used_at": last_used_at, "replaced_by": replaced_by, "created_by": created_by,
    })
}
