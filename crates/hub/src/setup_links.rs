//! Links with which somebody without an account sets a source up. Each opening looks the link up, so that a revocation is effective at
//! once; guesses are limited as those of tokens are.

use crate::Hub;
use crate::caller::{CallerError, CallerLimits};
use rollcall_runtime::Caller;
use rollcall_store::{OpenSetupLink, SETUP_LINK_PREFIX, digest, may_be_secret};

impl Hub {
    /// The link with this text. A request takes one rate token of its link.
    ///
    /// # Errors
    /// See [`CallerError`]. A wrong text counts against the caller's address.
    pub async fn setup_link(
        &self,
        secret: &str,
        address: &Caller,
        limits: &CallerLimits,
    ) -> Result<OpenSetupLink, CallerError> {
        let digest = digest(secret);
        let found = match may_be_secret(secret, SETUP_LINK_PREFIX) {
            true => self.guarded(&digest, address, async || self.store.setup_link(&digest).await).await?,
            false => None,
        };
        let Some(link) = found else { return Err(self.refuse(CallerError::Unknown, address, limits).await) };
        self.take_rate_token(&format!("setup:{}", link.id()), limits).await?;
        self.uses.note(link.tenant(), link.id(), self.store.clock.now());
        Ok(link)
    }
}
