//! Sign-in by the identity provider of a tenant. The state of a sign-in that was begun is sealed and kept by the browser, so that
//! strangers who begin sign-ins fill no table, and a sign-in ends in the browser that began it.

use crate::Hub;
use crate::caller::{CallerError, CallerLimits};
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_core::ids::{CredentialId, MemberId, SignInConnectionId, TenantId};
use rollcall_core::operator_rule::NoOperator;
use rollcall_core::sign_in::{Asserted, Unrecognised, domain_of};
use rollcall_runtime::Caller;
use rollcall_sign_in::{
    Attempt, Claims, DomainNames, Failure, LogoutToken, Proof, ProviderAnswer, Providers, Registration,
};
use rollcall_store::{
    AdminScope, ConnectionTest, Domain, OpenConnection, ProviderLogout, ProviderPerson, ProviderSignIn, SignInClient,
    StartedSession, StoreError, Trial,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};

/// A sign-in that was begun can be ended for this time.
pub const SIGN_IN_TIME: TimeDelta = TimeDelta::minutes(10);
/// The place for which the state of a sign-in is sealed.
const PLACE: &str = "a sign-in in a browser";
/// Claims that are longer are shown by their length.
const CLAIM_BYTES_MAX: usize = 2048;
/// A longer name of a session at the provider is not kept.
const SESSION_BYTES_MAX: usize = 1024;
/// Longest error code of a provider that is shown.
const ERROR_CODE_MAX: usize = 100;
/// Longest address (RFC 5321 §4.5.3.1, with its local part, `@` and domain).
const ADDRESS_BYTES_MAX: usize = 320;
/// Proven domains that are looked at in one sweep.
const DOMAINS_OF_A_SWEEP: u32 = 100;

/// Sign-ins by providers. Cheap to clone.
#[derive(Clone)]
pub struct ProviderSignIns {
    pub hub: Hub,
    pub providers: Providers,
    pub names: DomainNames,
}

/// Why a sign-in by a provider does not end in a session.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    #[error(transparent)]
    Provider(#[from] Failure),
    #[error("{0}")]
    Unrecognised(#[from] Unrecognised),
    #[error(
        "you are a member of this organisation, and may not sign in: only owners, admins, auditors and billing contacts do who are \
         active; ask an owner"
    )]
    NotAllowed,
    #[error(
        "no organisation signs in by an identity provider for the domain of this address: open the link that you were given"
    )]
    NoProvider,
    #[error(
        "your organisation's sign-in by this identity provider was switched off meanwhile: start again, or ask an owner"
    )]
    SwitchedOff,
    #[error("this sign-in was begun in another browser, was ended, or is older than 10 minutes: start it again")]
    Stale,
    #[error("operators of this service do not sign in by a provider: use an operator's key, or set `operators.issuer`")]
    NoOperators,
    #[error(transparent)]
    NoOperator(NoOperator),
    #[error("sign in first: a connection is tried by the person who sets it up")]
    NobodyTests,
    #[error(transparent)]
    Caller(#[from] CallerError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A sign-in that was begun.
pub struct BegunSignIn {
    /// The provider's address, for the browser.
    pub url: String,
    /// The sealed state, for a cookie.
    pub state: Vec<u8>,
}

/// The parameters with which the browser comes back from the provider.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Return {
    pub state: Option<String>,
    pub code: Option<String>,
    pub iss: Option<String>,
    pub error: Option<String>,
    pub error_description: Option<String>,
}

/// A sign-in that came to its end.
pub enum Finished {
    SignedIn(StartedSession),
    /// A connection was tried.
    Tested {
        accepted: bool,
        report: Json,
    },
}

/// The state of a sign-in, which the browser keeps sealed.
#[derive(Serialize, Deserialize)]
struct Kept {
    tenant: TenantId,
    connection: SignInConnectionId,
    state: String,
    nonce: String,
    verifier: String,
    ends: DateTime<Utc>,
    /// The member who tries the connection.
    tester: Option<MemberId>,
}

