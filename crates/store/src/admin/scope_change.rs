//! A change of the policy's user scope ends access for everybody outside, at once. So the people whom it leaves out are counted before
//! it is in force, and more of them than the removal limit allows must be named by their number: a misspelt group is no decision.

use crate::engine::error::StoreError;
use crate::engine::transaction::TenantTx;
use crate::entity::directory_groups;
use crate::reconcile::user_scope::UserScopes;
use rollcall_core::ids::SourceId;
use rollcall_core::policy::{GroupScope, OverLimit, Policy};
use rollcall_core::spelling::did_you_mean;
use rollcall_core::world::World;
use sea_orm::{ColumnTrait, DerivePartialModel, FromQueryResult};

/// Names of groups that are compared with a misspelt one.
const COMPARED_MAX: u64 = 1_000;

#[derive(FromQueryResult)]
struct CountRow {
    count: i64,
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "directory_groups::Entity")]
struct GroupRow {
    display_name: String,
    external_id: Option<String>,
}

impl TenantTx {
    /// Refuses a policy whose user scope leaves out more people than `may_leave` and the removal limit allow.
    ///
    /// # Errors
    /// [`StoreError::TooManyLeave`] with their number, and the entries of the scope that match no group.
    pub(super) async fn refuse_many_left_out(
        &self,
        before: &Policy,
        after: &Policy,
        may_leave: u32,
    ) -> Result<(), StoreError> {
        let mut now = World::default();
        let Some(source) = self.read_standing(&mut now).await?.source else { return Ok(()) };
        let then = World::under(after.clone()).map_err(StoreError::Invalid)?;
        let (was, is) = (now.policy_of(source), then.policy_of(source));
        // Under the other policies nobody beyond the limit loses access before somebody decides.
        let at_once = is.auto_deprovision && is.over_limit == OverLimit::SuspendOnly;
        let (Some(scope), true) = (&is.user_scope, at_once) else { return Ok(()) };
        let was_at_once = before.auto_deprovision && before.over_limit == OverLimit::SuspendOnly;
        if was.user_scope.as_ref() == Some(scope) && was_at_once {
            return Ok(());
        }
        let leaving = self.left_out(source, &now, &then).await?;
        let allowed = is.removal_limit.allowed(now.standing.managed);
        let allowed = allowed.saturating_sub(now.standing.removals_in_window);
        if leaving <= i64::from(allowed.max(may_leave)) {
            return Ok(());
        }
        let with_access = now.standing.managed;
        let unmatched = self.unmatched(source, scope).await?;
        Err(StoreError::TooManyLeave(format!(
            "user_scope: {leaving} of {with_access} people whom the source manages would lose access at once, and the removal limit \
             allows {allowed}{unmatched}. To do it all the same, send `\"leaving\": {leaving}` beside `policy`"
        )))
    }

    /// The people of the source who have access and are in its scope, and would not be in the new one.
    async fn left_out(&self, source: SourceId, now: &World, then: &World) -> Result<i64, StoreError> {
        let (was, is) = (self.user_scopes(now).await?, self.user_scopes(then).await?);
        let join = self.tx.join();
        let sql = format!(
            "SELECT count(*) AS count FROM members m {join} directory_users u ON u.tenant_id = m.tenant_id AND u.id = m.directory_user_id \
             WHERE m.tenant_id = $1 AND m.managed_by = $2 AND m.status IN ('invited', 'active') AND u.source_id = m.managed_by \
             AND u.active = TRUE AND u.deleted_at IS NULL AND {} AND NOT {}",
            self.in_scope(was.as_ref(), 3),
            self.in_scope(is.as_ref(), if was.is_some() { 4 } else { 3 }),
        );
        let values = [self.tenant.0.into(), source.0.into()];
        let values = values.into_iter().chain(was.iter().chain(&is).map(UserScopes::parameter));
        let row: Option<CountRow> = self.tx.one(&sql, values).await?;
        Ok(row.map_or(0, |row| row.count))
    }

    /// The entry of the scope that matches no group of the source, with the group that may be meant. Says nothing of a source with more
    /// groups than are read.
    async fn unmatched(&self, source: SourceId, scope: &GroupScope) -> Result<String, StoreError> {
        use directory_groups::{Column, Entity};
        let groups = self.find::<Entity>().filter(Column::SourceId.eq(source.0)).filter(Column::DeletedAt.is_null());
        let groups: Vec<GroupRow> = groups.limit(COMPARED_MAX + 1).all().await?;
        if groups.len() as u64 > COMPARED_MAX {
            return Ok(String::new());
        }
        let known = groups.iter().map(|group| (group.display_name.as_str(), group.external_id.as_deref()));
        let Some(entry) = scope.without_group(known) else { return Ok(String::new()) };
        let meant = did_you_mean(entry, groups.iter().map(|group| group.display_name.as_str()));
        let meant = meant.strip_prefix(". ").map_or_else(String::new, |meant| format!(" ({meant})"));
        Ok(format!(". No group of the source matches {entry:?}{meant}"))
    }
}
