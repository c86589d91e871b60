//! The authorization code with PKCE (OpenID Connect Core 1.0 §3.1, RFC 7636): the address to which the browser is sent, and the
//! claims that come of its return.

use crate::claims::Claims;
use crate::failure::Failure;
use crate::provider::{Metadata, PAUSE_OF_CODES, Providers};
use chrono::{DateTime, TimeDelta, Utc};
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreErrorResponseType, CoreGenderClaim, CoreIdToken,
    CoreIdTokenVerifier, CoreJwsSigningAlgorithm,
};
use openidconnect::{
    AccessToken, AccessTokenHash, AdditionalClaims, AuthType, AuthorizationCode, ClaimsVerificationError, ClientId,
    ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet, EndpointSet, Nonce, OAuth2TokenResponse,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope, SignatureVerificationError,
    StandardErrorResponse, SubjectIdentifier, TokenResponse, UserInfoClaims,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::time::Duration;
use url::Url;

/// Clocks of provider and hub may differ by this much.
pub(crate) const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(60);

/// The provider asks the person again when the last time was longer ago, and says when it was (`auth_time`).
const AUTHENTICATION_AGE_MAX: Duration = Duration::from_secs(600);

/// The hub as a client of one provider.
#[derive(Clone, Debug)]
pub struct Registration {
    pub issuer: String,
    pub client_id: String,
    /// None for a public client, which PKCE alone protects.
    pub client_secret: Option<String>,
    pub redirect_uri: String,
    /// Claims that are read beyond name and address.
    pub claims: Vec<String>,
}

/// A sign-in that was begun: where the browser goes, and what is kept for its return.
#[derive(Clone, Debug)]
pub struct Begun {
    pub url: String,
    /// Comes back in the answer.
    pub state: String,
    pub attempt: Attempt,
}

/// The secrets of one sign-in that the browser never sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    pub nonce: String,
    pub verifier: String,
}

/// The answer that the browser brings from the provider.
#[derive(Clone, Debug, Default)]
pub struct ProviderAnswer {
    pub code: String,
    /// The provider's name for itself (RFC 9207).
    pub issuer: Option<String>,
}

type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// All algorithms by which a provider alone can sign: neither none, nor one by a secret that the hub knows too.
pub(crate) fn is_allowed(algorithm: &CoreJwsSigningAlgorithm) -> bool {
    ALGORITHMS.contains(algorithm)
}

const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

impl Registration {
    fn client(&self, metadata: &Metadata) -> Result<Client, Failure> {
        let redirect = RedirectUrl::new(self.redirect_uri.clone());
        let redirect = redirect
            .map_err(|error| Failure::Address(format!("the hub's own address {}: {error}", self.redirect_uri)))?;
        let secret = self.client_secret.clone().map(ClientSecret::new);
        let methods = metadata.token_endpoint_auth_methods_supported();
        // The default is the header (OpenID Connect Discovery §3).
        let by_body = methods.is_some_and(|methods| !methods.contains(&CoreClientAuthMethod::ClientSecretBasic));
        let client =
            CoreClient::from_provider_metadata(metadata.clone(), ClientId::new(self.client_id.clone()), secret);
        let by = if by_body { AuthType::RequestBody } else { AuthType::BasicAuth };
        Ok(client.set_redirect_uri(redirect).set_auth_type(by))
    }
}

impl Providers {
    /// Begins a sign-in.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn begin(&self, registration: &Registration, login_hint: Option<&str>) -> Result<Begun, Failure> {
        let metadata = self.metadata(&registration.issuer).await?;
        let client = registration.client(&metadata)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request =
            client.authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random);
        for scope in ["profile", "email"] {
            request = request.add_scope(Scope::new(scope.to_owned()));
        }
        // Some providers send groups for it (Okta, Canaille), and some refuse a scope that they do not know (Entra).
        let groups = Scope::new("groups".to_owned());
        if !registration.claims.is_empty() && metadata.scopes_supported().is_some_and(|known| known.contains(&groups)) {
            request = request.add_scope(groups);
        }
        if let Some(hint) = login_hint {
            request = request.set_login_hint(openidconnect::LoginHint::new(hint.to_owned()));
        }
        // A browser that somebody left is signed in at the provider still: who makes credentials here proves it anew there.
        request = request.set_max_age(AUTHENTICATION_AGE_MAX);
        let (url, state, nonce) = request.set_pkce_challenge(challenge).url();
        let attempt = Attempt { nonce: nonce.secret().clone(), verifier: verifier.secret().clone() };
        Ok(Begun { url: url.to_string(), state: state.secret().clone(), attempt })
    }

    /// The claims of the person whom the provider has signed in.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn finish(
        &self,
        registration: &Registration,
        attempt: &Attempt,
        answer: &ProviderAnswer,
        now: DateTime<Utc>,
    ) -> Result<Claims, Failure> {
        let metadata = self.metadata(&registration.issuer).await?;
        check_issuer(&metadata, &registration.issuer, answer)?;
        let client = registration.client(&metadata)?;
        let exchange = client.exchange_code(AuthorizationCode::new(answer.code.clone()));
        let exchange = exchange.map_err(|error| Failure::NoProvider(error.to_string()))?;
        let exchange = exchange.set_pkce_verifier(PkceCodeVerifier::new(attempt.verifier.clone()));
        let tokens =
            exchange.request_async(&self.client).await.map_err(|error| exchange_failed(&registration.issuer, error))?;
        let id_token =
            tokens.id_token().ok_or_else(|| Failure::not_believed("it has no id token: allow the scope openid"))?;
        let nonce = Nonce::new(attempt.nonce.clone());
        let access = tokens.access_token();
        match checked(&client, id_token, &nonce, access, now) {
            // Keys are rotated: one that is unknown may be a new one (Core §10.1.1).
            Err(Unchecked::UnknownKey) => {
                let client = registration.client(&*self.again(&registration.issuer, PAUSE_OF_CODES).await?)?;
                checked(&client, id_token, &nonce, access, now)
            }
            checked => checked,
        }
        .map_err(Unchecked::failure)?;
        let mut claims = Claims::of_checked(&id_token.to_string())?;
        let lacks = |name: &String| !claims.all().contains_key(name);
        if claims.text("email").is_none() || claims.email_verified().is_none() || registration.claims.iter().any(lacks)
        {
            self.complete(&client, &mut claims, access).await;
        }
        Ok(claims)
    }

    /// Asks for the claims that the token has not; some providers have the address there alone. A provider that does not answer
    /// leaves the claims as they are.
    async fn complete(&self, client: &Client, claims: &mut Claims, access: &AccessToken) {
        let subject = SubjectIdentifier::new(claims.subject().to_owned());
        let Ok(request) = client.user_info(access.clone(), Some(subject)) else { return };
        let answer: Result<UserInfoClaims<AnyClaims, CoreGenderClaim>, _> = request.request_async(&self.client).await;
        match answer.map(|answer| serde_json::to_value(&answer)) {
            Ok(Ok(Value::Object(all))) => claims.complete(all),
            _ => claims.note_unanswered(),
        }
    }

    /// The address at which the provider signs the person out (RP-Initiated Logout 1.0 §2), if it has one.
    pub async fn logout_url(&self, registration: &Registration, back: &str) -> Option<String> {
        let metadata = self.metadata(&registration.issuer).await.ok()?;
        let mut url = Url::parse(metadata.additional_metadata().end_session_endpoint.as_deref()?).ok()?;
        self.client.check(&url).ok()?;
        url.query_pairs_mut()
            .append_pair("client_id", &registration.client_id)
            .append_pair("post_logout_redirect_uri", back);
        Some(url.to_string())
    }
}

