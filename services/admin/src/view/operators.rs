//! People of the hosted service on the wire.

use chrono::{DateTime, Utc};
use rollcall_store as store;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

/// A person who signed in as an operator once.
#[derive(Debug, Serialize, ToSchema)]
pub struct Operator {
    pub id: Uuid,
    pub issuer: String,
    pub subject: String,
    /// The verified address of the first sign-in, if there was one.
    pub email: Option<String>,
    pub name: Option<String>,
    pub created_at: DateTime<Utc>,
    pub last_signed_in_at: DateTime<Utc>,
    /// Null while the person may sign in.
    pub revoked_at: Option<DateTime<Utc>>,
}

impl From<store::Operator> for Operator {
    fn from(row: store::Operator) -> Self {
        let store::Operator { id, issuer, subject, email, name, created_at, last_signed_in_at, revoked_at } = row;
        Self { id, issuer, subject, email, name, created_at, last_signed_in_at, revoked_at }
    }
}

/// The operator's own session.
#[derive(Debug, Serialize, ToSchema)]
pub struct OperatorSession {
    pub id: Uuid,
    pub operator_id: Uuid,
    pub email: Option<String>,
    pub name: Option<String>,
    pub signed_in_at: DateTime<Utc>,
    pub authenticated_at: Option<DateTime<Utc>>,
    pub expires_at: DateTime<Utc>,
}

impl From<store::OperatorSession> for OperatorSession {
    fn from(row: store::OperatorSession) -> Self {
        let store::OperatorSession { id, operator_id, email, name, created_at, authenticated_at, expires_at, .. } = row;
        Self { id, operator_id, email, name, signed_in_at: created_at, authenticated_at, expires_at }
    }
}
