//! Uploads of agents as requests see them: begun, filled with parts, committed, waited for. The parts are in `parts.rs`.

use crate::agent::state::SourceState;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::scope::{AdminScope, AgentScope};
use chrono::{DateTime, Utc};
use rollcall_core::ids::{AgentKeyId, SourceId, UploadId};
use rollcall_core::upload::{UploadKind, UploadRefusal, UploadState};
use rollcall_snapshot::Ranges;
use sea_orm::FromQueryResult;
use sea_orm::sea_query::Value;
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// Uploads of a list.
const LISTED_MAX: i64 = 100;

/// A refusal with its word, or a failure of the store.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    #[error("{message}")]
    Refused { reason: UploadRefusal, message: String },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<UploadRefusal> for UploadError {
    fn from(reason: UploadRefusal) -> Self {
        Self::Refused { reason, message: reason.sentence().to_owned() }
    }
}

/// The terms of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUpload {
    /// Made by the agent, so that a repetition is the same upload.
    pub id: UploadId,
    pub kind: UploadKind,
    pub covers: Ranges,
    pub users: u64,
    pub groups: u64,
    /// The sequence of the directory at the hub, as the agent read it.
    pub sequence: i64,
    /// People who may leave by this upload, in place of the policy's limit (DA10).
    pub removal_limit: Option<u32>,
    /// Nothing is changed; the outcome tells what would be.
    pub simulate: bool,
    pub from_cursor: Option<String>,
    pub to_cursor: Option<String>,
}

/// An upload as it stands.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Upload {
    pub id: Uuid,
    pub(crate) source_id: Uuid,
    pub key_id: Uuid,
    pub kind: String,
    pub state: String,
    pub(crate) covers: Json,
    pub(crate) users: i64,
    pub(crate) user_groups: i64,
    pub(crate) sequence: i64,
    pub(crate) removal_limit: Option<i64>,
    pub simulate: bool,
    pub(crate) from_cursor: Option<String>,
    pub(crate) to_cursor: Option<String>,
    pub bytes: i64,
    pub parts: i64,
    pub applied_parts: i64,
    pub(crate) step: i64,
    pub counts: Option<Json>,
    /// The plan of a simulation: what would be done with which external ids.
    pub items: Option<Json>,
    pub code: i64,
    pub reason: Option<String>,
    pub message: Option<String>,
    pub(crate) last_change: Option<Uuid>,
    pub(crate) failures: i64,
    pub created_at: DateTime<Utc>,
    pub committed_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
}

impl Upload {
    pub(crate) fn is(&self, state: UploadState) -> bool {
        self.state == state.as_str()
    }

    /// True once nothing more will happen to the upload itself.
    pub fn has_ended(&self) -> bool {
        self.ended_at.is_some()
    }

    pub(crate) fn is_delta(&self) -> bool {
        self.kind == UploadKind::Delta.as_str()
    }

    pub(crate) fn ranges(&self) -> Result<Ranges, StoreError> {
        serde_json::from_value(self.covers.clone()).map_err(|e| StoreError::database(format!("stored ranges: {e}")))
    }

    fn has_terms(&self, new: &NewUpload) -> bool {
        let removal_limit = new.removal_limit.map(i64::from);
        (self.kind.as_str(), &self.covers, self.users, self.user_groups)
            == (new.kind.as_str(), &json!(new.covers), signed(new.users), signed(new.groups))
            && (self.sequence, self.removal_limit, self.simulate) == (new.sequence, removal_limit, new.simulate)
            && (&self.from_cursor, &self.to_cursor) == (&new.from_cursor, &new.to_cursor)
    }
}

pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) const COLUMNS: &str = "id, source_id, key_id, kind, state, covers, users, user_groups, sequence, removal_limit, simulate, \
     from_cursor, to_cursor, bytes, parts, applied_parts, step, counts, items, code, reason, message, last_change, failures, created_at, \
     committed_at, ended_at";
