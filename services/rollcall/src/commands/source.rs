//! `rollcall source …`, but for promotion and detachment, which have a plan to show first.

use super::operator::{print, scope_of, wake};
use crate::cli::SourceCommand;
use crate::commands::cutover;
use crate::ports::{self, Backend, open_store_for_command};
use crate::settings::Settings;
use anyhow::{Context, Result};
use chrono::TimeDelta;
use rollcall_core::directory::SourceKind;
use rollcall_runtime::Metrics;
use rollcall_store::NewSource;
use serde_json::json;

pub(crate) async fn run(command: SourceCommand, backend: &Backend, settings: &Settings) -> Result<()> {
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

fn public_url(settings: &Settings) -> String {
    let given = &settings.http.public_url;
    if given.is_empty() { format!("http://{}", settings.http.listen) } else { given.clone() }
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
