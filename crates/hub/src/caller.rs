//! Authentication: a presented secret becomes a scope, within its rate limit. SCIM tokens and API keys take the same path: the
//! form of the secret, the cache, the database, the expiry, the kind that the service accepts, the rate limit.

use crate::Hub;
use rollcall_core::ids::CredentialId;
use rollcall_runtime::{Caller, LookedUp, Rate};
use rollcall_store::{
    API_KEY_PREFIX, AdminScope, Credential, SCIM_TOKEN_PREFIX, SourceScope, StoreError, digest, may_be_secret,
};
use std::time::Duration;

/// Time of the database that costs a source as much as a request.
const MILLISECONDS_A_TOKEN: u128 = 10;

/// An operator's limits on the callers of one service.
#[derive(Clone, Debug)]
pub struct CallerLimits {
    /// The service, as metrics name it.
    pub service: &'static str,
    /// Rate limit of one source, or of one API key.
    pub rate: Rate,
    /// Limit of failed authentications of one address; they never count against a source.
    pub failed_auth_rate: Rate,
    /// Trust in a cached credential by a process that misses its revocation.
    pub credential_ttl: Duration,
}

/// Reason for refusing a caller.
#[derive(Debug, thiserror::Error)]
pub enum CallerError {
    #[error("no secret of this kind is presented")]
    Missing,
    #[error("the secret is unknown or was revoked")]
    Unknown,
    #[error("the credential has ended, or is of another kind")]
    Ended,
    #[error("too many requests")]
    RateLimited { retry_after: Duration },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The source whose token was presented.
#[derive(Clone, Copy, Debug)]
pub struct SourceCaller {
    pub scope: SourceScope,
    pub token: CredentialId,
    /// The source is switched off at present.
    pub source_is_off: bool,
}

impl Hub {
    /// The source of a SCIM token. A request takes one rate token of its source.
    ///
    /// # Errors
    /// See [`CallerError`].
    pub async fn source_caller(
        &self,
        token: Option<&str>,
        address: &Caller,
        limits: &CallerLimits,
    ) -> Result<SourceCaller, CallerError> {
        let token = token.filter(|token| may_be_secret(token, SCIM_TOKEN_PREFIX));
        let (credential, scope) = self.identify(token, address, limits, SourceScope::of_token).await?;
        let decision = self.cache.rate_limit(&source_key(&scope), limits.rate).await;
        if !decision.allowed {
            return Err(self.too_many(limits, decision.retry_after));
        }
        Ok(SourceCaller { scope, token: credential.id(), source_is_off: credential.source_is_off() })
    }

    /// The tenant and role of an API key. A request takes one rate token of its key.
    ///
    /// # Errors
    /// See [`CallerError`].
    pub async fn admin_caller(
        &self,
        key: Option<&str>,
        address: &Caller,
        limits: &CallerLimits,
    ) -> Result<AdminScope, CallerError> {
        let key = key.filter(|key| may_be_secret(key, API_KEY_PREFIX));
        let (credential, scope) = self.identify(key, address, limits, AdminScope::of_key).await?;
        let decision = self.cache.rate_limit(&format!("api:{}", credential.id()), limits.rate).await;
        if !decision.allowed {
            return Err(self.too_many(limits, decision.retry_after));
        }
        Ok(scope)
    }

    /// Takes the further rate tokens of a request that counts as several: all of them, or none.
    ///
    /// # Errors
    /// [`CallerError::RateLimited`].
    pub async fn charge_source(
        &self,
        scope: &SourceScope,
        further: u32,
        limits: &CallerLimits,
    ) -> Result<(), CallerError> {
        if further == 0 {
            return Ok(());
        }
        let decision = self.cache.rate_limit_whole(&source_key(scope), limits.rate, further).await;
        if decision.allowed { Ok(()) } else { Err(self.too_many(limits, decision.retry_after)) }
    }

    /// Charges the time that the database spent on a request of the source, which is known only afterwards: the source may overdraw
    /// its rate tokens, and waits until they are free again.
    pub async fn charge_database_time(&self, scope: &SourceScope, time: Duration, limits: &CallerLimits) {
        let tokens = u32::try_from(time.as_millis() / MILLISECONDS_A_TOKEN).unwrap_or(u32::MAX);
        if tokens > 0 {
            self.cache.overdraw(&source_key(scope), limits.rate, tokens).await;
        }
    }

    fn too_many(&self, limits: &CallerLimits, retry_after: Duration) -> CallerError {
        self.metrics.rate_limited(limits.service);
        CallerError::RateLimited { retry_after }
    }

    /// The credential of a secret and its scope. An invalid secret counts against the caller's address.
    async fn identify<S>(
        &self,
        secret: Option<&str>,
        address: &Caller,
        limits: &CallerLimits,
        scope_of: fn(&Credential) -> Option<S>,
    ) -> Result<(Credential, S), CallerError> {
        let refusal = match secret {
            None => CallerError::Missing,
            Some(secret) => match self.look_up(secret, address, limits).await? {
                None => CallerError::Unknown,
                Some(credential) if credential.expired(self.store.clock.now()) => CallerError::Ended,
                Some(credential) => match scope_of(&credential) {
                    None => CallerError::Ended,
                    Some(scope) => return Ok((credential, scope)),
                },
            },
        };
        // Boxed, so that a request with a valid secret does not carry the state of this future.
        let decision = Box::pin(self.cache.failed_authentication(address, limits.failed_auth_rate)).await;
        if decision.allowed {
            Err(refusal)
        } else {
            Err(CallerError::RateLimited { retry_after: decision.retry_after })
        }
    }

    async fn look_up(
        &self,
        secret: &str,
        address: &Caller,
        limits: &CallerLimits,
    ) -> Result<Option<Credential>, CallerError> {
        let digest = digest(secret);
        let in_database = async || {
            let found = self.store.credential(&digest).await?;
            let json = found.map(|credential| serde_json::to_string(&credential)).transpose();
            json.map_err(|e| CallerError::Store(StoreError::Invalid(e.to_string())))
        };
        match self.cache.credential(&digest, address, limits.credential_ttl, in_database).await? {
            LookedUp::Absent => Ok(None),
            LookedUp::TooMany { retry_after } => Err(CallerError::RateLimited { retry_after }),
            LookedUp::Present(json) => match serde_json::from_str(&json) {
                Ok(credential) => Ok(Some(credential)),
                // An entry of another version of the hub: the database is read until it expires.
                Err(_) => Ok(Box::pin(self.store.credential(&digest)).await?),
            },
        }
    }
}

fn source_key(scope: &SourceScope) -> String {
    format!("source:{}", scope.source())
}
