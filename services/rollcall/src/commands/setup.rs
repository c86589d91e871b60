//! `tenant`, `source`, `api-key`, `migrate`: what an operator sets up. They work while the hub runs and while it is
//! stopped. With `--json` they print one object and nothing else.

use crate::cli::{ApiKeyCommand, Json, SourceCommand, TenantCommand};
use crate::commands::cutover;
use crate::ports::{self, Backend, open_store_for_command};
use crate::settings::Settings;
use anyhow::{Context, Result, anyhow, bail};
use chrono::TimeDelta;
use rollcall_core::directory::SourceKind;
use rollcall_core::policy::Policy;
use rollcall_runtime::{Lane, Metrics};
use rollcall_store::{AdminScope, ApiKey, NewSource, NewTenant, Store, StoreError};
use serde_json::{Value, json};
use std::time::Duration;

/// Longest wait until the broker took the wake-up of a command; the sweep finds it otherwise.
const WAKE_FLUSH: Duration = Duration::from_secs(2);

pub(crate) async fn migrate(backend: &Backend, settings: &Settings) -> Result<()> {
    let store = ports::open_store(backend, settings).await?;
    store.migrate().await?;
    println!("The schema is up to date.");
    Ok(())
}

pub(crate) async fn tenant(command: TenantCommand, backend: &Backend, settings: &Settings) -> Result<()> {
    let store = open_store_for_command(backend, settings).await?;
    match command {
        TenantCommand::Create(args) => {
            let policy = Policy::with_settings(args.policy.iter().map(String::as_str));
            let policy = policy.map_err(|e| anyhow!("--policy: {e}"))?;
            if let Some(owner) = &args.owner
                && !rollcall_scim::is_email(owner)
            {
                bail!("--owner is not an email address");
            }
            let new = NewTenant { name: args.name, seats: args.seats, policy, owner_email: args.owner };
            let (id, slug) = store.create_tenant(&new).await?;
            let lines = format!("Tenant {slug} ({id}) has {} seats.", args.seats);
            print(&args.output, json!({ "tenant_id": id, "slug": slug }), &lines);
        }
        TenantCommand::SetSeats(args) => {
            let scope = scope_of(&store, &args.tenant).await?;
            store.set_seats(&scope, args.seats).await?;
            wake(backend, settings, &scope).await?;
            let lines = format!("Tenant {} has {} seats.", args.tenant, args.seats);
            print(&args.output, json!({ "tenant_id": scope.tenant(), "seats": args.seats }), &lines);
        }
    }
    Ok(())
}

