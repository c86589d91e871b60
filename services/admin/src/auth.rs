//! Authentication by API key or by session. A handler that takes an [`ApiAuth`] cannot run without what the endpoint table asks for.

use crate::Admin;
use crate::error::AdminError;
use crate::etag;
use crate::query::no_parameters;
use actix_web::dev::Payload;
use actix_web::http::{Method, header};
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::{LocalBoxFuture, ready};
use rollcall_core::ids::{CredentialId, OperatorKeyId};
use rollcall_core::permission::Permission;
use rollcall_core::roster::Role;
use rollcall_hub::{CallerError, SessionCaller};
use rollcall_store::{AdminScope, OPERATOR_KEY_PREFIX, OperatorScope, OperatorSession, Session, StoreError};
use rollcall_web::{
    Demand, Demands, NoSecret, Refusal, bearer_token, expects_large_answer, is_own_request, known_caller,
    operator_session_secret, peer, request_id, session_secret,
};

const NO_KEY: &str = "no API key: send one as `Authorization: Bearer rck_…`, or sign in";
/// Age of a sign-in that counts as fresh.
pub(crate) const FRESH: TimeDelta = TimeDelta::minutes(10);

/// A verified API key or session, within its rate limit, that has what the endpoint table asks for.
pub(crate) struct ApiAuth {
    pub(crate) scope: AdminScope,
    pub(crate) admin: web::Data<Admin>,
    /// The session of a member; none for a key, and for an operator.
    pub(crate) session: Option<Session>,
    /// The session of an operator who signed in.
    pub(crate) operator: Option<OperatorSession>,
    /// The key or session.
    pub(crate) credential: CredentialId,
    /// The key of an operator, where it is one.
    pub(crate) operator_key: Option<OperatorKeyId>,
}

impl ApiAuth {
    /// Refuses a list of large rows while too many answers to the tenant are not read.
    pub(crate) fn expects_large_answer(&self, request: &HttpRequest) -> Result<(), AdminError> {
        Ok(expects_large_answer(request, self.scope.tenant())?)
    }

    /// The caller with the credential of the request. Bearer and cookie never mix: a request with an `Authorization` header is the
    /// key's, whatever cookie it has.
    async fn of(request: &HttpRequest, admin: web::Data<Admin>) -> Result<Self, AdminError> {
        let has_key = request.headers().contains_key(header::AUTHORIZATION);
        if !has_key && request.headers().contains_key(TENANT) && operator_session_secret(request).is_some() {
            return Self::of_operator(request, admin).await;
        }
        let secret = session_secret(request).filter(|_| !has_key);
        if let Some(secret) = secret {
            let writes = !matches!(*request.method(), Method::GET | Method::HEAD);
            let caller = admin.hub.session_caller(&secret, writes, &peer(request), &admin.limits).await;
            let SessionCaller { scope, session } = caller.map_err(|error| match error {
                CallerError::Unknown => Refusal::Unauthorized(NO_SESSION).into(),
                error => AdminError::from(error),
            })?;
            if !is_own_request(request, admin.public_url.as_deref()) {
                return Err(AdminError::Forbidden(NOT_OWN));
            }
            refuse_other_tenant(request, &admin, &scope).await?;
            return Ok(Self {
                scope,
                admin,
                session: Some(session),
                operator: None,
                operator_key: None,
                credential: session.id,
            });
        }
        if bearer_token(request).is_some_and(|key| key.starts_with(OPERATOR_KEY_PREFIX)) {
            return Self::of_operator(request, admin).await;
        }
        let caller = admin.hub.admin_caller(bearer_token(request), &peer(request), &admin.limits).await;
        let (scope, credential) = caller.map_err(|error| match error {
            CallerError::Missing => Refusal::Unauthorized(missing(request)).into(),
            error => AdminError::from(error),
        })?;
        refuse_other_tenant(request, &admin, &scope).await?;
        Ok(Self { scope, admin, session: None, operator: None, operator_key: None, credential })
    }

