//! Members and groups that leave in a cut-over, because the new authority does not have them or their source is detached. The
//! roster is read a bounded number of rows at a time.

use super::ROWS;
use crate::admin::runs::RunItem;
use crate::engine::error::StoreError;
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use rollcall_core::action::{Action, Why};
use rollcall_core::digest::PlanDigest;
use rollcall_core::guard::would_hold;
use rollcall_core::ids::{MemberId, SourceId};
use rollcall_core::policy::{OnDeleted, Policy};
use rollcall_core::roster::MemberStatus;
use rollcall_core::run::ItemDecision;
use rollcall_core::world::World;
use sea_orm::FromQueryResult;
use serde_json::{Value as Json, json};
use uuid::Uuid;

#[derive(FromQueryResult)]
struct LeavingRow {
    id: Uuid,
    status: String,
    label: String,
    display_name: Option<String>,
    /// The role of a member.
    role: Option<String>,
}

/// People of a source whom no item of a run takes over.
pub(super) struct Leaving {
    source: Option<Uuid>,
    run: Option<Uuid>,
    /// Suspended members are removed too.
    removes: bool,
    /// The tenant's policy, which the guards use.
    tenant: Policy,
}

impl Leaving {
    /// Members of `source`, under the policy of `then`, their later authority.
    pub(super) fn of(world: &World, then: SourceId, source: Option<Uuid>, run: Option<Uuid>) -> Self {
        let removes = world.policy_of(then).on_deleted == OnDeleted::Remove;
        Self { source, run, removes, tenant: world.policy.clone() }
    }

    fn select(&self) -> &'static Sql {
        if self.removes { &REMOVED } else { &SUSPENDED }
    }

    fn action(&self, member: MemberId, from: MemberStatus) -> Action {
        if self.removes {
            Action::Remove { member, from }
        } else {
            Action::Suspend { member, from, release_seat: true }
        }
    }
}

const LEAVING: &str = "SELECT m.id, m.status, m.email AS label, m.display_name, m.role FROM members m \
    WHERE m.tenant_id = {tenant} AND m.managed_by = $2 AND m.status IN ";
const NOT_TAKEN_OVER: &str = " AND NOT EXISTS (SELECT 1 FROM run_items i \
    WHERE i.tenant_id = m.tenant_id AND i.run_id = $3 AND i.object_id = m.id AND i.action = 'relink' \
    AND i.decision = 'simulated') AND m.id > $4 ORDER BY m.id LIMIT $5";

/// Members of source `$2` that a detachment or promotion suspends: those that no item of run `$3` takes over.
static SUSPENDED: Sql = Sql::tenant(&[LEAVING, "('pending', 'invited', 'active')", NOT_TAKEN_OVER]);
/// As [`SUSPENDED`], under a policy that removes them.
static REMOVED: Sql = Sql::tenant(&[LEAVING, "('pending', 'invited', 'active', 'suspended')", NOT_TAKEN_OVER]);

/// Sharing groups of source `$2` that no item of run `$3` takes over, and that do not follow a group of it already.
static GOING: Sql = Sql::tenant(&[
    "SELECT g.id, 'present' AS status, g.name AS label, CAST(NULL AS text) AS display_name, CAST(NULL AS text) AS role \
    FROM sharing_groups g WHERE g.tenant_id = {tenant} AND g.managed_by = $2 AND g.removed_at IS NULL AND NOT EXISTS (SELECT 1 FROM run_items i \
    WHERE i.tenant_id = g.tenant_id AND i.run_id = $3 AND i.object_id = g.id AND i.action = 'adopt_group' \
    AND i.decision = 'simulated') AND NOT EXISTS (SELECT 1 FROM runs r JOIN directory_groups d \
    ON d.tenant_id = r.tenant_id AND d.source_id = r.source_id AND d.deleted_at IS NULL \
    WHERE r.tenant_id = g.tenant_id AND r.id = $3 AND d.id = g.directory_group_id) \
    AND g.id > $4 ORDER BY g.id LIMIT $5",
]);

/// How many leave.
#[derive(Default)]
pub(super) struct Left {
    pub(super) all: i64,
    /// Without suspended members, which count against no limit.
    pub(super) with_access: i64,
}