static INSERT: Sql = Sql::tenant(&[
    "INSERT INTO agent_uploads (tenant_id, id, source_id, key_id, kind, state, covers, users, user_groups, sequence, removal_limit, \
     simulate, from_cursor, to_cursor, created_at, touched_at) \
     VALUES ({tenant}, $2, $3, $4, $5, 'open', $6, $7, $8, $9, $10, $11, $12, $13, $14, $14)",
]);
static BY_ID: Sql = Sql::tenant(&["SELECT ", COLUMNS, " FROM agent_uploads WHERE tenant_id = {tenant} AND id = $2"]);
/// Takes the row's lock with the same statement, on either engine.
static TOUCH: Sql = Sql::tenant(&[
    "UPDATE agent_uploads SET touched_at = $4 WHERE tenant_id = {tenant} AND id = $2 AND source_id = $3 RETURNING ",
    COLUMNS,
]);
static OF_SOURCE: Sql = Sql::tenant(&[
    "SELECT ",
    COLUMNS,
    " FROM agent_uploads WHERE tenant_id = {tenant} AND source_id = $2 ORDER BY id DESC LIMIT $3",
]);
static IN_PROGRESS: Sql = Sql::tenant(&[
    "SELECT ",
    COLUMNS,
    " FROM agent_uploads WHERE tenant_id = {tenant} AND source_id = $2 AND state IN ('waiting', 'applying') LIMIT 1",
]);
static UNFINISHED_OF_KEY: Sql = Sql::tenant(&[
    "SELECT ",
    COLUMNS,
    " FROM agent_uploads WHERE tenant_id = {tenant} \
     AND key_id = $2 AND state IN ('open', 'unverified')",
]);
static NOT_APPLIED_OF_KEY: Sql = Sql::tenant(&[
    "SELECT ",
    COLUMNS,
    " FROM agent_uploads WHERE tenant_id = {tenant} \
     AND key_id = $2 AND state IN ('open', 'unverified', 'waiting')",
]);
static END: Sql = Sql::tenant(&[
    "UPDATE agent_uploads SET state = $3, code = $4, reason = $5, message = $6, ended_at = $7, touched_at = $7, bytes = 0 \
     WHERE tenant_id = {tenant} AND id = $2",
]);
static DROP_PARTS: Sql = Sql::tenant(&["DELETE FROM agent_parts WHERE tenant_id = {tenant} AND upload_id = $2"]);
static USED: Sql = Sql::tenant(&["UPDATE agent_keys SET last_used_at = $3 WHERE tenant_id = {tenant} AND id = $2"]);

impl Store {
    /// Begins an upload. A repetition with the same id and terms is the same upload; another one takes the place of what this key
    /// began before.
    ///
    /// # Errors
    /// [`UploadError::Refused`] with `sequence_moved`, `cursor_moved`, `upload_in_progress` or `id_taken`.
    #[tracing::instrument(name = "store.agent.begin_upload", skip_all)]
    pub async fn begin_upload(&self, scope: &AgentScope, new: &NewUpload) -> Result<Upload, UploadError> {
        let tx = self.write(scope.scope()).await?;
        tx.lock_state(scope.of_source().source()).await?;
        let upload = tx.begin_upload(scope, new).await?;
        tx.commit().await?;
        Ok(upload)
    }

    /// An upload of this agent.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    #[tracing::instrument(name = "store.agent.upload", skip_all)]
    pub async fn upload(&self, scope: &AgentScope, id: UploadId) -> Result<Upload, StoreError> {
        let tx = self.read(scope.scope()).await?;
        tx.upload_row(scope.of_source().source(), id).await
    }