    /// An operator at work in the tenant that the request names.
    async fn of_operator(request: &HttpRequest, admin: web::Data<Admin>) -> Result<Self, AdminError> {
        let OperatorAuth { operator, admin, session } = OperatorAuth::of(request, admin).await?;
        let tenant = request.headers().get(TENANT).and_then(|name| name.to_str().ok());
        let tenant = tenant.ok_or_else(|| AdminError::BadRequest(NO_TENANT.into()))?;
        let scope = admin.hub.store.tenant_of_operator(&operator, tenant).await?;
        let credential = session.as_ref().map_or(operator.id().into(), OperatorSession::credential);
        let operator_key = match operator {
            OperatorScope::Key(key) => Some(key),
            OperatorScope::Person(_) => None,
        };
        Ok(Self { scope, admin, session: None, operator: session, operator_key, credential })
    }

    fn check(&self, demand: Demand) -> Result<(), AdminError> {
        let Demand { least_role, permission, fresh, previews: _ } = demand;
        if !self.scope.role().is_at_least(least_role) {
            return Err(AdminError::Forbidden(match (least_role, self.session) {
                (Role::Owner, None) => "this call takes the key of an owner",
                (Role::Auditor, None) => "this call takes the key of an auditor, admin or owner",
                (Role::Admin | Role::Member, None) => "this key may only read; use the key of an owner or admin",
                (Role::Owner, Some(_)) => "this takes an owner: ask one, or have your role changed",
                (Role::Auditor, Some(_)) => "this takes an auditor, admin or owner: ask one, or have your role changed",
                (Role::Admin | Role::Member, Some(_)) => "you may only read: ask an owner or admin",
            }));
        }
        self.require(permission)?;
        if fresh { self.require_fresh() } else { Ok(()) }
    }

    /// Refuses a caller without the permission.
    fn require(&self, permission: Permission) -> Result<(), AdminError> {
        if self.scope.permissions().allow(permission) { Ok(()) } else { Err(AdminError::NotPermitted(permission)) }
    }

    /// Refuses a caller who may give no roles: a role that is given gives its permissions.
    pub(crate) fn require_to_give_roles(&self) -> Result<(), AdminError> {
        self.require(Permission::Access)?;
        self.require_fresh()
    }

    /// Refuses a session that signed in too long ago for what makes somebody stronger.
    pub(crate) fn require_fresh(&self) -> Result<(), AdminError> {
        let of_member = self.session.map(|session| session.authenticated_at);
        let proven = of_member.or(self.operator.as_ref().map(|session| session.authenticated_at));
        check_fresh(&self.admin, proven)
    }
}

/// `proven` is when the person of a session proved to be the one, as far as the provider says; none for a key.
fn check_fresh(admin: &Admin, proven: Option<Option<DateTime<Utc>>>) -> Result<(), AdminError> {
    let now = admin.hub.store.clock.now();
    match proven {
        Some(None) => Err(AdminError::ProviderSaysNoTime),
        Some(Some(at)) if now - at > FRESH => Err(AdminError::SignInAgain),
        _ => Ok(()),
    }
}

impl FromRequest for ApiAuth {
    type Error = AdminError;
    type Future = LocalBoxFuture<'static, Result<Self, AdminError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        // A request with an idempotency key is known already.
        if let Some(known) = request.extensions_mut().remove::<Self>() {
            return Box::pin(ready(Ok(known)));
        }
        let request = request.clone();
        Box::pin(async move {
            let admin = service(&request)?;
            let auth = Self::of(&request, admin).await?;
            known_caller(&request, auth.scope.tenant(), auth.credential);
            let demand = request.app_data::<Demands>().and_then(|demands| demands.of_method(request.method()));
            auth.check(demand.ok_or(AdminError::Forbidden("this call is open to nobody"))?)?;
            let scope = request_id(&request).map_or(auth.scope, |id| auth.scope.for_request(id));
            let scope = etag::expecting(&request, scope)?;
            no_parameters(&request)?;
            Ok(Self { scope, ..auth })
        })
    }
}

/// A caller of one tenant who names another has mixed something up, and must not get the answer of its own.
async fn refuse_other_tenant(request: &HttpRequest, admin: &Admin, scope: &AdminScope) -> Result<(), AdminError> {
    let Some(named) = request.headers().get(TENANT) else { return Ok(()) };
    let own = admin.hub.store.tenant_names(scope).await?;
    let is_own = named.to_str().is_ok_and(|named| named == own.slug || named.eq_ignore_ascii_case(&own.id.to_string()));
    if is_own { Ok(()) } else { Err(AdminError::Forbidden(OTHER_TENANT)) }
}

