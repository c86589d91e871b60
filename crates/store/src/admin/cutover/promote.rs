//! A promotion makes another source the tenant's authority in one transaction. It moves identities; the worker then plans every
//! difference under all guards.

use super::links::{GROUPS_OF, MATCHED_GROUPS, MATCHED_MEMBERS, MEMBERS_OF, NewManager};
use super::plan::{Cutover, Promotion};
use crate::committed::Committed;
use crate::engine::admission::HeavyKind;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::entity::{LiteralComparison, sources};
use crate::scope::AdminScope;
use crate::secret::SecretDigest;
use rollcall_core::directory::SourceMode;
use rollcall_core::event::{Event, SourcePromoted};
use rollcall_core::ids::{RunId, SourceId};
use rollcall_core::run::RunState;
use sea_orm::ColumnTrait;
use sea_orm::sea_query::{ExprTrait, LockType};
use uuid::Uuid;

/// Memberships of groups and people that follow source `$2` and are not as it has them.
static TOUCH_DIFFERING: Sql = Sql::tenant(&[
    "INSERT INTO directory_changes (tenant_id, id, lane, source_id, group_id, user_id, created_at) \
     SELECT {tenant}, {random_id}, 1, $2, x.group_id, x.user_id, $3 FROM (",
    "WITH desired AS (SELECT d.id AS group_id, dm.user_id FROM directory_groups d \
      JOIN sharing_groups g ON g.tenant_id = d.tenant_id AND g.directory_group_id = d.id AND g.removed_at IS NULL \
      JOIN directory_memberships dm ON dm.tenant_id = d.tenant_id AND dm.group_id = d.id \
      JOIN members m ON m.tenant_id = dm.tenant_id AND m.directory_user_id = dm.user_id \
      WHERE d.tenant_id = {tenant} AND d.source_id = $2 AND d.deleted_at IS NULL), \
    actual AS (SELECT d.id AS group_id, u.id AS user_id FROM directory_groups d \
      JOIN sharing_groups g ON g.tenant_id = d.tenant_id AND g.directory_group_id = d.id AND g.removed_at IS NULL \
      JOIN sharing_group_members gm ON gm.tenant_id = g.tenant_id AND gm.group_id = g.id \
      JOIN members m ON m.tenant_id = gm.tenant_id AND m.id = gm.member_id \
      JOIN directory_users u ON u.tenant_id = m.tenant_id AND u.id = m.directory_user_id AND u.source_id = $2 \
      WHERE d.tenant_id = {tenant} AND d.source_id = $2 AND d.deleted_at IS NULL) \
    SELECT * FROM (SELECT * FROM desired EXCEPT SELECT * FROM actual) AS missing \
    UNION ALL SELECT * FROM (SELECT * FROM actual EXCEPT SELECT * FROM desired) AS unwanted",
    ") AS x",
]);

impl Store {
    /// Makes a source the authority if the plan is the one that the admin saw. The former authority continues in simulation, so the
    /// way back is the same. Returns the digests of the tokens whose cached look-ups are wrong now.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Stale`] when the plan changed, or is not complete yet;
    /// [`StoreError::Conflict`] when the source is not in simulation, has no active person, or has no plan.
    #[tracing::instrument(name = "store.promote.promote", skip_all)]
    pub async fn promote(
        &self,
        scope: &AdminScope,
        source: SourceId,
        digest: &str,
    ) -> Result<Committed<()>, StoreError> {
        let promoted = async { self.write(&scope.scope).await?.with_fresh_plans().promote(source, digest).await };
        self.heavily(&scope.scope, HeavyKind::Plan, promoted).await
    }
}

impl TenantTx {
    async fn promote(self, source: SourceId, digest: &str) -> Result<Committed<()>, StoreError> {
        // First, so that no plan is applied between the reads and the writes.
        self.stop_the_planning().await?;
        self.lock_source(source).await?;
        let cutover = self.cutover(source).await?;
        let promotion = self.summary(&cutover).await?;
        if !self.has_people(source.0).await? {
            let why = "the source has no active person in scope: promoting it would take access from everybody. Check \
                       that it is connected and that people are assigned to it";
            return Err(StoreError::Conflict(why.into()));
        }
        self.refuse_unplanned(&cutover, &promotion).await?;
        if promotion.digest != digest || promotion.pending_changes > 0 {
            return Err(StoreError::Stale);
        }
        let tokens = self.flip(&cutover, &promotion).await?;
        Ok(self.commit_and_wake(()).await?.changing(tokens))
    }

