//! Losses of sharing groups within the policy's window, which their guard counts (docs/design.md#guards).

use crate::engine::error::StoreError;
use crate::engine::row_sets::{Columns, ID, Type, id_rows, time_text};
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use chrono::{DateTime, Utc};
use rollcall_core::guard::Verdict;
use rollcall_core::ids::{MemberId, SharingGroupId};
use rollcall_core::policy::Policy;
use serde::Serialize;
use std::collections::BTreeSet;
use uuid::Uuid;

#[derive(Serialize)]
struct LossRow {
    tenant_id: Uuid,
    group_id: Uuid,
    member_id: Uuid,
    #[serde(serialize_with = "time_text")]
    lost_at: DateTime<Utc>,
}

const LOSS: Columns =
    &[("tenant_id", Type::Uuid), ("group_id", Type::Uuid), ("member_id", Type::Uuid), ("lost_at", Type::Time)];

static FORGET_LOSSES: Sql = Sql::tenant_rows(
    &[("rows", 2, ID)],
    &["DELETE FROM group_losses WHERE tenant_id = {tenant} AND lost_at < $3 AND group_id IN (SELECT r.id FROM {rows})"],
);

impl TenantTx {
    /// Records the losses, and deletes those of the same groups outside the window.
    pub(super) async fn write_group_losses(&self, verdict: &Verdict, policy: &Policy) -> Result<(), StoreError> {
        if verdict.group_losses.is_empty() {
            return Ok(());
        }
        let now = self.clock.now();
        let groups: BTreeSet<Uuid> = verdict.group_losses.iter().map(|(group, _)| group.0).collect();
        let over = now - policy.removal_limit.window();
        self.exec(&FORGET_LOSSES, [id_rows(groups)?, over.into()]).await?;
        let row = |(group, member): &(SharingGroupId, MemberId)| LossRow {
            tenant_id: self.tenant.0,
            group_id: group.0,
            member_id: member.0,
            lost_at: now,
        };
        let rows: Vec<LossRow> = verdict.group_losses.iter().map(row).collect();
        let again = "ON CONFLICT (tenant_id, group_id, member_id) DO UPDATE SET lost_at = excluded.lost_at";
        self.tx.insert_rows("group_losses", LOSS, &rows, again).await?;
        Ok(())
    }
}
