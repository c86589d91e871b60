//! Parts of uploads: stored compressed as they came, in any order, each once; and the commit that completes an upload.

use crate::agent::uploads::{NewUpload, Upload, UploadError, signed};
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::scope::AgentScope;
use rollcall_core::ids::UploadId;
use rollcall_core::upload::{UploadRefusal, UploadState};
use rollcall_snapshot::bucket::{hex, unhex};
use rollcall_snapshot::{ManifestDigest, PartDigest, manifest_digest};
use sea_orm::FromQueryResult;
use uuid::Uuid;

/// Most parts of an upload.
pub const PARTS_MAX: u32 = 10_000;
/// Numbers of missing parts in a message.
const NAMED_MAX: usize = 20;

/// A part as it came.
#[derive(Clone, Copy, Debug)]
pub struct NewPart<'b> {
    pub number: u32,
    pub digest: PartDigest,
    pub content: &'b [u8],
    /// Bytes that all uploads of the tenant may take until they are applied.
    pub stored_bytes_max: u64,
}

#[derive(FromQueryResult)]
struct DigestRow {
    digest: String,
}

#[derive(FromQueryResult)]
struct BytesRow {
    bytes: i64,
}

#[derive(FromQueryResult)]
struct ListedPart {
    number: i64,
    digest: String,
    bytes: i64,
}

#[derive(FromQueryResult)]
struct StateRow {
    state: String,
}

#[derive(FromQueryResult)]
struct ContentRow {
    content: Vec<u8>,
}

static DIGEST: Sql =
    Sql::tenant(&["SELECT digest FROM agent_parts WHERE tenant_id = {tenant} AND upload_id = $2 AND number = $3"]);
static STORED: Sql = Sql::tenant(&[
    "SELECT CAST(coalesce(sum(bytes), 0) AS bigint) AS bytes FROM agent_uploads WHERE tenant_id = {tenant} AND ended_at IS NULL",
]);
static INSERT: Sql = Sql::tenant(&["INSERT INTO agent_parts (tenant_id, upload_id, number, digest, bytes, content) \
     VALUES ({tenant}, $2, $3, $4, $5, $6)"]);
static COUNT: Sql = Sql::tenant(&[
    "UPDATE agent_uploads SET bytes = bytes + $3, parts = parts + 1 WHERE tenant_id = {tenant} AND id = $2",
]);
static LIST: Sql = Sql::tenant(&[
    "SELECT number, digest, bytes FROM agent_parts WHERE tenant_id = {tenant} AND upload_id = $2 ORDER BY number",
]);
static CONTENT: Sql =
    Sql::tenant(&["SELECT content FROM agent_parts WHERE tenant_id = {tenant} AND upload_id = $2 AND number = $3"]);
static USE_KEY: Sql =
    Sql::tenant(&["UPDATE agent_keys SET last_used_at = $3 WHERE tenant_id = {tenant} AND id = $2 RETURNING state"]);
static COMMIT: Sql = Sql::tenant(&[
    "UPDATE agent_uploads SET state = $3, committed_at = $4 WHERE tenant_id = {tenant} AND id = $2 AND state = 'open'",
]);

impl Store {
    /// Stores a part; true when it was not there before.
    ///
    /// # Errors
    /// [`UploadError::Refused`] with `part_differs`, `upload_ended` or `storage_full`.
    #[tracing::instrument(name = "store.agent.put_part", skip_all)]
    pub async fn put_part(&self, scope: &AgentScope, id: UploadId, part: &NewPart<'_>) -> Result<bool, UploadError> {
        let tx = self.write(scope.scope()).await?;
        let upload = tx.lock_upload(scope, id).await?;
        let is_new = tx.put_part(&upload, part).await?;
        tx.commit().await?;
        Ok(is_new)
    }

    /// Numbers of the parts that are there, in order.
    #[tracing::instrument(name = "store.agent.part_numbers", skip_all)]
    pub async fn part_numbers(&self, scope: &AgentScope, id: UploadId) -> Result<Vec<i64>, StoreError> {
        let tx = self.read(scope.scope()).await?;
        let parts: Vec<ListedPart> = tx.all(&LIST, [id.0.into()]).await?;
        Ok(parts.into_iter().map(|part| part.number).collect())
    }

    /// Completes an upload. A worker is to be woken if the key is verified.
    ///
    /// # Errors
    /// [`UploadError::Refused`] with `parts_missing`, `manifest_differs` or `upload_ended`.
    #[tracing::instrument(name = "store.agent.commit_upload", skip_all)]
    pub async fn commit_upload(
        &self,
        scope: &AgentScope,
        id: UploadId,
        parts: u32,
        manifest: &ManifestDigest,
    ) -> Result<Upload, UploadError> {
        let tx = self.write(scope.scope()).await?;
        let upload = tx.lock_upload(scope, id).await?;
        if upload.is(UploadState::Open) {
            let listed: Vec<ListedPart> = tx.all(&LIST, [id.0.into()]).await?;
            check_manifest(&listed, parts, manifest)?;
            tx.complete(scope, upload.id).await?;
        } else if upload.is(UploadState::Abandoned) {
            return Err(UploadRefusal::UploadEnded.into());
        }
        let upload = tx.lock_upload(scope, id).await?;
        tx.commit().await?;
        Ok(upload)
    }

