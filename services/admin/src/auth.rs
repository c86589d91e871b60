//! Authentication by API key. A handler that takes an [`ApiAuth`] cannot run without a key of the role in the endpoint table.

use crate::Admin;
use crate::error::AdminError;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};
use futures_util::future::LocalBoxFuture;
use rollcall_hub::CallerError;
use rollcall_store::{AdminScope, StoreError};
use rollcall_web::{
    LeastRoles, NoSecret, Refusal, Role, bearer_token, expects_large_answer, known_caller, peer, request_id,
};

const NO_KEY: &str = "no API key: send one as `Authorization: Bearer rck_…`";

/// A verified API key, within its rate limit, of at least the role that the endpoint table asks for.
pub(crate) struct ApiAuth {
    pub(crate) scope: AdminScope,
    pub(crate) admin: web::Data<Admin>,
}

impl ApiAuth {
    /// Refuses a list of large rows while too many answers to the tenant are not read.
    pub(crate) fn expects_large_answer(&self, request: &HttpRequest) -> Result<(), AdminError> {
        Ok(expects_large_answer(request, self.scope.tenant())?)
    }
}

impl FromRequest for ApiAuth {
    type Error = AdminError;
    type Future = LocalBoxFuture<'static, Result<Self, AdminError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let admin = request.app_data::<web::Data<Admin>>().cloned();
            let admin = admin.ok_or_else(|| StoreError::Database("the service is not configured".into()))?;
            let caller = admin.hub.admin_caller(bearer_token(&request), &peer(&request), &admin.limits).await;
            let (scope, key) = caller.map_err(|error| match error {
                CallerError::Missing => Refusal::Unauthorized(missing(&request)).into(),
                error => AdminError::from(error),
            })?;
            known_caller(&request, scope.tenant(), key);
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
            CallerError::Missing => Refusal::Unauthorized(NO_KEY).into(),
            CallerError::Unknown | CallerError::Ended => {
                Refusal::Unauthorized("the key is unknown or was revoked; make a new one (`rollcall api-key create`)")
                    .into()
            }
            CallerError::RateLimited { retry_after } => Refusal::RateLimited { retry_after }.into(),
            CallerError::Store(error) => error.into(),
        }
    }
}

/// The reason why a request has no secret in the form of an API key.
fn missing(request: &HttpRequest) -> &'static str {
    match NoSecret::of(request) {
        NoSecret::Nothing => NO_KEY,
        NoSecret::OtherScheme => "the key came under another scheme than Bearer: send `Authorization: Bearer rck_…`",
        NoSecret::Malformed if bearer_token(request).is_some_and(|token| token.starts_with("rcs_")) => {
            "this is the token of a source, which opens the SCIM address alone; send an API key, `Authorization: Bearer rck_…`"
        }
        NoSecret::Malformed => {
            "this has not the form of an API key, `rck_` and 43 characters more; copy it whole and unchanged"
        }
    }
}
