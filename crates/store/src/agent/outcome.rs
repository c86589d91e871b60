//! An upload in the hands of a worker: taken, judged, applied, ended. What the agent hears at the end is written here (DA3, DA10).

use crate::agent::compare::DiffCounts;
use crate::agent::uploads::{COLUMNS, Upload};
use crate::agent::work::UploadWork;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::sql::Sql;
use crate::scope::{AgentScope, TenantScope};
use rollcall_core::backoff::retry_delay;
use rollcall_core::directory::SourceMode;
use rollcall_core::event::{Actor, Event};
use rollcall_core::ids::{RequestId, TenantId};
use rollcall_core::upload::{UploadRefusal, UploadState};
use rollcall_snapshot::Totals;
use sea_orm::FromQueryResult;
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// Attempts after which an upload that always fails is given up, so that it does not stand in the way of the next one.
const FAILURES_MAX: i64 = 8;

/// Numbers of the check of an upload.
#[derive(Clone, Copy, Debug)]
pub struct Checked {
    pub totals: Totals,
    pub diff: DiffCounts,
}

/// The progress of the roster after an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The worker has planned everything that the upload changed.
    pub is_settled: bool,
    /// Why changes of the source wait for an admin.
    pub held_reasons: Vec<String>,
}

#[derive(FromQueryResult)]
struct KeyRow {
    state: String,
}

#[derive(FromQueryResult)]
struct MarkRow {
    #[expect(dead_code, reason = "its presence is the answer")]
    id: Uuid,
}

#[derive(FromQueryResult)]
struct ReasonsRow {
    held_reasons: Json,
}

static NEXT: Sql = Sql::tenant(&[
    "SELECT ",
    COLUMNS,
    " FROM agent_uploads WHERE tenant_id = {tenant} AND state IN ('waiting', 'applying') AND ended_at IS NULL \
     AND (retry_at IS NULL OR retry_at <= $2) ORDER BY CASE state WHEN 'applying' THEN 0 ELSE 1 END, committed_at, id LIMIT 1",
]);
/// Another upload that is being applied to the same source.
static OTHER: Sql = Sql::tenant(&["SELECT id FROM agent_uploads WHERE tenant_id = {tenant} AND source_id = $2 \
     AND state = 'applying' AND id <> $3 LIMIT 1"]);
static KEY_STATE: Sql = Sql::tenant(&["SELECT state FROM agent_keys WHERE tenant_id = {tenant} AND id = $2"]);
static START: Sql =
    Sql::tenant(&["UPDATE agent_uploads SET state = 'applying', step = step + 1, counts = $3, touched_at = $4 \
     WHERE tenant_id = {tenant} AND id = $2 AND state = 'waiting'"]);
static DONE: Sql = Sql::tenant(&[
    "UPDATE agent_uploads SET state = 'done', code = 200, message = $3, counts = $4, items = $5, last_change = $6, ended_at = $7, \
     touched_at = $7, bytes = 0, step = step + 1 WHERE tenant_id = {tenant} AND id = $2 AND step = $8",
]);
static CLAIM: Sql =
    Sql::tenant(&["UPDATE agent_uploads SET step = step + 1 WHERE tenant_id = {tenant} AND id = $2 AND step = $3 \
     AND ended_at IS NULL"]);
static NOTE_COUNTS: Sql =
    Sql::tenant(&["UPDATE agent_uploads SET counts = $3 WHERE tenant_id = {tenant} AND id = $2 AND ended_at IS NULL"]);
static FAILED: Sql = Sql::tenant(&[
    "UPDATE agent_uploads SET failures = failures + 1, retry_at = $3 WHERE tenant_id = {tenant} AND id = $2",
]);
static EARLIER_CHANGE: Sql = Sql::tenant(&[
    "SELECT id FROM directory_changes WHERE tenant_id = {tenant} AND lane = 1 AND id <= $2 ORDER BY lane, id LIMIT 1",
]);
static HELD: Sql = Sql::tenant(&[
    "SELECT held_reasons FROM runs WHERE tenant_id = {tenant} AND source_id = $2 AND state = 'held' ORDER BY id DESC LIMIT 1",
]);

