//! On-prem agents: a signed request becomes a scope, a token becomes a key, and uploads wake a worker on the bulk lane.

use crate::Hub;
use crate::caller::{CallerError, CallerLimits};
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_core::ids::{AgentKeyId, SourceId, UploadId};
use rollcall_core::upload::UploadState;
use rollcall_runtime::{Caller, Lane};
use rollcall_snapshot::{Claims, ManifestDigest, SignatureHeaders, SignedRequest, Unsigned};
use rollcall_store::{
    AGENT_ENROLMENT_PREFIX, AGENT_INSTALL_PREFIX, AdminScope, AgentKey, AgentScope, EnrolmentScope, KnownAgentKey,
    NewAgentKey, NewPart, NewUpload, Settled, StoreError, Upload, UploadError, digest, may_be_secret,
};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Longest life of a signature, and how far the clocks may be apart.
pub const SIGNATURE_TIME_MAX: TimeDelta = TimeDelta::minutes(5);
/// Pauses between two looks at an upload that somebody waits for.
const FIRST_LOOK: Duration = Duration::from_millis(100);
const LOOKS_APART_MAX: Duration = Duration::from_secs(2);

/// The holder of an agent's key, who signed a request.
#[derive(Clone, Debug)]
pub struct AgentCaller {
    pub scope: AgentScope,
    pub key: KnownAgentKey,
}

/// Why a signed request is refused.
#[derive(Debug, thiserror::Error)]
pub enum AgentCallerError {
    #[error(transparent)]
    NotSigned(#[from] Unsigned),
    #[error(
        "the signature is not in force: it was made at {created}, and it is {now} here; set the clock, and let it live for 5 minutes at most"
    )]
    OutOfTime { created: i64, now: DateTime<Utc> },
    #[error("the key is unknown here; enrol the agent")]
    UnknownKey,
    #[error("the key was revoked or replaced; enrol the agent again")]
    KeyEnded,
    #[error("the request came before: a nonce is used once")]
    Repeated,
    #[error(transparent)]
    Caller(#[from] CallerError),
}

impl From<StoreError> for AgentCallerError {
    fn from(error: StoreError) -> Self {
        Self::Caller(error.into())
    }
}

impl Hub {
    /// The agent that signed a request. A request that changes something takes a nonce; a repeated read tells nobody more.
    ///
    /// # Errors
    /// See [`AgentCallerError`]. Whatever does not prove a key counts against the caller's address.
    pub async fn agent_caller(
        &self,
        headers: Option<&SignatureHeaders>,
        request: &SignedRequest<'_>,
        address: &Caller,
        limits: &CallerLimits,
    ) -> Result<AgentCaller, AgentCallerError> {
        let claims = match headers.map(|headers| Claims::of(&headers.signature_input, &headers.signature)) {
            Some(Ok(claims)) => claims,
            Some(Err(unsigned)) => return Err(self.unsigned(unsigned, address, limits).await),
            None => return Err(self.unsigned(Unsigned::Missing, address, limits).await),
        };
        let expires_at = self.check_time(&claims)?;
        let Some(id) = claims.key_id.parse::<AgentKeyId>().ok() else {
            return Err(self.unsigned(Unsigned::Malformed, address, limits).await);
        };
        let key_digest = digest(&claims.key_id);
        let found = self.guarded(&key_digest, address, async || self.store.agent_key(id).await).await?;
        let Some(key) = found else {
            return Err(match self.refuse(CallerError::Unknown, address, limits).await {
                CallerError::Unknown => AgentCallerError::UnknownKey,
                other => other.into(),
            });
        };
        let scope = match key.opens(&claims, request) {
            Ok(scope) => scope,
            Err(unsigned) => return Err(self.unsigned(unsigned, address, limits).await),
        };
        self.take_rate_token(&format!("source:{}", scope.of_source().source()), limits).await?;
        if key.has_ended() {
            return Err(AgentCallerError::KeyEnded);
        }
        if request.method != "GET" && !self.store.take_nonce(&scope, &claims.nonce, expires_at).await? {
            return Err(AgentCallerError::Repeated);
        }
        Ok(AgentCaller { scope, key })
    }

    async fn unsigned(&self, unsigned: Unsigned, address: &Caller, limits: &CallerLimits) -> AgentCallerError {
        let counted = if unsigned == Unsigned::Missing { CallerError::Missing } else { CallerError::Unknown };
        match self.refuse(counted, address, limits).await {
            limited @ CallerError::RateLimited { .. } => limited.into(),
            _ => unsigned.into(),
        }
    }

