//! Authentication: a presented secret becomes a scope, within its rate limit. SCIM tokens and API keys take the same path: the
//! form of the secret, the cache, the database, the expiry, the kind that the service accepts, the rate limit.

use crate::Hub;
use rollcall_core::ids::CredentialId;
use rollcall_runtime::{Caller, LookedUp, Rate};
use rollcall_store::{
    ACCESS_TOKEN_PREFIX, API_KEY_PREFIX, AdminScope, Credential, OPERATOR_KEY_PREFIX, OperatorScope, SCIM_TOKEN_PREFIX,
    SecretDigest, SourceScope, StoreError, digest, may_be_secret,
};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

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
    /// Which refusals are logged.
    pub refusals: Sampler,
}

/// Lets a few events of each second through, so that a flood of them does not fill the log. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Sampler(Arc<Mutex<Sampled>>);

#[derive(Debug, Default)]
struct Sampled {
    second: Option<Instant>,
    passed: u32,
    left_out: u64,
}

/// Events of a second that are let through.
const SAMPLES: u32 = 10;

impl Sampler {
    /// `Some` for an event that is let through: how many were left out since the last one.
    fn sample(&self) -> Option<u64> {
        let mut sampled = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if sampled.second.is_none_or(|second| second.elapsed() >= Duration::from_secs(1)) {
            (sampled.second, sampled.passed) = (Some(Instant::now()), 0);
        }
        if sampled.passed == SAMPLES {
            sampled.left_out += 1;
            return None;
        }
        sampled.passed += 1;
        Some(std::mem::take(&mut sampled.left_out))
    }
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
    /// The source of a SCIM token or an access token. A request takes one rate token of its source.
    ///
    /// # Errors
    /// See [`CallerError`].
    pub async fn source_caller(
        &self,
        token: Option<&str>,
        address: &Caller,
        limits: &CallerLimits,
    ) -> Result<SourceCaller, CallerError> {
        let has_form =
            |token: &&str| [SCIM_TOKEN_PREFIX, ACCESS_TOKEN_PREFIX].iter().any(|of| may_be_secret(token, of));
        let token = token.filter(has_form);
        let (credential, scope) = self.identify(token, address, limits, SourceScope::of_token).await?;
        self.take_rate_token(&source_key(&scope), limits).await?;
        Ok(SourceCaller { scope, token: credential.id(), source_is_off: credential.source_is_off() })
    }

    /// The tenant and role of an API key, and its id. A request takes one rate token of its key.
    ///
    /// # Errors
    /// See [`CallerError`].
    pub async fn admin_caller(
        &self,
        key: Option<&str>,
        address: &Caller,
        limits: &CallerLimits,
    ) -> Result<(AdminScope, CredentialId), CallerError> {
        let key = key.filter(|key| may_be_secret(key, API_KEY_PREFIX));
        let (credential, scope) = self.identify(key, address, limits, AdminScope::of_key).await?;
        self.take_rate_token(&format!("api:{}", credential.id()), limits).await?;
        Ok((scope, credential.id()))
    }

    /// The operator whose key was presented. Each request looks it up, so that a revocation is effective at once.
    ///
    /// # Errors
    /// See [`CallerError`].
    pub async fn operator_caller(
        &self,
        key: Option<&str>,
        address: &Caller,
        limits: &CallerLimits,
    ) -> Result<OperatorScope, CallerError> {
        let Some(key) = key.filter(|key| may_be_secret(key, OPERATOR_KEY_PREFIX)) else {
            return Err(self.refuse(CallerError::Missing, address, limits).await);
        };
        let digest = digest(key);
        let found = self.guarded(&digest, address, async || self.store.operator_key(&digest).await).await?;
        let Some(operator) = found else {
            return Err(self.refuse(CallerError::Unknown, address, limits).await);
        };
        self.take_rate_token(&format!("operator:{}", operator.id()), limits).await?;
        Ok(operator)
    }

    /// Looks a secret up in the database. An address that failed too often has one unknown secret looked up at a time.
    pub(crate) async fn guarded<T>(
        &self,
        digest: &SecretDigest,
        address: &Caller,
        look_up: impl AsyncFnOnce() -> Result<Option<T>, StoreError>,
    ) -> Result<Option<T>, CallerError> {
        match self.cache.unkept(digest, address, look_up).await? {
            LookedUp::Present(found) => Ok(Some(found)),
            LookedUp::Absent => Ok(None),
            LookedUp::TooMany { retry_after } => Err(CallerError::RateLimited { retry_after }),
        }
    }

    pub(crate) async fn take_rate_token(&self, of: &str, limits: &CallerLimits) -> Result<(), CallerError> {
        let decision = self.cache.rate_limit(of, limits.rate).await;
        if decision.allowed { Ok(()) } else { Err(self.too_many(limits, decision.retry_after)) }
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

    pub(crate) fn too_many(&self, limits: &CallerLimits, retry_after: Duration) -> CallerError {
        self.metrics.rate_limited(limits.service);
        CallerError::RateLimited { retry_after }
    }

    /// The credential of a secret and its scope. An invalid secret counts against the caller's address.
    pub(crate) async fn identify<S>(
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
                    Some(scope) => {
                        self.uses.note(credential.tenant(), credential.id(), self.store.clock.now());
                        return Ok((credential, scope));
                    }
                },
            },
        };
        // Boxed, so that a request with a valid secret does not carry the state of this future.
        Err(Box::pin(self.refuse(refusal, address, limits)).await)
    }

    /// Counts a refusal against the caller's address: after too many of them the answer is to wait.
    pub(crate) async fn refuse(&self, refusal: CallerError, address: &Caller, limits: &CallerLimits) -> CallerError {
        let decision = self.cache.failed_authentication(address, limits.failed_auth_rate).await;
        let refusal = match decision.allowed {
            true => refusal,
            false => CallerError::RateLimited { retry_after: decision.retry_after },
        };
        self.note_refusal(&refusal, address, limits);
        refusal
    }

    /// Counts a refused credential, and logs some of them with the caller's address: a trace of an intrusion that is tried. It never
    /// holds the secret, nor a part of it.
    fn note_refusal(&self, refusal: &CallerError, address: &Caller, limits: &CallerLimits) {
        let reason = match refusal {
            CallerError::Missing => "missing",
            CallerError::Unknown => "unknown",
            CallerError::Ended => "ended",
            CallerError::RateLimited { .. } => "too_many",
            CallerError::Store(_) => return,
        };
        self.metrics.auth_refused(limits.service, reason);
        if let Some(left_out) = limits.refusals.sample() {
            let service = limits.service;
            tracing::info!(target: "rollcall::auth", peer = %address, service, reason, left_out, "auth.refused");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s8_a_flood_of_refusals_is_a_few_lines_that_say_how_many_were_left_out() {
        let sampler = Sampler::default();
        let passed = (0..1000).filter_map(|_| sampler.sample()).collect::<Vec<_>>();
        assert_eq!(passed, vec![0; SAMPLES as usize], "within one second");
        let past = Instant::now().checked_sub(Duration::from_secs(2)).expect("the machine is up for longer");
        sampler.0.lock().expect("nobody panicked").second = Some(past);
        assert_eq!(sampler.sample(), Some(1000 - u64::from(SAMPLES)));
        assert_eq!(sampler.sample(), Some(0));
    }
}
