//! Writes the difference of a part into the directory, a piece in each transaction: records, memberships, change marks of the bulk
//! lane, audit events, and the digests by which the next upload is compared. Each transaction counts the upload's step on, so of two
//! workers with the same upload one writes nothing.

use crate::agent::compare::{PartDiff, Step, kind_of};
use crate::agent::rows::{
    BUCKET_COLUMNS, Beside, BucketRow, GROUP_COLUMNS, GROUP_UPDATE_COLUMNS, GroupRow, RECORD_COLUMNS, RecordRow,
    TOMBSTONE_COLUMNS, USER_COLUMNS, USER_UPDATE_COLUMNS, UserRow, group_resource, user_resource,
};
use crate::agent::work::UploadWork;
use crate::directory::groups::audited as audited_group;
use crate::directory::users::{audited, into_map};
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::row_sets::{Columns, ID, Type, id_rows, json_rows};
use crate::engine::sql::{RowSet, Sql};
use crate::engine::transaction::TenantTx;
use crate::log::audit_events::EventRow;
use crate::log::changes::{Lane, Touched};
use chrono::{DateTime, Utc};
use rollcall_core::event::{Difference, Event};
use rollcall_core::ids::{DirectoryGroupId, DirectoryUserId};
use rollcall_scim::{GroupResource, UserResource};
use rollcall_snapshot::{Entry, Group, Kind, User};
use sea_orm::FromQueryResult;
use serde::Serialize;
use serde_json::Value as Json;
use std::collections::HashMap;
use uuid::Uuid;

/// Records of one transaction: it holds their locks, and pushes of the tenant wait for its commit.
const STEPS_AT_ONCE: usize = 1_000;

/// A record before the change.
#[derive(FromQueryResult)]
struct FormerRow {
    id: Uuid,
    attributes: Json,
    version: i64,
    created_at: DateTime<Utc>,
}

#[derive(Serialize)]
struct KeyParameter<'a> {
    bucket: u16,
    external_id: &'a str,
}

const OF_IDS: &[RowSet] = &[("rows", 2, ID)];
const KEY: Columns = &[("bucket", Type::Int), ("external_id", Type::Text)];
const OF_KEYS: &[RowSet] = &[("rows", 3, KEY)];

static COUNT_ON: Sql = Sql::tenant(&[
    "UPDATE agent_uploads SET step = step + 1, touched_at = $4 WHERE tenant_id = {tenant} AND id = $2 AND step = $3 \
     AND state = 'applying'",
]);
static PART_DONE: Sql =
    Sql::tenant(&["UPDATE agent_uploads SET applied_parts = $3 WHERE tenant_id = {tenant} AND id = $2"]);
static FORMER_USERS: Sql = Sql::tenant_rows(
    OF_IDS,
    &[
        "SELECT u.id, u.attributes, u.version, u.created_at FROM {rows} {join} directory_users u ON u.tenant_id = {tenant} \
       AND u.id = r.id AND u.deleted_at IS NULL",
    ],
);
static FORMER_GROUPS: Sql = Sql::tenant_rows(
    OF_IDS,
    &[
        "SELECT g.id, g.attributes, g.version, g.created_at FROM {rows} {join} directory_groups g ON g.tenant_id = {tenant} \
       AND g.id = r.id AND g.deleted_at IS NULL",
    ],
);
static NOTE_ACTIVE: Sql = Sql::tenant_rows(
    OF_IDS,
    &[
        "UPDATE directory_users SET was_active = TRUE WHERE tenant_id = {tenant} AND active = TRUE AND was_active = FALSE \
       AND id IN (SELECT r.id FROM {rows})",
    ],
);
static BURY_GROUPS: Sql = Sql::tenant_rows(
    OF_IDS,
    &[
        "UPDATE directory_groups SET attributes = $4, folded = NULL, deleted_at = $3, modified_at = $3 WHERE tenant_id = {tenant} \
       AND id IN (SELECT r.id FROM {rows})",
    ],
);
static FORGET_RECORDS: Sql = Sql::tenant_rows(
    OF_KEYS,
    &["DELETE FROM agent_records WHERE tenant_id = {tenant} AND source_id = $2 \
       AND (bucket, external_id) IN (SELECT r.bucket, r.external_id FROM {rows})"],
);