    /// Begins, fills and completes an upload of one part.
    ///
    /// # Errors
    /// As the three calls in its place.
    #[tracing::instrument(name = "store.agent.upload_whole", skip_all)]
    pub async fn upload_whole(
        &self,
        scope: &AgentScope,
        new: &NewUpload,
        part: &NewPart<'_>,
    ) -> Result<Upload, UploadError> {
        let tx = self.write(scope.scope()).await?;
        tx.lock_state(scope.of_source().source()).await?;
        let upload = tx.begin_upload(scope, new).await?;
        if upload.is(UploadState::Open) {
            tx.put_part(&upload, part).await?;
            tx.complete(scope, upload.id).await?;
        }
        let upload = tx.lock_upload(scope, new.id).await?;
        tx.commit().await?;
        Ok(upload)
    }
}

fn check_manifest(listed: &[ListedPart], parts: u32, manifest: &ManifestDigest) -> Result<(), UploadError> {
    let is_there = |number: &u32| listed.iter().any(|part| part.number == i64::from(*number));
    let missing: Vec<String> =
        (1..=parts).filter(|number| !is_there(number)).take(NAMED_MAX).map(|number| number.to_string()).collect();
    if !missing.is_empty() {
        let message = format!("parts are missing: {}; send them, then commit again", missing.join(", "));
        return Err(UploadError::Refused { reason: UploadRefusal::PartsMissing, message });
    }
    let stored = listed.iter().map(|part| Some((unhex(&part.digest)?, u64::try_from(part.bytes).ok()?)));
    let stored: Vec<(PartDigest, u64)> =
        stored.collect::<Option<_>>().ok_or_else(|| StoreError::database("the digest of a part"))?;
    if manifest_digest(stored.iter().map(|(digest, bytes)| (digest, *bytes))) != *manifest {
        return Err(UploadRefusal::ManifestDiffers.into());
    }
    Ok(())
}

impl TenantTx {
    async fn put_part(&self, upload: &Upload, part: &NewPart<'_>) -> Result<bool, UploadError> {
        let digest = hex(&part.digest);
        let key: [sea_orm::sea_query::Value; 2] = [upload.id.into(), i64::from(part.number).into()];
        let found: Option<DigestRow> = self.one(&DIGEST, key.clone()).await?;
        if let Some(found) = found {
            return if found.digest == digest { Ok(false) } else { Err(UploadRefusal::PartDiffers.into()) };
        }
        if !upload.is(UploadState::Open) {
            return Err(UploadRefusal::UploadEnded.into());
        }
        let bytes = part.content.len() as u64;
        let stored: Option<BytesRow> = self.one(&STORED, []).await?;
        let stored = stored.and_then(|row| u64::try_from(row.bytes).ok()).unwrap_or(0);
        if stored.saturating_add(bytes) > part.stored_bytes_max {
            return Err(UploadRefusal::StorageFull.into());
        }
        let values = key.into_iter().chain([digest.into(), signed(bytes).into(), part.content.to_vec().into()]);
        self.exec(&INSERT, values).await?;
        self.exec(&COUNT, [upload.id.into(), signed(bytes).into()]).await?;
        Ok(true)
    }

    /// A verified key's upload waits for a worker, another one for an admin (DA4). The key's row is locked meanwhile, so that an admin
    /// who verifies it finds the upload, or the upload finds the key verified.
    async fn complete(&self, scope: &AgentScope, id: Uuid) -> Result<(), UploadError> {
        let key: Option<StateRow> = self.one(&USE_KEY, [scope.key().0.into(), self.clock.now().into()]).await?;
        let state = match key.as_ref().map(|key| key.state.as_str()) {
            Some("active") => UploadState::Waiting,
            Some("pending") => UploadState::Unverified,
            _ => return Err(UploadRefusal::KeyRevoked.into()),
        };
        self.exec(&COMMIT, [id.into(), state.as_str().into(), self.clock.now().into()]).await?;
        Ok(())
    }

    pub(super) async fn part_content(&self, upload: Uuid, number: u32) -> Result<Vec<u8>, StoreError> {
        let found: Option<ContentRow> = self.one(&CONTENT, [upload.into(), i64::from(number).into()]).await?;
        Ok(found.ok_or(StoreError::NotFound("part"))?.content)
    }
}
