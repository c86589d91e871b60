//! `/api/v1/api-keys`: the keys of programs. A secret is only in the answer that made it.

use crate::answer::{Answer, list};
use crate::auth::ApiAuth;
use crate::body::{body, body_or_default};
use crate::path::id_in_path;
use crate::query::page_of;
use crate::tokens::Rotation;
use crate::view::List;
use crate::view::api_keys as view;
use crate::view::closed;
use crate::view::tokens::ReplacedToken;
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use rollcall_core::ids::CredentialId;
use rollcall_core::permission::Permissions;
use rollcall_core::roster::Role;
use rollcall_store::NewApiKey;
use rollcall_web::Body;
use serde::Deserialize;
use utoipa::ToSchema;

#[derive(Deserialize, ToSchema)]
#[schema(as = CreateApiKeyRequest)]
#[serde(deny_unknown_fields)]
struct NewKey {
    #[serde(default)]
    name: String,
    #[schema(value_type = closed::Role)]
    role: Role,
    /// Everything that the role may do, when it is left out.
    #[schema(value_type = Option<Vec<closed::Permission>>)]
    permissions: Option<Permissions>,
    expires_at: Option<DateTime<Utc>>,
}

#[utoipa::path(
    get, path = "/api/v1/api-keys", tag = "keys", operation_id = "api_keys_api_keys", summary = "API keys, ended ones too",
    params(("limit" = Option<u64>, Query), ("cursor" = Option<String>, Query), ("order" = Option<String>, Query), ("since" = Option<String>, Query), ("until" = Option<String>, Query)),
    responses((status = 200, body = List<view::ApiKey>)),
)]
pub(crate) async fn api_keys(request: HttpRequest, auth: ApiAuth) -> Answer {
    list::<view::ApiKey>(&request, auth.admin.hub.store.api_keys(&auth.scope, &page_of(&request)?).await?)
}

#[utoipa::path(
    post, path = "/api/v1/api-keys", tag = "keys", operation_id = "api_keys_create_api_key", summary = "Makes an API key",
    request_body = NewKey,
    responses((status = 201, body = view::NewApiKey)),
)]
pub(crate) async fn create_api_key(auth: ApiAuth, payload: Body) -> Answer {
    let NewKey { name, role, permissions, expires_at } = body(payload).await?;
    let new = NewApiKey { name: &name, role, permissions, expires_at };
    let made = auth.admin.hub.store.create_api_key(&auth.scope, &new).await?;
    let permissions = permissions.unwrap_or(Permissions::of_role(role));
    Ok(HttpResponse::Created().json(view::NewApiKey {
        id: made.id,
        key: made.secret,
        name,
        role,
        permissions,
        expires_at,
    }))
}

/// Makes a key that replaces an old one, which stays valid for a while.
#[utoipa::path(
    post, path = "/api/v1/api-keys/{id}/rotate", tag = "keys", operation_id = "api_keys_rotate_api_key", summary = "Replaces an API key",
    params(("id" = Uuid, Path)),
    request_body = Option<Rotation>,
    responses((status = 201, body = view::RotatedApiKey)),
)]
pub(crate) async fn rotate_api_key(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    let old: CredentialId = id_in_path(&request, "API key")?;
    auth.admin.hub.store.api_key(&auth.scope, old).await?;
    let (overlap, expiry) = body_or_default::<Rotation>(payload).await?.terms()?;
    let rotated = auth.admin.hub.store.rotate_api_key(&auth.scope, old, overlap, expiry).await?;
    let rotated = auth.admin.hub.after_commit(rotated).await;
    let replaces = ReplacedToken { id: old, expires_at: rotated.old_expires_at };
    let (id, key) = (rotated.secret.id, rotated.secret.secret);
    Ok(HttpResponse::Created().json(view::RotatedApiKey { id, key, expires_at: rotated.expires_at, replaces }))
}

/// Revokes a key: at once in this process, within a second in every other.
#[utoipa::path(
    delete, path = "/api/v1/api-keys/{id}", tag = "keys", operation_id = "api_keys_revoke_api_key", summary = "Revokes an API key",
    params(("id" = Uuid, Path)),
    responses((status = 204)),
)]
pub(crate) async fn revoke_api_key(request: HttpRequest, auth: ApiAuth) -> Answer {
    let key = id_in_path(&request, "API key")?;
    let revoked = auth.admin.hub.store.revoke_api_key(&auth.scope, key).await?;
    auth.admin.hub.after_commit(revoked).await;
    Ok(HttpResponse::NoContent().finish())
}