/// The records of one kind, by what the steps of a piece do with them.
struct Piece<T> {
    created: Vec<(Uuid, T)>,
    changed: Vec<(Uuid, T)>,
    removed: Vec<Uuid>,
}

impl<T> Default for Piece<T> {
    fn default() -> Self {
        Self { created: Vec::new(), changed: Vec::new(), removed: Vec::new() }
    }
}

impl<T> Piece<T> {
    fn former_ids(&self) -> impl Iterator<Item = Uuid> {
        self.changed.iter().map(|(id, _)| *id).chain(self.removed.iter().copied())
    }
}

/// The marks and events of a piece.
#[derive(Default)]
pub(super) struct Told {
    pub(super) touched: Vec<Touched>,
    pub(super) events: Vec<EventRow>,
}

impl Told {
    pub(super) fn add(&mut self, tx: &TenantTx, touched: Touched, event: &Event) {
        self.touched.push(touched);
        self.events.push(tx.event_row(event, tx.actor, tx.request, None));
    }
}

impl Store {
    /// Writes the next steps of a part's difference, and takes them off; true once there are none.
    ///
    /// # Errors
    /// [`StoreError::LeaseLost`] when another worker has the upload.
    #[tracing::instrument(name = "store.agent.apply_piece", skip_all)]
    pub async fn apply_piece(&self, work: &mut UploadWork, diff: &mut PartDiff) -> Result<bool, StoreError> {
        if diff.steps.is_empty() {
            return Ok(true);
        }
        // From the beginning: groups come before the people who are in them.
        let rest = diff.steps.split_off(diff.steps.len().min(STEPS_AT_ONCE));
        let piece = std::mem::replace(&mut diff.steps, rest);
        let tx = self.write(&work.scope).await?;
        tx.count_on(work).await?;
        tx.apply_steps(work, &piece).await?;
        tx.commit().await?;
        work.upload.step += 1;
        Ok(diff.steps.is_empty())
    }

    /// Notes that a part is applied, with the digests of its buckets.
    ///
    /// # Errors
    /// As [`apply_piece`](Self::apply_piece).
    #[tracing::instrument(name = "store.agent.finish_part", skip_all)]
    pub async fn finish_part(&self, work: &mut UploadWork, diff: &PartDiff) -> Result<(), StoreError> {
        let tx = self.write(&work.scope).await?;
        tx.count_on(work).await?;
        let (tenant_id, source_id) = (tx.tenant.0, work.source().0);
        let row = |(bucket, digest): &(u16, [u8; 16])| BucketRow {
            tenant_id,
            source_id,
            bucket: *bucket,
            digest: rollcall_snapshot::bucket::hex(digest),
        };
        let rows: Vec<BucketRow> = diff.buckets.iter().map(row).collect();
        let tail = "ON CONFLICT (tenant_id, source_id, bucket) DO UPDATE SET digest = excluded.digest";
        tx.tx.insert_rows("agent_buckets", BUCKET_COLUMNS, &rows, tail).await?;
        tx.exec(&PART_DONE, [work.upload.id.into(), (work.upload.applied_parts + 1).into()]).await?;
        tx.commit().await?;
        work.upload.step += 1;
        work.upload.applied_parts += 1;
        Ok(())
    }
}

impl TenantTx {
    pub(super) async fn count_on(&self, work: &UploadWork) -> Result<(), StoreError> {
        let values = [work.upload.id.into(), work.upload.step.into(), self.clock.now().into()];
        match self.exec(&COUNT_ON, values).await? {
            0 => Err(StoreError::LeaseLost),
            _ => Ok(()),
        }
    }

