//! The failures of a sign-in by an identity provider, in words for the person who meets them or sets the provider up.

use thiserror::Error;

#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Failure {
    /// The address of a provider is none that the hub may call.
    #[error("{0}")]
    Address(String),
    #[error("the identity provider at {host} did not answer: {why}; try again, or ask whoever runs it")]
    Unreachable { host: String, why: String },
    /// The address answers, as no provider does.
    #[error("{0}")]
    NoProvider(String),
    /// The provider itself refused, with an error code of OAuth 2.0 or OpenID Connect.
    #[error("the identity provider says `{code}`{}: {}", described(.description), remedy(.code))]
    Refused { code: String, description: Option<String> },
    /// The answer is not to be believed.
    #[error("the answer of the identity provider is not accepted: {0}")]
    NotBelieved(String),
}

impl Failure {
    pub(crate) fn not_believed(why: impl Into<String>) -> Self {
        Self::NotBelieved(why.into())
    }

    /// True where the same request may succeed later.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

/// Characters of a provider's own description that are shown.
const DESCRIPTION_CHARACTERS_MAX: usize = 200;

fn described(description: &Option<String>) -> String {
    let clean = |text: &String| text.chars().filter(|c| !c.is_control()).take(DESCRIPTION_CHARACTERS_MAX).collect();
    description.as_ref().map_or_else(String::new, |text| {
        let text: String = clean(text);
        format!(" ({text})")
    })
}

/// The remedy for an error code (RFC 6749 §4.1.2.1 and §5.2, OpenID Connect Core §3.1.2.6).
fn remedy(code: &str) -> &'static str {
    match code {
        "invalid_client" | "unauthorized_client" => {
            "check client_id and client_secret of the connection, and that the application may use the authorization code"
        }
        "invalid_grant" => "the code was used already or has ended: start the sign-in again",
        "access_denied" => {
            "you or a rule of the identity provider declined: ask its administrator for access to this application"
        }
        "invalid_scope" => "allow the scopes openid, profile and email for this application at the identity provider",
        "login_required" | "interaction_required" | "consent_required" | "account_selection_required" => {
            "start the sign-in again, and answer what the identity provider asks"
        }
        "temporarily_unavailable" | "server_error" => "start the sign-in again in a while",
        "redirect_uri_mismatch" | "invalid_redirect_uri" => {
            "register the redirect_uri of the connection at the identity provider"
        }
        _ => "ask its administrator; its own log says more",
    }
}
