//! The claims of a person, read from a token that was checked.

use crate::failure::Failure;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

/// Claims beyond this are refused; a list of groups of some thousand names fits.
const CLAIMS_BYTES_MAX: usize = 256 * 1024;

/// Claims as the provider spelled them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims(Map<String, Value>);

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
        serde_json::from_slice(&bytes).map(Self).map_err(|_| unread())
    }

    /// Adds the claims that are not there yet.
    pub(crate) fn complete(&mut self, others: Map<String, Value>) {
        for (name, value) in others {
            self.0.entry(name).or_insert(value);
        }
    }

    pub fn all(&self) -> &Map<String, Value> {
        &self.0
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    pub fn subject(&self) -> &str {
        self.text("sub").unwrap_or_default()
    }

    /// `None` where the provider does not say (Core §5.1 leaves it open). Some send a text.
    pub fn email_verified(&self) -> Option<bool> {
        match self.0.get("email_verified")? {
            Value::Bool(verified) => Some(*verified),
            Value::String(text) => text.parse().ok(),
            Value::Number(number) => number.as_i64().map(|number| number == 1),
            _ => None,
        }
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
        assert_eq!(verified(json!(1)), Some(true));
        assert_eq!(verified(json!(false)), Some(false));
        assert_eq!(verified(json!("false")), Some(false));
        assert_eq!(verified(json!(0)), Some(false));
        assert_eq!(verified(json!("yes")), None);
        assert_eq!(verified(json!(null)), None);
        assert_eq!(of(&json!({})).email_verified(), None);
    }

    #[test]
    fn what_the_token_says_counts_before_what_is_added() {
        let mut claims = of(&json!({ "sub": "ann", "email": "ann@acme.example" }));
        claims.complete(json!({ "email": "eve@evil.example", "name": "Ann" }).as_object().expect("an object").clone());
        assert_eq!((claims.text("email"), claims.text("name")), (Some("ann@acme.example"), Some("Ann")));
    }
}
