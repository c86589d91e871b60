//! `/api/v1/sources`: the sources of the tenant.

use crate::answer::{Answer, list, one, read};
use crate::auth::ApiAuth;
use crate::body::{body, body_or_default, no_body};
use crate::error::AdminError;
use crate::path::id_in_path;
use crate::query::page_of;
use crate::view::List;
use crate::view::closed;
use crate::view::sources as view;
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use rollcall_core::directory::{SourceKind, SourceMode, SourceSettings};
use rollcall_core::ids::SourceId;
use rollcall_store::{NewSource, SourceChange};
use rollcall_web::{Body, origin};
use serde::Deserialize;
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
#[schema(as = ChangeSourceRequest)]
#[serde(deny_unknown_fields)]
struct Change {
    /// Alone: it is written, and told in the audit log, as a change of its own.
    name: Option<String>,
    #[schema(value_type = Option<closed::SourceMode>)]
    mode: Option<SourceMode>,
    /// Groups are neither shown nor accepted (DS3).
    users_only: Option<bool>,
    /// Discovery shows nothing beyond RFC 7643.
    plain_discovery: Option<bool>,
}

#[utoipa::path(
    get, path = "/api/v1/sources", tag = "sources", operation_id = "sources_sources", summary = "Sources",
    params(("limit" = Option<u64>, Query), ("cursor" = Option<String>, Query), ("order" = Option<String>, Query), ("since" = Option<String>, Query), ("until" = Option<String>, Query)),
    responses((status = 200, body = List<view::Source>)),
)]
pub(crate) async fn sources(request: HttpRequest, auth: ApiAuth) -> Answer {
    list::<view::Source>(&request, auth.admin.hub.store.page_of_sources(&auth.scope, &page_of(&request)?).await?)
}

/// Input for a new source. It starts in simulation, so that nobody gets or loses access before somebody looked.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = CreateSourceRequest)]
#[serde(deny_unknown_fields, default)]
struct New {
    name: String,
    /// `scim` when it is left out.
    #[schema(value_type = Option<closed::SourceKind>)]
    kind: Option<SourceKind>,
    /// `simulate` when it is left out.
    #[schema(value_type = Option<closed::SourceMode>)]
    mode: Option<SourceMode>,
    users_only: bool,
    plain_discovery: bool,
    /// Never, when it is left out; of an install token a day, and at most.
    token_expires_at: Option<DateTime<Utc>>,
}

/// Makes a source with its first token, which is shown once: a SCIM token, or the install token of an agent.
#[utoipa::path(
    post, path = "/api/v1/sources", tag = "sources", operation_id = "sources_create_source", summary = "Makes a source with its first token",
    request_body = Option<New>,
    responses((status = 201, body = view::NewSource)),
)]
pub(crate) async fn create_source(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    let New { name, kind, mode, users_only, plain_discovery, token_expires_at } = body_or_default(payload).await?;
    let kind = kind.unwrap_or(SourceKind::Scim);
    let mode = mode.unwrap_or(SourceMode::Simulate);
    let settings = SourceSettings { users_only, plain_discovery };
    let new = NewSource { kind, mode, name: &name, settings, token_expires_at };
    let (id, secret) = auth.admin.hub.store.create_source(&auth.scope, &new).await?;
    let source = auth.admin.hub.store.source(&auth.scope, id).await?.into();
    let base = auth.admin.public_url.clone().unwrap_or_else(|| origin(&request));
    let base = base.trim_end_matches('/');
    let scim_url = (kind == SourceKind::Scim).then(|| format!("{base}/scim/v2/{id}"));
    let agent_url = (kind == SourceKind::Agent).then(|| format!("{base}/agent/v1"));
    let made = view::NewSource { source, scim_url, agent_url, token_id: secret.id, token: secret.secret };
    Ok(HttpResponse::Created().json(made))
}

#[utoipa::path(
    get, path = "/api/v1/sources/{id}", tag = "sources", operation_id = "sources_source", summary = "A source",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = view::Source)),
)]
pub(crate) async fn source(request: HttpRequest, auth: ApiAuth) -> Answer {
    let source = auth.admin.hub.store.source(&auth.scope, id_in_path(&request, "source")?).await?;
    read::<view::Source>(&request, source)
}

/// Changes the mode of a source, and its switches. At most one source of a tenant is live (DS2).
#[utoipa::path(
    patch, path = "/api/v1/sources/{id}", tag = "sources", operation_id = "sources_change_source", summary = "Changes the mode and switches of a source",
    params(("id" = Uuid, Path)),
    request_body = Change,
    responses((status = 200, body = view::Source)),
)]
pub(crate) async fn change_source(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    let id: SourceId = id_in_path(&request, "source")?;
    // Another tenant's source is not found, whatever the body holds.
    auth.admin.hub.store.source(&auth.scope, id).await?;
    let Change { name, mode, users_only, plain_discovery } = body(payload).await?;
    let change = SourceChange { mode, users_only, plain_discovery };
    if name.is_some() != change.is_empty() {
        let why = "the body has mode, users_only or plain_discovery, or several of them; or name alone";
        return Err(AdminError::BadRequest(why.into()));
    }
    if let Some(name) = name {
        auth.admin.hub.store.rename_source(&auth.scope, id, &name).await?;
        return one::<view::Source>(auth.admin.hub.store.source(&auth.scope, id).await?);
    }
    let changed = auth.admin.hub.store.change_source(&auth.scope, id, change).await?;
    auth.admin.hub.after_commit(changed).await;
    one::<view::Source>(auth.admin.hub.store.source(&auth.scope, id).await?)
}

/// Ends a quarantine (PE9).
#[utoipa::path(
    post, path = "/api/v1/sources/{id}/release", tag = "sources", operation_id = "sources_release_source", summary = "Ends a quarantine",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = view::Source)),
)]
pub(crate) async fn release_source(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    let id: SourceId = id_in_path(&request, "source")?;
    auth.admin.hub.store.source(&auth.scope, id).await?;
    no_body(payload).await?;
    let released = auth.admin.hub.store.release_source(&auth.scope, id).await?;
    auth.admin.hub.after_commit(released).await;
    one::<view::Source>(auth.admin.hub.store.source(&auth.scope, id).await?)
}
