//! The people of the hosted service, as its settings name them (decision 0092): by their addresses, or by a claim of their provider.

use crate::email::fold;
use serde_json::{Map, Value as Json};
use std::collections::BTreeSet;

/// The rule that says who is an operator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperatorRule {
    /// Folded.
    emails: BTreeSet<String>,
    /// A claim, and the value that an operator has in it.
    claim: Option<(String, String)>,
}

/// A person whom the provider has signed in.
#[derive(Clone, Copy, Debug)]
pub struct OperatorClaims<'a> {
    /// The address, if the provider says that it is verified.
    pub verified_email: Option<&'a str>,
    pub all: &'a Map<String, Json>,
}

/// The operator that the hub knows by this identity or address.
#[derive(Clone, Copy, Debug)]
pub enum KnownOperator<'a> {
    /// The subject signed in before, with this address.
    Tied { email: Option<&'a str>, revoked: bool },
    /// Nobody of this subject did. `address_is_anothers`: another subject has the address.
    New { address_is_anothers: bool },
}

/// How a person is an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    ByAddress,
    ByClaim,
}

/// Why a person is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoOperator {
    #[error("you are not among the operators of this service: ask one of them to have you named in its settings")]
    NotNamed,
    #[error("your access as an operator was revoked: another operator restores it (`rollcall operator restore`)")]
    Revoked,
    #[error(
        "your address is tied to another account of the provider, which signed in as an operator before: another operator revokes that \
         one first (`rollcall operator revoke`)"
    )]
    TiedToAnother,
}

impl OperatorRule {
    /// # Errors
    /// The problem, for the person who sets it.
    pub fn of(emails: &str, claim: &str, value: &str) -> Result<Self, String> {
        let emails: BTreeSet<String> =
            emails.split([',', ' ', '\n']).map(str::trim).filter(|email| !email.is_empty()).map(fold).collect();
        let claim = match (claim.trim(), value.trim()) {
            ("", "") => None,
            ("", _) | (_, "") => return Err("operators.claim and operators.claim_value go together: set both".into()),
            (claim, value) => Some((claim.to_owned(), value.to_owned())),
        };
        if emails.is_empty() && claim.is_none() {
            return Err("name the operators: their addresses in operators.emails, or a claim in operators.claim".into());
        }
        Ok(Self { emails, claim })
    }

    /// True if the settings name this address now.
    pub fn names(&self, email: Option<&str>) -> bool {
        email.is_some_and(|email| self.emails.contains(&fold(email)))
    }

    fn has_claim(&self, claims: &Map<String, Json>) -> bool {
        let Some((claim, value)) = &self.claim else { return false };
        match claims.get(claim) {
            Some(Json::Array(items)) => items.iter().any(|item| item.as_str() == Some(value)),
            Some(Json::String(text)) => text == value,
            _ => false,
        }
    }

    /// Decides about a person. A subject that is tied keeps the address of its first sign-in, so that an address which moves to
    /// somebody else opens nothing.
    ///
    /// # Errors
    /// See [`NoOperator`].
    pub fn admits(&self, claims: OperatorClaims<'_>, known: KnownOperator<'_>) -> Result<Admitted, NoOperator> {
        let by_claim = self.has_claim(claims.all);
        match known {
            KnownOperator::Tied { revoked: true, .. } => Err(NoOperator::Revoked),
            _ if by_claim => Ok(Admitted::ByClaim),
            KnownOperator::Tied { email, .. } if self.names(email) => Ok(Admitted::ByAddress),
            KnownOperator::New { address_is_anothers } if self.names(claims.verified_email) => {
                if address_is_anothers {
                    Err(NoOperator::TiedToAnother)
                } else {
                    Ok(Admitted::ByAddress)
                }
            }
            _ => Err(NoOperator::NotNamed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rule() -> OperatorRule {
        OperatorRule::of("Ann@Host.example, bea@host.example", "groups", "operators").expect("a rule")
    }

    fn admits(email: Option<&str>, claims: Json, known: KnownOperator<'_>) -> Result<Admitted, NoOperator> {
        let all = claims.as_object().expect("an object").clone();
        rule().admits(OperatorClaims { verified_email: email, all: &all }, known)
    }

    const NEW: KnownOperator<'static> = KnownOperator::New { address_is_anothers: false };

    #[test]
    fn an_operator_is_named_by_a_verified_address_or_a_claim() {
        assert_eq!(admits(Some("ann@host.example"), json!({}), NEW), Ok(Admitted::ByAddress));
        assert_eq!(admits(None, json!({ "groups": ["operators"] }), NEW), Ok(Admitted::ByClaim));
        assert_eq!(admits(None, json!({ "groups": "operators" }), NEW), Ok(Admitted::ByClaim));
        for claims in [json!({}), json!({ "groups": ["Operators"] }), json!({ "groups": { "operators": true } })] {
            assert_eq!(admits(Some("eve@host.example"), claims.clone(), NEW), Err(NoOperator::NotNamed), "{claims}");
            assert_eq!(admits(None, claims, NEW), Err(NoOperator::NotNamed));
        }
    }

    #[test]
    fn an_address_that_moves_opens_nothing() {
        let anothers = KnownOperator::New { address_is_anothers: true };
        assert_eq!(admits(Some("ann@host.example"), json!({}), anothers), Err(NoOperator::TiedToAnother));
        let tied = |email, revoked| KnownOperator::Tied { email, revoked };
        let eve = Some("eve@host.example");
        assert_eq!(admits(Some("ann@host.example"), json!({}), tied(eve, false)), Err(NoOperator::NotNamed));
        assert_eq!(admits(eve, json!({}), tied(Some("ann@host.example"), false)), Ok(Admitted::ByAddress));
        let revoked = tied(Some("ann@host.example"), true);
        assert_eq!(admits(None, json!({ "groups": ["operators"] }), revoked), Err(NoOperator::Revoked));
    }

    #[test]
    fn a_rule_names_somebody() {
        for (emails, claim, value) in [("", "", ""), (" , ", "", ""), ("", "groups", ""), ("a@b.c", "", "x")] {
            assert!(OperatorRule::of(emails, claim, value).is_err(), "{emails:?} {claim:?} {value:?}");
        }
    }
}
