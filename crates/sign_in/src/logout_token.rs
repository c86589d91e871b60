//! Logout tokens (OpenID Connect Back-Channel Logout 1.0 §2.4 to §2.6): the provider tells that a person signed out.

use crate::claims::Claims;
use crate::failure::Failure;
use crate::flow::{CLOCK_SKEW, Registration, is_allowed};
use crate::provider::{Metadata, PAUSE, Providers};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use openidconnect::JsonWebKey;
use openidconnect::core::CoreJwsSigningAlgorithm;
use serde::Deserialize;
use serde_json::Value;

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// A token without an end is believed for this time. The final text of the specification wants an end; its drafts, by which glewlwyd
/// and others still work, had none.
const AGE_MAX: TimeDelta = TimeDelta::minutes(5);
/// Longest identifier of a token.
const JTI_CHARACTERS_MAX: usize = 512;

/// A checked logout token. It names a session, or a person with all sessions, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogoutToken {
    pub subject: Option<String>,
    pub session: Option<String>,
    /// Each token counts once.
    pub id: String,
    /// From then on the token is refused anyway.
    pub ends: DateTime<Utc>,
}

#[derive(Deserialize)]
struct Head {
    alg: CoreJwsSigningAlgorithm,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

impl LogoutToken {
    /// The issuer and the audiences that a token claims, unchecked: they choose the registration that checks it.
    ///
    /// # Errors
    /// [`Failure::NotBelieved`] for what is no token.
    pub fn claimed(token: &str) -> Result<(String, Vec<String>), Failure> {
        let claims = Claims::of_checked(token)?;
        let audiences = match claims.all().get("aud") {
            Some(Value::String(audience)) => vec![audience.clone()],
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        Ok((claims.text("iss").unwrap_or_default().to_owned(), audiences))
    }
}

impl Providers {
    /// Checks a logout token for this registration.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn logout_token(
        &self,
        registration: &Registration,
        token: &str,
        now: DateTime<Utc>,
    ) -> Result<LogoutToken, Failure> {
        let metadata = self.metadata(&registration.issuer).await?;
        let claims = match checked(&metadata, token)? {
            Some(claims) => claims,
            None => {
                let metadata = self.again(&registration.issuer, PAUSE).await?;
                checked(&metadata, token)?
                    .ok_or_else(|| Failure::not_believed("no key of the provider has signed it"))?
            }
        };
        read(registration, &claims, now)
    }
}

/// The claims of a token that one of the provider's keys has signed; `None` where no key has.
fn checked(metadata: &Metadata, token: &str) -> Result<Option<Claims>, Failure> {
    let unread = || Failure::not_believed("it is no signed token");
    let (signed, signature) = token.rsplit_once('.').ok_or_else(unread)?;
    let (head, _) = signed.split_once('.').ok_or_else(unread)?;
    let decoded = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| unread());
    let head: Head = serde_json::from_slice(&decoded(head)?).map_err(|_| unread())?;
    if head.crit.is_some() {
        return Err(Failure::not_believed("it has critical headers that the hub does not know"));
    }
    // The specification recommends `logout+jwt`; a type of another kind of token is refused.
    let kind = head.typ.as_deref().unwrap_or("JWT").to_ascii_lowercase();
    if !["jwt", "logout+jwt", "application/logout+jwt"].contains(&kind.as_str()) {
        return Err(Failure::not_believed(format!("it has the type {kind:?}")));
    }
    if !is_allowed(&head.alg) {
        return Err(Failure::not_believed("its algorithm is none of the provider's asymmetric ones"));
    }
    let signature = decoded(signature)?;
    let keys = metadata.jwks().keys().iter();
    let mut named = keys.filter(|key| head.kid.is_none() || key.key_id().map(|id| id.as_str()) == head.kid.as_deref());
    let by_one = named.any(|key| key.verify_signature(&head.alg, signed.as_bytes(), &signature).is_ok());
    by_one.then(|| Claims::of_checked(token)).transpose()
}

fn read(registration: &Registration, claims: &Claims, now: DateTime<Utc>) -> Result<LogoutToken, Failure> {
    let refuse = |why: &str| Err(Failure::not_believed(why));
    let all = claims.all();
    let time = |name: &str| {
        all.get(name).and_then(Value::as_f64).and_then(|seconds| DateTime::from_timestamp(seconds as i64, 0))
    };
    if claims.text("iss") != Some(registration.issuer.as_str()) {
        return refuse("it is of another issuer");
    }
    let for_us = match all.get("aud") {
        Some(Value::String(audience)) => *audience == registration.client_id,
        Some(Value::Array(audiences)) => {
            audiences.iter().any(|audience| audience.as_str() == Some(&registration.client_id))
        }
        _ => false,
    };
    if !for_us {
        return refuse("it is for another application");
    }
    let is_logout = all.get("events").and_then(|events| events.get(EVENT)).is_some_and(Value::is_object);
    if !is_logout {
        return refuse("it tells of no logout");
    }
    if all.contains_key("nonce") {
        return refuse("it has a nonce, as an id token has");
    }
    let Some(issued) = time("iat") else { return refuse("it does not say when it was made") };
    // Before anything is added to it: a time at the end of all times would overflow.
    if issued > now + CLOCK_SKEW || issued < now - AGE_MAX - CLOCK_SKEW {
        return refuse("its time is over, or has not come");
    }
    let ends = time("exp").unwrap_or(issued + AGE_MAX).min(issued + AGE_MAX) + CLOCK_SKEW;
    if ends <= now {
        return refuse("its time is over, or has not come");
    }
    let id = claims.text("jti").filter(|id| id.chars().count() <= JTI_CHARACTERS_MAX);
    let Some(id) = id else { return refuse("it has no identifier") };
    let (subject, session) = (claims.text("sub").map(str::to_owned), claims.text("sid").map(str::to_owned));
    if subject.is_none() && session.is_none() {
        return refuse("it names neither a person nor a session");
    }
    Ok(LogoutToken { subject, session, id: id.to_owned(), ends })
}
