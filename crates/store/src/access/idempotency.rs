//! Requests that are to run once: the first one with a key runs, a repetition gets its answer, and a second one beside it is refused
//! (decision 0078). A key belongs to one credential of one tenant.

use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::sql::Sql;
use crate::scope::AdminScope;
use chrono::TimeDelta;
use rollcall_core::ids::CredentialId;
use sea_orm::FromQueryResult;
use std::time::Duration;

/// Time for which an answer is kept.
const KEPT: TimeDelta = TimeDelta::hours(24);
/// Time after which a request without an answer counts as lost, with the process that ran it. No request runs for so long.
const LOST: TimeDelta = TimeDelta::minutes(2);
/// Keys of one tenant in a day.
const KEYS_MAX: i64 = 10_000;

/// A request with a key.
#[derive(Clone, Debug)]
pub struct OnceOnly {
    pub credential: CredentialId,
    /// SHA-256 of the key.
    pub key: [u8; 32],
    /// SHA-256 of what is asked for.
    pub fingerprint: [u8; 32],
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    pub status: u16,
    pub body: String,
}

/// The standing of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Once {
    /// It is the first: it runs, and its answer is to be kept.
    Runs,
    Answered(KeptAnswer),
    /// The first one has no answer yet.
    Running,
    /// The first one asked for something else.
    Differs,
}

#[derive(FromQueryResult)]
struct KnownRow {
    fingerprint: Vec<u8>,
    status: Option<i64>,
    body: Option<String>,
}

#[derive(FromQueryResult)]
struct CountRow {
    counted: i64,
}

static FORGET: Sql = Sql::tenant(&["DELETE FROM idempotent_requests WHERE tenant_id = {tenant} AND (started_at < $2 \
     OR (credential_id = $4 AND key_digest = $5 AND status IS NULL AND started_at < $3))"]);
static COUNT: Sql = Sql::tenant(&[
    "SELECT count(*) AS counted FROM (SELECT 1 FROM idempotent_requests WHERE tenant_id = {tenant} LIMIT $2) AS x",
]);
static BEGIN: Sql =
    Sql::tenant(&["INSERT INTO idempotent_requests (tenant_id, credential_id, key_digest, fingerprint, started_at) \
     VALUES ({tenant}, $2, $3, $4, $5) ON CONFLICT DO NOTHING"]);
static KNOWN: Sql = Sql::tenant(&["SELECT fingerprint, status, body FROM idempotent_requests \
     WHERE tenant_id = {tenant} AND credential_id = $2 AND key_digest = $3"]);
static KEEP: Sql = Sql::tenant(&["UPDATE idempotent_requests SET status = $4, body = $5 \
     WHERE tenant_id = {tenant} AND credential_id = $2 AND key_digest = $3"]);
static DROP: Sql = Sql::tenant(&["DELETE FROM idempotent_requests \
     WHERE tenant_id = {tenant} AND credential_id = $2 AND key_digest = $3 AND status IS NULL"]);

impl Store {
    /// Begins a request, unless it began before. What is older than a day is forgotten first.
    ///
    /// # Errors
    /// [`StoreError::Busy`] for a tenant with too many keys.
    #[tracing::instrument(name = "store.idempotency.begin_once", skip_all)]
    pub async fn begin_once(&self, scope: &AdminScope, once: &OnceOnly) -> Result<Once, StoreError> {
        let tx = self.write(&scope.scope).await?;
        let now = tx.clock.now();
        let (credential, key) = (once.credential.0, once.key.to_vec());
        let old = [(now - KEPT).into(), (now - LOST).into(), credential.into(), key.clone().into()];
        tx.exec(&FORGET, old).await?;
        let fingerprint = once.fingerprint.to_vec();
        let new = [credential.into(), key.clone().into(), fingerprint.into(), now.into()];
        if tx.exec(&BEGIN, new).await? == 0 {
            let known: Option<KnownRow> = tx.one(&KNOWN, [credential.into(), key.into()]).await?;
            // A request that ended without an answer in this moment may be repeated.
            return Ok(known.map_or(Once::Running, |known| known.standing(once)));
        }
        let counted: Option<CountRow> = tx.one(&COUNT, [(KEYS_MAX + 1).into()]).await?;
        if counted.is_some_and(|row| row.counted > KEYS_MAX) {
            let limit = format!("{KEYS_MAX} idempotency keys of the last 24 hours are kept: send requests without one");
            return Err(StoreError::Busy { limit, retry_after: Duration::from_secs(600) });
        }
        tx.commit().await?;
        Ok(Once::Runs)
    }

    /// Keeps the answer for repetitions.
    #[tracing::instrument(name = "store.idempotency.keep_answer", skip_all)]
    pub async fn keep_answer(
        &self,
        scope: &AdminScope,
        once: &OnceOnly,
        answer: &KeptAnswer,
    ) -> Result<(), StoreError> {
        let tx = self.write(&scope.scope).await?;
        let key = once.key.to_vec();
        let values =
            [once.credential.0.into(), key.into(), i64::from(answer.status).into(), answer.body.as_str().into()];
        tx.exec(&KEEP, values).await?;
        tx.commit().await
    }

    /// Forgets a request that did nothing, so that it may be repeated.
    #[tracing::instrument(name = "store.idempotency.drop_once", skip_all)]
    pub async fn drop_once(&self, scope: &AdminScope, once: &OnceOnly) -> Result<(), StoreError> {
        let tx = self.write(&scope.scope).await?;
        tx.exec(&DROP, [once.credential.0.into(), once.key.to_vec().into()]).await?;
        tx.commit().await
    }
}

impl KnownRow {
    fn standing(self, once: &OnceOnly) -> Once {
        match (self.status.and_then(|status| u16::try_from(status).ok()), self.body) {
            _ if self.fingerprint != once.fingerprint => Once::Differs,
            (Some(status), Some(body)) => Once::Answered(KeptAnswer { status, body }),
            _ => Once::Running,
        }
    }
}
