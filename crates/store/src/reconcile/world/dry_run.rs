//! One person on demand (PE14): the world as a worker would read it for them, without a lease and without changing
//! anything; or the person marked as changed, for the worker to look at next.

use super::TouchedSubjects;
use crate::committed::Committed;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::transaction::TenantTx;
use crate::log::changes::{Lane, Touched};
use crate::scope::AdminScope;
use rollcall_core::event::{Event, NoDetail};
use rollcall_core::ids::{DirectoryUserId, SourceId};
use rollcall_core::world::World;
use sea_orm::FromQueryResult;
use uuid::Uuid;

/// Most memberships of the person in a dry run.
const MEMBERSHIPS_MAX: usize = 500;

#[derive(FromQueryResult)]
struct GroupId {
    group_id: Uuid,
}

#[derive(FromQueryResult)]
struct SourceRow {
    source_id: Uuid,
}

impl Store {
    /// The world of one person and their memberships.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the source has no record of this person.
    #[tracing::instrument(name = "store.dry_run.world_of_person", skip_all)]
    pub async fn world_of_person(
        &self,
        scope: &AdminScope,
        source: SourceId,
        user: DirectoryUserId,
    ) -> Result<World, StoreError> {
        let tx = self.read(&scope.scope).await?;
        tx.refuse_unknown(source, user).await?;
        let request = tx.request.map(|id| id.0);
        let groups = tx.groups_of_person(user).await?;
        let memberships = groups.into_iter().map(|group| ((group, user.0), request)).collect();
        let users = [(user.0, request)].into();
        let touched = TouchedSubjects { users, memberships, ..TouchedSubjects::default() };
        let open = tx.open_runs().await?;
        let read = tx.read_world(touched, &open).await?;
        // For a simulated source: as if it were the authority.
        Ok(read.candidates.into_iter().next().map_or(read.world, |candidate| candidate.world))
    }

    /// Touches one person and their memberships, in the push lane.
    #[tracing::instrument(name = "store.dry_run.touch_person", skip_all)]
    pub async fn touch_person(
        &self,
        scope: &AdminScope,
        source: SourceId,
        user: DirectoryUserId,
    ) -> Result<Committed<()>, StoreError> {
        let tx = self.write(&scope.scope).await?;
        tx.refuse_unknown(source, user).await?;
        let groups = tx.groups_of_person(user).await?;
        let memberships = groups.into_iter().map(|group| Touched::Membership(group.into(), user));
        tx.write_changes(Some(source), Lane::Push, [Touched::User(user)].into_iter().chain(memberships)).await?;
        let event = Event::ReconcileRequested(user, NoDetail);
        tx.tx.batch(vec![tx.event(&event).into()]).await?;
        tx.commit_and_wake(()).await
    }
}

impl TenantTx {
    async fn refuse_unknown(&self, source: SourceId, user: DirectoryUserId) -> Result<(), StoreError> {
        let sql = "SELECT source_id FROM directory_users WHERE tenant_id = $1 AND id = $2";
        let row: Option<SourceRow> = self.tx.one(sql, [self.tenant.0.into(), user.0.into()]).await?;
        let known = row.is_some_and(|row| row.source_id == source.0);
        known.then_some(()).ok_or(StoreError::NotFound("user of this source"))
    }

    /// Directory groups of the person, at the source or in the roster.
    async fn groups_of_person(&self, user: DirectoryUserId) -> Result<Vec<Uuid>, StoreError> {
        let sql = format!(
            "SELECT dm.group_id FROM directory_memberships dm WHERE dm.tenant_id = $1 AND dm.user_id = $2 \
             UNION SELECT g.directory_group_id AS group_id FROM members m \
             JOIN sharing_group_members gm ON gm.tenant_id = m.tenant_id AND gm.member_id = m.id \
             JOIN sharing_groups g ON g.tenant_id = gm.tenant_id AND g.id = gm.group_id \
             AND g.directory_group_id IS NOT NULL \
             WHERE m.tenant_id = $1 AND m.directory_user_id = $2 ORDER BY group_id LIMIT {MEMBERSHIPS_MAX}"
        );
        let rows: Vec<GroupId> = self.tx.all(&sql, [self.tenant.0.into(), user.0.into()]).await?;
        Ok(rows.into_iter().map(|row| row.group_id).collect())
    }
}