    /// Refuses a promotion without a what-if run: no member would be taken over, all would leave, and the same people would be
    /// added again.
    async fn refuse_unplanned(&self, cutover: &Cutover, promotion: &Promotion) -> Result<(), StoreError> {
        let Some(authority) = cutover.authority else { return Ok(()) };
        if cutover.run.is_some() || promotion.pending_changes > 0 || !self.has_members(authority).await? {
            return Ok(());
        }
        let why = "the source has people, and none of them is in its plan: promoting it would take access from everybody. \
                   See the skipped records; switch the source off and to simulate again to have it planned anew";
        Err(StoreError::Conflict(why.into()))
    }

    /// Serialises promotions and switches of mode: locks the source and the live source.
    pub(crate) async fn lock_source(&self, source: SourceId) -> Result<(), StoreError> {
        use sources::Column;
        let both = self.find::<sources::Entity>().filter(Column::Id.eq(source.0).or(Column::Mode.is("live")));
        let _locked: Vec<Uuid> = both.lock(LockType::NoKeyUpdate).values(Column::Id).await?;
        Ok(())
    }

    async fn flip(&self, cutover: &Cutover, promotion: &Promotion) -> Result<Vec<SecretDigest>, StoreError> {
        let source = SourceId(cutover.source.id);
        let mut tokens = self.token_digests(source).await?;
        if let Some(former) = cutover.authority {
            self.write_mode(former.into(), SourceMode::Live.as_str(), SourceMode::Simulate).await?;
            self.close_runs_of(former.into(), RunState::Withdrawn).await?;
            tokens.extend(self.token_digests(former.into()).await?);
        }
        self.write_mode(source, &cutover.source.mode, SourceMode::Live).await?;
        let (people, groups) = self.move_links(cutover).await?;
        self.close_runs_of(source, RunState::Promoted).await?;
        let detail = SourcePromoted {
            former: cutover.authority.map(Into::into),
            digest: promotion.digest.clone(),
            run_id: promotion.run_id.map(Into::into),
            members: people,
            groups,
            leaving: promotion.people.leaving,
        };
        self.tx.batch(vec![self.event(&Event::SourcePromoted(source, detail)).into()]).await?;
        self.touch_everything_of(source).await?;
        // For the former authority's own what-if run and its members that the new one does not have, and for every other candidate.
        self.touch_simulations().await?;
        self.touch_differing_memberships(source).await?;
        Ok(tokens)
    }

    /// Members that the new authority has follow its records. The others become its members too, with a record of the former
    /// authority; by that the planner knows that they left (`world/view.rs`).
    async fn move_links(&self, cutover: &Cutover) -> Result<(i64, i64), StoreError> {
        let (source, run) = (Some(cutover.source.id), cutover.run.as_ref().map(|run| RunId(run.id)));
        let relinked = NewManager { source, run, as_member: Event::MemberRelinked, as_group: Event::GroupRelinked };
        let (mut people, mut groups) = (0, 0);
        if let Some(run) = run {
            people = self.move_members(&MATCHED_MEMBERS, run.0, relinked).await?;
        }
        if let Some(former) = cutover.authority {
            self.move_members(&MEMBERS_OF, former, relinked).await?;
        }
        if cutover.groups_follow() {
            let adopted = NewManager { as_group: Event::GroupAdopted, ..relinked };
            if let Some(run) = run {
                groups = self.move_groups(&MATCHED_GROUPS, run.0, adopted).await?;
            }
            if let Some(former) = cutover.authority {
                self.move_groups(&GROUPS_OF, former, relinked).await?;
            }
        }
        Ok((people, groups))
    }

    async fn touch_differing_memberships(&self, source: SourceId) -> Result<(), StoreError> {
        self.exec(&TOUCH_DIFFERING, [source.0.into(), self.clock.now().into()]).await?;
        Ok(())
    }
}
