//! Writes an outcome's members, groups, memberships and events, in bulk.

use super::roster_rows::{
    GROUP_FACTS, GROUP_INSERT, GROUP_MEMBER, GroupChangeRow, GroupFactsRow, GroupMemberRow, JOINED, JoinedRow,
    MEMBER_INSERT, MEMBER_UPDATE, MemberChangeRow, MemberUpdateRow, VacateRow,
};
use crate::engine::error::StoreError;
use crate::engine::row_sets::{Columns, ID, Type, id_rows, json_rows};
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::log::audit_events::EventRow;
use chrono::{DateTime, Utc};
use rollcall_core::email::fold;
use rollcall_core::ids::RunId;
use rollcall_core::outcome::{CausedEvent, Outcome};
use rollcall_core::roster::MemberState;
use std::collections::HashMap;
use uuid::Uuid;

static DELETE_GROUP_MEMBERS: Sql = Sql::tenant_rows(
    &[("rows", 2, GROUP_MEMBER)],
    &["DELETE FROM sharing_group_members WHERE tenant_id = {tenant} \
       AND (tenant_id, group_id, member_id) IN (SELECT r.tenant_id, r.group_id, r.member_id FROM {rows})"],
);
static FREE_LINKS: Sql = Sql::tenant_rows(
    &[("rows", 2, ID)],
    &["UPDATE sharing_groups SET directory_group_id = NULL WHERE tenant_id = {tenant} AND removed_at IS NOT NULL \
       AND directory_group_id IN (SELECT r.id FROM {rows})"],
);
static REMOVE_GROUPS: Sql = Sql::tenant_rows(
    &[("rows", 2, ID)],
    &["UPDATE sharing_groups SET removed_at = $3, modified_at = $3 \
       WHERE tenant_id = {tenant} AND id IN (SELECT r.id FROM {rows})"],
);
const VACATED: Columns = &[("id", Type::Uuid), ("folded", Type::Text)];
static VACATE_ADDRESSES: Sql = Sql::tenant_rows(
    &[("rows", 2, VACATED)],
    &[
        "UPDATE members SET email_folded = r.folded FROM {rows} WHERE members.tenant_id = {tenant} AND members.id = r.id",
    ],
);
static VACATE_NAMES: Sql = Sql::tenant_rows(
    &[("rows", 2, VACATED)],
    &["UPDATE sharing_groups SET name_folded = r.folded FROM {rows} \
       WHERE sharing_groups.tenant_id = {tenant} AND sharing_groups.id = r.id"],
);

impl TenantTx {
    /// Writes everything; the number of statements does not depend on the number of items (up to 500 rows each).
    pub(super) async fn write_outcome(&self, outcome: &Outcome, run: RunId) -> Result<(), StoreError> {
        let now = self.clock.now();
        self.write_members(outcome, now).await?;
        self.write_groups(outcome, now).await?;
        let rows = |pairs: &[_]| -> Vec<GroupMemberRow> {
            pairs.iter().map(|pair| GroupMemberRow::new(self.tenant, pair)).collect()
        };
        let joined = rows(&outcome.joined).into_iter().map(|pair| JoinedRow { pair, joined_at: now });
        let joined: Vec<JoinedRow> = joined.collect();
        self.tx.insert_rows("sharing_group_members", JOINED, &joined, "ON CONFLICT DO NOTHING").await?;
        if !outcome.left.is_empty() {
            self.exec(&DELETE_GROUP_MEMBERS, [json_rows(&rows(&outcome.left))?]).await?;
        }
        let event = |caused: &CausedEvent| self.event_row(&caused.event, caused.actor, caused.request, Some(run));
        self.write_events(&outcome.events.iter().map(event).collect::<Vec<EventRow>>()).await
    }

