//! Roles by claims: the rules of a connection say which role a person has whom its provider signs in (decision 0083).
//!
//! A role by rule is a loan: the member keeps the role that people gave, and has the rule's while the claim is there. Owners are made by
//! owners alone, so no rule gives that role and none reaches one who has it.

use crate::roster::Role;
use crate::text_enum::text_enum;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

/// Most rules of a connection.
pub const RULES_MAX: usize = 50;
/// Longest claim and value of a rule, in bytes.
pub const RULE_TEXT_BYTES_MAX: usize = 256;

text_enum! {
    /// The authority that a rule gives.
    RuledRole { Admin = "admin", Auditor = "auditor", BillingContact = "billing_contact" }
}

/// A role for everybody who has this value in this claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleRule {
    /// The name of a claim at the top of the token.
    pub claim: String,
    /// The claim's text, or one element of its list; numbers and booleans as JSON writes them.
    pub value: String,
    pub role: RuledRole,
}

/// Claims about a person that the person may often write, and those of the token's own machinery (OpenID Connect Core §2, §5.1).
const NOT_OF_THE_ORGANISATION: [&str; 33] = [
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "email",
    "email_verified",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "phone_number",
    "phone_number_verified",
    "address",
    "updated_at",
    "iss",
    "aud",
    "exp",
    "iat",
    "nbf",
    "jti",
    "nonce",
    "auth_time",
    "at_hash",
    "c_hash",
    "s_hash",
    "sid",
    "azp",
    "_claim_names",
];

impl RoleRule {
    fn check(&self) -> Result<(), String> {
        for (name, text) in [("claim", &self.claim), ("value", &self.value)] {
            if text.is_empty() || text.len() > RULE_TEXT_BYTES_MAX || text.chars().any(char::is_control) {
                return Err(format!(
                    "the {name} of a rule has 1 to {RULE_TEXT_BYTES_MAX} bytes, and no control characters"
                ));
            }
        }
        if NOT_OF_THE_ORGANISATION.contains(&self.claim.as_str()) {
            return Err(format!(
                "the claim `{}` gives no role: people write such claims themselves, or every token has them; name one by which your \
                 organisation says what somebody is, for instance `groups`",
                self.claim
            ));
        }
        Ok(())
    }

    fn matches(&self, claims: &Map<String, Json>) -> bool {
        match claims.get(&self.claim) {
            Some(Json::Array(items)) => items.iter().any(|item| self.is_value(item)),
            Some(claim) => self.is_value(claim),
            None => false,
        }
    }

    fn is_value(&self, value: &Json) -> bool {
        match value {
            Json::String(text) => *text == self.value,
            Json::Bool(flag) => self.value == if *flag { "true" } else { "false" },
            Json::Number(number) => number.to_string() == self.value,
            Json::Null | Json::Array(_) | Json::Object(_) => false,
        }
    }

    /// The provider has the claim elsewhere, which the hub does not read (OpenID Connect Core §5.6.2). Entra does so with many groups.
    fn is_elsewhere(&self, claims: &Map<String, Json>) -> bool {
        let named = claims.get("_claim_names").and_then(Json::as_object);
        !claims.contains_key(&self.claim) && named.is_some_and(|named| named.contains_key(&self.claim))
    }
}

/// Checks the rules that somebody sets.
///
/// # Errors
/// The problem, for people.
pub fn check(rules: &[RoleRule]) -> Result<(), String> {
    if rules.len() > RULES_MAX {
        return Err(format!("a connection has at most {RULES_MAX} rules: give the people of several groups one group"));
    }
    rules.iter().try_for_each(RoleRule::check)
}

/// The authority that rules give to a person.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ruled {
    /// The strongest role; none where no rule gives one.
    pub role: Option<Role>,
    pub billing_contact: bool,
    /// The rules that match.
    pub rules: Vec<RoleRule>,
    /// A claim is not there although the person may have it, so that nothing is taken back.
    pub incomplete: bool,
}

impl Ruled {
    /// `unanswered` is true where the provider did not answer a question for claims.
    pub fn by(rules: &[RoleRule], claims: &Map<String, Json>, unanswered: bool) -> Self {
        let mut ruled = Self::default();
        for rule in rules {
            ruled.incomplete |= rule.is_elsewhere(claims) || (unanswered && !claims.contains_key(&rule.claim));
            if !rule.matches(claims) {
                continue;
            }
            match rule.role {
                RuledRole::Admin => ruled.role = Some(Role::Admin),
                RuledRole::Auditor => ruled.role = ruled.role.or(Some(Role::Auditor)),
                RuledRole::BillingContact => ruled.billing_contact = true,
            }
            ruled.rules.push(rule.clone());
        }
        ruled
    }

    pub const fn gives_something(&self) -> bool {
        self.role.is_some() || self.billing_contact
    }
}

/// The authority of a member, and the part of it that a rule lends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authority {
    pub role: Role,
    pub billing_contact: bool,
    /// The role that people gave, where a rule lends a stronger one.
    pub role_before_rule: Option<Role>,
    /// A rule lends the duty of a billing contact.
    pub contact_by_rule: bool,
}

impl Authority {
    /// The authority that people gave.
    pub const fn given(role: Role, billing_contact: bool) -> Self {
        Self { role, billing_contact, role_before_rule: None, contact_by_rule: false }
    }

    /// The authority after a sign-in: what people gave, and what the rules lend now. An owner stays as they are.
    #[must_use]
    pub fn under(self, ruled: &Ruled) -> Self {
        if self.role == Role::Owner {
            return self;
        }
        let own = self.role_before_rule.unwrap_or(self.role);
        let mut role = ruled.role.filter(|role| !own.is_at_least(*role)).unwrap_or(own);
        let own_contact = self.billing_contact && !self.contact_by_rule;
        let mut billing_contact = own_contact || ruled.billing_contact;
        if ruled.incomplete {
            role = if role.is_at_least(self.role) { role } else { self.role };
            billing_contact |= self.billing_contact;
        }
        Self {
            role,
            billing_contact,
            role_before_rule: (role != own).then_some(own),
            contact_by_rule: billing_contact && !own_contact,
        }
    }

    /// The role with which an active member of this authority signs in.
    pub const fn signs_in_as(self) -> Option<Role> {
        self.role.signs_in_as(self.billing_contact)
    }
}

#[cfg(test)]
mod tests;
