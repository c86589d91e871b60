//! Authentication by bearer token. A handler that takes a [`SourceAuth`] cannot run without one.

use crate::Ingest;
use crate::ledger::Noted;
use crate::scim::error::IngestError;
use actix_web::dev::Payload;
use actix_web::rt::spawn;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use futures_util::future::LocalBoxFuture;
use rollcall_core::budget::Budget;
use rollcall_core::ids::SourceId;
use rollcall_hub::{CallerError, SourceCaller, no_groups, request_budget};
use rollcall_scim::{Quirks, ScimError};
use rollcall_store::{ACCESS_TOKEN_PREFIX, CLIENT_SECRET_PREFIX, MEMBER_BYTES, SourceScope};
use rollcall_web::{NoSecret, Refusal, RouteLabel, bearer_token, expects_large_answer, known_caller, peer, request_id};
use std::cell::RefMut;
use std::ops::Deref;
use std::rc::Rc;
use std::time::Duration;

const NO_TOKEN: &str = "no SCIM token: send it as `Authorization: Bearer rcs_…`";

const NO_ACCESS_TOKEN: &str =
    "the access token is unknown, was revoked or has expired; get another (POST /oauth/token)";

/// A verified SCIM token whose source is the one in the path, within its rate limit.
pub(crate) struct SourceAuth {
    pub(crate) scope: SourceScope,
    pub(crate) ingest: web::Data<Ingest>,
    pub(crate) noted: Rc<Noted>,
}

impl SourceAuth {
    /// The quirks of the request. Do not hold the borrow over an await.
    pub(crate) fn quirks(&self) -> RefMut<'_, Quirks> {
        self.noted.quirks()
    }

    /// Refuses a request with a large answer while too many others of its tenant are not read.
    pub(crate) fn expects_large_answer(&self, request: &HttpRequest) -> Result<(), IngestError> {
        Ok(expects_large_answer(request, self.scope.tenant())?)
    }

    /// How many members of a group may be shown, if any are asked for.
    pub(crate) fn members_shown(&self, wanted: bool) -> Option<usize> {
        wanted.then_some(self.ingest.config.answer_bytes_max / MEMBER_BYTES)
    }

    /// Takes the rate tokens of a request that stands for several.
    pub(crate) async fn charge(&self, further: usize) -> Result<(), IngestError> {
        let further = u32::try_from(further).unwrap_or(u32::MAX);
        Ok(self.ingest.hub.charge_source(&self.scope, further, &self.ingest.config.callers).await?)
    }

    /// The budget of this request.
    pub(crate) fn budget(&self) -> ChargedBudget {
        let budget = request_budget(&self.scope);
        ChargedBudget { budget, scope: self.scope, ingest: self.ingest.clone(), settled: false }
    }
}

/// A caller who goes away from heavy work takes a connection of the pool along, and another one cancels the statement: the database
/// starts two processes.
const TIME_OF_ABANDONING: Duration = Duration::from_millis(300);

/// The budget of a request. The time of heavy work is charged to the source before the answer, and also when the caller goes away
/// without one: that would otherwise be the cheapest way to keep the database busy.
pub(crate) struct ChargedBudget {
    budget: Budget,
    scope: SourceScope,
    ingest: web::Data<Ingest>,
    settled: bool,
}

impl ChargedBudget {
    /// Charges the time that was spent.
    pub(crate) async fn settle(mut self) {
        self.settled = true;
        let limits = &self.ingest.config.callers;
        self.ingest.hub.charge_database_time(&self.scope, self.budget.database_time(), limits).await;
    }
}

impl Deref for ChargedBudget {
    type Target = Budget;

    fn deref(&self) -> &Budget {
        &self.budget
    }
}

impl Drop for ChargedBudget {
    fn drop(&mut self) {
        let time = self.budget.database_time();
        if !self.settled && !time.is_zero() {
            let (scope, ingest, time) = (self.scope, self.ingest.clone(), time + TIME_OF_ABANDONING);
            spawn(async move { ingest.hub.charge_database_time(&scope, time, &ingest.config.callers).await });
        }
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
            let limits = &ingest.config.callers;
            let caller = ingest.hub.source_caller(bearer_token(&request), &peer(&request), limits).await;
            let caller = caller.map_err(|error| match error {
                CallerError::Missing => Refusal::Unauthorized(missing(&request)).into(),
                CallerError::Unknown | CallerError::Ended if is_access_token(&request) => {
                    Refusal::Unauthorized(NO_ACCESS_TOKEN).into()
                }
                error => IngestError::from(error),
            })?;
            refuse_elsewhere(&request, &caller)?;
            let SourceCaller { scope, token, .. } = caller;
            let scope = request_id(&request).map_or(scope, |id| scope.for_request(id));
            known_caller(&request, scope.tenant(), token);
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

impl From<CallerError> for IngestError {
    fn from(error: CallerError) -> Self {
        let detail = match error {
            CallerError::Missing => NO_TOKEN,
            CallerError::Unknown => {
                "the token is unknown, was revoked or has expired; make a new one (`rollcall source create-token`, POST /api/v1/sources/{id}/tokens)"
            }
            CallerError::Ended => {
                "the token has expired; make a new one (`rollcall source create-token`, POST /api/v1/sources/{id}/tokens)"
            }
            CallerError::RateLimited { retry_after } => return Refusal::RateLimited { retry_after }.into(),
            CallerError::Store(error) => return error.into(),
        };
        Refusal::Unauthorized(detail).into()
    }
}

/// Refuses a good token where it opens nothing. It has taken a rate token of its source by then.
fn refuse_elsewhere(request: &HttpRequest, caller: &SourceCaller) -> Result<(), ScimError> {
    let asked = request.match_info().get("source_id").and_then(|id| id.parse::<SourceId>().ok());
    if asked != Some(caller.scope.source()) {
        // The same answer as for a source that does not exist, so that a token reveals nothing about other tenants.
        return Err(ScimError::not_found("there is no such source; copy the SCIM address again"));
    }
    if caller.source_is_off {
        return Err(ScimError::forbidden("provisioning is switched off for this source; set it to live first"));
    }
    Ok(())
}

fn is_access_token(request: &HttpRequest) -> bool {
    bearer_token(request).is_some_and(|token| token.starts_with(ACCESS_TOKEN_PREFIX))
}

/// The reason why a request has no secret in the form of a SCIM token.
fn missing(request: &HttpRequest) -> &'static str {
    match NoSecret::of(request) {
        NoSecret::Nothing => NO_TOKEN,
        NoSecret::OtherScheme => "the token came under another scheme than Bearer: send `Authorization: Bearer rcs_…`",
        NoSecret::Malformed if bearer_token(request).is_some_and(|token| token.starts_with("rck_")) => {
            "this is an API key, which opens the REST API alone; send the token of the source, `Authorization: Bearer rcs_…`"
        }
        NoSecret::Malformed if bearer_token(request).is_some_and(|token| token.starts_with(CLIENT_SECRET_PREFIX)) => {
            "this is the secret of an OAuth client; exchange it for a token first (POST /oauth/token)"
        }
        NoSecret::Malformed => {
            "this has not the form of a SCIM token, `rcs_` and 43 characters more; copy it whole and unchanged"
        }
    }
}