/// Claims of any name.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct AnyClaims(Map<String, Value>);

impl AdditionalClaims for AnyClaims {}

/// An answer that names another provider was meant for another sign-in (mix-up, RFC 9207 §2.4).
fn check_issuer(metadata: &Metadata, issuer: &str, answer: &ProviderAnswer) -> Result<(), Failure> {
    match &answer.issuer {
        Some(named) if named != issuer => Err(Failure::not_believed(format!("it names the issuer {named:?}"))),
        None if metadata.additional_metadata().authorization_response_iss_parameter_supported => {
            Err(Failure::not_believed("it does not name its issuer, which this provider always does"))
        }
        _ => Ok(()),
    }
}

enum Unchecked {
    UnknownKey,
    Refused(String),
}

impl Unchecked {
    fn failure(self) -> Failure {
        Failure::not_believed(match self {
            Self::UnknownKey => "its token is signed with a key that the provider does not list".to_owned(),
            Self::Refused(why) => why,
        })
    }
}

impl From<ClaimsVerificationError> for Unchecked {
    fn from(error: ClaimsVerificationError) -> Self {
        let why = match error {
            ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey) => {
                return Self::UnknownKey;
            }
            ClaimsVerificationError::SignatureVerification(error) => {
                format!("its token is not signed as it must be: {error}")
            }
            ClaimsVerificationError::Expired(_) => {
                "its token has ended; if that is so at once, the clocks of provider and hub differ".into()
            }
            error => format!("its token is refused: {error}"),
        };
        Self::Refused(why)
    }
}

fn checked(
    client: &Client,
    token: &CoreIdToken,
    nonce: &Nonce,
    access: &AccessToken,
    now: DateTime<Utc>,
) -> Result<(), Unchecked> {
    let verifier: CoreIdTokenVerifier<'_> =
        client.id_token_verifier().set_allowed_algs(ALGORITHMS).set_time_fn(move || now - CLOCK_SKEW);
    let claims = token.claims(&verifier, nonce)?;
    if claims.issue_time() > now + CLOCK_SKEW {
        let why = "its token was made in the future: the clocks of provider and hub differ";
        return Err(Unchecked::Refused(why.into()));
    }
    let party = claims.authorized_party().map(|party| party.as_str());
    if party.is_some_and(|party| claims.audiences().iter().all(|audience| audience.as_str() != party)) {
        return Err(Unchecked::Refused("its token was made for another application (azp)".into()));
    }
    let Some(expected) = claims.access_token_hash() else { return Ok(()) };
    let other = |error: String| Unchecked::Refused(format!("the hash of its access token cannot be checked: {error}"));
    let algorithm = token.signing_alg().map_err(|error| other(error.to_string()))?;
    let key = token.signing_key(&verifier).map_err(|error| other(error.to_string()))?;
    let hash = AccessTokenHash::from_token(access, algorithm, key).map_err(|error| other(error.to_string()))?;
    if hash == *expected {
        Ok(())
    } else {
        Err(Unchecked::Refused("its access token is of another sign-in (at_hash)".into()))
    }
}

type ExchangeError = RequestTokenError<Failure, StandardErrorResponse<CoreErrorResponseType>>;

fn exchange_failed(issuer: &str, error: ExchangeError) -> Failure {
    match error {
        RequestTokenError::Request(failure) => failure,
        RequestTokenError::ServerResponse(answer) => Failure::Refused {
            code: answer.error().as_ref().to_owned(),
            description: answer.error_description().cloned(),
        },
        RequestTokenError::Parse(error, _) => {
            Failure::not_believed(format!("{issuer} sends tokens that cannot be read: {error}"))
        }
        RequestTokenError::Other(why) => Failure::not_believed(format!("{issuer} sends no tokens: {why}")),
    }
}
