//! The groups of one person: those of the source, and those of the roster that the source does not have.

use super::Whom;
use super::rows::{DisputeRow, ItemRow, UnreadChange};
use crate::engine::error::StoreError;
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::reconcile::world::origin;
use chrono::{DateTime, Utc};
use rollcall_core::explain::GroupFacts;
use sea_orm::FromQueryResult;
use uuid::Uuid;

#[derive(FromQueryResult)]
struct PersonGroupRow {
    name: String,
    directory_group_id: Option<Uuid>,
    sharing_group_id: Option<Uuid>,
    source_id: Option<Uuid>,
    mode: Option<String>,
    desired: bool,
    actual: bool,
    dispute: Option<String>,
    about: Option<String>,
    since: Option<DateTime<Utc>>,
}

/// Most groups of a person in an explanation.
const GROUPS_MAX: &str = "200";

static GROUPS: Sql = Sql::tenant(&[
    "SELECT d.display_name AS name, d.id AS directory_group_id, g.id AS sharing_group_id, d.source_id, \
    s.mode, TRUE AS desired, gm.member_id IS NOT NULL AS actual, q.dispute, q.about, q.since \
    FROM directory_memberships dm \
    JOIN directory_groups d ON d.tenant_id = dm.tenant_id AND d.id = dm.group_id AND d.deleted_at IS NULL \
    JOIN sources s ON s.tenant_id = d.tenant_id AND s.id = d.source_id \
    LEFT JOIN sharing_groups g ON g.tenant_id = d.tenant_id AND g.directory_group_id = d.id AND g.removed_at IS NULL \
    LEFT JOIN sharing_group_members gm ON gm.tenant_id = g.tenant_id AND gm.group_id = g.id AND gm.member_id = $2 \
    LEFT JOIN disputes q ON q.tenant_id = d.tenant_id AND q.subject_id = d.id \
    WHERE dm.tenant_id = {tenant} AND dm.user_id = $3 \
    UNION ALL \
    SELECT g.name, d.id, g.id, d.source_id, s.mode, FALSE, TRUE, NULL, NULL, NULL FROM sharing_group_members gm \
    JOIN sharing_groups g ON g.tenant_id = gm.tenant_id AND g.id = gm.group_id AND g.removed_at IS NULL \
    LEFT JOIN directory_groups d ON d.tenant_id = g.tenant_id AND d.id = g.directory_group_id AND d.deleted_at IS NULL \
    LEFT JOIN sources s ON s.tenant_id = d.tenant_id AND s.id = d.source_id \
    WHERE gm.tenant_id = {tenant} AND gm.member_id = $2 AND NOT EXISTS (SELECT 1 FROM directory_memberships dm \
    WHERE dm.tenant_id = gm.tenant_id AND dm.group_id = g.directory_group_id AND dm.user_id = $3) ORDER BY name LIMIT ",
    GROUPS_MAX,
]);

impl TenantTx {
    pub(super) async fn group_facts(
        &self,
        whom: Whom,
        items: &[ItemRow],
        changes: &[UnreadChange],
    ) -> Result<Vec<GroupFacts>, StoreError> {
        let ids = [whom.member, whom.user].map(|id| id.unwrap_or_default().into());
        let rows: Vec<PersonGroupRow> = self.all(&GROUPS, ids).await?;
        let facts = |row: PersonGroupRow| {
            let unread =
                changes.iter().find(|change| change.group_id.is_some() && change.group_id == row.directory_group_id);
            let of_group = items.iter().filter(|item| Some(item.object_id) == row.sharing_group_id);
            let skipped = row.dispute.zip(row.about).zip(row.since);
            let skipped = skipped.map(|((dispute, about), since)| DisputeRow { dispute, about, since });
            GroupFacts {
                name: row.name,
                directory_group: row.directory_group_id.map(Into::into),
                sharing_group: row.sharing_group_id.map(Into::into),
                origin: row.source_id.zip(row.mode).map(|(source, mode)| origin(source, &mode, None)),
                desired: row.desired,
                actual: row.actual,
                skipped: skipped.and_then(DisputeRow::skipped),
                withheld: of_group.into_iter().find_map(ItemRow::withheld),
                unread: unread.map(UnreadChange::unread),
            }
        };
        Ok(rows.into_iter().map(facts).collect())
    }
}
