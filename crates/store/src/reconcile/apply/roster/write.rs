//! The outcome as rows, in bulk.

use super::RosterChange;
use crate::engine::error::StoreError;
use crate::engine::row_sets::{Columns, Type, id_rows, json_rows};
use crate::engine::transaction::TenantTx;
use crate::reconcile::apply::rows::{
    GROUP_FACTS, GROUP_INSERT, GROUP_MEMBER, MEMBER_INSERT, MEMBER_UPDATE, MemberChangeRow, MemberUpdateRow, VacateRow,
};
use rollcall_core::email::fold;
use rollcall_core::roster::MemberState;
use std::collections::HashMap;
use uuid::Uuid;

impl RosterChange<'_> {
    /// Writes everything; the number of statements does not depend on the number of items (up to 500 rows each).
    pub(in crate::reconcile::apply) async fn write(&self, tx: &TenantTx) -> Result<(), StoreError> {
        self.write_members(tx).await?;
        self.write_groups(tx).await?;
        tx.tx.insert_rows("sharing_group_members", GROUP_MEMBER, &self.added, "ON CONFLICT DO NOTHING").await?;
        if !self.left.is_empty() {
            let sql = format!(
                "DELETE FROM sharing_group_members WHERE tenant_id = $2 \
                 AND (tenant_id, group_id, member_id) IN (SELECT r.tenant_id, r.group_id, r.member_id FROM {})",
                tx.tx.rows(GROUP_MEMBER)
            );
            tx.tx.exec(&sql, [json_rows(&self.left)?, tx.tenant.0.into()]).await?;
        }
        tx.write_events(&self.events).await
    }

    async fn write_members(&self, tx: &TenantTx) -> Result<(), StoreError> {
        let changed = || self.changed.values().filter_map(|before| Some((before, self.members.get(&before.id)?)));
        let moving = changed().map(|(_, member)| (member.id.0, fold(&member.profile.email)));
        let new = self.created.iter().map(|member| fold(&member.profile.email));
        let wanted: HashMap<String, Option<Uuid>> =
            new.map(|email| (email, None)).chain(moving.map(|(id, email)| (email, Some(id)))).collect();
        // Only an address that this very plan gives to somebody else has to be laid aside first.
        let contested = self.freed.iter().any(|email| wanted.contains_key(email));
        if contested {
            vacate(tx, "members", "email_folded", self.changed.keys().map(|id| id.0)).await?;
        }
        let update = |(before, after)| MemberUpdateRow::new(tx.tenant, before, after, self.now);
        let updates: Vec<MemberUpdateRow> = changed().map(update).collect();
        let updated = tx.tx.update_rows("members", MEMBER_UPDATE, &updates).await?;
        if usize::try_from(updated) != Ok(updates.len()) {
            return Err(StoreError::Moved);
        }
        let row = |member: &MemberState| MemberChangeRow::new(tx.tenant, member, self.now);
        let inserts: Vec<MemberChangeRow> = self.created.iter().map(row).collect();
        tx.tx.insert_rows("members", MEMBER_INSERT, &inserts, "").await?;
        Ok(())
    }

    /// A removed group lets go of a directory group that is back, because its source is the authority again.
    async fn free_links(&self, tx: &TenantTx) -> Result<(), StoreError> {
        let linked: Vec<Uuid> =
            self.groups.iter().chain(&self.renamed).filter_map(|group| group.directory_group_id).collect();
        if linked.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "UPDATE sharing_groups SET directory_group_id = NULL WHERE tenant_id = $2 AND removed_at IS NOT NULL \
             AND directory_group_id IN (SELECT r.id FROM {})",
            tx.tx.rows(crate::engine::row_sets::ID)
        );
        tx.tx.exec(&sql, [id_rows(linked)?, tx.tenant.0.into()]).await?;
        Ok(())
    }

    async fn write_groups(&self, tx: &TenantTx) -> Result<(), StoreError> {
        if !self.removed_groups.is_empty() {
            let sql = format!(
                "UPDATE sharing_groups SET removed_at = $3, modified_at = $3 \
                 WHERE tenant_id = $2 AND id IN (SELECT r.id FROM {})",
                tx.tx.rows(crate::engine::row_sets::ID)
            );
            let gone = id_rows(self.removed_groups.iter().copied())?;
            tx.tx.exec(&sql, [gone, tx.tenant.0.into(), self.now.into()]).await?;
        }
        self.free_links(tx).await?;
        if self.renamed.len() > 1 {
            vacate(tx, "sharing_groups", "name_folded", self.renamed.iter().map(|row| row.id)).await?;
        }
        if self.taken_back.len() > 1 {
            vacate(tx, "sharing_groups", "name_folded", self.taken_back.iter().map(|row| row.id)).await?;
        }
        tx.tx.update_rows("sharing_groups", GROUP_FACTS, &self.taken_back).await?;
        const UPDATE: Columns = GROUP_INSERT.split_at(GROUP_INSERT.len() - 1).0;
        tx.tx.update_rows("sharing_groups", UPDATE, &self.renamed).await?;
        tx.tx.insert_rows("sharing_groups", GROUP_INSERT, &self.groups, "").await?;
        Ok(())
    }
}

/// Lays the unique text of these rows aside within the transaction, so that they can take each other's.
async fn vacate(
    tx: &TenantTx,
    table: &str,
    column: &'static str,
    ids: impl Iterator<Item = Uuid>,
) -> Result<(), StoreError> {
    const ROWS: Columns = &[("tenant_id", Type::Uuid), ("id", Type::Uuid), ("folded", Type::Text)];
    // A space at the front: no folded text begins with one, so it meets nobody's.
    let row = |id: Uuid| VacateRow { tenant_id: tx.tenant.0, id, folded: format!(" {id}") };
    let rows: Vec<VacateRow> = ids.map(row).collect();
    let sql = format!(
        "UPDATE {table} SET {column} = r.folded FROM {} WHERE {table}.tenant_id = r.tenant_id AND {table}.id = r.id",
        tx.tx.rows(ROWS)
    );
    tx.tx.exec(&sql, [json_rows(&rows)?]).await?;
    Ok(())
}
