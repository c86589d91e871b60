//! From an API key to a scope. A handler that takes an [`ApiAuth`] cannot run without one.

use crate::Admin;
use crate::error::AdminError;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::future::LocalBoxFuture;
use rollcall_core::roster::Role;
use rollcall_runtime::{Caller, LookedUp};
use rollcall_store::{API_KEY_PREFIX, ApiScope, Credential, StoreError, digest, may_be_secret};
use rollcall_web::{Refusal, bearer_token, peer, request_id};

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
            let scope = identify(&admin, &request).await?;
            let decision = admin.cache.rate_limit(&format!("api:{}", scope.credential()), admin.config.rate).await;
            if !decision.allowed {
                admin.metrics.rate_limited("admin");
                return Err(Refusal::RateLimited { retry_after: decision.retry_after }.into());
            }
            let scope = request_id(&request).map_or(scope, |id| scope.for_request(id));
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

/// Whose key it is. What is no key of ours is counted against the caller's address.
async fn identify(admin: &Admin, request: &HttpRequest) -> Result<ApiScope, AdminError> {
    let caller = peer(request);
    if let Some(key) = bearer(request)
        && let Some(credential) = look_up(admin, key, &caller).await?
        && let Some(scope) = credential.api_scope(admin.store.clock.now())
    {
        return Ok(scope);
    }
    let decision = admin.cache.failed_authentication(&caller, admin.config.failed_auth_rate).await;
    if decision.allowed {
        Err(Refusal::Unauthorized("no API key that is in force: send one as `Authorization: Bearer rck_…`").into())
    } else {
        Err(Refusal::RateLimited { retry_after: decision.retry_after }.into())
    }
}

async fn look_up(admin: &Admin, key: &str, caller: &Caller) -> Result<Option<Credential>, AdminError> {
    let digest = digest(key);
    let in_database = async || {
        let found = admin.store.credential(&digest).await?;
        let json = found.map(|credential| serde_json::to_string(&credential)).transpose();
        Ok::<_, AdminError>(json.map_err(|e| StoreError::Invalid(e.to_string()))?)
    };
    match admin.cache.credential(&digest, caller, admin.config.credential_ttl, in_database).await? {
        LookedUp::Absent => Ok(None),
        LookedUp::TooMany { retry_after } => Err(Refusal::RateLimited { retry_after }.into()),
        LookedUp::Present(json) => match serde_json::from_str(&json) {
            Ok(credential) => Ok(Some(credential)),
            // Written by another version: the database's is read until that entry ends.
            Err(_) => Ok(admin.store.credential(&digest).await?),
        },
    }
}

fn bearer(request: &HttpRequest) -> Option<&str> {
    bearer_token(request).filter(|key| may_be_secret(key, API_KEY_PREFIX))
}
