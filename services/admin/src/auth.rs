//! From an API key to a scope. A handler that takes an [`ApiAuth`] cannot run without one.

use crate::Admin;
use crate::error::AdminError;
use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use futures_util::future::LocalBoxFuture;
use rollcall_core::ids::RequestId;
use rollcall_core::roster::Role;
use rollcall_runtime::CachedCredential;
use rollcall_store::{ApiScope, Credential, StoreError, digest};

/// A verified API key, within its rate. It may read.
pub(crate) struct ApiAuth {
    pub(crate) scope: ApiScope,
    pub(crate) admin: web::Data<Admin>,
}

/// A verified API key of an owner or admin. It may write.
pub(crate) struct AdminAuth(pub(crate) ApiAuth);

impl FromRequest for ApiAuth {
    type Error = AdminError;
    type Future = LocalBoxFuture<'static, Result<Self, AdminError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let admin = request.app_data::<web::Data<Admin>>().cloned();
            let admin = admin.ok_or_else(|| StoreError::Database("the service is not configured".into()))?;
            let Some(scope) = authenticate(&admin, &request).await? else {
                return Err(refuse(&admin, &request).await);
            };
            let decision = admin.cache.rate_limit(&format!("api:{}", scope.credential()), admin.config.rate).await;
            if !decision.allowed {
                admin.metrics.rate_limited("admin");
                return Err(AdminError::RateLimited { retry_after: decision.retry_after });
            }
            let request_id = request.extensions().get::<RequestId>().copied();
            let scope = request_id.map_or(scope, |id| scope.for_request(id));
            Ok(Self { scope, admin })
        })
    }
}

impl FromRequest for AdminAuth {
    type Error = AdminError;
    type Future = LocalBoxFuture<'static, Result<Self, AdminError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let auth = ApiAuth::from_request(request, payload);
        Box::pin(async move {
            let auth = auth.await?;
            if auth.scope.role() == Role::Member {
                return Err(AdminError::Forbidden("this key may only read; use the key of an owner or admin"));
            }
            Ok(Self(auth))
        })
    }
}

async fn authenticate(admin: &Admin, request: &HttpRequest) -> Result<Option<ApiScope>, AdminError> {
    let Some(key) = bearer(request) else { return Ok(None) };
    let digest = digest(key);
    let cached = match admin.cache.get_credential(&digest).await {
        Some(CachedCredential::Absent) => return Ok(None),
        Some(CachedCredential::Present(json)) => serde_json::from_str::<Credential>(&json).ok(),
        None => None,
    };
    let credential = match cached {
        Some(credential) => credential,
        None => {
            let Some(found) = admin.store.credential(&digest).await? else {
                admin.cache.put_absent(&digest).await;
                return Ok(None);
            };
            if let Ok(json) = serde_json::to_string(&found) {
                admin.cache.put_credential(&digest, json, admin.config.credential_ttl).await;
            }
            found
        }
    };
    Ok(credential.api_scope(admin.store.clock.now()))
}

fn bearer(request: &HttpRequest) -> Option<&str> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    let key = key.trim();
    (scheme.eq_ignore_ascii_case("bearer") && (16..=512).contains(&key.len())).then_some(key)
}

async fn refuse(admin: &Admin, request: &HttpRequest) -> AdminError {
    let address = request.peer_addr().map(|peer| peer.ip().to_string()).unwrap_or_default();
    let decision = admin.cache.rate_limit(&format!("auth:{address}"), admin.config.failed_auth_rate).await;
    if decision.allowed {
        AdminError::Unauthorized("no API key that is in force: send one as `Authorization: Bearer …`")
    } else {
        AdminError::RateLimited { retry_after: decision.retry_after }
    }
}