/// The addresses of the hub that a tenant's provider has to know, below the hub's own address.
pub fn redirect_path(tenant: TenantId) -> String {
    format!("/sign-in/callback/{tenant}")
}

pub fn backchannel_logout_path(tenant: TenantId) -> String {
    format!("/sign-in/logout/{tenant}")
}

fn registration(connection: &OpenConnection, base: &str) -> Registration {
    let groups = connection.groups_from_sign_in.iter().map(|setting| setting.claim.clone());
    Registration {
        issuer: connection.issuer.clone(),
        client_id: connection.client_id.clone(),
        client_secret: connection.client_secret.clone(),
        redirect_uri: format!("{}{}", base.trim_end_matches('/'), redirect_path(connection.tenant)),
        claims: connection.role_rules.iter().map(|rule| rule.claim.clone()).chain(groups).collect(),
    }
}

impl ProviderSignIns {
    /// Counts a request of a stranger against the rate of the stranger's address.
    ///
    /// # Errors
    /// [`CallerError::RateLimited`].
    pub async fn take_turn(&self, address: &Caller, limits: &CallerLimits) -> Result<(), CallerError> {
        self.hub.take_rate_token(&format!("sign-in:{address}"), limits).await
    }

    /// Begins the sign-in of somebody with this address. Only its domain is looked at, so that nobody learns which addresses exist.
    ///
    /// # Errors
    /// See [`SignInError`].
    pub async fn begin(&self, email: &str, base: &str) -> Result<BegunSignIn, SignInError> {
        let email = email.trim();
        let domain = domain_of(email).filter(|_| email.len() <= ADDRESS_BYTES_MAX).ok_or(SignInError::NoProvider)?;
        let tenant = self.hub.store.tenant_of_domain(&domain).await?.ok_or(SignInError::NoProvider)?;
        let connection = self.hub.store.connection_in_use(tenant).await?.ok_or(SignInError::NoProvider)?;
        self.begun(&connection, base, Some(email), None).await
    }

    /// Begins the trial of a connection by a member.
    ///
    /// # Errors
    /// See [`SignInError`].
    pub async fn begin_test(
        &self,
        scope: &AdminScope,
        id: SignInConnectionId,
        base: &str,
    ) -> Result<BegunSignIn, SignInError> {
        let tester = scope.member().ok_or(SignInError::NobodyTests)?;
        let connection = self.hub.store.open_connection(scope.tenant(), id).await?;
        self.begun(&connection, base, None, Some(tester)).await
    }

    async fn begun(
        &self,
        connection: &OpenConnection,
        base: &str,
        login_hint: Option<&str>,
        tester: Option<MemberId>,
    ) -> Result<BegunSignIn, SignInError> {
        let begun = self.providers.begin(&registration(connection, base), login_hint).await?;
        let Attempt { nonce, verifier } = begun.attempt;
        let ends = self.hub.store.clock.now() + SIGN_IN_TIME;
        let (tenant, connection) = (connection.tenant, connection.id);
        let kept = Kept { tenant, connection, state: begun.state, nonce, verifier, ends, tester };
        let kept = serde_json::to_vec(&kept).map_err(|error| StoreError::Invalid(error.to_string()))?;
        Ok(BegunSignIn { url: begun.url, state: self.hub.store.sealing()?.seal(PLACE, &kept)? })
    }

    /// Ends a sign-in whose browser came back from the provider.
    ///
    /// # Errors
    /// See [`SignInError`].
    pub async fn finish(
        &self,
        tenant: TenantId,
        sealed: &[u8],
        returned: &Return,
        base: &str,
        client: &SignInClient,
        tester: Option<&AdminScope>,
    ) -> Result<Finished, SignInError> {
        let kept = self.kept(tenant, sealed, returned)?;
        let connection = self.hub.store.open_connection(tenant, kept.connection).await?;
        let claims = self.claims(&connection, &kept, returned, base).await;
        if let Some(member) = kept.tester {
            let tester = tester.filter(|scope| scope.tenant() == tenant && scope.member() == Some(member));
            return self.tested(&connection, claims, tester.ok_or(SignInError::NobodyTests)?).await;
        }
        let claims = claims?;
        let signed_in = self
            .hub
            .store
            .sign_in_by_provider(&connection, &person(&claims, self.hub.store.clock.now()), client)
            .await?;
        match self.hub.after_commit(signed_in).await {
            ProviderSignIn::SignedIn(session) => Ok(Finished::SignedIn(session)),
            ProviderSignIn::Unrecognised(why) => Err(why.into()),
            ProviderSignIn::NotAllowed(_) => Err(SignInError::NotAllowed),
            ProviderSignIn::SwitchedOff => Err(SignInError::SwitchedOff),
        }
    }

