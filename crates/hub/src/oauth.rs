//! Clients that get short-lived tokens for their source (RFC 6749 §4.4). Each request looks the client's secret up, so that a
//! revocation is effective at once; the tokens are then looked up as those of sources are.

use crate::Hub;
use crate::caller::{CallerError, CallerLimits};
use rollcall_core::ids::OauthClientId;
use rollcall_runtime::{Caller, Rate};
use rollcall_store::{
    ACCESS_TOKEN_PREFIX, CLIENT_SECRET_PREFIX, NewAccessToken, OauthClient, StoreError, digest, may_be_secret,
};

/// Tokens that a client may ask for: some providers ask for one with each request.
const CLIENT_RATE: Rate = Rate { per_second: 1.0, burst: 100 };

/// A client's name and secret, as it presents them.
pub struct ClientSecret<'a> {
    pub id: &'a str,
    pub secret: &'a str,
}

impl Hub {
    /// The client of a secret. A request takes one rate token of its client.
    ///
    /// # Errors
    /// See [`CallerError`]. A wrong secret counts against the caller's address.
    pub async fn oauth_client(
        &self,
        presented: &ClientSecret<'_>,
        address: &Caller,
        limits: &CallerLimits,
    ) -> Result<OauthClient, CallerError> {
        // The secret is found by its digest, so nothing is compared byte by byte; the client's id is no secret.
        let named = presented.id.parse::<OauthClientId>().ok();
        let named = named.filter(|_| may_be_secret(presented.secret, CLIENT_SECRET_PREFIX));
        let found = match named {
            None => None,
            Some(named) => {
                let digest = digest(presented.secret);
                self.guarded(&digest, address, async || {
                    let client = self.store.oauth_client(&digest).await?;
                    Ok(client.filter(|client| client.client == named))
                })
                .await?
            }
        };
        let Some(client) = found else { return Err(self.refuse(CallerError::Unknown, address, limits).await) };
        let decision = self.cache.rate_limit(&format!("oauth:{}", client.client), CLIENT_RATE).await;
        if decision.allowed { Ok(client) } else { Err(self.too_many(limits, decision.retry_after)) }
    }

    /// Gives a client a token.
    ///
    /// # Errors
    /// [`CallerError::Unknown`] when the client ended since its secret was looked up.
    pub async fn access_token(&self, client: &OauthClient, address: &Caller) -> Result<NewAccessToken, CallerError> {
        match self.store.issue_access_token(client, &address.to_string()).await {
            Ok(issued) => Ok(self.after_commit(issued).await),
            Err(StoreError::NotFound(_)) => Err(CallerError::Unknown),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends a token of the client. Any other text is no token of the client's, and ends nothing.
    ///
    /// # Errors
    /// [`StoreError`] when the database does not answer.
    pub async fn return_token(&self, client: &OauthClient, token: &str) -> Result<(), StoreError> {
        if may_be_secret(token, ACCESS_TOKEN_PREFIX) {
            let ended = self.store.return_access_token(client, &digest(token)).await?;
            self.after_commit(ended).await;
        }
        Ok(())
    }
}
