//! The directory of an agent's source as the hub has it: its sequence, its cursor, and the digests of its buckets (RC6).

use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::scope::AgentScope;
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_core::ids::SourceId;
use rollcall_snapshot::Tree;
use rollcall_snapshot::bucket::unhex;
use sea_orm::FromQueryResult;

/// The state of a source that agents feed.
#[derive(Clone, Debug, Default, FromQueryResult)]
pub struct SourceState {
    /// Grows by one with each upload that is applied.
    pub sequence: i64,
    /// The cursor of the last upload, as the agent gave it.
    pub cursor: Option<String>,
    pub applied_at: Option<DateTime<Utc>>,
}

/// An exact count of the tenant's records is used for this time.
const COUNT_LIFE: TimeDelta = TimeDelta::days(1);

#[derive(FromQueryResult)]
struct RoomRow {
    records_known: i64,
    records_max: i64,
    counted_at: Option<DateTime<Utc>>,
}

#[derive(FromQueryResult)]
pub(super) struct BucketRow {
    pub(super) bucket: i64,
    pub(super) digest: String,
}

static STATE: Sql = Sql::tenant(&[
    "SELECT sequence, cursor, applied_at FROM agent_states WHERE tenant_id = {tenant} AND source_id = $2",
]);
static LOCK: Sql =
    Sql::tenant(&["INSERT INTO agent_states (tenant_id, source_id, sequence) VALUES ({tenant}, $2, 0) \
     ON CONFLICT (tenant_id, source_id) DO UPDATE SET sequence = agent_states.sequence"]);
static MOVE_ON: Sql = Sql::tenant(&["UPDATE agent_states SET sequence = sequence + 1, cursor = $4, \
     upload_id = $3, applied_at = $5 WHERE tenant_id = {tenant} AND source_id = $2"]);
static ROOM: Sql = Sql::tenant(&[
    "SELECT records_known, records_max, counted_at FROM agent_states WHERE tenant_id = {tenant} AND source_id = $2",
]);
static NOTE_COUNT: Sql =
    Sql::tenant(&["UPDATE agent_states SET records_known = $3, records_max = $4, counted_at = $5 \
     WHERE tenant_id = {tenant} AND source_id = $2"]);
static ADD_RECORDS: Sql = Sql::tenant(&["UPDATE agent_states SET records_known = records_known + $3 \
     WHERE tenant_id = {tenant} AND source_id = $2"]);
static BUCKETS: Sql =
    Sql::tenant(&["SELECT bucket, digest FROM agent_buckets WHERE tenant_id = {tenant} AND source_id = $2"]);

impl Store {
    /// The state of the agent's source.
    #[tracing::instrument(name = "store.agent.agent_state", skip_all)]
    pub async fn agent_state(&self, scope: &AgentScope) -> Result<SourceState, StoreError> {
        let tx = self.read(scope.scope()).await?;
        tx.source_state(scope.of_source().source()).await
    }

    /// The digests of the source's buckets, and the state to which they belong.
    #[tracing::instrument(name = "store.agent.agent_tree", skip_all)]
    pub async fn agent_tree(&self, scope: &AgentScope) -> Result<(SourceState, Tree), StoreError> {
        let tx = self.read(scope.scope()).await?;
        let source = scope.of_source().source();
        let state = tx.source_state(source).await?;
        let rows: Vec<BucketRow> = tx.all(&BUCKETS, [source.0.into()]).await?;
        let mut tree = Tree::default();
        for row in rows {
            let digest = unhex(&row.digest).ok_or_else(|| StoreError::database("the digest of a bucket"))?;
            tree.set(u16::try_from(row.bucket).unwrap_or(u16::MAX), digest);
        }
        Ok((state, tree))
    }
}

impl TenantTx {
    pub(super) async fn source_state(&self, source: SourceId) -> Result<SourceState, StoreError> {
        Ok(self.one(&STATE, [source.0.into()]).await?.unwrap_or_default())
    }

    /// Locks the state of a source until the end of the transaction.
    pub(super) async fn lock_state(&self, source: SourceId) -> Result<(), StoreError> {
        self.exec(&LOCK, [source.0.into()]).await?;
        Ok(())
    }

    /// Whether the last exact count leaves room for so many records. A count reads every record, so it is not for each upload.
    pub(super) async fn has_room(&self, source: SourceId, created: u64) -> Result<bool, StoreError> {
        let room: Option<RoomRow> = self.one(&ROOM, [source.0.into()]).await?;
        let Some(RoomRow { records_known, records_max, counted_at }) = room else { return Ok(false) };
        let is_fresh = counted_at.is_some_and(|at| self.clock.now() - at < COUNT_LIFE);
        Ok(is_fresh && records_known.saturating_add(i64::try_from(created).unwrap_or(i64::MAX)) <= records_max)
    }

    /// Notes an exact count.
    pub(super) async fn note_count(&self, source: SourceId, records: u64, most: u64) -> Result<(), StoreError> {
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let values = [source.0.into(), signed(records).into(), signed(most).into(), self.clock.now().into()];
        self.exec(&NOTE_COUNT, values).await?;
        Ok(())
    }

    /// Notes records that an upload is about to make.
    pub(super) async fn add_records(&self, source: SourceId, created: u64) -> Result<(), StoreError> {
        self.exec(&ADD_RECORDS, [source.0.into(), i64::try_from(created).unwrap_or(i64::MAX).into()]).await?;
        Ok(())
    }

    /// Notes an applied upload.
    pub(super) async fn move_on(
        &self,
        source: SourceId,
        upload: uuid::Uuid,
        cursor: Option<String>,
    ) -> Result<(), StoreError> {
        let values = [source.0.into(), upload.into(), cursor.into(), self.clock.now().into()];
        self.exec(&MOVE_ON, values).await?;
        Ok(())
    }
}
