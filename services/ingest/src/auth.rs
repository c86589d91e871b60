//! From a bearer token to a scope. A handler that takes a [`SourceAuth`] cannot run without one.

use crate::Ingest;
use crate::ledger::Noted;
use crate::scim::error::IngestError;
use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use futures_util::future::LocalBoxFuture;
use rollcall_core::ids::SourceId;
use rollcall_runtime::{Caller, LookedUp};
use rollcall_scim::bulk::BulkCall;
use rollcall_scim::{Quirks, ScimError};
use rollcall_store::{Credential, Performed, SCIM_TOKEN_PREFIX, SourceScope, digest, may_be_secret, no_groups};
use rollcall_web::{Refusal, RouteLabel, bearer_token, peer, request_id};
use std::cell::RefMut;
use std::rc::Rc;
use std::time::Duration;

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

    /// Takes the places of what a request stands for beyond itself.
    pub(crate) async fn charge(&self, further: usize) -> Result<(), IngestError> {
        let places = u32::try_from(further).unwrap_or(u32::MAX);
        if places == 0 {
            return Ok(());
        }
        let (key, rate) = (rate_key(&self.scope), self.ingest.config.rate);
        let decision = self.ingest.cache.rate_limit_whole(&key, rate, places).await;
        if decision.allowed { Ok(()) } else { Err(too_many(&self.ingest, decision.retry_after)) }
    }

    /// Performs one write, notes how it was said, and wakes a worker when it changed something.
    pub(crate) async fn perform(&self, call: BulkCall) -> Result<Performed, IngestError> {
        let mut quirks = Quirks::new();
        let done = self.ingest.store.perform(&self.scope, call, &self.ingest.config.limits, &mut quirks).await;
        self.noted.quirks().merge(&quirks);
        let done = done?;
        if let Some(subject) = done.subject() {
            self.noted.concerns(subject);
        }
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
            let (credential, scope) = identify(&ingest, &request).await?;
            let decision = ingest.cache.rate_limit(&rate_key(&scope), ingest.config.rate).await;
            if !decision.allowed {
                return Err(too_many(&ingest, decision.retry_after));
            }
            refuse_elsewhere(&request, &credential, &scope)?;
            let scope = request_id(&request).map_or(scope, |id| scope.for_request(id));
            let noted = Noted::new(scope);
            request.extensions_mut().insert(Rc::clone(&noted));
            let route = request.app_data::<RouteLabel>();
            if scope.users_only() && route.is_some_and(|route| route.pattern.contains("/Groups")) {
                return Err(no_groups().into());
            }
            Ok(Self { scope, ingest, noted })
        })
    }
}

fn rate_key(scope: &SourceScope) -> String {
    format!("source:{}", scope.source())
}

fn too_many(ingest: &Ingest, retry_after: Duration) -> IngestError {
    ingest.metrics.rate_limited("ingest");
    Refusal::RateLimited { retry_after }.into()
}

/// Whose token it is. What is no token of ours is counted against the caller's address.
async fn identify(ingest: &Ingest, request: &HttpRequest) -> Result<(Credential, SourceScope), IngestError> {
    let caller = peer(request);
    let refusal = match bearer(request) {
        None => "no SCIM token: send it as `Authorization: Bearer rcs_…`",
        Some(token) => match look_up(ingest, token, &caller).await? {
            None => "the token is unknown or was revoked; make a new one in the console",
            Some(credential) => match credential.source_scope(ingest.store.clock.now()) {
                None => "the token has expired; make a new one",
                Some(scope) => return Ok((credential, scope)),
            },
        },
    };
    let decision = Box::pin(ingest.cache.failed_authentication(&caller, ingest.config.failed_auth_rate)).await;
    if decision.allowed {
        Err(Refusal::Unauthorized(refusal).into())
    } else {
        Err(Refusal::RateLimited { retry_after: decision.retry_after }.into())
    }
}

/// What a token does not open although it is good. It has cost its source a place by then.
fn refuse_elsewhere(request: &HttpRequest, credential: &Credential, scope: &SourceScope) -> Result<(), ScimError> {
    let asked = request.match_info().get("source_id").and_then(|id| id.parse::<SourceId>().ok());
    if asked != Some(scope.source()) {
        // The same answer as for a source that does not exist: a token tells nothing about other tenants.
        return Err(ScimError::not_found("there is no such source; copy the SCIM address again"));
    }
    if credential.source_is_off() {
        return Err(ScimError::forbidden("provisioning is switched off for this source; set it to live first"));
    }
    Ok(())
}

fn bearer(request: &HttpRequest) -> Option<&str> {
    bearer_token(request).filter(|token| may_be_secret(token, SCIM_TOKEN_PREFIX))
}

async fn look_up(ingest: &Ingest, token: &str, caller: &Caller) -> Result<Option<Credential>, IngestError> {
    let digest = digest(token);
    let in_database = async || {
        let found = ingest.store.credential(&digest).await?;
        let json = found.map(|credential| serde_json::to_string(&credential)).transpose();
        Ok::<_, IngestError>(json.map_err(|e| ScimError::internal(e.to_string()))?)
    };
    match ingest.cache.credential(&digest, caller, ingest.config.credential_ttl, in_database).await? {
        LookedUp::Absent => Ok(None),
        LookedUp::TooMany { retry_after } => Err(Refusal::RateLimited { retry_after }.into()),
        LookedUp::Present(json) => match serde_json::from_str(&json) {
            Ok(credential) => Ok(Some(credential)),
            // Written by another version: the database's is read until that entry ends.
            Err(_) => Ok(Box::pin(ingest.store.credential(&digest)).await?),
        },
    }
}
