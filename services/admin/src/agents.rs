//! `/api/v1/sources/{id}/agent-keys`, `/uploads` and `/install-tokens`: the keys of a source's agents, which an admin verifies (DA4),
//! what they uploaded, and the tokens with which they enrol.

use crate::answer::{Answer, one, snapshot};
use crate::auth::ApiAuth;
use crate::body::{body, body_or_default};
use crate::error::AdminError;
use crate::path::{id_in_path, second_id};
use crate::query::only_fields;
use crate::view::List;
use crate::view::agents as view;
use actix_web::{HttpRequest, HttpResponse};
use chrono::TimeDelta;
use rollcall_core::ids::SourceId;
use rollcall_store::INSTALL_TIME_MAX;
use rollcall_web::Body;
use serde::Deserialize;
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
#[schema(as = VerifyAgentKeyRequest)]
#[serde(deny_unknown_fields)]
struct Verification {
    /// As the agent shows it, compared by a person.
    fingerprint: String,
}

#[derive(Default, Deserialize, ToSchema)]
#[schema(as = CreateInstallTokenRequest)]
#[serde(deny_unknown_fields, default)]
struct NewInstall {
    /// A day, when it is left out, and at most.
    expires_in_seconds: Option<u32>,
}

#[utoipa::path(
    get, path = "/api/v1/sources/{id}/agent-keys", tag = "sources", operation_id = "agents_keys", summary = "The keys of a source's agents, the newest first",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = List<view::AgentKey>)),
)]
pub(crate) async fn keys(request: HttpRequest, auth: ApiAuth) -> Answer {
    only_fields(&request)?;
    let keys = auth.admin.hub.store.agent_keys(&auth.scope, id_in_path(&request, "source")?).await?;
    snapshot::<view::AgentKey>(&request, keys, None)
}

/// Lets a key feed its source, once somebody has compared the fingerprint with the one that the agent shows.
#[utoipa::path(
    post, path = "/api/v1/sources/{id}/agent-keys/{key_id}/verify", tag = "sources", operation_id = "agents_verify_key", summary = "Verifies the key of an agent",
    params(("id" = Uuid, Path), ("key_id" = Uuid, Path)),
    request_body = Verification,
    responses((status = 200, body = view::AgentKey)),
)]
pub(crate) async fn verify_key(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    let source: SourceId = id_in_path(&request, "source")?;
    let key = second_id(&request, "key_id", "key")?;
    auth.admin.hub.store.source(&auth.scope, source).await?;
    let Verification { fingerprint } = body(payload).await?;
    one::<view::AgentKey>(auth.admin.hub.verify_agent_key(&auth.scope, source, key, &fingerprint).await?)
}

/// Ends a key at once; uploads of it that are not applied yet go.
#[utoipa::path(
    delete, path = "/api/v1/sources/{id}/agent-keys/{key_id}", tag = "sources", operation_id = "agents_revoke_key", summary = "Revokes the key of an agent",
    params(("id" = Uuid, Path), ("key_id" = Uuid, Path)),
    responses((status = 204)),
)]
pub(crate) async fn revoke_key(request: HttpRequest, auth: ApiAuth) -> Answer {
    let source = id_in_path(&request, "source")?;
    let key = second_id(&request, "key_id", "key")?;
    auth.admin.hub.store.revoke_agent_key(&auth.scope, source, key).await?;
    Ok(HttpResponse::NoContent().finish())
}

#[utoipa::path(
    get, path = "/api/v1/sources/{id}/uploads", tag = "sources", operation_id = "agents_uploads", summary = "The uploads of a source's agents, the latest first",
    params(("id" = Uuid, Path)),
    responses((status = 200, body = List<view::AgentUpload>)),
)]
pub(crate) async fn uploads(request: HttpRequest, auth: ApiAuth) -> Answer {
    only_fields(&request)?;
    let uploads = auth.admin.hub.store.uploads(&auth.scope, id_in_path(&request, "source")?).await?;
    snapshot::<view::AgentUpload>(&request, uploads, None)
}

/// Makes a token with which an agent enrols itself, once.
#[utoipa::path(
    post, path = "/api/v1/sources/{id}/install-tokens", tag = "sources", operation_id = "agents_create_install_token", summary = "Makes an install token for an agent",
    params(("id" = Uuid, Path)),
    request_body = Option<NewInstall>,
    responses((status = 201, body = view::NewInstallToken)),
)]
pub(crate) async fn create_install_token(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    let source: SourceId = id_in_path(&request, "source")?;
    auth.admin.hub.store.source(&auth.scope, source).await?;
    let NewInstall { expires_in_seconds } = body_or_default(payload).await?;
    let life = expires_in_seconds.map_or(INSTALL_TIME_MAX, |seconds| TimeDelta::seconds(seconds.into()));
    if life <= TimeDelta::zero() || life > INSTALL_TIME_MAX {
        let max = INSTALL_TIME_MAX.num_seconds();
        return Err(AdminError::BadRequest(format!("expires_in_seconds is 1 to {max}")));
    }
    let made = auth.admin.hub.store.create_install_token(&auth.scope, source, life).await?;
    let (id, token) = (made.secret.id, made.secret.secret);
    Ok(HttpResponse::Created().json(view::NewInstallToken { id, token, expires_at: made.expires_at }))
}
