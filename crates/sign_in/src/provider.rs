//! Providers: their discovery document and signing keys, kept for an hour, and fetched again when a token names a key that is
//! unknown.

use crate::failure::Failure;
use crate::guarded_client::GuardedClient;
use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType,
    CoreSubjectIdentifierType,
};
use openidconnect::{AdditionalProviderMetadata, DiscoveryError, IssuerUrl, ProviderMetadata};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// A document is believed for this time.
const BELIEVED: Duration = Duration::from_secs(3600);
/// A provider is asked again no sooner than this, whatever a stranger's logout tokens name.
pub(crate) const PAUSE: Duration = Duration::from_secs(10);
/// The same after a token that the provider itself gave for a code: that answer was a request to it already.
pub(crate) const PAUSE_OF_CODES: Duration = Duration::from_secs(1);
/// Providers that are remembered; beyond that, those whose document is old are forgotten, and a further one is asked each time.
const REMEMBERED: usize = 10_000;

/// Members of the document that the library does not know.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Extra {
    /// RFC 9207 §3.
    #[serde(default)]
    pub(crate) authorization_response_iss_parameter_supported: bool,
    /// OpenID Connect RP-Initiated Logout 1.0 §2.1.
    #[serde(default)]
    pub(crate) end_session_endpoint: Option<String>,
}

impl AdditionalProviderMetadata for Extra {}

pub(crate) type Metadata = ProviderMetadata<
    Extra,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

struct Known {
    /// The last time that the provider was asked, and the one at which it said what is kept.
    asked: Instant,
    said: Instant,
    found: Result<Arc<Metadata>, Failure>,
}

impl Known {
    fn is_believed(&self) -> bool {
        if self.found.is_ok() { self.said.elapsed() < BELIEVED } else { self.asked.elapsed() < PAUSE }
    }
}

/// The providers of all tenants. Cheap to clone; clones share what they know.
#[derive(Clone)]
pub struct Providers {
    pub(crate) client: GuardedClient,
    known: Arc<std::sync::Mutex<HashMap<String, Slot>>>,
}

/// One provider; its lock lets one request at a time ask it.
type Slot = Arc<Mutex<Option<Known>>>;

impl Providers {
    pub fn new(client: GuardedClient) -> Self {
        Self { client, known: Arc::default() }
    }

    /// Asks whether there is a provider with this issuer, and remembers nothing: anybody may name any.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn check(&self, issuer: &str) -> Result<(), Failure> {
        self.discover(issuer).await.map(drop)
    }

    /// The document and keys of a provider.
    pub(crate) async fn metadata(&self, issuer: &str) -> Result<Arc<Metadata>, Failure> {
        self.believed(issuer, Known::is_believed).await
    }

    /// The same, asked again because a key or something else of it has changed.
    pub(crate) async fn again(&self, issuer: &str, pause: Duration) -> Result<Arc<Metadata>, Failure> {
        self.believed(issuer, |known| known.asked.elapsed() < pause).await
    }

    async fn believed(&self, issuer: &str, believe: impl Fn(&Known) -> bool) -> Result<Arc<Metadata>, Failure> {
        let slot = self.slot(issuer);
        let mut slot = slot.lock().await;
        if let Some(known) = slot.as_ref().filter(|known| believe(known)) {
            return known.found.clone();
        }
        let found = self.discover(issuer).await.map(Arc::new);
        // A provider that does not answer once does not take away what it said before.
        let kept = match (&found, slot.take()) {
            (Err(_), Some(Known { found: Ok(before), said, .. })) if said.elapsed() < BELIEVED => {
                Known { asked: Instant::now(), said, found: Ok(before) }
            }
            _ => Known { asked: Instant::now(), said: Instant::now(), found },
        };
        let answer = kept.found.clone();
        *slot = Some(kept);
        answer
    }

    fn slot(&self, issuer: &str) -> Slot {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED && !known.contains_key(issuer) {
            // A slot that somebody waits for or holds is in use.
            known.retain(|_, slot| {
                Arc::strong_count(slot) > 1
                    || slot.try_lock().is_ok_and(|known| known.as_ref().is_some_and(Known::is_believed))
            });
        }
        if known.len() >= REMEMBERED && !known.contains_key(issuer) {
            return Slot::default();
        }
        Arc::clone(known.entry(issuer.to_owned()).or_default())
    }

    async fn discover(&self, issuer: &str) -> Result<Metadata, Failure> {
        let url = issuer_url(issuer)?;
        self.client.check(url.url())?;
        let metadata = Metadata::discover_async(url, &self.client).await.map_err(|error| no_provider(issuer, error))?;
        // The document may name any address; each is checked again when it is called, and the browser is sent to this one.
        self.client.check(metadata.authorization_endpoint().url())?;
        if metadata.token_endpoint().is_none() {
            return Err(Failure::NoProvider(format!(
                "{issuer} has no token endpoint: connect one that knows the authorization code"
            )));
        }
        Ok(metadata)
    }
}

fn issuer_url(issuer: &str) -> Result<IssuerUrl, Failure> {
    let url = IssuerUrl::new(issuer.to_owned()).map_err(|error| {
        Failure::Address(format!("the issuer {issuer:?} is no address like https://login.example: {error}"))
    })?;
    if url.url().query().is_some() || url.url().fragment().is_some() {
        return Err(Failure::Address(format!("the issuer {issuer:?} has a query or a fragment, which no issuer has")));
    }
    Ok(url)
}

fn no_provider(issuer: &str, error: DiscoveryError<Failure>) -> Failure {
    let why = match error {
        DiscoveryError::Request(failure) => return failure,
        DiscoveryError::Response(status, ..) => format!("it answers {status}"),
        DiscoveryError::Parse(error) => format!("its document has not the form of OpenID Connect Discovery: {error}"),
        error => error.to_string(),
    };
    Failure::NoProvider(format!(
        "there is no OpenID provider with the issuer {issuer}: {why}; copy the issuer as `.well-known/openid-configuration` below it names itself"
    ))
}