    async fn apply_steps(&self, work: &UploadWork, steps: &[Step]) -> Result<(), StoreError> {
        let (mut users, mut groups): (Piece<&User>, Piece<&Group>) = Default::default();
        let (mut records, mut forgotten) = (Vec::new(), Vec::new());
        for step in steps {
            let made: Uuid = self.clock.new_id();
            records.extend(RecordRow::of(self.tenant.0, work.source().0, step, made));
            match step {
                Step::Create(Entry::User(user)) => users.created.push((made, user)),
                Step::Create(Entry::Group(group)) => groups.created.push((made, group)),
                Step::Change(id, Entry::User(user)) => users.changed.push((*id, user)),
                Step::Change(id, Entry::Group(group)) => groups.changed.push((*id, group)),
                Step::Remove { record, bucket, external_id } => {
                    forgotten.push(KeyParameter { bucket: *bucket, external_id });
                    match kind_of(*bucket) {
                        Kind::User => users.removed.push(*record),
                        Kind::Group => groups.removed.push(*record),
                    }
                }
                Step::Create(_) | Step::Change(..) => {}
            }
        }
        let mut told = Told::default();
        self.apply_groups(work, &groups, &mut told).await?;
        self.apply_users(work, &users, &mut told).await?;
        let tail = "ON CONFLICT (tenant_id, source_id, bucket, external_id) DO UPDATE SET digest = excluded.digest, \
                    record_id = excluded.record_id";
        self.tx.insert_rows("agent_records", RECORD_COLUMNS, &records, tail).await?;
        if !forgotten.is_empty() {
            self.exec(&FORGET_RECORDS, [work.source().0.into(), json_rows(&forgotten)?]).await?;
        }
        let people = users.created.iter().chain(&users.changed).map(|(id, user)| (*id, user.groups.as_slice()));
        self.apply_memberships(work, &people.collect::<Vec<_>>(), &mut told).await?;
        self.write_changes(Some(work.source()), Lane::Bulk, told.touched).await?;
        self.write_events(&told.events).await
    }

    async fn apply_groups(&self, work: &UploadWork, piece: &Piece<&Group>, told: &mut Told) -> Result<(), StoreError> {
        let former = self.former(&FORMER_GROUPS, piece.former_ids()).await?;
        let mut made = Vec::new();
        for (id, group) in &piece.created {
            let resource = group_resource(group);
            made.push(GroupRow::new(&resource, &self.new_row(work, *id)));
            let event = Event::DirectoryGroupCreated((*id).into(), audited_group(&resource));
            told.add(self, Touched::Group((*id).into()), &event);
        }
        self.tx.insert_rows("directory_groups", GROUP_COLUMNS, &made, "").await?;
        let mut changed = Vec::new();
        for (id, group) in &piece.changed {
            let Some(row) = former.get(id) else { continue };
            let (before, after) = (GroupResource::from_stored(into_map(row.attributes.clone())), group_resource(group));
            if before == after {
                continue;
            }
            changed.push(GroupRow::new(&after, &self.next_row(work, row)));
            let difference = Difference { before: audited_group(&before), after: audited_group(&after) };
            told.add(self, Touched::Group((*id).into()), &Event::DirectoryGroupUpdated((*id).into(), difference));
        }
        self.tx.update_rows("directory_groups", GROUP_UPDATE_COLUMNS, &changed).await?;
        self.bury_groups(work, &piece.removed, &former, told).await
    }

