//! `/api/v1/sources/{id}/tokens`: the tokens of a source. A secret is only in the answer that made it.

use crate::answer::{Answer, list};
use crate::auth::ApiAuth;
use crate::body::body_or_default;
use crate::error::AdminError;
use crate::path::{id_in_path, second_id};
use crate::query::page_of;
use crate::view::List;
use crate::view::tokens as view;
use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_core::ids::CredentialId;
use rollcall_store::{NewSecret, RotatedExpiry};
use rollcall_web::Body;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

/// Validity of a rotated token unless the request has one.
const DEFAULT_OVERLAP: TimeDelta = TimeDelta::hours(24);
const OVERLAP_SECONDS_MAX: u32 = 90 * 86_400;

#[derive(Default, Deserialize, ToSchema)]
#[schema(as = CreateTokenRequest)]
#[serde(deny_unknown_fields, default)]
struct NewToken {
    name: String,
    expires_at: Option<DateTime<Utc>>,
}

/// The terms of a rotation, of a token or a key.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Rotation {
    /// Validity of the old one; 0 ends it at once.
    overlap_seconds: Option<u32>,
    /// Expiry of the new one: left out, it lives as long as the old one did; null, it never expires.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<DateTime<Utc>>)]
    expires_at: Option<Option<DateTime<Utc>>>,
}

impl Rotation {
    /// How long the old one stays valid, and when the new one ends.
    pub(crate) fn terms(self) -> Result<(TimeDelta, RotatedExpiry), AdminError> {
        let overlap = match self.overlap_seconds {
            None => DEFAULT_OVERLAP,
            Some(seconds) if seconds <= OVERLAP_SECONDS_MAX => TimeDelta::seconds(i64::from(seconds)),
            Some(_) => return Err(AdminError::BadRequest(format!("overlap_seconds is at most {OVERLAP_SECONDS_MAX}"))),
        };
        Ok((overlap, self.expires_at.map_or(RotatedExpiry::AsLongLived, RotatedExpiry::At)))
    }
}

/// A key that is there, be it null.
pub(crate) fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(value: D) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

#[utoipa::path(
    get, path = "/api/v1/sources/{id}/tokens", tag = "sources", operation_id = "tokens_tokens", summary = "The tokens of a source, ended ones too",
    params(("id" = Uuid, Path), ("limit" = Option<u64>, Query), ("cursor" = Option<String>, Query), ("order" = Option<String>, Query), ("since" = Option<String>, Query), ("until" = Option<String>, Query)),
    responses((status = 200, body = List<view::SourceToken>)),
)]
pub(crate) async fn tokens(request: HttpRequest, auth: ApiAuth) -> Answer {
    let source = id_in_path(&request, "source")?;
    let tokens = auth.admin.hub.store.source_tokens(&auth.scope, source, &page_of(&request)?).await?;
    list::<view::SourceToken>(&request, tokens)
}

#[utoipa::path(
    post, path = "/api/v1/sources/{id}/tokens", tag = "sources", operation_id = "tokens_create_token", summary = "Makes another token",
    params(("id" = Uuid, Path)),
    request_body = Option<NewToken>,
    responses((status = 201, body = view::NewToken)),
)]
pub(crate) async fn create_token(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    let source = id_in_path(&request, "source")?;
    auth.admin.hub.store.source(&auth.scope, source).await?;
    let new: NewToken = body_or_default(payload).await?;
    let secret = auth.admin.hub.store.add_source_token(&auth.scope, source, &new.name, new.expires_at).await?;
    let NewSecret { id, secret } = secret;
    let NewToken { name, expires_at } = new;
    Ok(HttpResponse::Created().json(view::NewToken { id, token: secret, name, expires_at }))
}

/// Makes a token that replaces an old one, which stays valid for a while.
#[utoipa::path(
    post, path = "/api/v1/sources/{id}/tokens/{token_id}/rotate", tag = "sources", operation_id = "tokens_rotate_token", summary = "Replaces a token",
    params(("id" = Uuid, Path), ("token_id" = Uuid, Path)),
    request_body = Option<Rotation>,
    responses((status = 201, body = view::RotatedToken)),
)]
pub(crate) async fn rotate_token(request: HttpRequest, auth: ApiAuth, payload: Body) -> Answer {
    let source = id_in_path(&request, "source")?;
    let old: CredentialId = second_id(&request, "token_id", "token")?;
    auth.admin.hub.store.source(&auth.scope, source).await?;
    let (overlap, expiry) = body_or_default::<Rotation>(payload).await?.terms()?;
    let rotated = auth.admin.hub.store.rotate_source_token(&auth.scope, source, old, overlap, expiry).await?;
    let rotated = auth.admin.hub.after_commit(rotated).await;
    let NewSecret { id, secret } = rotated.secret;
    let replaces = view::ReplacedToken { id: old, expires_at: rotated.old_expires_at };
    Ok(HttpResponse::Created().json(view::RotatedToken { id, token: secret, expires_at: rotated.expires_at, replaces }))
}

/// Revokes a token: at once in this process, within a second in every other.
#[utoipa::path(
    delete, path = "/api/v1/sources/{id}/tokens/{token_id}", tag = "sources", operation_id = "tokens_revoke_token", summary = "Revokes a token",
    params(("id" = Uuid, Path), ("token_id" = Uuid, Path)),
    responses((status = 204)),
)]
pub(crate) async fn revoke_token(request: HttpRequest, auth: ApiAuth) -> Answer {
    let source = id_in_path(&request, "source")?;
    let token = second_id(&request, "token_id", "token")?;
    let revoked = auth.admin.hub.store.revoke_source_token(&auth.scope, source, token).await?;
    auth.admin.hub.after_commit(revoked).await;
    Ok(HttpResponse::NoContent().finish())
}
