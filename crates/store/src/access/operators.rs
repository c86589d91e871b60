//! People of the hosted service: each is a subject of the operators' provider, and signs in for hours.

use crate::access::sessions::{SESSION_TIME, SignInClient};
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::scope::OperatorScope;
use crate::secret::{OPERATOR_SESSION_PREFIX, digest, random_secret};
use chrono::{DateTime, Utc};
use rollcall_core::email::fold;
use rollcall_core::ids::{CredentialId, OperatorId};
use rollcall_core::operator_rule::{Admitted, KnownOperator, NoOperator, OperatorClaims, OperatorRule};
use sea_orm::FromQueryResult;
use serde_json::{Map, Value as Json};
use uuid::Uuid;

/// Longest subject (see the identities of members), name, and name of a client that are kept.
const SUBJECT_BYTES_MAX: usize = 1024;
const NAME_CHARACTERS_MAX: usize = 200;

/// An operator as operators list them.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Operator {
    pub id: Uuid,
    pub issuer: String,
    pub subject: String,
    pub email: Option<String>,
    pub name: Option<String>,
    pub created_at: DateTime<Utc>,
    pub last_signed_in_at: DateTime<Utc>,
    pub revoked_at: Option<DateTime<Utc>>,
}

/// A session of an operator, as its secret is looked up.
#[derive(Clone, Debug, FromQueryResult)]
pub struct OperatorSession {
    pub id: Uuid,
    pub operator_id: Uuid,
    pub email: Option<String>,
    pub name: Option<String>,
    /// A claim made the person an operator; else the settings have to name the address still.
    pub by_claim: bool,
    pub created_at: DateTime<Utc>,
    pub authenticated_at: Option<DateTime<Utc>>,
    pub last_used_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
}

impl OperatorSession {
    pub fn scope(&self) -> OperatorScope {
        OperatorScope::Person(self.operator_id.into())
    }

    pub fn credential(&self) -> CredentialId {
        self.id.into()
    }
}

/// A person whom the operators' provider has signed in.
#[derive(Clone, Copy, Debug)]
pub struct OperatorPerson<'a> {
    pub issuer: &'a str,
    pub subject: &'a str,
    pub verified_email: Option<&'a str>,
    pub name: Option<&'a str>,
    pub authenticated_at: Option<DateTime<Utc>>,
    pub claims: &'a Map<String, Json>,
}

/// A session that was just started. Its secret exists only now.
pub struct StartedOperatorSession {
    pub id: CredentialId,
    pub operator: OperatorId,
    pub secret: String,
}

/// A session to be written.
pub(crate) struct NewOperatorSession<'a> {
    pub(crate) id: CredentialId,
    pub(crate) digest: [u8; 32],
    pub(crate) by_claim: bool,
    pub(crate) client: &'a SignInClient,
    pub(crate) authenticated_at: Option<DateTime<Utc>>,
    pub(crate) expires_at: DateTime<Utc>,
}

impl Store {
    /// Signs an operator in, if the rule names the person.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a subject that cannot be kept; [`StoreError::Conflict`] when the same person signs in at this moment.
    #[tracing::instrument(name = "store.operators.sign_in_operator", skip_all)]
    pub async fn sign_in_operator(
        &self,
        rule: &OperatorRule,
        person: &OperatorPerson<'_>,
        client: &SignInClient,
    ) -> Result<Result<StartedOperatorSession, NoOperator>, StoreError> {
        if person.subject.is_empty() || person.subject.len() > SUBJECT_BYTES_MAX {
            return Err(StoreError::Invalid(format!("a subject has 1 to {SUBJECT_BYTES_MAX} bytes")));
        }
        let found = self.operator_of(person.issuer, person.subject).await?;
        let known = match &found {
            Some(operator) => {
                KnownOperator::Tied { email: operator.email.as_deref(), revoked: operator.revoked_at.is_some() }
            }
            None => {
                let email = person.verified_email.map(fold);
                let address_is_anothers = match &email {
                    Some(email) => self.has_operator_with(person.issuer, email).await?,
                    None => false,
                };
                KnownOperator::New { address_is_anothers }
            }
        };
        let claims = OperatorClaims { verified_email: person.verified_email, all: person.claims };
        let admitted = match rule.admits(claims, known) {
            Ok(admitted) => admitted,
            Err(why) => return Ok(Err(why)),
        };
        let secret = random_secret(OPERATOR_SESSION_PREFIX)?;
        let now = self.clock.now();
        let new = NewOperatorSession {
            id: self.clock.new_id(),
            digest: digest(&secret),
            by_claim: admitted == Admitted::ByClaim,
            client,
            authenticated_at: person.authenticated_at,
            expires_at: now + SESSION_TIME,
        };
        let operator: OperatorId = found.as_ref().map_or_else(|| self.clock.new_id(), |found| found.id.into());
        let name: Option<String> = person.name.map(|name| name.chars().take(NAME_CHARACTERS_MAX).collect());
        self.start_operator_session(operator, found.is_none(), person, name.as_deref(), &new).await?;
        Ok(Ok(StartedOperatorSession { id: new.id, operator, secret }))
    }
}