    /// Uploads of a source, the latest first.
    #[tracing::instrument(name = "store.agent.uploads", skip_all)]
    pub async fn uploads(&self, scope: &AdminScope, source: SourceId) -> Result<Vec<Upload>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        tx.source_row(source).await?;
        tx.all(&OF_SOURCE, [source.0.into(), LISTED_MAX.into()]).await
    }

    /// Gives an upload up that is not being applied.
    ///
    /// # Errors
    /// [`UploadError::Refused`] with `upload_in_progress` for one that is.
    #[tracing::instrument(name = "store.agent.give_upload_up", skip_all)]
    pub async fn give_upload_up(&self, scope: &AgentScope, id: UploadId) -> Result<(), UploadError> {
        let tx = self.write(scope.scope()).await?;
        let upload = tx.lock_upload(scope, id).await?;
        if upload.has_ended() {
            return Ok(());
        }
        if upload.is(UploadState::Applying) {
            return Err(UploadRefusal::UploadInProgress.into());
        }
        tx.end_upload(upload.id, UploadState::Abandoned, UploadRefusal::GivenUp, None).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Ends what a key uploaded and is not applied yet.
pub(super) async fn abandon_of_key(tx: &TenantTx, key: AgentKeyId, why: UploadRefusal) -> Result<(), StoreError> {
    let uploads: Vec<Upload> = tx.all(&NOT_APPLIED_OF_KEY, [key.0.into()]).await?;
    for upload in uploads {
        tx.end_upload(upload.id, UploadState::Abandoned, why, None).await?;
    }
    Ok(())
}

impl TenantTx {
    /// Begins an upload under the lock of the source's state.
    pub(super) async fn begin_upload(&self, scope: &AgentScope, new: &NewUpload) -> Result<Upload, UploadError> {
        let source = scope.of_source().source();
        let found: Option<Upload> = self.one(&BY_ID, [new.id.0.into()]).await?;
        if let Some(found) = found {
            let same = found.source_id == source.0 && found.key_id == scope.key().0 && found.has_terms(new);
            return if same { Ok(found) } else { Err(UploadRefusal::IdTaken.into()) };
        }
        self.check_terms(source, new).await?;
        let in_progress: Option<Upload> = self.one(&IN_PROGRESS, [source.0.into()]).await?;
        if in_progress.is_some() {
            return Err(UploadRefusal::UploadInProgress.into());
        }
        let former: Vec<Upload> = self.all(&UNFINISHED_OF_KEY, [scope.key().0.into()]).await?;
        for upload in former {
            self.end_upload(upload.id, UploadState::Abandoned, UploadRefusal::Superseded, None).await?;
        }
        let removal_limit: Option<i64> = new.removal_limit.map(i64::from);
        let values: Vec<Value> = vec![
            new.id.0.into(),
            source.0.into(),
            scope.key().0.into(),
            new.kind.as_str().into(),
            json!(new.covers).into(),
            signed(new.users).into(),
            signed(new.groups).into(),
            new.sequence.into(),
            removal_limit.into(),
            new.simulate.into(),
            new.from_cursor.clone().into(),
            new.to_cursor.clone().into(),
            self.clock.now().into(),
        ];
        self.exec(&INSERT, values).await?;
        self.exec(&USED, [scope.key().0.into(), self.clock.now().into()]).await?;
        Ok(self.upload_row(source, new.id).await?)
    }

    /// Compares sequence and cursor with those of the source.
    async fn check_terms(&self, source: SourceId, new: &NewUpload) -> Result<(), UploadError> {
        let SourceState { sequence, cursor, .. } = self.source_state(source).await?;
        if new.sequence != sequence {
            return Err(UploadRefusal::SequenceMoved.into());
        }
        if new.kind == UploadKind::Delta && new.from_cursor != cursor {
            return Err(UploadRefusal::CursorMoved.into());
        }
        Ok(())
    }

    async fn upload_row(&self, source: SourceId, id: UploadId) -> Result<Upload, StoreError> {
        let found: Option<Upload> = self.one(&BY_ID, [id.0.into()]).await?;
        found.filter(|upload| upload.source_id == source.0).ok_or(StoreError::NotFound("upload"))
    }

    /// The upload of this key, locked until the end of the transaction.
    pub(super) async fn lock_upload(&self, scope: &AgentScope, id: UploadId) -> Result<Upload, StoreError> {
        let values = [id.0.into(), scope.of_source().source().0.into(), self.clock.now().into()];
        let found: Option<Upload> = self.one(&TOUCH, values).await?;
        found.filter(|upload| upload.key_id == scope.key().0).ok_or(StoreError::NotFound("upload"))
    }

    /// Ends an upload without effect, and lets its parts go.
    pub(super) async fn end_upload(
        &self,
        id: Uuid,
        state: UploadState,
        why: UploadRefusal,
        message: Option<&str>,
    ) -> Result<(), StoreError> {
        let values = [
            id.into(),
            state.as_str().into(),
            i64::from(why.code()).into(),
            why.as_str().into(),
            message.unwrap_or(why.sentence()).into(),
            self.clock.now().into(),
        ];
        self.exec(&END, values).await?;
        self.drop_parts(id).await
    }

    pub(super) async fn drop_parts(&self, id: Uuid) -> Result<(), StoreError> {
        self.exec(&DROP_PARTS, [id.into()]).await?;
        Ok(())
    }
}
