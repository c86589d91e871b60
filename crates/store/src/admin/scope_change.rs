//! A change of the policy's user scope ends access for everybody outside, at once. So the people whom it leaves out are counted before it
//! is in force, and their number must be said when they are all, or more than the removal limit allows, or when an entry matches no group:
//! a misspelt group is no decision.

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

/// Entries that a sentence names.
const ENTRIES_TOLD: usize = 5;

#[derive(FromQueryResult)]
struct LeftOut {
    everybody: i64,
    leaving: i64,
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "directory_groups::Entity")]
struct GroupRow {
    display_name: String,
    external_id: Option<String>,
}

/// True if whoever the scope leaves out loses access before somebody decides. Under the other policies the limit holds them.
fn takes_effect_at_once(policy: &Policy) -> bool {
    policy.auto_deprovision && policy.over_limit == OverLimit::SuspendOnly
}

impl TenantTx {
    /// Sentences about entries of new scopes that match no group.
    ///
    /// # Errors
    /// [`StoreError::TooManyLeave`] when the user scope leaves out more people than `may_leave`, and they are more than the removal limit
    /// allows, or all, or an entry matches no group.
    pub(super) async fn check_scopes(
        &self,
        before: &Policy,
        after: &Policy,
        may_leave: u32,
    ) -> Result<Vec<String>, StoreError> {
        let mut now = World::default();
        let Some(source) = self.read_standing(&mut now).await?.source else { return Ok(Vec::new()) };
        let then = World::under(after.clone()).map_err(StoreError::Invalid)?;
        let (was, is) = (now.policy_of(source), then.policy_of(source));
        let mut warnings = Vec::new();
        for (key, was, is) in
            [("user_scope", &was.user_scope, &is.user_scope), ("group_scope", &was.group_scope, &is.group_scope)]
        {
            if let Some(scope) = is.as_ref().filter(|_| was != is) {
                let told = self.without_group(source, scope).await?;
                warnings.extend(told.into_iter().map(|told| format!("{key}: {told}")));
            }
        }
        let was_at_once = takes_effect_at_once(before);
        if is.user_scope.is_none() || !takes_effect_at_once(after) || (was.user_scope == is.user_scope && was_at_once) {
            return Ok(warnings);
        }
        // A scope that was not in effect has left out nobody yet.
        let LeftOut { everybody, leaving } = self.left_out(source, was_at_once.then_some(&now), &then).await?;
        let limit = is.removal_limit.allowed(now.standing.managed);
        let used = now.standing.removals_in_window;
        let allowed = i64::from(limit.saturating_add(now.standing.removals_allowed).saturating_sub(used));
        let suspicious =
            leaving > allowed || leaving == everybody || warnings.iter().any(|told| told.starts_with("user_scope"));
        if leaving <= i64::from(may_leave) || !suspicious {
            return Ok(warnings);
        }
        let told: String = warnings.iter().map(|told| format!(" {told}")).collect();
        Err(StoreError::TooManyLeave(format!(
            "user_scope: {leaving} of {everybody} people with access would lose it at once (removal_limit allows {limit} in its window, and {used} are \
             used).{told} To do it all the same, send `\"leaving\": {leaving}` or more beside `policy`"
        )))
    }

    /// The people of the source who have access and are in its scope, and those of them who would not be in the new one.
    async fn left_out(&self, source: SourceId, now: Option<&World>, then: &World) -> Result<LeftOut, StoreError> {
        let was = match now {
            Some(now) => self.user_scopes(now).await?,
            None => None,
        };
        let is = self.user_scopes(then).await?;
        let join = self.tx.join();
        let sql = format!(
            "SELECT count(*) AS everybody, count(CASE WHEN {} THEN NULL ELSE 1 END) AS leaving FROM members m \
             {join} directory_users u ON u.tenant_id = m.tenant_id AND u.id = m.directory_user_id \
             WHERE m.tenant_id = $1 AND m.managed_by = $2 AND m.status IN ('invited', 'active') AND u.source_id = m.managed_by \
             AND u.active = TRUE AND u.deleted_at IS NULL AND {}",
            self.in_scope(is.as_ref(), if was.is_some() { 4 } else { 3 }),
            self.in_scope(was.as_ref(), 3),
        );
        let values = [self.tenant.0.into(), source.0.into()];
        let values = values.into_iter().chain(was.iter().chain(&is).map(UserScopes::parameter));
        let row: Option<LeftOut> = self.tx.one(&sql, values).await?;
        row.ok_or(StoreError::NotFound("tenant"))
    }

    /// The entries of the scope that match no group of the source, with the groups that may be meant. Says nothing of a source without
    /// groups, or with more than are read.
    async fn without_group(&self, source: SourceId, scope: &GroupScope) -> Result<Vec<String>, StoreError> {
        use directory_groups::{Column, Entity};
        let groups = self.find::<Entity>().filter(Column::SourceId.eq(source.0)).filter(Column::DeletedAt.is_null());
        let groups: Vec<GroupRow> = groups.limit(COMPARED_MAX + 1).all().await?;
        if groups.is_empty() || groups.len() as u64 > COMPARED_MAX {
            return Ok(Vec::new());
        }
        let known = groups.iter().map(|group| (group.display_name.as_str(), group.external_id.as_deref()));
        let told = |entry: &str| {
            let meant = did_you_mean(entry, groups.iter().map(|group| group.display_name.as_str()));
            format!("No group of the source matches {entry:?}{}", if meant.is_empty() { "." } else { &meant })
        };
        Ok(scope.without_group(known).into_iter().take(ENTRIES_TOLD).map(told).collect())
    }
}