    fn kept(&self, tenant: TenantId, sealed: &[u8], returned: &Return) -> Result<Kept, SignInError> {
        let opened = self.hub.store.sealing()?.open(PLACE, sealed).ok_or(SignInError::Stale)?;
        let kept: Kept = serde_json::from_slice(&opened).map_err(|_| SignInError::Stale)?;
        let is_this = returned.state.as_ref() == Some(&kept.state) && kept.tenant == tenant;
        if is_this && kept.ends > self.hub.store.clock.now() { Ok(kept) } else { Err(SignInError::Stale) }
    }

    async fn claims(
        &self,
        connection: &OpenConnection,
        kept: &Kept,
        returned: &Return,
        base: &str,
    ) -> Result<Claims, Failure> {
        if let Some(code) = &returned.error {
            let code = code.chars().filter(char::is_ascii_graphic).take(ERROR_CODE_MAX).collect();
            return Err(Failure::Refused { code, description: returned.error_description.clone() });
        }
        let code = returned.code.clone().unwrap_or_default();
        let answer = ProviderAnswer { code, issuer: returned.iss.clone() };
        let attempt = Attempt { nonce: kept.nonce.clone(), verifier: kept.verifier.clone() };
        self.providers.finish(&registration(connection, base), &attempt, &answer, self.hub.store.clock.now()).await
    }

    async fn tested(
        &self,
        connection: &OpenConnection,
        claims: Result<Claims, Failure>,
        tester: &AdminScope,
    ) -> Result<Finished, SignInError> {
        let (subject, accepted, report) = match claims {
            Err(failure) => (None, false, json!({ "outcome": "failed", "why": failure.to_string() })),
            Ok(claims) => {
                let subject = claims.subject().to_owned();
                let Trial { outcome, ruled, groups } =
                    self.hub.store.would_sign_in(connection, &person(&claims, self.hub.store.clock.now())).await?;
                let accepted = matches!(outcome, ProviderSignIn::SignedIn(_));
                let mut report = match outcome {
                    ProviderSignIn::SignedIn((Some(member), role)) => {
                        json!({ "outcome": "recognised", "member_id": member, "role": role })
                    }
                    ProviderSignIn::SignedIn((None, role)) => json!({ "outcome": "would_join", "role": role }),
                    ProviderSignIn::NotAllowed(member) => {
                        json!({ "outcome": "not_allowed", "member_id": member, "why": SignInError::NotAllowed.to_string() })
                    }
                    ProviderSignIn::SwitchedOff => {
                        json!({ "outcome": "failed", "why": SignInError::SwitchedOff.to_string() })
                    }
                    ProviderSignIn::Unrecognised(why) => json!({ "outcome": "unrecognised", "why": why.to_string() }),
                };
                report["ruled"] = json!(ruled);
                report["groups"] = json!({ "joins": groups.joins, "leaves": groups.leaves });
                report["claims"] = Json::Object(shown(&claims));
                (Some(subject), accepted, report)
            }
        };
        let test = ConnectionTest { subject, accepted, report: report.clone() };
        self.hub.store.note_connection_test(tester, connection.id, test).await?;
        Ok(Finished::Tested { accepted, report })
    }