    /// The end of a signature that is in force.
    fn check_time(&self, claims: &Claims) -> Result<DateTime<Utc>, AgentCallerError> {
        let now = self.store.clock.now();
        let out_of_time = || AgentCallerError::OutOfTime { created: claims.created, now };
        let (created, expires) = (at(claims.created), at(claims.expires));
        let (created, expires) = created.zip(expires).ok_or_else(out_of_time)?;
        let is_in_force = created <= now + SIGNATURE_TIME_MAX
            && now < expires
            && created < expires
            && expires <= created + SIGNATURE_TIME_MAX;
        if is_in_force { Ok(expires) } else { Err(out_of_time()) }
    }

    /// The holder of an install token, or of the token of an approved enrolment.
    ///
    /// # Errors
    /// See [`CallerError`].
    pub async fn enrolment_caller(
        &self,
        token: Option<&str>,
        address: &Caller,
        limits: &CallerLimits,
    ) -> Result<EnrolmentScope, CallerError> {
        let has_form =
            |token: &&str| [AGENT_INSTALL_PREFIX, AGENT_ENROLMENT_PREFIX].iter().any(|of| may_be_secret(token, of));
        let (_, scope) = self.identify(token.filter(has_form), address, limits, EnrolmentScope::of_token).await?;
        Ok(scope)
    }

    /// Takes the key of an agent, and uses its token up.
    ///
    /// # Errors
    /// Those of [`Store::enrol_agent`](rollcall_store::Store::enrol_agent).
    pub async fn enrol_agent(&self, scope: &EnrolmentScope, new: &NewAgentKey<'_>) -> Result<AgentKeyId, StoreError> {
        let enrolled = self.store.enrol_agent(scope, new).await?;
        Ok(self.after_commit(enrolled).await)
    }

    /// Verifies a key; an upload that was kept for it is applied.
    ///
    /// # Errors
    /// Those of [`Store::verify_agent_key`](rollcall_store::Store::verify_agent_key).
    pub async fn verify_agent_key(
        &self,
        scope: &AdminScope,
        source: SourceId,
        key: AgentKeyId,
        fingerprint: &str,
    ) -> Result<AgentKey, StoreError> {
        let verified = self.store.verify_agent_key(scope, source, key, fingerprint).await?;
        self.queue.wake(scope.tenant().0, Lane::Bulk);
        Ok(verified)
    }

    /// Completes an upload.
    ///
    /// # Errors
    /// Those of [`Store::commit_upload`](rollcall_store::Store::commit_upload).
    pub async fn commit_upload(
        &self,
        scope: &AgentScope,
        id: UploadId,
        parts: u32,
        manifest: &ManifestDigest,
    ) -> Result<Upload, UploadError> {
        let upload = self.store.commit_upload(scope, id, parts, manifest).await?;
        Ok(self.woken(scope, upload))
    }

    /// Takes an upload of one part.
    ///
    /// # Errors
    /// Those of [`Store::upload_whole`](rollcall_store::Store::upload_whole).
    pub async fn upload_whole(
        &self,
        scope: &AgentScope,
        new: &NewUpload,
        part: &NewPart<'_>,
    ) -> Result<Upload, UploadError> {
        let upload = self.store.upload_whole(scope, new, part).await?;
        Ok(self.woken(scope, upload))
    }

    fn woken(&self, scope: &AgentScope, upload: Upload) -> Upload {
        if upload.state == UploadState::Waiting.as_str() {
            self.queue.wake(scope.of_source().tenant().0, Lane::Bulk);
        }
        upload
    }

    /// An upload, once it has ended and the roster has caught up with it, or when the time is over.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] and those of the database.
    pub async fn await_upload(
        &self,
        scope: &AgentScope,
        id: UploadId,
        patience: Duration,
    ) -> Result<(Upload, Option<Settled>), StoreError> {
        let (begun, mut pause) = (Instant::now(), FIRST_LOOK);
        loop {
            let upload = self.store.upload(scope, id).await?;
            let settled = match upload.has_ended() {
                true => Some(self.store.settled(scope, &upload).await?),
                false => None,
            };
            let is_over = settled.as_ref().is_some_and(|settled| settled.is_settled);
            if is_over || begun.elapsed() + pause > patience {
                return Ok((upload, settled));
            }
            sleep(pause).await;
            pause = (pause * 2).min(LOOKS_APART_MAX);
        }
    }
}

fn at(seconds: i64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(seconds, 0)
}
