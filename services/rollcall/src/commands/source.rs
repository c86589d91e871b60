//! `rollcall source …`, but for promotion and detachment, which have a plan to show first.

use super::operator::{Operator, print};
use super::tenant::{shown_source, told_source};
use crate::cli::{SourceCommand, SourceConfigure, SourceCreate};
use crate::commands::cutover;
use crate::output::remark;
use crate::ports::Backend;
use crate::settings::Settings;
use anyhow::{Result, bail};
use chrono::TimeDelta;
use rollcall_core::directory::{SourceKind, SourceMode, SourceSettings};
use rollcall_core::ids::SourceId;
use rollcall_store::{NewSecret, NewSource, SourceChange, SourceDeletion};
use serde_json::{Value, json};

pub(crate) async fn run(command: SourceCommand, backend: &Backend, settings: &Settings) -> Result<()> {
    let operator = Operator::open(backend, settings).await?;
    let store = &operator.store;
    match command {
        SourceCommand::Create(args) => create(args, &operator).await,
        SourceCommand::List(args) => {
            let sources = store.sources(&operator.scope(&args.of).await?).await?;
            let items: Vec<Value> = sources.iter().map(shown_source).collect();
            let lines: Vec<String> = sources.iter().map(told_source).collect();
            Ok(print(&args.output, json!({ "items": items }), &lines.join("\n"))?)
        }
        SourceCommand::Rename(args) => {
            let (scope, source) = (operator.scope_of(&args.of.tenant).await?, args.of.source);
            store.rename_source(&scope, source, &args.name).await?;
            let lines = format!("The source is called {:?}.", args.name);
            Ok(print(&args.output, json!({ "source_id": source, "name": args.name }), &lines)?)
        }
        SourceCommand::Delete(args) => {
            delete(&args.of.tenant, args.of.source, &operator).await?;
            let body = json!({ "source_id": args.of.source, "deleted": true });
            Ok(print(&args.output, body, "The source is deleted, and its tokens with it.")?)
        }
        SourceCommand::SetMode(args) => {
            let (scope, source) = (operator.scope_of(&args.of.tenant).await?, args.of.source);
            operator.after_commit(store.change_source(&scope, source, args.mode.into()).await?).await?;
            let body = json!({ "source_id": source, "mode": args.mode });
            Ok(print(&args.output, body, &format!("The source is {}.", args.mode))?)
        }
        SourceCommand::Configure(args) => configure(args, &operator).await,
        SourceCommand::Rewind(args) => cutover::rewind(args, &operator).await,
        SourceCommand::Release(args) => cutover::release(&args.of, &args.output, &operator).await,
        SourceCommand::Promote(args) => cutover::promote(args, &operator).await,
        SourceCommand::Detach(args) => cutover::detach(args, &operator).await,
        SourceCommand::CreateToken(args) => {
            let (scope, source) = (operator.scope_of(&args.of.tenant).await?, args.of.source);
            let expires_at = args.expires_in.map(|after| store.clock.now() + after);
            let secret = store.create_scim_token(&scope, source, &args.name, expires_at).await?;
            let lines = format!("Token (shown once): {}", secret.secret);
            Ok(print(&args.output, json!({ "token": secret.secret, "token_id": secret.id }), &lines)?)
        }
        SourceCommand::RevokeToken(args) => {
            let scope = operator.scope(&args.of).await?;
            operator.after_commit(store.revoke_credential(&scope, args.token_id).await?).await?;
            let body = json!({ "token_id": args.token_id, "revoked": true });
            Ok(print(&args.output, body, "The token is revoked.")?)
        }
    }
}

async fn create(args: SourceCreate, operator: &Operator<'_>) -> Result<()> {
    let scope = operator.scope(&args.of).await?;
    let mode = args.mode.unwrap_or(SourceMode::Live);
    let store = &operator.store;
    let expires_at = args.token_expires_in.map(|after| store.clock.now() + after);
    let kind = args.kind;
    let settings = SourceSettings { users_only: args.users_only, plain_discovery: args.plain_discovery };
    let new = NewSource { kind, mode, name: &args.name, settings, token_expires_at: expires_at };
    let (id, secret) = store.create_source(&scope, &new).await?;
    let (body, lines) = described(kind, id, &secret, &served_at(operator));
    Ok(print(&args.output, body, &lines)?)
}

async fn configure(args: SourceConfigure, operator: &Operator<'_>) -> Result<()> {
    let (scope, id) = (operator.scope_of(&args.of.tenant).await?, args.of.source);
    let change = SourceChange { mode: None, users_only: args.users_only, plain_discovery: args.plain_discovery };
    operator.after_commit(operator.store.change_source(&scope, id, change).await?).await?;
    let source = operator.store.source(&scope, id).await?;
    let groups = if source.users_only { "takes users only" } else { "takes users and groups" };
    let discovery = if source.plain_discovery { "shows RFC 7643 alone" } else { "shows all that is served" };
    let body = json!({
        "source_id": id, "users_only": source.users_only, "plain_discovery": source.plain_discovery,
    });
    Ok(print(&args.output, body, &format!("The source {groups}; its discovery {discovery}."))?)
}

fn described(kind: SourceKind, id: SourceId, secret: &NewSecret, base: &str) -> (Value, String) {
    let token = &secret.secret;
    match kind {
        SourceKind::Scim => {
            let endpoint = format!("{base}/scim/v2/{id}");
            let lines = format!(
                "SCIM address: {endpoint}\nToken (shown once): {token}\nPaste both into the identity provider."
            );
            let body = json!({ "source_id": id, "scim_endpoint": endpoint, "token": token, "token_id": secret.id });
            (body, lines)
        }
        SourceKind::Agent => {
            let endpoint = format!("{base}/agent/v1");
            let lines = format!(
                "Agent address: {endpoint}\nInstall token (shown once, for a day and one agent): {token}\n\
                 On the agent's machine: rollcall-agent setup --hub {base} --install-token {token} …"
            );
            (json!({ "source_id": id, "endpoint": endpoint, "install_token": token }), lines)
        }
    }
}

/// The address that a hub serves: the public one, else the one that the hub of the folder noted, else that of the
/// settings.
pub(super) fn served_at(operator: &Operator<'_>) -> String {
    let http = &operator.settings.http;
    if !http.public_url.is_empty() {
        return http.public_url.clone();
    }
    let noted = match operator.backend {
        Backend::Embedded(folder) => folder.address(),
        Backend::Services => None,
    };
    noted.unwrap_or_else(|| {
        let listen = &http.listen;
        remark(format_args!(
            "note: the address is that of http.listen ({listen}), since no hub noted another one. If yours is reached \
             elsewhere, set ROLLCALL_HTTP_PUBLIC_URL for this command too."
        ));
        format!("http://{listen}")
    })
}

async fn delete(tenant: &str, source: SourceId, operator: &Operator<'_>) -> Result<()> {
    let scope = operator.scope_of(tenant).await?;
    match operator.after_commit(operator.store.delete_source(&scope, source).await?).await? {
        SourceDeletion::Deleted => Ok(()),
        SourceDeletion::HasRecords => bail!(
            "the source has sent people or groups, which the members and the audit log refer to: it stays. \
             `rollcall source detach` leaves it behind"
        ),
        SourceDeletion::HasPolicy => bail!(
            "the tenant's policy has settings for the source (sources.{source}): take them out first \
             (PUT /api/v1/policy)"
        ),
    }
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
