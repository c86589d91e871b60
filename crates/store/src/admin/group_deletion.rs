//! Deleting a sharing group in the product, possible once its source feeds it no more (DX20). The deletion never reaches the source;
//! if the source still has the group, the next sync reports that instead of creating it again.

use crate::admin::skipped_records::SkippedRecord;
use crate::committed::Committed;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::entity::{sharing_group_members, sharing_groups};
use crate::log::changes::Touched;
use crate::reconcile::apply::candidate::Identifier;
use crate::scope::AdminScope;
use rollcall_core::action::Why;
use rollcall_core::directory::Dispute;
use rollcall_core::email::fold;
use rollcall_core::event::{Event, GroupRemoved};
use rollcall_core::ids::SharingGroupId;
use rollcall_core::policy::Policy;
use sea_orm::sea_query::ExprTrait;
use sea_orm::{ColumnTrait, FromQueryResult};
use uuid::Uuid;

/// A sharing group, and the directory group that it follows, if that still exists.
#[derive(FromQueryResult)]
struct FollowedRow {
    name: String,
    directory_group_id: Option<Uuid>,
    source_id: Option<Uuid>,
    directory_name: Option<String>,
    external_id: Option<String>,
    has_members: bool,
}

impl Store {
    /// # Errors
    /// [`StoreError::Conflict`] while a source feeds the group with members.
    #[tracing::instrument(name = "store.group_deletion.delete_group_here", skip_all)]
    pub async fn delete_group_here(&self, scope: &AdminScope, id: SharingGroupId) -> Result<Committed<()>, StoreError> {
        let tx = self.write(&scope.scope).await?;
        // First, so that no plan adds members between the reads and the writes.
        tx.stop_the_planning().await?;
        let policy = tx.policy_in_force().await?;
        let group = tx.followed_group(id).await?;
        group.refuse_while_fed(&policy)?;
        let removed = tx.update::<sharing_groups::Entity>(sharing_groups::Column::Id.eq(id.0));
        let removed = removed.set(sharing_groups::Column::RemovedAt, tx.clock.now());
        removed.set(sharing_groups::Column::ModifiedAt, tx.clock.now()).exec().await?;
        let of_group = sharing_group_members::Column::GroupId.eq(id.0);
        tx.delete::<sharing_group_members::Entity>(of_group).exec().await?;
        let name = fold(&group.name);
        let detail = GroupRemoved { name: Some(group.name), why: Why::DeletedInProduct };
        let event = Event::GroupRemoved(id, detail);
        let still_there = group.directory_group_id.map(|id| tx.change(None, Touched::Group(id.into())).into());
        tx.tx.batch(still_there.into_iter().chain([tx.event(&event).into()]).collect()).await?;
        // Records that were refused the name may have it now, whether the group followed one of them or none.
        tx.touch_disputed(std::slice::from_ref(&name)).await?;
        // A candidate may have planned to take the group over, by its name.
        tx.touch_candidates([Identifier::Name(name)].into_iter()).await?;
        tx.commit_and_wake(()).await
    }
}

impl FollowedRow {
    fn refuse_while_fed(&self, policy: &Policy) -> Result<(), StoreError> {
        let (Some(source), Some(name)) = (self.source_id, &self.directory_name) else { return Ok(()) };
        let policy = policy.of_source(source.into()).map_err(StoreError::Invalid)?;
        if self.has_members && policy.feeds_group(name, self.external_id.as_deref()) {
            let why =
                format!("source {source} feeds the group: empty it there, or take it out of `group_scope`, first");
            return Err(StoreError::Conflict(why));
        }
        Ok(())
    }
}

static FOLLOWED_GROUP: Sql = Sql::tenant(&[
    "SELECT g.name, d.id AS directory_group_id, d.source_id, d.display_name AS directory_name, d.external_id, \
                   EXISTS (SELECT 1 FROM sharing_group_members gm WHERE gm.tenant_id = g.tenant_id AND gm.group_id = g.id) \
                   AS has_members FROM sharing_groups g LEFT JOIN directory_groups d \
                   ON d.tenant_id = g.tenant_id AND d.id = g.directory_group_id AND d.deleted_at IS NULL \
                   WHERE g.tenant_id = {tenant} AND g.id = $2 AND g.removed_at IS NULL",
]);

impl TenantTx {
    async fn followed_group(&self, id: SharingGroupId) -> Result<FollowedRow, StoreError> {
        self.one(&FOLLOWED_GROUP, [id.0.into()]).await?.ok_or(StoreError::NotFound("group"))
    }

    /// Lets a retry create a group again that was deleted here.
    pub(crate) async fn forget_deletion(&self, record: &SkippedRecord) -> Result<(), StoreError> {
        if record.dispute != Dispute::GroupDeletedHere.as_str() {
            return Ok(());
        }
        use sharing_groups::{Column, Entity};
        let deleted = Column::DirectoryGroupId.eq(record.subject_id).and(Column::RemovedAt.is_not_null());
        self.update::<Entity>(deleted).set(Column::DirectoryGroupId, None::<Uuid>).exec().await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
