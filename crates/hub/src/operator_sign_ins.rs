//! Sign-in of the operators of a hosted service, by the one provider that its settings name (decision 0092). As with the sign-ins of
//! tenants, the browser keeps the sealed state.

use crate::Hub;
use crate::caller::{CallerError, CallerLimits};
use crate::provider_sign_ins::{BegunSignIn, Return, SIGN_IN_TIME, SignInError};
use chrono::{DateTime, Utc};
use rollcall_core::operator_rule::OperatorRule;
use rollcall_runtime::Caller;
use rollcall_sign_in::{Attempt, Failure, ProviderAnswer, Providers, Registration};
use rollcall_store::{
    OPERATOR_SESSION_PREFIX, OperatorPerson, OperatorSession, SignInClient, StartedOperatorSession, StoreError, digest,
    may_be_secret,
};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The place for which the state of a sign-in is sealed: that of a tenant's sign-in opens nothing here.
const PLACE: &str = "a sign-in of an operator in a browser";
/// The provider sends the browser back to this path.
pub const OPERATOR_REDIRECT_PATH: &str = "/sign-in/operator/callback";

/// The registration of the hub at the operators' provider, and who is an operator.
pub struct OperatorConnection {
    pub issuer: String,
    pub client_id: String,
    pub client_secret: Option<String>,
    pub rule: OperatorRule,
    /// A claim that the rule reads.
    pub claim: Option<String>,
    pub providers: Providers,
}

/// Sign-ins of operators. Cheap to clone.
#[derive(Clone)]
pub struct OperatorSignIns {
    pub hub: Hub,
    /// None where the settings name no provider.
    pub connection: Option<Arc<OperatorConnection>>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    state: String,
    nonce: String,
    verifier: String,
    ends: DateTime<Utc>,
}

impl OperatorConnection {
    fn registration(&self, base: &str) -> Registration {
        Registration {
            issuer: self.issuer.clone(),
            client_id: self.client_id.clone(),
            client_secret: self.client_secret.clone(),
            redirect_uri: format!("{}{OPERATOR_REDIRECT_PATH}", base.trim_end_matches('/')),
            claims: self.claim.iter().cloned().collect(),
        }
    }
}

impl OperatorSignIns {
    fn connection(&self) -> Result<&OperatorConnection, SignInError> {
        self.connection.as_deref().ok_or(SignInError::NoOperators)
    }

    /// Begins a sign-in.
    ///
    /// # Errors
    /// See [`SignInError`].
    pub async fn begin(&self, base: &str) -> Result<BegunSignIn, SignInError> {
        let connection = self.connection()?;
        let begun = connection.providers.begin(&connection.registration(base), None).await?;
        let Attempt { nonce, verifier } = begun.attempt;
        let ends = self.hub.store.clock.now() + SIGN_IN_TIME;
        let kept = serde_json::to_vec(&Kept { state: begun.state, nonce, verifier, ends });
        let kept = kept.map_err(|error| StoreError::Invalid(error.to_string()))?;
        Ok(BegunSignIn { url: begun.url, state: self.hub.store.sealing()?.seal(PLACE, &kept)? })
    }

    /// Ends a sign-in whose browser came back from the provider.
    ///
    /// # Errors
    /// See [`SignInError`].
    pub async fn finish(
        &self,
        sealed: &[u8],
        returned: &Return,
        base: &str,
        client: &SignInClient,
    ) -> Result<StartedOperatorSession, SignInError> {
        let connection = self.connection()?;
        let store = &self.hub.store;
        let opened = store.sealing()?.open(PLACE, sealed).ok_or(SignInError::Stale)?;
        let kept: Kept = serde_json::from_slice(&opened).map_err(|_| SignInError::Stale)?;
        if returned.state.as_ref() != Some(&kept.state) || kept.ends <= store.clock.now() {
            return Err(SignInError::Stale);
        }
        if let Some(code) = &returned.error {
            let code = code.chars().filter(char::is_ascii_graphic).take(100).collect();
            return Err(Failure::Refused { code, description: returned.error_description.clone() }.into());
        }
        let answer = ProviderAnswer { code: returned.code.clone().unwrap_or_default(), issuer: returned.iss.clone() };
        let attempt = Attempt { nonce: kept.nonce, verifier: kept.verifier };
        let now = store.clock.now();
        let registration = connection.registration(base);
        let claims = connection.providers.finish(&registration, &attempt, &answer, now).await?;
        let person = OperatorPerson {
            issuer: &connection.issuer,
            subject: claims.subject(),
            verified_email: claims.text("email").filter(|_| claims.email_verified() == Some(true)),
            name: claims.text("name"),
            authenticated_at: claims.authenticated_at(now),
            claims: claims.all(),
        };
        let started = store.sign_in_operator(&connection.rule, &person, client).await?;
        let started = started.map_err(SignInError::NoOperator)?;
        tracing::info!(operator = %started.operator, session = %started.id, address = client.address, "an operator signed in");
        Ok(started)
    }

    /// The operator of a session. Each request looks it up, so that its end is effective at once; and the settings must name the address
    /// still, unless a claim counted at the sign-in.
    ///
    /// # Errors
    /// See [`CallerError`]. An unknown secret counts against the caller's address.
    pub async fn caller(
        &self,
        secret: &str,
        address: &Caller,
        limits: &CallerLimits,
    ) -> Result<OperatorSession, CallerError> {
        let found = match (&self.connection, may_be_secret(secret, OPERATOR_SESSION_PREFIX)) {
            (Some(connection), true) => {
                let digest = digest(secret);
                let found =
                    self.hub.guarded(&digest, address, async || self.hub.store.operator_session(&digest).await).await?;
                found.filter(|session| session.by_claim || connection.rule.names(session.email.as_deref()))
            }
            _ => None,
        };
        let Some(session) = found else {
            return Err(self.hub.refuse(CallerError::Unknown, address, limits).await);
        };
        self.hub.take_rate_token(&format!("operator:{}", session.operator_id), limits).await?;
        Ok(session)
    }
}
