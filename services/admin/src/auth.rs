//! Authentication by API key. A handler that takes an [`ApiAuth`] cannot run without one.

use crate::Admin;
use crate::error::AdminError;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::future::LocalBoxFuture;
use rollcall_core::roster::Role;
use rollcall_hub::CallerError;
use rollcall_store::{API_KEY_PREFIX, AdminScope, SCIM_TOKEN_PREFIX, StoreError};
use rollcall_web::{Presented, Refusal, bearer_token, peer, request_id};

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
            let scope = admin.hub.admin_caller(bearer_token(&request), &peer(&request), &admin.limits).await;
            let scope = scope.map_err(|error| match error {
                CallerError::Missing => Refusal::Unauthorized(missing(&request)).into(),
                error => AdminError::from(error),
            })?;
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

const NO_KEY: &str = "no API key that is in force: send one as `Authorization: Bearer rck_…`";

/// The reason why a request has no secret in the form of an API key.
fn missing(request: &HttpRequest) -> &'static str {
    match Presented::of(request) {
        presented if presented.begins_with(SCIM_TOKEN_PREFIX) => {
            "this is the SCIM token of a source (`rcs_…`), the other kind: it opens /scim/v2. /api/v1 takes an API key (`rck_…`, \
             `rollcall api-key create`)"
        }
        Presented::Nothing => NO_KEY,
        Presented::OtherScheme => "the key came under another scheme than Bearer: send `Authorization: Bearer rck_…`",
        presented @ Presented::Bare(_) if presented.begins_with(API_KEY_PREFIX) => {
            "the word `Bearer` is missing: send `Authorization: Bearer rck_…`"
        }
        Presented::Bare(_) | Presented::Bearer(_) => {
            "this has not the form of an API key, `rck_` and 43 characters more; copy it whole and unchanged"
        }
    }
}

impl From<CallerError> for AdminError {
    fn from(error: CallerError) -> Self {
        match error {
            CallerError::Missing | CallerError::Unknown | CallerError::Ended => Refusal::Unauthorized(NO_KEY).into(),
            CallerError::RateLimited { retry_after } => Refusal::RateLimited { retry_after }.into(),
            CallerError::Store(error) => error.into(),
        }
    }
}
