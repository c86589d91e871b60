//! Requests that are to run once: the first one with a key runs, a repetition gets its answer, and a second one beside it is refused
//! (decision 0078). A key belongs to one credential of one tenant.

use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::sql::Sql;
use crate::scope::{AdminScope, TenantScope};
use chrono::TimeDelta;
use rollcall_core::event::Actor;
use rollcall_core::ids::{CredentialId, TenantId};
use sea_orm::FromQueryResult;
use sea_orm::sea_query::Value;
use std::time::Duration;
use uuid::Uuid;

/// Time for which an answer is kept.
const KEPT: TimeDelta = TimeDelta::hours(24);
/// Time after which a request without an answer counts as lost, with the process that ran it.
const LOST: TimeDelta = TimeDelta::minutes(2);
/// Longest time of a request with a key. It ends before the next attempt may begin.
pub const ONCE_TIME: Duration = Duration::from_secs(75);
/// Largest answer that is kept, in bytes. No single thing that a request makes is as large; a list of a thousand results may be.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Rows that one statement forgets.
const FORGOTTEN_MAX: u64 = 1_000;

/// A request with a key.
#[derive(Clone, Debug)]
pub struct OnceOnly {
    pub credential: CredentialId,
    /// SHA-256 of the key.
    pub key: [u8; 32],
    /// SHA-256 of what is asked for.
    pub fingerprint: [u8; 32],
}

/// The first run of a request, or the next one after a run that was lost. The answer of a run whose place another has taken is not
/// kept.
#[derive(Clone, Debug)]
pub struct Attempt {
    once: OnceOnly,
    id: Uuid,
}

/// The answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    pub status: u16,
    pub body: String,
}

/// The standing of a request.
#[derive(Clone, Debug)]
pub enum Once {
    /// It runs, and its answer is to be kept.
    Runs(Attempt),
    Answered(KeptAnswer),
    /// It ran and was answered with this status; the answer was too large to be kept.
    TooLarge(u16),
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

/// A row whose time is over, or whose run was lost, is as good as none.
static BEGIN: Sql = Sql::tenant(&[
    "INSERT INTO idempotent_requests (tenant_id, credential_id, key_digest, fingerprint, attempt, started_at) \
     VALUES ({tenant}, $2, $3, $4, $5, $6) ON CONFLICT (tenant_id, credential_id, key_digest) DO UPDATE \
     SET fingerprint = excluded.fingerprint, attempt = excluded.attempt, started_at = excluded.started_at, status = NULL, body = NULL \
     WHERE idempotent_requests.started_at < $7 OR (idempotent_requests.status IS NULL AND idempotent_requests.started_at < $8 \
     AND idempotent_requests.fingerprint = excluded.fingerprint)",
]);
static KNOWN: Sql = Sql::tenant(&["SELECT fingerprint, status, body FROM idempotent_requests \
     WHERE tenant_id = {tenant} AND credential_id = $2 AND key_digest = $3"]);
static KEEP: Sql = Sql::tenant(&["UPDATE idempotent_requests SET status = $5, body = $6 \
     WHERE tenant_id = {tenant} AND credential_id = $2 AND key_digest = $3 AND attempt = $4"]);
static DROP: Sql = Sql::tenant(&["DELETE FROM idempotent_requests \
     WHERE tenant_id = {tenant} AND credential_id = $2 AND key_digest = $3 AND attempt = $4 AND status IS NULL"]);
static FORGET: Sql =
    Sql::tenant(&["DELETE FROM idempotent_requests WHERE tenant_id = {tenant} AND (credential_id, key_digest) IN ( \
     SELECT o.credential_id, o.key_digest FROM idempotent_requests o \
     WHERE o.tenant_id = {tenant} AND o.started_at < $2 ORDER BY o.started_at LIMIT 1000)"]);

impl Store {
    /// Begins a request, unless it began before.
    #[tracing::instrument(name = "store.idempotency.begin_once", skip_all)]
    pub async fn begin_once(&self, scope: &AdminScope, once: OnceOnly) -> Result<Once, StoreError> {
        let tx = self.write(&scope.scope).await?;
        let now = tx.clock.now();
        let attempt = Attempt { once, id: tx.clock.new_id() };
        let [credential, key, id] = attempt.values();
        let fingerprint = attempt.once.fingerprint.to_vec();
        let (old, lost) = (now - KEPT, now - LOST);
        let row = [credential.clone(), key.clone(), fingerprint.into(), id, now.into(), old.into(), lost.into()];
        if tx.exec(&BEGIN, row).await? > 0 {
            tx.commit().await?;
            return Ok(Once::Runs(attempt));
        }
        let known: Option<KnownRow> = tx.one(&KNOWN, [credential, key]).await?;
        // A request that ended without an answer in this moment may be repeated.
        Ok(known.map_or(Once::Running, |known| known.standing(&attempt.once)))
    }

    /// Keeps the answer for repetitions. False for an attempt whose place another has taken.
    #[tracing::instrument(name = "store.idempotency.keep_answer", skip_all)]
    pub async fn keep_answer(
        &self,
        scope: &AdminScope,
        attempt: &Attempt,
        answer: &KeptAnswer,
    ) -> Result<bool, StoreError> {
        let tx = self.write(&scope.scope).await?;
        let [credential, key, id] = attempt.values();
        let body = Some(answer.body.as_str()).filter(|body| body.len() <= ANSWER_BYTES_MAX);
        let kept = tx.exec(&KEEP, [credential, key, id, i64::from(answer.status).into(), body.into()]).await?;
        tx.commit().await?;
        Ok(kept > 0)
    }

    /// Forgets a request that did nothing, so that it may be repeated.
    #[tracing::instrument(name = "store.idempotency.drop_once", skip_all)]
    pub async fn drop_once(&self, scope: &AdminScope, attempt: &Attempt) -> Result<(), StoreError> {
        let tx = self.write(&scope.scope).await?;
        tx.exec(&DROP, attempt.values()).await?;
        tx.commit().await
    }

    /// Forgets one batch of the requests whose time is over; returns whether there are more.
    #[tracing::instrument(name = "store.idempotency.forget_answers", skip_all)]
    pub async fn forget_answers(&self, tenant: TenantId) -> Result<bool, StoreError> {
        let tx = self.write(&TenantScope::new(tenant, Actor::System)).await?;
        let forgotten = tx.exec(&FORGET, [(tx.clock.now() - KEPT).into()]).await?;
        tx.commit().await?;
        Ok(forgotten == FORGOTTEN_MAX)
    }
}

impl Attempt {
    fn values(&self) -> [Value; 3] {
        [self.once.credential.0.into(), self.once.key.to_vec().into(), self.id.into()]
    }
}

impl KnownRow {
    fn standing(self, once: &OnceOnly) -> Once {
        match (self.status.and_then(|status| u16::try_from(status).ok()), self.body) {
            _ if self.fingerprint != once.fingerprint => Once::Differs,
            (Some(status), Some(body)) => Once::Answered(KeptAnswer { status, body }),
            (Some(status), None) => Once::TooLarge(status),
            _ => Once::Running,
        }
    }
}

#[cfg(test)]
mod tests;
