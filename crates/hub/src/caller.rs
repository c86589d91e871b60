//! A presented secret becomes a scope, within its rate. SCIM tokens and API keys take the same way: the form of the secret, the
//! cache, the database, the end of the credential, the kind that the service takes, the rate limit.

use crate::Hub;
use rollcall_core::ids::CredentialId;
use rollcall_runtime::{Caller, LookedUp, Rate};
use rollcall_store::{
    API_KEY_PREFIX, AdminScope, Credential, SCIM_TOKEN_PREFIX, SourceScope, StoreError, digest, may_be_secret,
};
use std::time::Duration;

/// Limits on the callers of one service, as an operator sets them.
#[derive(Clone, Debug)]
pub struct CallerLimits {
    /// The service, as metrics name it.
    pub service: &'static str,
    /// Requests of one source, or of one API key.
    pub rate: Rate,
    /// Failed authentications of one address; they never count against a source.
    pub failed_auth_rate: Rate,
    /// How long other processes may trust a credential that they cannot be told of.
    pub credential_ttl: Duration,
}

/// Why a caller has no scope.
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
    /// The source takes nothing at present.
    pub source_is_off: bool,
}

impl Hub {
    /// The source of a SCIM token. A request takes one rate token of its source.
    ///
    /// # Errors
    /// As [`CallerError`] says.
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
    /// As [`CallerError`] says.
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

    /// Takes the rate tokens of a request that stands for several, beyond the one it has taken: all of them, or none.
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

    fn too_many(&self, limits: &CallerLimits, retry_after: Duration) -> CallerError {
        self.metrics.rate_limited(limits.service);
        CallerError::RateLimited { retry_after }
    }

    /// The credential of a secret and its scope. A secret that is none counts against the caller's address.
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
        // In a box: a request with a good secret does not carry it.
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
                // Written by another version: the database's is read until that entry ends.
                Err(_) => Ok(Box::pin(self.store.credential(&digest)).await?),
            },
        }
    }
}

fn source_key(scope: &SourceScope) -> String {
    format!("source:{}", scope.source())
}
