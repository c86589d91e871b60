//! `/api/v1/sources/{id}/oauth-clients`: clients that get short-lived tokens for a source. A secret is only in the answer that made it.

use crate::answer::{Answer, list};
use crate::auth::ApiAuth;
use crate::body::body_or_default;
use crate::path::{id_in_path, second_id};
use crate::query::page_of;
use crate::tokens::Rotation;
use crate::view::List;
use crate::view::oauth_clients as view;
use crate::view::tokens::ReplacedToken;
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use rollcall_core::ids::{OauthClientId, SourceId};
use rollcall_web::Body;
use serde::Deserialize;
use utoipa::ToSchema;

#[derive(Default, Deserialize, ToSchema)]
#[schema(as = CreateOauthClientRequest)]
#[serde(deny_unknown_fields, default)]
struct New {
    name: String,
    expires_at: Option<DateTime<Utc>>,
}

#[utoipa::path(
    get, path = "/api/v1/sources/{id}/oauth-clients", tag = "sources", operation_id = "oauth_clients_oauth_clients", summary = "The OAuth clients of a source by their secrets, ended ones too",
    params(("id" = Uuid, Path), ("limit" = Option<u64>, Query), ("cursor" = Option<String>, Query), ("order" = Option<String>, Query), ("since" = Option<String>, Query), ("until" = Option<String>, Query)),
    responses((status = 200, body = List<view::OauthClient>)),
)]
pub(crate) async fn oauth_clients(request: HttpRequest, auth: ApiAuth) -> Answer {
    let source = id_in_path(&request, "source")?;
    let secrets = auth.admin.hub.store.oauth_secrets(&auth.scope, source, &page_of(&request)?).await?;
    list::<view::OauthClient>(&request, secrets)
}

/// Makes a client, with its secret, which is shown once. The client gets tokens of an hour at `token_url`.
#[utoipa::path(
    post, path = "/api/v1/sources/{id}/oauth-clients", tag = "sources", operation_id = "oauth_clients_create_oauth_client", summary = "Makes an OAuth client",
    params(("id" = Uuid, Path)),
    request_body = Option<New>,
    responses((status = 201, body = view::NewOauthClient)),
)]
pub(crate) async fn create_oauth_client(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    let source: SourceId = id_in_path(&request, "source")?;
    auth.admin.hub.store.source(&auth.scope, source).await?;
    let New { name, expires_at } = body_or_default(payload).await?;
    let made = auth.admin.hub.store.create_oauth_client(&auth.scope, source, &name, expires_at).await?;
    let base = auth.admin.base(&request);
    let base = base.trim_end_matches('/');
    Ok(HttpResponse::Created().json(view::NewOauthClient {
        id: made.secret.id,
        client_id: made.client,
        client_secret: made.secret.secret,
        name,
        expires_at,
        token_url: format!("{base}/oauth/token"),
        scim_url: format!("{base}/scim/v2/{source}"),
    }))
}

/// Gives a client another secret; the old one stays valid for a while.
#[utoipa::path(
    post, path = "/api/v1/sources/{id}/oauth-clients/{client_id}/rotate", tag = "sources", operation_id = "oauth_clients_rotate_oauth_client", summary = "Gives an OAuth client another secret",
    params(("id" = Uuid, Path), ("client_id" = Uuid, Path)),
    request_body = Option<Rotation>,
    responses((status = 201, body = view::RotatedOauthClient)),
)]
pub(crate) async fn rotate_oauth_client(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    let source = id_in_path(&request, "source")?;
    let client_id: OauthClientId = second_id(&request, "client_id", "OAuth client")?;
    auth.admin.hub.store.source(&auth.scope, source).await?;
    let (overlap, expiry) = body_or_default::<Rotation>(payload).await?.terms()?;
    let rotated = auth.admin.hub.store.rotate_oauth_client(&auth.scope, source, client_id, overlap, expiry).await?;
    let rotated = auth.admin.hub.after_commit(rotated).await;
    let replaces = ReplacedToken { id: rotated.old, expires_at: rotated.old_expires_at };
    let (id, client_secret) = (rotated.secret.id, rotated.secret.secret);
    let expires_at = rotated.expires_at;
    Ok(HttpResponse::Created().json(view::RotatedOauthClient { id, client_id, client_secret, expires_at, replaces }))
}

/// Ends a client with its tokens: at once in this process, within a second in every other.
#[utoipa::path(
    delete, path = "/api/v1/sources/{id}/oauth-clients/{client_id}", tag = "sources", operation_id = "oauth_clients_revoke_oauth_client", summary = "Ends an OAuth client and its tokens",
    params(("id" = Uuid, Path), ("client_id" = Uuid, Path)),
    responses((status = 204)),
)]
pub(crate) async fn revoke_oauth_client(request: HttpRequest, auth: ApiAuth) -> Answer {
    let source = id_in_path(&request, "source")?;
    let client = second_id(&request, "client_id", "OAuth client")?;
    let revoked = auth.admin.hub.store.revoke_oauth_client(&auth.scope, source, client).await?;
    auth.admin.hub.after_commit(revoked).await;
    Ok(HttpResponse::NoContent().finish())
}
