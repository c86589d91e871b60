//! Input of the group wipe guard: a group's losses in the window, and its remaining people. Read only for groups that would
//! lose people, and counted no further than the decision needs: the cost follows the losses, not the group.

use crate::engine::error::StoreError;
use crate::engine::row_sets::{ID, id_rows};
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use rollcall_core::ids::SharingGroupId;
use rollcall_core::world::{GROUP_LOSSES_FREE, GroupStanding, World};
use sea_orm::FromQueryResult;
use std::collections::HashMap;
use uuid::Uuid;

#[derive(FromQueryResult)]
struct LostRow {
    group_id: Uuid,
    lost: i64,
}

#[derive(FromQueryResult)]
struct SizeRow {
    group_id: Uuid,
    inside: i64,
    wanted: i64,
}

static LOST_IN_WINDOW: Sql = Sql::tenant_rows(
    &[("rows", 2, ID)],
    &["SELECT l.group_id, count(*) AS lost FROM {rows} {join} group_losses l ON l.tenant_id = {tenant} \
       AND l.group_id = r.id AND l.lost_at >= $3 \
       WHERE NOT EXISTS (SELECT 1 FROM sharing_group_members gm WHERE gm.tenant_id = l.tenant_id \
       AND gm.group_id = l.group_id AND gm.member_id = l.member_id) GROUP BY l.group_id"],
);
static GROUP_SIZES: Sql = Sql::tenant_rows(
    &[("rows", 2, ID)],
    &["SELECT r.id AS group_id, (SELECT count(*) FROM (SELECT 1 FROM sharing_group_members gm \
         JOIN members m ON m.tenant_id = gm.tenant_id AND m.id = gm.member_id AND m.status IN ('invited', 'active') \
         WHERE gm.tenant_id = {tenant} AND gm.group_id = r.id LIMIT $3) AS i) AS inside, \
       (SELECT count(*) FROM (SELECT 1 FROM sharing_groups g \
         JOIN directory_memberships dm ON dm.tenant_id = g.tenant_id AND dm.group_id = g.directory_group_id \
         WHERE g.tenant_id = {tenant} AND g.id = r.id LIMIT $3) AS w) AS wanted FROM {rows}"],
);

impl TenantTx {
    pub(super) async fn read_group_standing(&self, world: &mut World) -> Result<(), StoreError> {
        let mut leaving: HashMap<SharingGroupId, u32> = HashMap::new();
        let removals = world.memberships.iter().filter(|m| m.actual && !m.desired && m.has_access);
        removals.for_each(|membership| *leaving.entry(membership.group).or_default() += 1);
        // For a deleted group it matters whether it has ten people.
        let gone = world.groups.iter().filter(|group| group.name.is_none()).filter_map(|g| g.sharing_group.as_ref());
        leaving.extend(gone.map(|group| (group.id, GROUP_LOSSES_FREE + 1)));
        if leaving.is_empty() {
            return Ok(());
        }
        let lost = self.lost_in_window(world, &leaving).await?;
        let lost = |group: &SharingGroupId| lost.get(group).copied().unwrap_or_default();
        let close = leaving.iter().filter(|(group, count)| lost(group).saturating_add(**count) > GROUP_LOSSES_FREE);
        let close: Vec<(SharingGroupId, u32)> = close.map(|(group, count)| (*group, *count)).collect();
        // The leavers are still in it.
        let decides = close.iter().map(|(group, count)| i64::from(lost(group)) + 2 * i64::from(*count)).max();
        for size in self.group_sizes(close.iter().map(|(group, _)| group.0), decides.unwrap_or_default()).await? {
            let group = size.group_id.into();
            let (inside, wanted) = (super::count(size.inside), super::count(size.wanted));
            world.group_standing.insert(group, GroupStanding { lost: lost(&group), inside, wanted });
        }
        Ok(())
    }

    async fn lost_in_window(
        &self,
        world: &World,
        leaving: &HashMap<SharingGroupId, u32>,
    ) -> Result<HashMap<SharingGroupId, u32>, StoreError> {
        let since = self.clock.now() - world.policy.removal_limit.window();
        let values = [id_rows(leaving.keys().map(|group| group.0))?, since.into()];
        let rows: Vec<LostRow> = self.all(&LOST_IN_WINDOW, values).await?;
        Ok(rows.into_iter().map(|row| (row.group_id.into(), super::count(row.lost))).collect())
    }

    async fn group_sizes(
        &self,
        groups: impl ExactSizeIterator<Item = Uuid>,
        most: i64,
    ) -> Result<Vec<SizeRow>, StoreError> {
        if groups.len() == 0 {
            return Ok(Vec::new());
        }
        self.all(&GROUP_SIZES, [id_rows(groups)?, most.into()]).await
    }
}
