//! The memberships of the people of a piece: those that differ are added and taken away, row by row, each with its mark and event.

use crate::agent::apply::Told;
use crate::agent::rows::{MEMBERSHIP_COLUMNS, MembershipRow};
use crate::agent::work::UploadWork;
use crate::engine::error::StoreError;
use crate::engine::row_sets::{Columns, ID, Type, id_rows, json_rows};
use crate::engine::sql::{RowSet, Sql};
use crate::engine::transaction::TenantTx;
use crate::log::changes::Touched;
use rollcall_core::event::{DirectoryMembershipDetail, Event};
use rollcall_core::ids::{DirectoryGroupId, DirectoryUserId};
use rollcall_snapshot::Kind;
use rollcall_snapshot::bucket::bucket_of;
use sea_orm::FromQueryResult;
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};
use uuid::Uuid;

/// Rows of a parameter that is read as JSON.
const ROWS_AT_ONCE: usize = 5_000;

#[derive(FromQueryResult)]
struct GroupRow {
    external_id: String,
    record_id: Uuid,
}

#[derive(Serialize)]
struct KeyParameter<'a> {
    bucket: u16,
    external_id: &'a str,
}

const OF_IDS: &[RowSet] = &[("rows", 2, ID)];
const KEY: Columns = &[("bucket", Type::Int), ("external_id", Type::Text)];
const OF_KEYS: &[RowSet] = &[("rows", 3, KEY)];
const OF_PAIRS: &[RowSet] = &[("rows", 2, MEMBERSHIP_COLUMNS)];

static GROUPS: Sql = Sql::tenant_rows(
    OF_KEYS,
    &[
        "SELECT a.external_id, a.record_id FROM {rows} {join} agent_records a ON a.tenant_id = {tenant} AND a.source_id = $2 \
       AND a.bucket = r.bucket AND a.external_id = r.external_id",
    ],
);
static PRESENT: Sql = Sql::tenant_rows(
    OF_IDS,
    &[
        "SELECT m.tenant_id, m.group_id, m.user_id FROM {rows} {join} directory_memberships m ON m.tenant_id = {tenant} \
       AND m.user_id = r.id",
    ],
);
static REMOVE: Sql = Sql::tenant_rows(
    OF_PAIRS,
    &["DELETE FROM directory_memberships WHERE tenant_id = {tenant} \
       AND (group_id, user_id) IN (SELECT r.group_id, r.user_id FROM {rows})"],
);
static LEAVE_ALL: Sql = Sql::tenant_rows(
    OF_IDS,
    &["DELETE FROM directory_memberships WHERE tenant_id = {tenant} AND user_id IN (SELECT r.id FROM {rows})"],
);

impl TenantTx {
    /// Brings the memberships of these people, each with the external ids of the groups, in line.
    pub(super) async fn apply_memberships(
        &self,
        work: &UploadWork,
        people: &[(Uuid, &[String])],
        told: &mut Told,
    ) -> Result<(), StoreError> {
        if people.is_empty() {
            return Ok(());
        }
        let groups = self.group_ids(work, people).await?;
        let row = |group_id: Uuid, user_id: Uuid| MembershipRow { tenant_id: self.tenant.0, group_id, user_id };
        let wanted = people.iter().flat_map(|(user, of)| of.iter().map(move |group| (user, group)));
        let wanted: BTreeSet<MembershipRow> =
            wanted.filter_map(|(user, group)| Some(row(*groups.get(group)?, *user))).collect();
        let present: Vec<MembershipRow> = self.all(&PRESENT, [id_rows(people.iter().map(|(user, _)| *user))?]).await?;
        let present: BTreeSet<MembershipRow> = present.into_iter().collect();
        let added: Vec<MembershipRow> = wanted.difference(&present).copied().collect();
        let removed: Vec<MembershipRow> = present.difference(&wanted).copied().collect();
        self.tx.insert_rows("directory_memberships", MEMBERSHIP_COLUMNS, &added, "ON CONFLICT DO NOTHING").await?;
        for part in removed.chunks(ROWS_AT_ONCE) {
            self.exec(&REMOVE, [json_rows(part)?]).await?;
        }
        self.tell(&added, Event::DirectoryMembershipAdded, told);
        self.tell(&removed, Event::DirectoryMembershipRemoved, told);
        Ok(())
    }

    fn tell(
        &self,
        rows: &[MembershipRow],
        kind: fn(DirectoryGroupId, DirectoryMembershipDetail) -> Event,
        told: &mut Told,
    ) {
        for row in rows {
            let (group, user): (DirectoryGroupId, DirectoryUserId) = (row.group_id.into(), row.user_id.into());
            let event = kind(group, DirectoryMembershipDetail { user_id: user });
            told.add(self, Touched::Membership(group, user), &event);
        }
    }

    /// The records of the groups that these people are in, by external id.
    async fn group_ids(
        &self,
        work: &UploadWork,
        people: &[(Uuid, &[String])],
    ) -> Result<HashMap<String, Uuid>, StoreError> {
        let names: BTreeSet<&str> = people.iter().flat_map(|(_, groups)| groups.iter().map(String::as_str)).collect();
        let keys: Vec<KeyParameter<'_>> = names
            .into_iter()
            .map(|external_id| KeyParameter { bucket: bucket_of(Kind::Group, external_id), external_id })
            .collect();
        let mut found = HashMap::new();
        for part in keys.chunks(ROWS_AT_ONCE) {
            let rows: Vec<GroupRow> = self.all(&GROUPS, [work.source().0.into(), json_rows(part)?]).await?;
            found.extend(rows.into_iter().map(|row| (row.external_id, row.record_id)));
        }
        Ok(found)
    }

    /// Takes people who are gone out of all groups; their members leave with them.
    pub(super) async fn leave_all_groups(&self, users: &[Uuid]) -> Result<(), StoreError> {
        self.exec(&LEAVE_ALL, [id_rows(users.iter().copied())?]).await?;
        Ok(())
    }
}
