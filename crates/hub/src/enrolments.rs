//! Enrolment of agents (RFC 8628). Requests of strangers are limited by their address, guesses of codes as those of tokens are.

use crate::Hub;
use crate::caller::{CallerError, CallerLimits};
use rollcall_core::user_code;
use rollcall_runtime::{Caller, Rate};
use rollcall_store::{
    BegunDevice, DEVICE_CODE_PREFIX, DevicePoll, WaitingDevice, digest, may_be_secret, user_code_digest,
};

/// Enrolments that one address may begin.
const BEGIN_RATE: Rate = Rate { per_second: 0.2, burst: 10 };

impl Hub {
    /// Begins the enrolment of an agent.
    ///
    /// # Errors
    /// See [`CallerError`].
    pub async fn begin_enrolment(
        &self,
        name: &str,
        address: &Caller,
        limits: &CallerLimits,
    ) -> Result<BegunDevice, CallerError> {
        let decision = self.cache.rate_limit(&format!("enrolment:{address}"), BEGIN_RATE).await;
        if !decision.allowed {
            return Err(self.too_many(limits, decision.retry_after));
        }
        Ok(self.store.begin_device(name, &address.to_string()).await?)
    }

    /// Answers an agent that asks whether it is approved.
    ///
    /// # Errors
    /// [`CallerError::Unknown`] for a code that is unknown or was used up; it counts against the caller's address.
    pub async fn poll_enrolment(
        &self,
        device_code: &str,
        address: &Caller,
        limits: &CallerLimits,
    ) -> Result<DevicePoll, CallerError> {
        let found = match may_be_secret(device_code, DEVICE_CODE_PREFIX) {
            true => {
                let digest = digest(device_code);
                self.guarded(&digest, address, async || self.store.poll_device(&digest).await).await?
            }
            false => None,
        };
        match found {
            Some(answer) => Ok(answer),
            None => Err(self.refuse(CallerError::Unknown, address, limits).await),
        }
    }

    /// The agent whose code somebody typed, while it waits.
    ///
    /// # Errors
    /// As [`poll_enrolment`](Self::poll_enrolment).
    pub async fn waiting_agent(
        &self,
        typed: &str,
        address: &Caller,
        limits: &CallerLimits,
    ) -> Result<WaitingDevice, CallerError> {
        let found = match user_code::typed(typed) {
            Some(code) => {
                let digest = user_code_digest(&code);
                self.guarded(&digest, address, async || self.store.waiting_device(&digest).await).await?
            }
            None => None,
        };
        match found {
            Some(device) => Ok(device),
            None => Err(self.refuse(CallerError::Unknown, address, limits).await),
        }
    }
}
