//! Sign-in links on the wire.

use chrono::{DateTime, Utc};
use rollcall_core::ids::MemberId;
use serde::Serialize;
use utoipa::ToSchema;

/// The address that a person opens. The secret in it works once.
pub fn url(base: &str, secret: &str) -> String {
    format!("{}/sign-in?link={secret}", base.trim_end_matches('/'))
}

/// A link that was just made; it is shown once.
#[derive(Debug, Serialize, ToSchema)]
pub struct NewSignInLink {
    pub url: String,
    #[schema(value_type = Uuid)]
    pub member_id: MemberId,
    pub expires_at: DateTime<Utc>,
}
