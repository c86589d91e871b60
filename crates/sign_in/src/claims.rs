//! The claims of a person, read from a token that was checked.

use crate::failure::Failure;
use crate::flow::CLOCK_SKEW;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

/// Claims beyond this are refused; a list of groups of some thousand names fits.
const CLAIMS_BYTES_MAX: usize = 256 * 1024;

/// Claims as the provider spelled them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims {
    all: Map<String, Value>,
    unanswered: bool,
}

impl Claims {
    /// The payload of a signed token; the caller has checked the signature.
    pub(crate) fn of_checked(token: &str) -> Result<Self, Failure> {
        let payload = token.split('.').nth(1).unwrap_or_default();
        let unread = || Failure::not_believed("its token cannot be read");
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(payload).map_err(|_| unread())?;
        if bytes.len() > CLAIMS_BYTES_MAX {
            return Err(Failure::not_believed(format!(
                "its token has more than {CLAIMS_BYTES_MAX} bytes of claims: send fewer groups"
            )));
        }
        let claims: Map<String, Value> = serde_json::from_slice(&bytes).map_err(|_| unread())?;
        // No database keeps it, and no name has it.
        if claims.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)) {
            return Err(Failure::not_believed("its token holds NUL (U+0000)"));
        }
        Ok(Self { all: claims, unanswered: false })
    }

    /// Adds the claims that are not there yet.
    pub(crate) fn complete(&mut self, others: Map<String, Value>) {
        for (name, value) in others.into_iter().filter(|(_, value)| !holds_nul(value)) {
            self.all.entry(name).or_insert(value);
        }
    }

    pub(crate) fn note_unanswered(&mut self) {
        self.unanswered = true;
    }

    pub fn all(&self) -> &Map<String, Value> {
        &self.all
    }

    /// True if the provider was asked for claims that the token has not, and did not answer: what is missing may be there.
    pub const fn is_unanswered(&self) -> bool {
        self.unanswered
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.all.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// When the person proved to be the one; `None` where the provider does not say, or says 0 (glewlwyd) or a time to come.
    pub fn authenticated_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let seconds = self.all.get("auth_time")?.as_f64()?;
        let at = DateTime::from_timestamp(seconds as i64, 0).filter(|_| seconds > 0.0)?;
        (at <= now + CLOCK_SKEW).then_some(at.min(now))
    }

    pub fn subject(&self) -> &str {
        self.text("sub").unwrap_or_default()
    }

    /// `None` where the provider does not say (Core §5.1 leaves it open). Some send a text.
    pub fn email_verified(&self) -> Option<bool> {
        match self.all.get("email_verified")? {
            Value::Bool(verified) => Some(*verified),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }
}

fn holds_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(holds_nul),
        Value::Object(entries) => entries.iter().any(|(name, value)| name.contains('\0') || holds_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(claims: &Value) -> Claims {
        let payload = BASE64_URL_SAFE_NO_PAD.encode(claims.to_string());
        Claims::of_checked(&format!("head.{payload}.signature")).expect("claims")
    }

    #[test]
    fn the_spellings_of_a_verified_address() {
        let verified = |value: Value| of(&json!({ "email_verified": value })).email_verified();
        assert_eq!(verified(json!(true)), Some(true));
        assert_eq!(verified(json!("true")), Some(true));
        assert_eq!(verified(json!(false)), Some(false));
        assert_eq!(verified(json!("false")), Some(false));
        assert_eq!(verified(json!("yes")), None);
        assert_eq!(verified(json!(null)), None);
        assert_eq!(of(&json!({})).email_verified(), None);
    }

    #[test]
    fn the_time_of_the_proof_is_read_as_it_comes() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).expect("a time");
        let at = |value: Value| of(&json!({ "auth_time": value })).authenticated_at(now).map(|at| at.timestamp());
        assert_eq!(at(json!(1_799_999_900)), Some(1_799_999_900));
        assert_eq!(at(json!(1_799_999_900.75)), Some(1_799_999_900));
        assert_eq!(at(json!(1_800_000_030)), Some(1_800_000_000), "clocks differ a little");
        for value in [json!(0), json!(1_800_000_090), json!(1e300), json!(-5), json!("1799999900"), json!(null)] {
            assert_eq!(at(value.clone()), None, "{value}");
        }
    }

    #[test]
    fn what_the_token_says_counts_before_what_is_added() {
        let mut claims = of(&json!({ "sub": "ann", "email": "ann@acme.example" }));
        claims.complete(json!({ "email": "eve@evil.example", "name": "Ann" }).as_object().expect("an object").clone());
        assert_eq!((claims.text("email"), claims.text("name")), (Some("ann@acme.example"), Some("Ann")));
    }
}