fn shown(counts: &Checked) -> Json {
    let Checked { totals, diff } = counts;
    json!({
        "users": totals.users, "groups": totals.groups,
        "users_created": diff.created[1], "users_changed": diff.changed[1], "users_removed": diff.removed[1],
        "groups_created": diff.created[0], "groups_changed": diff.changed[0], "groups_removed": diff.removed[0],
        "leaving": diff.leaving,
    })
}

impl Store {
    /// The next upload of a tenant that a worker is to work on.
    #[tracing::instrument(name = "store.agent.next_upload", skip_all)]
    pub async fn next_upload(&self, tenant: TenantId) -> Result<Option<UploadWork>, StoreError> {
        let tx = self.read(&TenantScope::new(tenant, Actor::System)).await?;
        let found: Option<Upload> = tx.one(&NEXT, [tx.clock.now().into()]).await?;
        Ok(found.map(|upload| {
            let scope = TenantScope::new(tenant, Actor::Source(upload.source_id.into()));
            // The audit events and change marks of an upload name it as their request.
            UploadWork { scope: scope.for_request(RequestId(upload.id)), upload }
        }))
    }

    /// The bytes of a part.
    #[tracing::instrument(name = "store.agent.upload_part", skip_all)]
    pub async fn upload_part(&self, work: &UploadWork, number: u32) -> Result<Vec<u8>, StoreError> {
        self.read(&work.scope).await?.part_content(work.upload.id, number).await
    }

    /// Reasons to refuse the upload for which its parts are not needed.
    #[tracing::instrument(name = "store.agent.refuse_early", skip_all)]
    pub async fn refuse_early(&self, work: &UploadWork) -> Result<Option<UploadRefusal>, StoreError> {
        let tx = self.read(&work.scope).await?;
        let key: Option<KeyRow> = tx.one(&KEY_STATE, [work.upload.key_id.into()]).await?;
        if key.is_none_or(|key| key.state != "active") {
            return Ok(Some(UploadRefusal::KeyRevoked));
        }
        if tx.source_row(work.source()).await?.mode == SourceMode::Off.as_str() {
            return Ok(Some(UploadRefusal::ProvisioningOff));
        }
        let state = tx.source_state(work.source()).await?;
        if state.sequence != work.upload.sequence {
            return Ok(Some(UploadRefusal::SequenceMoved));
        }
        let moved = work.upload.is_delta() && state.cursor != work.upload.from_cursor;
        Ok(moved.then_some(UploadRefusal::CursorMoved))
    }

    /// Judges a checked upload: the reason to refuse it and the message, or nothing, once it may be applied.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when another worker began before.
    #[tracing::instrument(name = "store.agent.judge_upload", skip_all)]
    pub async fn judge_upload(
        &self,
        work: &mut UploadWork,
        checked: &Checked,
    ) -> Result<Option<(UploadRefusal, String)>, StoreError> {
        let tx = self.write(&work.scope).await?;
        // Another upload of the source may have been applied since the check, or be on its way.
        tx.lock_state(work.source()).await?;
        let other: Option<MarkRow> = tx.one(&OTHER, [work.source().0.into(), work.upload.id.into()]).await?;
        if other.is_some() {
            return Err(StoreError::LeaseLost);
        }
        if tx.source_state(work.source()).await?.sequence != work.upload.sequence {
            let why = UploadRefusal::SequenceMoved;
            return Ok(Some((why, why.sentence().to_owned())));
        }
        if let Some(refusal) = tx.refusal(work, checked, self).await? {
            tx.exec(&NOTE_COUNTS, [work.upload.id.into(), shown(checked).into()]).await?;
            tx.commit().await?;
            return Ok(Some(refusal));
        }
        work.upload.counts = Some(shown(checked));
        if work.upload.simulate {
            tx.commit().await?;
            return Ok(None);
        }
        let values = [work.upload.id.into(), shown(checked).into(), tx.clock.now().into()];
        if tx.exec(&START, values).await? == 0 {
            return Err(StoreError::LeaseLost);
        }
        tx.commit().await?;
        work.upload.step += 1;
        work.upload.state = UploadState::Applying.as_str().to_owned();
        Ok(None)
    }

