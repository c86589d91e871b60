//! People of the hosted service and their sessions, which belong to no tenant.

use crate::access::operators::{NewOperatorSession, Operator, OperatorPerson, OperatorSession};
use crate::access::sessions::SESSION_PAUSE;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::sql::Sql;
use crate::secret::SecretDigest;
use chrono::TimeDelta;
use rollcall_core::email::fold;
use rollcall_core::ids::{CredentialId, OperatorId};
use sea_orm::FromQueryResult;
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// Ended sessions stay for this time.
const KEPT: TimeDelta = TimeDelta::days(30);
/// A use is noted no more often than this.
const USE_NOTED_AFTER: TimeDelta = TimeDelta::minutes(1);

const OPERATOR: &str = "SELECT o.id, o.issuer, o.subject, o.email, o.name, o.created_at, o.last_signed_in_at, o.revoked_at FROM operators o ";
static OPERATORS: Sql = Sql::across(&[OPERATOR, "ORDER BY o.id"]);
static OPERATOR_OF: Sql = Sql::across(&[OPERATOR, "WHERE o.issuer = $1 AND o.subject = $2"]);
static WITH_ADDRESS: Sql =
    Sql::across(&[OPERATOR, "WHERE o.issuer = $1 AND o.email_folded = $2 AND o.revoked_at IS NULL LIMIT 1"]);
static INSERT: Sql = Sql::across(&[
    "INSERT INTO operators (id, issuer, subject, email, email_folded, name, created_at, last_signed_in_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
]);
static SIGNED_IN: Sql =
    Sql::across(&["UPDATE operators SET name = $2, last_signed_in_at = $3 WHERE id = $1 AND revoked_at IS NULL"]);
static REVOKE: Sql = Sql::across(&["UPDATE operators SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1"]);
static RESTORE: Sql = Sql::across(&["UPDATE operators SET revoked_at = NULL WHERE id = $1"]);
static INSERT_SESSION: Sql = Sql::across(&[
    "INSERT INTO operator_sessions (id, digest, operator_id, by_claim, address, agent, created_at, authenticated_at, last_used_at, \
     expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $7, $9)",
]);
static FORGET: Sql = Sql::across(&["DELETE FROM operator_sessions WHERE expires_at < $1"]);
/// A session in force of an operator who was not revoked.
static SESSION: Sql = Sql::across(&[
    "SELECT s.id, s.operator_id, o.email, o.name, s.by_claim, s.created_at, s.authenticated_at, s.last_used_at, s.expires_at \
     FROM operator_sessions s JOIN operators o ON o.id = s.operator_id AND o.revoked_at IS NULL \
     WHERE s.digest = $1 AND s.revoked_at IS NULL AND s.expires_at > $2 AND s.last_used_at > $3",
]);
static USED: Sql = Sql::across(&["UPDATE operator_sessions SET last_used_at = $2 WHERE id = $1"]);
static END_SESSION: Sql =
    Sql::across(&["UPDATE operator_sessions SET revoked_at = coalesce(revoked_at, $2) WHERE id = $1"]);

#[derive(FromQueryResult)]
struct Named {
    id: Uuid,
    email: Option<String>,
    name: Option<String>,
}

impl Store {
    /// Every operator who signed in once, revoked ones too.
    #[tracing::instrument(name = "store.operators.operators", skip_all)]
    pub async fn operators(&self) -> Result<Vec<Operator>, StoreError> {
        let tx = self.across(false).await?;
        tx.all(OPERATORS.text(tx.engine()), []).await
    }