    /// Ends sessions as a provider's logout token says; returns how many.
    ///
    /// # Errors
    /// See [`SignInError`].
    pub async fn logout(&self, tenant: TenantId, token: &str) -> Result<usize, SignInError> {
        let (issuer, audiences) = LogoutToken::claimed(token)?;
        // Also one that is off by now: sessions that it began may last.
        let connection =
            self.hub.store.connection_of(tenant, &issuer, &audiences).await?.ok_or(SignInError::NoProvider)?;
        let now = self.hub.store.clock.now();
        // A logout token has no address of this hub in it.
        let token = self.providers.logout_token(&registration(&connection, "http://hub.invalid"), token, now).await?;
        let logout = ProviderLogout {
            token: &token.id,
            ends: token.ends,
            subject: token.subject.as_deref(),
            // A name that is too long was not kept: the person's every session ends.
            session: token.session.as_deref().filter(|name| name.len() <= SESSION_BYTES_MAX || token.subject.is_none()),
        };
        let ended = self.hub.store.signed_out_at_provider(&connection, &logout).await?;
        let ended = self.hub.after_commit(ended).await;
        self.hub.sessions.forget_all();
        Ok(ended)
    }

    /// The address at which the provider of a session signs the person out too, if there is one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn logout_url(
        &self,
        scope: &AdminScope,
        session: CredentialId,
        back: &str,
    ) -> Result<Option<String>, StoreError> {
        let connection = match self.hub.store.connection_of_session(scope, session).await {
            // Without the key of its secret nobody signs in by it, and everybody signs out here.
            Ok(None) | Err(StoreError::Conflict(_)) => return Ok(None),
            Ok(Some(connection)) => connection,
            Err(error) => return Err(error),
        };
        Ok(self.providers.logout_url(&registration(&connection, back), back).await)
    }

    /// Looks for the record of a domain.
    ///
    /// # Errors
    /// See [`SignInError`].
    pub async fn check_domain(&self, scope: &AdminScope, domain: &Domain) -> Result<(Domain, Proof), SignInError> {
        let proof = self.names.proof(&domain.domain, &domain.challenge).await?;
        let found = proof == Proof::Found;
        Ok((self.hub.store.note_domain_check(scope, domain.id.into(), found).await?, proof))
    }

    /// Looks again for the records of proven domains, those that are due.
    pub async fn recheck_domains(&self) {
        let due = match self.hub.store.due_domains(DOMAINS_OF_A_SWEEP).await {
            Ok(due) => due,
            Err(error) => return tracing::warn!(%error, "the domains to be checked cannot be read"),
        };
        for domain in due {
            // A name server that does not answer counts as a missing record, which the domain survives for days; were it passed over,
            // a hundred such domains would keep all others from their turn.
            let found =
                self.names.proof(&domain.domain, &domain.challenge).await.is_ok_and(|proof| proof == Proof::Found);
            if let Err(error) = self.hub.store.note_domain_recheck(&domain, found).await {
                tracing::warn!(%error, domain = domain.domain, "the check of a domain cannot be noted");
            }
        }
    }
}

fn person(claims: &Claims, now: DateTime<Utc>) -> ProviderPerson<'_> {
    ProviderPerson {
        subject: claims.subject(),
        asserted: Asserted {
            email: claims.text("email"),
            email_verified: claims.email_verified(),
            hosted_domain: claims.text("hd"),
        },
        session: claims.text("sid").filter(|session| session.len() <= SESSION_BYTES_MAX),
        authenticated_at: claims.authenticated_at(now),
        claims: claims.all(),
        unanswered: claims.is_unanswered(),
    }
}

/// The claims for people: those of the token's own machinery are left out, and long ones are shown by their length.
fn shown(claims: &Claims) -> Map<String, Json> {
    let machinery = ["nonce", "at_hash", "c_hash", "s_hash"];
    let short = |value: &Json| match value.to_string().len() {
        length if length > CLAIM_BYTES_MAX => json!(format!("({length} bytes)")),
        _ => value.clone(),
    };
    let shown = claims.all().iter().filter(|(name, _)| !machinery.contains(&name.as_str()));
    shown.take(100).map(|(name, value)| (name.clone(), short(value))).collect()
}
