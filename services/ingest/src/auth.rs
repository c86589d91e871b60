//! From a bearer token to a scope. A handler that takes a [`SourceAuth`] cannot run without one.

use crate::Ingest;
use crate::error::IngestError;
use crate::ledger::Noted;
use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use futures_util::future::LocalBoxFuture;
use rollcall_core::ids::{RequestId, SourceId};
use rollcall_runtime::CachedCredential;
use rollcall_scim::bulk::BulkCall;
use rollcall_scim::{Quirks, ScimError};
use rollcall_store::{Credential, Performed, SourceScope, digest, no_groups};
use std::cell::RefMut;
use std::rc::Rc;

/// A verified SCIM token whose source is the one in the path, within its rate.
pub(crate) struct SourceAuth {
    pub(crate) scope: SourceScope,
    pub(crate) ingest: web::Data<Ingest>,
    pub(crate) noted: Rc<Noted>,
}

impl SourceAuth {
    /// Where what the request shows is noted. Do not hold it over an await.
    pub(crate) fn quirks(&self) -> RefMut<'_, Quirks> {
        self.noted.quirks()
    }

    /// Performs one write, notes how it was said, and wakes a worker when it changed something.
    pub(crate) async fn perform(&self, call: BulkCall) -> Result<Performed, IngestError> {
        let mut quirks = Quirks::new();
        let done = self.ingest.store.perform(&self.scope, call, &self.ingest.config.limits, &mut quirks).await;
        self.noted.quirks().merge(&quirks);
        let done = done?;
        if done.changed() {
            self.ingest.wake(&self.scope);
        }
        Ok(done)
    }
}

impl FromRequest for SourceAuth {
    type Error = IngestError;
    type Future = LocalBoxFuture<'static, Result<Self, IngestError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let ingest = request.app_data::<web::Data<Ingest>>().cloned();
            let ingest = ingest.ok_or_else(|| ScimError::internal("the service is not configured"))?;
            let scope = match authenticate(&ingest, &request).await? {
                Ok(scope) => scope,
                Err(refusal) => return Err(refuse(&ingest, &request, refusal).await),
            };
            let decision = ingest.cache.rate_limit(&format!("source:{}", scope.source()), ingest.config.rate).await;
            if !decision.allowed {
                ingest.metrics.rate_limited("ingest");
                return Err(IngestError::RateLimited { retry_after: decision.retry_after });
            }
            let request_id = request.extensions().get::<RequestId>().copied();
            let scope = request_id.map_or(scope, |id| scope.for_request(id));
            let noted = Noted::new(scope);
            request.extensions_mut().insert(Rc::clone(&noted));
            if scope.users_only() && request.match_pattern().is_some_and(|route| route.contains("/Groups")) {
                return Err(no_groups().into());
            }
            Ok(Self { scope, ingest, noted })
        })
    }
}

/// The outer error is ours (the database is away), the inner one the client's.
async fn authenticate(ingest: &Ingest, request: &HttpRequest) -> Result<Result<SourceScope, ScimError>, IngestError> {
    let Some(token) = bearer(request) else {
        return Ok(Err(ScimError::unauthorized("no token: send it as `Authorization: Bearer …`")));
    };
    let Some(credential) = lookup(ingest, token).await? else {
        return Ok(Err(ScimError::unauthorized("the token is unknown or was revoked; make a new one in the console")));
    };
    let Some(scope) = credential.source_scope(ingest.store.clock.now()) else {
        return Ok(Err(ScimError::unauthorized("the token has expired or is no SCIM token; make a new one")));
    };
    let asked = request.match_info().get("source_id").and_then(|id| id.parse::<SourceId>().ok());
    if asked != Some(scope.source()) {
        // The same answer as for a source that does not exist: a token tells nothing about other tenants.
        return Err(ScimError::not_found("there is no such source; copy the SCIM address again").into());
    }
    if credential.source_is_off() {
        return Err(ScimError::forbidden("provisioning is switched off for this source; set it to live first").into());
    }
    Ok(Ok(scope))
}

fn bearer(request: &HttpRequest) -> Option<&str> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && (16..=512).contains(&token.len())).then_some(token)
}

async fn lookup(ingest: &Ingest, token: &str) -> Result<Option<Credential>, IngestError> {
    let digest = digest(token);
    match ingest.cache.get_credential(&digest).await {
        Some(CachedCredential::Absent) => return Ok(None),
        Some(CachedCredential::Present(json)) => {
            if let Ok(credential) = serde_json::from_str(&json) {
                return Ok(Some(credential));
            }
        }
        None => {}
    }
    let found = ingest.store.credential(&digest).await?;
    match &found {
        Some(credential) => {
            let json = serde_json::to_string(credential).map_err(|e| ScimError::internal(e.to_string()))?;
            ingest.cache.put_credential(&digest, json, ingest.config.credential_ttl).await;
        }
        None => ingest.cache.put_absent(&digest).await,
    }
    Ok(found)
}

/// Failed authentications have a bucket of their own, by address, so that guessing slows the guesser alone.
async fn refuse(ingest: &Ingest, request: &HttpRequest, refusal: ScimError) -> IngestError {
    let address = request.peer_addr().map(|peer| peer.ip().to_string()).unwrap_or_default();
    let decision = ingest.cache.rate_limit(&format!("auth:{address}"), ingest.config.failed_auth_rate).await;
    if decision.allowed { refusal.into() } else { IngestError::RateLimited { retry_after: decision.retry_after } }
}
