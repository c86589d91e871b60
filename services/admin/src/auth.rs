//! Authentication by API key. A handler that takes an [`ApiAuth`] cannot run without a key of the role in the endpoint table.

use crate::Admin;
use crate::error::AdminError;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::future::LocalBoxFuture;
use rollcall_hub::CallerError;
use rollcall_store::{AdminScope, StoreError};
use rollcall_web::{LeastRoles, Refusal, Role, bearer_token, peer, request_id};

/// A verified API key, within its rate limit, of at least the role that the endpoint table asks for.
pub(crate) struct ApiAuth {
    pub(crate) scope: AdminScope,
    pub(crate) admin: web::Data<Admin>,
}

impl FromRequest for ApiAuth {
    type Error = AdminError;
    type Future = LocalBoxFuture<'static, Result<Self, AdminError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let admin = request.app_data::<web::Data<Admin>>().cloned();
            let admin = admin.ok_or_else(|| StoreError::Database("the service is not configured".into()))?;
            let scope = admin.hub.admin_caller(bearer_token(&request), &peer(&request), &admin.limits).await?;
            let least = request.app_data::<LeastRoles>().map_or(Role::Owner, |roles| roles.of_method(request.method()));
            if !scope.role().is_at_least(least) {
                return Err(AdminError::Forbidden(match least {
                    Role::Owner => "this call takes the key of an owner",
                    _ => "this key may only read; use the key of an owner or admin",
                }));
            }
            let scope = request_id(&request).map_or(scope, |id| scope.for_request(id));
            Ok(Self { scope, admin })
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