    async fn write_members(&self, outcome: &Outcome, now: DateTime<Utc>) -> Result<(), StoreError> {
        let moving = outcome.changed().map(|(_, member)| (member.id.0, fold(&member.profile.email)));
        let new = outcome.created.iter().map(|member| fold(&member.profile.email));
        let wanted: HashMap<String, Option<Uuid>> =
            new.map(|email| (email, None)).chain(moving.map(|(id, email)| (email, Some(id)))).collect();
        // Only an address that this plan gives to another member must be vacated first.
        let contested = outcome.freed.iter().any(|email| wanted.contains_key(email));
        if contested {
            self.vacate(&VACATE_ADDRESSES, outcome.changed().map(|(before, _)| before.id.0)).await?;
        }
        let update = |(before, after)| MemberUpdateRow::new(self.tenant, before, after, now);
        let updates: Vec<MemberUpdateRow> = outcome.changed().map(update).collect();
        let updated = self.tx.update_rows("members", MEMBER_UPDATE, &updates).await?;
        if usize::try_from(updated) != Ok(updates.len()) {
            return Err(StoreError::Moved);
        }
        self.end_access(
            &outcome
                .changed()
                .filter(|(before, after)| lost_authority(before, after))
                .map(|(before, _)| before.id.0)
                .collect::<Vec<_>>(),
        )
        .await?;
        let inserts = outcome.created.iter().map(|member| MemberChangeRow::new(self.tenant, member, now));
        self.tx.insert_rows("members", MEMBER_INSERT, &inserts.collect::<Vec<_>>(), "").await?;
        Ok(())
    }

    /// A removed group gives up a directory group that is back, because its source is the authority again.
    async fn free_links(&self, outcome: &Outcome) -> Result<(), StoreError> {
        let linked = outcome.created_groups.iter().chain(&outcome.updated_groups);
        let linked: Vec<Uuid> = linked.filter_map(|group| group.directory_group).map(|id| id.0).collect();
        if linked.is_empty() {
            return Ok(());
        }
        self.exec(&FREE_LINKS, [id_rows(linked)?]).await?;
        Ok(())
    }

    async fn write_groups(&self, outcome: &Outcome, now: DateTime<Utc>) -> Result<(), StoreError> {
        let Outcome { created_groups, updated_groups, removed_groups, restored_groups, .. } = outcome;
        if !removed_groups.is_empty() {
            let gone = id_rows(removed_groups.iter().map(|id| id.0))?;
            self.exec(&REMOVE_GROUPS, [gone, now.into()]).await?;
        }
        self.free_links(outcome).await?;
        if updated_groups.len() > 1 {
            self.vacate(&VACATE_NAMES, updated_groups.iter().map(|group| group.id.0)).await?;
        }
        if restored_groups.len() > 1 {
            self.vacate(&VACATE_NAMES, restored_groups.iter().map(|(id, _)| id.0)).await?;
        }
        let restored = restored_groups.iter().map(|group| GroupFactsRow::new(self.tenant, group, now));
        self.tx.update_rows("sharing_groups", GROUP_FACTS, &restored.collect::<Vec<_>>()).await?;
        const UPDATE: Columns = GROUP_INSERT.split_at(GROUP_INSERT.len() - 1).0;
        let row = |group| GroupChangeRow::new(self.tenant, group, now);
        self.tx.update_rows("sharing_groups", UPDATE, &updated_groups.iter().map(row).collect::<Vec<_>>()).await?;
        let created: Vec<GroupChangeRow> = created_groups.iter().map(row).collect();
        self.tx.insert_rows("sharing_groups", GROUP_INSERT, &created, "").await?;
        Ok(())
    }

    /// Vacates the unique string of these rows within the transaction, so that they can swap.
    async fn vacate(&self, sql: &Sql, ids: impl Iterator<Item = Uuid>) -> Result<(), StoreError> {
        // No folded string begins with a space, so this one collides with none.
        let row = |id: Uuid| VacateRow { id, folded: format!(" {id}") };
        let rows: Vec<VacateRow> = ids.map(row).collect();
        self.exec(sql, [json_rows(&rows)?]).await?;
        Ok(())
    }
}

/// True if a member who may sign in has another role or status now. Only such members have sessions.
fn lost_authority(before: &MemberState, after: &MemberState) -> bool {
    let changed = before.status != after.status || before.role != after.role;
    changed && before.role.signs_in_as(before.billing_contact).is_some()
}
