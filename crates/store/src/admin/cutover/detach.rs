//! Detaching a source, shown as a plan first (PE7). Either its people stay and become unmanaged, or they leave as if the source
//! had deleted them all, under every guard.

use super::leaving::{Leaving, Left};
use super::plan::{RemovalOutlook, removal_outlook};
use crate::admin::runs::RunItem;
use crate::committed::Committed;
use crate::engine::admission::HeavyKind;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::page::{ListName, Page, PageRequest};
use crate::engine::transaction::TenantTx;
use crate::entity::sources;
use crate::scope::AdminScope;
use rollcall_core::digest::PlanDigest;
use rollcall_core::directory::{PeopleAfter, SourceMode};
use rollcall_core::event::{Event, SourceDetached};
use rollcall_core::ids::SourceId;
use rollcall_core::world::World;
use sea_orm::ColumnTrait;
use uuid::Uuid;

/// The plan of a detachment.
#[derive(Clone, Debug)]
pub struct Detachment {
    pub source_id: Uuid,
    pub people: PeopleAfter,
    /// Identifies the plan; `detach` accepts no other.
    pub digest: String,
    /// Members of the source, which would become unmanaged or leave.
    pub members: i64,
    /// Sharing groups likewise.
    pub groups: i64,
    /// The outlook of the removal limit; keeping people removes nobody.
    pub removal_limit: RemovalOutlook,
}

impl Store {
    /// The plan of detaching a source. Reads its people; changes nothing.
    #[tracing::instrument(name = "store.detach.detachment", skip_all)]
    pub async fn detachment(
        &self,
        scope: &AdminScope,
        source: SourceId,
        people: PeopleAfter,
    ) -> Result<Detachment, StoreError> {
        let planned = async { self.read(&scope.scope).await?.with_fresh_plans().detachment(source, people).await };
        self.heavily(&scope.scope, HeavyKind::Plan, planned).await
    }

    /// The items of that plan.
    #[tracing::instrument(name = "store.detach.detachment_items", skip_all)]
    pub async fn detachment_items(
        &self,
        scope: &AdminScope,
        source: SourceId,
        people: PeopleAfter,
        page: &PageRequest,
    ) -> Result<Page<RunItem>, StoreError> {
        let items = async { self.read(&scope.scope).await?.detachment_items(source, people, page).await };
        self.heavily(&scope.scope, HeavyKind::Plan, items).await
    }

    /// Detaches a source if the plan is the one that the admin saw, and switches it off. Returns the digests of its tokens, whose
    /// cached look-ups are wrong now.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Stale`] when the plan changed.
    #[tracing::instrument(name = "store.detach.detach", skip_all)]
    pub async fn detach(
        &self,
        scope: &AdminScope,
        source: SourceId,
        people: PeopleAfter,
        digest: &str,
    ) -> Result<Committed<()>, StoreError> {
        let detached =
            async { self.write(&scope.scope).await?.with_fresh_plans().detach(source, people, digest).await };
        self.heavily(&scope.scope, HeavyKind::Plan, detached).await
    }
}

impl TenantTx {
    async fn detachment_items(
        &self,
        source: SourceId,
        people: PeopleAfter,
        page: &PageRequest,
    ) -> Result<Page<RunItem>, StoreError> {
        self.source_row(source).await?;
        let mut world = World::default();
        self.read_standing(&mut world).await?;
        let list = ListName::of(&format!("detachment of {source} {people}"));
        let after = page.place_in(list)?.map(|place| place.id).unwrap_or_default();
        let limit = page.limit + 1;
        let items = match people {
            PeopleAfter::Remove => {
                let leaving = Leaving::of(&world, source, Some(source.0), None);
                let mut items = self.leaving_items(&leaving, after, limit).await?;
                items.extend(self.going_items(Some(source.0), None, after, limit).await?);
                items
            }
            PeopleAfter::Keep => self.kept_items(&world, source.0, after, limit).await?,
        };
        Ok(page.cut_plan(list, items, |item| item.id))
    }

    async fn detach(self, source: SourceId, people: PeopleAfter, digest: &str) -> Result<Committed<()>, StoreError> {
        self.stop_the_planning().await?;
        self.lock_source(source).await?;
        let detachment = self.detachment(source, people).await?;
        if detachment.digest != digest {
            return Err(StoreError::Stale);
        }
        let before = self.source_row(source).await?.mode;
        if before != SourceMode::Off.as_str() {
            self.write_mode(source, &before, SourceMode::Off).await?;
        }
        // With `remove` the worker reads every record of the source as deleted from now on.
        let leave = people == PeopleAfter::Remove;
        let detached = self.update::<sources::Entity>(sources::Column::Id.eq(source.0));
        detached.set(sources::Column::PeopleLeave, leave).exec().await?;
        match people {
            PeopleAfter::Keep => {
                let mut world = World::default();
                self.read_standing(&mut world).await?;
                self.keep_people(&world, source).await?;
                // What-if plans took these people and groups for the source's.
                self.touch_simulations().await?;
            }
            PeopleAfter::Remove => self.touch_everything_of(source).await?,
        }
        let (members, groups) = (detachment.members, detachment.groups);
        let detail = SourceDetached { people, members, groups, digest: digest.to_owned() };
        self.tx.batch(vec![self.event(&Event::SourceDetached(source, detail)).into()]).await?;
        let tokens = self.token_digests(source).await?;
        Ok(self.commit_and_wake(()).await?.changing(tokens))
    }

    async fn detachment(&self, source: SourceId, people: PeopleAfter) -> Result<Detachment, StoreError> {
        self.source_row(source).await?;
        let mut world = World::default();
        self.read_standing(&mut world).await?;
        let mut digest = PlanDigest::of(&format!("detach {source} {people}")).with(self.policy_digest().await?);
        let left = match people {
            PeopleAfter::Remove => {
                let leaving = Leaving::of(&world, source, Some(source.0), None);
                self.fold_leaving(&leaving, &mut digest).await?
            }
            PeopleAfter::Keep => Left { all: self.fold_kept(&world, source.0, &mut digest).await?, with_access: 0 },
        };
        let groups = self.fold_going(Some(source.0), None, &mut digest).await?;
        Ok(Detachment {
            source_id: source.0,
            people,
            digest: digest.to_hex(),
            members: left.all,
            groups,
            removal_limit: removal_outlook(&world, left.with_access),
        })
    }
}
