//! Authentication by API key. A handler that takes an [`ApiAuth`] cannot run without one.

use crate::Admin;
use crate::error::AdminError;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::future::LocalBoxFuture;
use rollcall_core::roster::Role;
use rollcall_hub::CallerError;
use rollcall_store::{AdminScope, StoreError};
use rollcall_web::{Refusal, bearer_token, known_caller, peer, request_id};

/// A verified API key, within its rate limit. It may read.
pub(crate) struct ApiAuth {
    pub(crate) scope: AdminScope,
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
            let (scope, key) = admin.hub.admin_caller(bearer_token(&request), &peer(&request), &admin.limits).await?;
            known_caller(&request, scope.tenant(), key);
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

impl From<CallerError> for AdminError {
    fn from(error: CallerError) -> Self {
        match error {
            CallerError::Missing | CallerError::Unknown | CallerError::Ended => {
                Refusal::Unauthorized("no API key that is in force: send one as `Authorization: Bearer rck_…`").into()
            }
            CallerError::RateLimited { retry_after } => Refusal::RateLimited { retry_after }.into(),
            CallerError::Store(error) => error.into(),
        }
    }
}