pub(crate) async fn source(command: SourceCommand, backend: &Backend, settings: &Settings) -> Result<()> {
    let store = open_store_for_command(backend, settings).await?;
    let expiry = |after: Option<TimeDelta>| after.map(|after| store.clock.now() + after);
    match command {
        SourceCommand::Create(args) => {
            let scope = scope_of(&store, &args.tenant).await?;
            let new = NewSource {
                kind: args.kind,
                mode: args.mode,
                name: &args.name,
                users_only: args.users_only,
                token_expires_at: expiry(args.token_expires_in),
            };
            let (id, secret) = store.create_source(&scope, &new).await?;
            let base = public_url(settings);
            let (body, lines) = match args.kind {
                SourceKind::Scim => {
                    let endpoint = format!("{base}/scim/v2/{id}");
                    let lines = format!(
                        "SCIM address: {endpoint}\nToken (shown once): {}\nPaste both into the identity provider.",
                        secret.secret
                    );
                    let body = json!({ "source_id": id, "scim_endpoint": endpoint, "token": secret.secret, "token_id": secret.id });
                    (body, lines)
                }
                SourceKind::Agent => {
                    let endpoint = format!("{base}/agent/v1");
                    let lines = format!("Agent address: {endpoint}\nInstall token (shown once): {}", secret.secret);
                    (json!({ "source_id": id, "endpoint": endpoint, "install_token": secret.secret }), lines)
                }
            };
            print(&args.output, body, &lines);
        }
        SourceCommand::SetMode(args) => {
            let scope = scope_of(&store, &args.tenant).await?;
            let source = args.source.parse().context("--source takes the id of a source")?;
            let digests = store.change_source(&scope, source, Some(args.mode), None).await?;
            let cache = ports::open_cache(backend, settings, &Metrics::new()?)?;
            for digest in digests {
                cache.refresh_credential(&digest).await;
            }
            wake(backend, settings, &scope).await?;
            print(
                &args.output,
                json!({ "source_id": source, "mode": args.mode }),
                &format!("The source is {}.", args.mode),
            );
        }
        SourceCommand::Release(args) => cutover::release(args, &store, backend, settings).await?,
        SourceCommand::Promote(args) => cutover::promote(args, &store, backend, settings).await?,
        SourceCommand::Detach(args) => cutover::detach(args, &store, backend, settings).await?,
        SourceCommand::CreateToken(args) => {
            let scope = scope_of(&store, &args.tenant).await?;
            let source = args.source.parse().context("--source takes the id of a source")?;
            let secret = store.create_scim_token(&scope, source, &args.name, expiry(args.expires_in)).await?;
            let lines = format!("Token (shown once): {}", secret.secret);
            print(&args.output, json!({ "token": secret.secret, "token_id": secret.id }), &lines);
        }
        SourceCommand::RevokeToken(args) => {
            let scope = scope_of(&store, &args.tenant).await?;
            let id = args.token_id.parse().context("--token-id takes the id of a token")?;
            let digest = store.revoke_credential(&scope, id).await?;
            ports::open_cache(backend, settings, &Metrics::new()?)?.revoke_credential(&digest).await;
            print(&args.output, json!({ "token_id": id, "revoked": true }), "The token is revoked.");
        }
    }
    Ok(())
}

pub(crate) async fn api_key(command: ApiKeyCommand, backend: &Backend, settings: &Settings) -> Result<()> {
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

pub(crate) async fn scope_of(store: &Store, slug: &str) -> Result<AdminScope> {
    store.operator_scope(slug).await.map_err(|error| match error {
        StoreError::NotFound(_) => {
            anyhow!("there is no tenant {slug:?}; --tenant takes the slug that `tenant create` printed")
        }
        other => other.into(),
    })
}

/// Tells a running hub; an embedded one is another process without a queue, its sweep finds the change.
pub(crate) async fn wake(backend: &Backend, settings: &Settings, scope: &AdminScope) -> Result<()> {
    if matches!(backend, Backend::Services) && !settings.queue.url.is_empty() {
        let queue = ports::open_queue(backend, settings, &Metrics::new()?)?;
        queue.wake(scope.tenant().0, Lane::Push);
        queue.flush(WAKE_FLUSH).await;
    }
    Ok(())
}

fn public_url(settings: &Settings) -> String {
    let given = &settings.http.public_url;
    if given.is_empty() { format!("http://{}", settings.http.listen) } else { given.clone() }
}

pub(crate) fn print(output: &Json, body: Value, lines: &str) {
    if output.json { println!("{body}") } else { println!("{lines}") }
}

/// A span of time such as 90d, 12h, 30m or 45s.
pub(crate) fn parse_span(text: &str) -> Result<TimeDelta, String> {
    let wrong = || format!("{text:?} is not a span such as 90d, 12h, 30m or 45s");
    let unit_at = text.len().checked_sub(1).filter(|at| text.is_char_boundary(*at)).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(unit_at);
    let number: i64 = number.parse().ok().filter(|n| (1..=100_000).contains(n)).ok_or_else(wrong)?;
    match unit {
        "d" => Ok(TimeDelta::days(number)),
        "h" => Ok(TimeDelta::hours(number)),
        "m" => Ok(TimeDelta::minutes(number)),
        "s" => Ok(TimeDelta::seconds(number)),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_other_texts_refused() {
        assert_eq!(parse_span("90d"), Ok(TimeDelta::days(90)));
        assert_eq!(parse_span("45s"), Ok(TimeDelta::seconds(45)));
        for wrong in ["", "d", "12", "-1h", "0s", "1w", "1é", "999999999d"] {
            assert!(parse_span(wrong).is_err(), "{wrong}");
        }
    }
}
