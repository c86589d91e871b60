//! Sign-in by the identity provider of an organisation (OpenID Connect Core 1.0): discovery, authorization code with PKCE, checked
//! claims, logout tokens, and the proof that a domain belongs to an organisation. Nothing here knows a member or a database.

mod claims;
mod domain_proof;
mod failure;
mod flow;
mod guarded_client;
mod logout_token;
mod provider;

pub use claims::Claims;
pub use domain_proof::{DomainNames, Proof, RECORD_NAME};
pub use failure::Failure;
pub use flow::{Attempt, Begun, ProviderAnswer, Registration};
pub use guarded_client::GuardedClient;
pub use logout_token::LogoutToken;
pub use provider::Providers;
