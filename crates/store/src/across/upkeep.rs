//! Upkeep of all tenants: the turn that one worker at a time takes, and the tenants that have something to be forgotten.

use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::sql::Sql;
use crate::reconcile::retention::{FORGOTTEN, first_id_of};
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_core::ids::TenantId;
use sea_orm::FromQueryResult;
use uuid::Uuid;

/// The one turn that there is.
const TURN: &str = "hourly";

static TENANTS_WITH_OLD_RUNS: Sql = Sql::across(&[
    "SELECT l.tenant_id AS id FROM tenant_leases l WHERE l.tenant_id > $1 \
     AND EXISTS (SELECT 1 FROM runs r WHERE r.tenant_id = l.tenant_id AND ",
    FORGOTTEN,
    ") ORDER BY l.tenant_id LIMIT 100",
]);

/// Concurrent workers queue for the row, and those that come later find a turn that has begun.
static TAKE_TURN: Sql =
    Sql::across(&["UPDATE upkeep_turns SET begun_at = $2 WHERE name = $1 AND (begun_at IS NULL OR begun_at <= $3)"]);
static GIVE_TURN_BACK: Sql =
    Sql::across(&["UPDATE upkeep_turns SET begun_at = NULL WHERE name = $1 AND begun_at = $2"]);

/// The turn of a worker, by the time at which it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpkeepTurn(DateTime<Utc>);

#[derive(FromQueryResult)]
struct TenantRow {
    id: Uuid,
}

impl Store {
    /// Takes the turn of the upkeep, unless another began within this time.
    #[tracing::instrument(name = "store.across.take_upkeep_turn", skip_all)]
    pub async fn take_upkeep_turn(&self, every: TimeDelta) -> Result<Option<UpkeepTurn>, StoreError> {
        let tx = self.across(true).await?;
        let now = self.clock.now();
        let taken = tx.exec(TAKE_TURN.text(tx.engine()), [TURN.into(), now.into(), (now - every).into()]).await?;
        tx.commit().await?;
        Ok((taken > 0).then_some(UpkeepTurn(now)))
    }

    /// Gives back a turn that did not come to its end, so that another worker takes it soon.
    #[tracing::instrument(name = "store.across.give_upkeep_turn_back", skip_all)]
    pub async fn give_upkeep_turn_back(&self, turn: UpkeepTurn) -> Result<(), StoreError> {
        let tx = self.across(true).await?;
        tx.exec(GIVE_TURN_BACK.text(tx.engine()), [TURN.into(), turn.0.into()]).await?;
        tx.commit().await
    }

    /// Tenants that have ended runs from before this instant, beginning after one of them.
    #[tracing::instrument(name = "store.across.tenants_with_old_runs", skip_all)]
    pub async fn tenants_with_old_runs(
        &self,
        before: DateTime<Utc>,
        after: Option<TenantId>,
    ) -> Result<Vec<TenantId>, StoreError> {
        let after = after.map_or(Uuid::nil(), |tenant| tenant.0);
        let tx = self.across(false).await?;
        let values = [after.into(), first_id_of(before).into(), before.into()];
        let rows: Vec<TenantRow> = tx.all(TENANTS_WITH_OLD_RUNS.text(tx.engine()), values).await?;
        Ok(rows.into_iter().map(|row| row.id.into()).collect())
    }
}