    async fn bury_groups(
        &self,
        work: &UploadWork,
        removed: &[Uuid],
        former: &HashMap<Uuid, FormerRow>,
        told: &mut Told,
    ) -> Result<(), StoreError> {
        if removed.is_empty() {
            return Ok(());
        }
        let scoped = self.kept_policy_of(work.source()).await?.user_scope.is_some();
        for id in removed {
            self.empty_group(work.source(), (*id).into(), scoped).await?;
            if let Some(row) = former.get(id) {
                let resource = GroupResource::from_stored(into_map(row.attributes.clone()));
                let group: DirectoryGroupId = (*id).into();
                told.add(self, Touched::Group(group), &Event::DirectoryGroupDeleted(group, audited_group(&resource)));
            }
        }
        let nothing = Json::Object(serde_json::Map::new());
        let values = [id_rows(removed.iter().copied())?, self.clock.now().into(), nothing.into()];
        self.exec(&BURY_GROUPS, values).await?;
        Ok(())
    }

    async fn apply_users(&self, work: &UploadWork, piece: &Piece<&User>, told: &mut Told) -> Result<(), StoreError> {
        let former = self.former(&FORMER_USERS, piece.former_ids()).await?;
        let mut made = Vec::new();
        for (id, user) in &piece.created {
            let resource = user_resource(user);
            made.push(UserRow::new(&resource, &self.new_row(work, *id)));
            let event = Event::DirectoryUserCreated((*id).into(), audited(&resource));
            told.add(self, Touched::User((*id).into()), &event);
        }
        self.tx.insert_rows("directory_users", USER_COLUMNS, &made, "").await?;
        let (mut changed, mut active) = (Vec::new(), Vec::new());
        for (id, user) in &piece.changed {
            let Some(row) = former.get(id) else { continue };
            let (before, after) = (UserResource::from_stored(into_map(row.attributes.clone())), user_resource(user));
            if before == after {
                continue;
            }
            active.extend(after.active().then_some(*id));
            changed.push(UserRow::new(&after, &self.next_row(work, row)));
            let difference = Difference { before: audited(&before), after: audited(&after) };
            told.add(self, Touched::User((*id).into()), &Event::DirectoryUserUpdated((*id).into(), difference));
        }
        self.tx.update_rows("directory_users", USER_UPDATE_COLUMNS, &changed).await?;
        if !active.is_empty() {
            self.exec(&NOTE_ACTIVE, [id_rows(active)?]).await?;
        }
        self.bury_users(work, &piece.removed, &former, told).await
    }

    async fn bury_users(
        &self,
        work: &UploadWork,
        removed: &[Uuid],
        former: &HashMap<Uuid, FormerRow>,
        told: &mut Told,
    ) -> Result<(), StoreError> {
        if removed.is_empty() {
            return Ok(());
        }
        self.leave_all_groups(removed).await?;
        let mut rows = Vec::new();
        for row in removed.iter().filter_map(|id| former.get(id)) {
            let resource = UserResource::from_stored(into_map(row.attributes.clone()));
            rows.push(UserRow::erased(&resource, &self.next_row(work, row)));
            let user: DirectoryUserId = row.id.into();
            told.add(self, Touched::User(user), &Event::DirectoryUserDeleted(user, audited(&resource)));
        }
        self.tx.update_rows("directory_users", TOMBSTONE_COLUMNS, &rows).await?;
        Ok(())
    }

    async fn former(&self, sql: &Sql, ids: impl Iterator<Item = Uuid>) -> Result<HashMap<Uuid, FormerRow>, StoreError> {
        let ids: Vec<Uuid> = ids.collect();
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let rows: Vec<FormerRow> = self.all(sql, [id_rows(ids)?]).await?;
        Ok(rows.into_iter().map(|row| (row.id, row)).collect())
    }

    fn new_row(&self, work: &UploadWork, id: Uuid) -> Beside {
        let now = self.clock.now();
        let (tenant, source) = (self.tenant.0, work.source().0);
        Beside { tenant, source, id, version: 1, was_active: false, created_at: now, modified_at: now }
    }

    fn next_row(&self, work: &UploadWork, row: &FormerRow) -> Beside {
        let version = row.version + 1;
        Beside { version, created_at: row.created_at, ..self.new_row(work, row.id) }
    }
}