    /// Refuses an upload whole.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when another worker has the upload, or ended it.
    #[tracing::instrument(name = "store.agent.refuse_upload", skip_all)]
    pub async fn refuse_upload(
        &self,
        work: &UploadWork,
        why: UploadRefusal,
        message: Option<&str>,
    ) -> Result<(), StoreError> {
        let tx = self.write(&work.scope).await?;
        if tx.exec(&CLAIM, [work.upload.id.into(), work.upload.step.into()]).await? == 0 {
            return Err(StoreError::LeaseLost);
        }
        tx.end_upload(work.upload.id, UploadState::Refused, why, message).await?;
        let event = Event::UploadRefused(work.source(), work.ended(Some(why)));
        tx.tx.batch(vec![tx.event(&event).into()]).await?;
        tx.commit().await
    }

    /// Ends an upload that was applied, or simulated: then `items` is its plan.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when another worker has the upload.
    #[tracing::instrument(name = "store.agent.finish_upload", skip_all)]
    pub async fn finish_upload(&self, work: &UploadWork, items: Option<Vec<Json>>) -> Result<(), StoreError> {
        let tx = self.write(&work.scope).await?;
        let last_change: Option<Uuid> = (!work.upload.simulate).then(|| tx.clock.new_id());
        let values = [
            work.upload.id.into(),
            "OK".into(),
            work.upload.counts.clone().into(),
            items.map(Json::Array).into(),
            last_change.into(),
            tx.clock.now().into(),
            work.upload.step.into(),
        ];
        if tx.exec(&DONE, values).await? == 0 {
            return Err(StoreError::LeaseLost);
        }
        tx.drop_parts(work.upload.id).await?;
        if !work.upload.simulate {
            tx.move_on(work.source(), work.upload.id, work.upload.to_cursor.clone()).await?;
            let event = Event::UploadApplied(work.source(), work.ended(None));
            tx.tx.batch(vec![tx.event(&event).into()]).await?;
        }
        tx.commit().await
    }

    /// Notes that the work failed; after too many failures the upload is refused.
    #[tracing::instrument(name = "store.agent.fail_upload", skip_all)]
    pub async fn fail_upload(&self, work: &UploadWork) -> Result<(), StoreError> {
        if work.upload.failures + 1 >= FAILURES_MAX && !work.is_checked() {
            return self.refuse_upload(work, UploadRefusal::Internal, None).await;
        }
        let tx = self.write(&work.scope).await?;
        let attempt = u32::try_from(work.upload.failures + 1).unwrap_or(u32::MAX);
        let wait = retry_delay(attempt);
        tx.exec(&FAILED, [work.upload.id.into(), (tx.clock.now() + wait).into()]).await?;
        tx.commit().await
    }

    /// Whether the roster has caught up with an upload that was applied.
    #[tracing::instrument(name = "store.agent.settled", skip_all)]
    pub async fn settled(&self, scope: &AgentScope, upload: &Upload) -> Result<Settled, StoreError> {
        let tx = self.read(scope.scope()).await?;
        if let Some(last) = upload.last_change {
            let earlier: Option<MarkRow> = tx.one(&EARLIER_CHANGE, [last.into()]).await?;
            if earlier.is_some() {
                return Ok(Settled { is_settled: false, held_reasons: Vec::new() });
            }
        }
        let held: Option<ReasonsRow> = tx.one(&HELD, [upload.source_id.into()]).await?;
        let reasons = held.and_then(|row| serde_json::from_value(row.held_reasons).ok()).unwrap_or_default();
        Ok(Settled { is_settled: true, held_reasons: reasons })
    }
}