    /// The names of these operators, or their addresses.
    #[tracing::instrument(name = "store.operators.operator_names", skip_all)]
    pub async fn operator_names(&self, ids: &BTreeSet<OperatorId>) -> Result<HashMap<OperatorId, String>, StoreError> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let tx = self.across(false).await?;
        // They are few.
        let all: Vec<Named> = tx.all(OPERATORS.text(tx.engine()), []).await?;
        let named = all.into_iter().filter(|row| ids.contains(&row.id.into()));
        Ok(named.filter_map(|row| Some((row.id.into(), row.name.or(row.email)?))).collect())
    }

    pub(crate) async fn operator_of(&self, issuer: &str, subject: &str) -> Result<Option<Operator>, StoreError> {
        let tx = self.across(false).await?;
        tx.one(OPERATOR_OF.text(tx.engine()), [issuer.into(), subject.into()]).await
    }

    pub(crate) async fn has_operator_with(&self, issuer: &str, email_folded: &str) -> Result<bool, StoreError> {
        let tx = self.across(false).await?;
        let found: Option<Operator> =
            tx.one(WITH_ADDRESS.text(tx.engine()), [issuer.into(), email_folded.into()]).await?;
        Ok(found.is_some())
    }

    pub(crate) async fn start_operator_session(
        &self,
        operator: OperatorId,
        is_new: bool,
        person: &OperatorPerson<'_>,
        name: Option<&str>,
        new: &NewOperatorSession<'_>,
    ) -> Result<(), StoreError> {
        let tx = self.across(true).await?;
        let (now, engine) = (self.clock.now(), tx.engine());
        if is_new {
            let email = person.verified_email;
            let values = [
                operator.0.into(),
                person.issuer.into(),
                person.subject.into(),
                email.map(str::to_owned).into(),
                email.map(fold).into(),
                name.map(str::to_owned).into(),
                now.into(),
            ];
            let made = tx.exec(INSERT.text(engine), values).await;
            made.map_err(|error| match error {
                StoreError::Taken(_) => StoreError::Conflict("you sign in elsewhere at this moment: try again".into()),
                error => error,
            })?;
        } else {
            let values = [operator.0.into(), name.map(str::to_owned).into(), now.into()];
            if tx.exec(SIGNED_IN.text(engine), values).await? == 0 {
                return Err(StoreError::Conflict("your access was revoked at this moment".into()));
            }
        }
        let NewOperatorSession { id, digest, by_claim, client, authenticated_at, expires_at } = new;
        let agent: String = client.agent.chars().take(200).collect();
        let values = [
            id.0.into(),
            digest.to_vec().into(),
            operator.0.into(),
            (*by_claim).into(),
            client.address.as_str().into(),
            agent.into(),
            now.into(),
            (*authenticated_at).into(),
            (*expires_at).into(),
        ];
        tx.exec(INSERT_SESSION.text(engine), values).await?;
        tx.exec(FORGET.text(engine), [(now - KEPT).into()]).await?;
        tx.commit().await
    }

    /// The operator's session with this digest, if it is in force. A use is noted now and then, for the pause after which it ends.
    #[tracing::instrument(name = "store.operators.operator_session", skip_all)]
    pub async fn operator_session(&self, digest: &SecretDigest) -> Result<Option<OperatorSession>, StoreError> {
        let now = self.clock.now();
        let tx = self.across(false).await?;
        let values = [digest.to_vec().into(), now.into(), (now - SESSION_PAUSE).into()];
        let found: Option<OperatorSession> = tx.one(SESSION.text(tx.engine()), values).await?;
        drop(tx);
        if let Some(session) = found.as_ref().filter(|session| now - session.last_used_at >= USE_NOTED_AFTER) {
            let tx = self.across(true).await?;
            tx.exec(USED.text(tx.engine()), [session.id.into(), now.into()]).await?;
            tx.commit().await?;
        }
        Ok(found)
    }

    /// Ends a session of an operator.
    #[tracing::instrument(name = "store.operators.end_operator_session", skip_all)]
    pub async fn end_operator_session(&self, id: CredentialId) -> Result<(), StoreError> {
        self.change_operators(&END_SESSION, id.0, true).await.map(drop)
    }

    /// Ends an operator's access: each request looks the session up, so the next one is refused.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    #[tracing::instrument(name = "store.operators.revoke_operator", skip_all)]
    pub async fn revoke_operator(&self, id: OperatorId) -> Result<(), StoreError> {
        let changed = self.change_operators(&REVOKE, id.0, true).await?;
        if changed == 0 { Err(StoreError::NotFound("operator")) } else { Ok(()) }
    }

    /// Lets a revoked operator sign in again.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    #[tracing::instrument(name = "store.operators.restore_operator", skip_all)]
    pub async fn restore_operator(&self, id: OperatorId) -> Result<(), StoreError> {
        let changed = self.change_operators(&RESTORE, id.0, false).await?;
        if changed == 0 { Err(StoreError::NotFound("operator")) } else { Ok(()) }
    }

    async fn change_operators(&self, sql: &Sql, id: Uuid, with_time: bool) -> Result<u64, StoreError> {
        let tx = self.across(true).await?;
        let time = with_time.then(|| self.clock.now().into());
        let changed = tx.exec(sql.text(tx.engine()), std::iter::once(id.into()).chain(time)).await?;
        tx.commit().await?;
        Ok(changed)
    }
}