fn service(request: &HttpRequest) -> Result<web::Data<Admin>, AdminError> {
    let admin = request.app_data::<web::Data<Admin>>().cloned();
    Ok(admin.ok_or_else(|| StoreError::Database("the service is not configured".into()))?)
}

/// A verified key of an operator, or an operator who signed in, within the rate limit.
pub(crate) struct OperatorAuth {
    pub(crate) operator: OperatorScope,
    pub(crate) admin: web::Data<Admin>,
    /// None for a key.
    pub(crate) session: Option<OperatorSession>,
}

impl OperatorAuth {
    /// Bearer and cookie never mix, as for tenants.
    async fn of(request: &HttpRequest, admin: web::Data<Admin>) -> Result<Self, AdminError> {
        let secret = operator_session_secret(request);
        if let Some(secret) = secret.filter(|_| !request.headers().contains_key(header::AUTHORIZATION)) {
            let session = admin.operators.caller(&secret, &peer(request), &admin.limits).await;
            let session = session.map_err(|error| match error {
                CallerError::Unknown => Refusal::Unauthorized(NO_OPERATOR_SESSION).into(),
                error => AdminError::from(error),
            })?;
            if !is_own_request(request, admin.public_url.as_deref()) {
                return Err(AdminError::Forbidden(NOT_OWN));
            }
            return Ok(Self { operator: session.scope(), admin, session: Some(session) });
        }
        let caller = admin.hub.operator_caller(bearer_token(request), &peer(request), &admin.limits).await;
        let operator = caller.map_err(|error| match error {
            CallerError::Missing => Refusal::Unauthorized(NO_OPERATOR).into(),
            CallerError::Unknown => Refusal::Unauthorized(UNKNOWN_OPERATOR).into(),
            error => AdminError::from(error),
        })?;
        Ok(Self { operator, admin, session: None })
    }

    /// Refuses a session that signed in too long ago for what is hard to undo.
    pub(crate) fn require_fresh(&self) -> Result<(), AdminError> {
        check_fresh(&self.admin, self.session.as_ref().map(|session| session.authenticated_at))
    }
}

impl FromRequest for OperatorAuth {
    type Error = AdminError;
    type Future = LocalBoxFuture<'static, Result<Self, AdminError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let admin = service(&request)?;
            let auth = Self::of(&request, admin).await?;
            etag::expects_nothing(&request)?;
            no_parameters(&request)?;
            Ok(auth)
        })
    }
}

/// Names the tenant, by slug or id, in which a call with an operator's key works.
const TENANT: &str = "rollcall-tenant";
const NO_TENANT: &str = "an operator reaches every tenant: name one by slug or id in the header `Rollcall-Tenant`";
const OTHER_TENANT: &str = "the header `Rollcall-Tenant` names another organisation than the credential is of; only an operator reaches several";
const NO_OPERATOR: &str = "this call takes an operator: the key of one, `Authorization: Bearer rco_…` (`rollcall operator-key create`), or the \
    session of one who signed in at /sign-in/operator";
const NO_OPERATOR_SESSION: &str = "the operator's session has ended; sign in again at /sign-in/operator";
const UNKNOWN_OPERATOR: &str =
    "the key is unknown, was revoked or has ended; make a new one (`rollcall operator-key create`)";
const NO_SESSION: &str = "the session has ended; sign in again";
const NOT_OWN: &str = "a session changes things only from a page of this hub: send `X-Rollcall-CSRF: 1`, and `Origin` or `Sec-Fetch-Site` as browsers do";

impl From<CallerError> for AdminError {
    fn from(error: CallerError) -> Self {
        match error {
            CallerError::Missing => Refusal::Unauthorized(NO_KEY).into(),
            CallerError::Unknown => Refusal::Unauthorized(
                "the key is unknown, was revoked or has expired; make a new one (POST /api/v1/api-keys, `rollcall api-key create`)",
            )
            .into(),
            CallerError::Ended => Refusal::Unauthorized(
                "the key has expired; make a new one, or rotate keys before they end (POST /api/v1/api-keys/{id}/rotate)",
            )
            .into(),
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