impl TenantTx {
    /// Counts the members that would leave and adds them to the digest, a bounded number at a time.
    pub(super) async fn fold_leaving(&self, of: &Leaving, digest: &mut PlanDigest) -> Result<Left, StoreError> {
        self.fold(of.select(), of.source, of.run, digest).await
    }

    /// As [`fold_leaving`](Self::fold_leaving), of groups.
    pub(super) async fn fold_going(
        &self,
        source: Option<Uuid>,
        run: Option<Uuid>,
        digest: &mut PlanDigest,
    ) -> Result<i64, StoreError> {
        Ok(self.fold(&GOING, source, run, digest).await?.all)
    }

    async fn fold(
        &self,
        sql: &Sql,
        source: Option<Uuid>,
        run: Option<Uuid>,
        digest: &mut PlanDigest,
    ) -> Result<Left, StoreError> {
        let (mut left, mut after) = (Left::default(), Uuid::nil());
        loop {
            let rows = self.leaving(sql, source, run, after, ROWS).await?;
            for row in &rows {
                left.all += 1;
                left.with_access += i64::from(row.status != MemberStatus::Suspended.as_str());
                *digest = digest.with(PlanDigest::of(&format!("leaves {} {}", row.id, row.status)));
            }
            match rows.last() {
                Some(last) => after = last.id,
                None => return Ok(left),
            }
        }
    }

    async fn leaving(
        &self,
        sql: &Sql,
        source: Option<Uuid>,
        run: Option<Uuid>,
        after: Uuid,
        limit: u64,
    ) -> Result<Vec<LeavingRow>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.all(sql, [source.into(), run.into(), after.into(), limit.into()]).await
    }

    /// Members that would leave, as items of a plan; the id is the member's.
    pub(super) async fn leaving_items(
        &self,
        of: &Leaving,
        after: Uuid,
        limit: u64,
    ) -> Result<Vec<RunItem>, StoreError> {
        let rows = self.leaving(of.select(), of.source, of.run, after, limit).await?;
        rows.into_iter().map(|row| leaving_item(of, row)).collect()
    }

    pub(super) async fn going_items(
        &self,
        source: Option<Uuid>,
        run: Option<Uuid>,
        after: Uuid,
        limit: u64,
    ) -> Result<Vec<RunItem>, StoreError> {
        let rows = self.leaving(&GOING, source, run, after, limit).await?;
        let item = |row: LeavingRow| {
            let detail = json!({ "action": "remove_group", "group": row.id });
            RunItem {
                before: Some(json!({ "removed": false })),
                after: Some(json!({ "removed": true })),
                ..simulated_item(row.id, "remove_group", ("sharing_group", json!({ "name": row.label })), detail)
            }
        };
        Ok(rows.into_iter().map(item).collect())
    }
}

fn leaving_item(of: &Leaving, row: LeavingRow) -> Result<RunItem, StoreError> {
    let unknown = || StoreError::database(format!("a member's status {}", row.status));
    let action = of.action(row.id.into(), row.status.parse().map_err(|_| unknown())?);
    let role = row.role.as_deref().map(str::parse).transpose().map_err(StoreError::database)?;
    let word = action.name();
    let mut detail = json!({ "action": word, "member": row.id, "from": row.status });
    if let Some(reason) = would_hold(&of.tenant, role, &action) {
        detail["would_hold"] = json!(reason);
    }
    let who = json!({ "email": row.label, "display_name": row.display_name });
    let after = if of.removes { MemberStatus::Removed } else { MemberStatus::Suspended };
    Ok(RunItem {
        before: Some(json!({ "status": row.status })),
        after: Some(json!({ "status": after })),
        ..simulated_item(row.id, word, ("member", who), detail)
    })
}

/// An item of a promotion or detachment that is not a row of a run.
pub(super) fn simulated_item(id: Uuid, action: &str, (subject_kind, who): (&str, Json), detail: Json) -> RunItem {
    RunItem {
        id,
        action: action.into(),
        subject_kind: subject_kind.into(),
        subject_id: id,
        why: Why::DeletedAtSource.as_str().into(),
        decision: ItemDecision::Simulated.as_str().into(),
        held_reason: None,
        who: Some(who),
        member_id: (subject_kind == "member").then_some(id),
        group_id: (subject_kind == "sharing_group").then_some(id),
        before: None,
        after: None,
        detail,
        source_id: None,
        request_id: None,
    }
}
