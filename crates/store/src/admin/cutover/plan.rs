//! The plan of a promotion. The open what-if run has the items about records of the source; queries of the roster add the
//! members that the source does not have (`leaving.rs`) and the memberships that differ (`memberships.rs`).

use super::CountRow;
use super::leaving::{Leaving, Left};
use super::memberships::{After, MembershipCounts, PlannedMemberships, PromotionItems};
use crate::access::sources::Source;
use crate::admin::runs::RunItem;
use crate::engine::admission::HeavyKind;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::page::{ListName, PageRequest};
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::entity::{LiteralComparison, members, run_items, runs};
use crate::reconcile::user_scope::UserScopes;
use crate::scope::AdminScope;
use rollcall_core::digest::PlanDigest;
use rollcall_core::ids::SourceId;
use rollcall_core::policy::Policy;
use rollcall_core::remedy::NOT_SIMULATED;
use rollcall_core::run::{ItemDecision, RunState};
use rollcall_core::world::World;
use sea_orm::{ColumnTrait, DerivePartialModel, FromQueryResult};
use serde_json::Value as Json;
use uuid::Uuid;

/// The summary of a promotion.
#[derive(Clone, Debug)]
pub struct Promotion {
    pub source_id: Uuid,
    /// The source that is live now; it would continue in simulation.
    pub authority: Option<Uuid>,
    /// The open run that holds the items about records of the source.
    pub run_id: Option<Uuid>,
    /// Identifies the plan; `promote` accepts no other.
    pub digest: String,
    /// Changes of the source that are not in the plan yet.
    pub pending_changes: i64,
    pub people: PeopleCounts,
    pub groups: GroupCounts,
    pub memberships: MembershipCounts,
    /// Records that would be skipped.
    pub disputed: i64,
    pub removal_limit: RemovalOutlook,
    pub seats: SeatOutlook,
    /// Groups that differ only in case or spacing (DS5), the first 200.
    pub spelled_differently: Vec<Respelled>,
    /// Warnings for the admin.
    pub warnings: Vec<String>,
}

#[derive(Clone, Debug, Default)]
pub struct PeopleCounts {
    /// Members that keep their identity and follow the source from then on.
    pub transferred: i64,
    pub new: i64,
    /// Unmanaged members that the source would manage.
    pub adopted: i64,
    /// Members of the authority that the source does not have; suspended ones only if the policy removes them.
    pub leaving: i64,
    /// Members that the source has disabled.
    pub suspended: i64,
    pub restored: i64,
    pub profile_changes: i64,
}

#[derive(Clone, Debug, Default)]
pub struct GroupCounts {
    /// Taken over under the identical name.
    pub same: i64,
    /// Taken over, with any spelling of the name.
    pub adopted: i64,
    /// Those of them whose spelling changes, and groups that get another name.
    pub renamed: i64,
    pub created: i64,
    pub removed: i64,
}

#[derive(Clone, Debug)]
pub struct RemovalOutlook {
    /// People who may lose access now without an approval.
    pub allowed: i64,
    /// People beyond that, to whom the policy's `over_limit` applies.
    pub over: i64,
}

#[derive(Clone, Debug)]
pub struct SeatOutlook {
    pub free: i64,
    pub wanted: i64,
}

#[derive(Clone, Debug, FromQueryResult)]
pub struct Respelled {
    pub group_id: Uuid,
    pub before: String,
    pub after: String,
}

/// The two sources of a promotion, read at one moment.
pub(super) struct Cutover {
    pub(super) source: Source,
    pub(super) authority: Option<Uuid>,
    pub(super) run: Option<PlannedRun>,
    /// Changes of the source that the run does not cover yet.
    pending: i64,
    pub(super) world: World,
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "runs::Entity")]
pub(super) struct PlannedRun {
    pub(super) id: Uuid,
    digest: String,
    counts: Json,
}

const ADOPTED_GROUPS: &str = "FROM run_items i \
    JOIN sharing_groups g ON g.tenant_id = i.tenant_id AND g.id = i.object_id \
    JOIN directory_groups d ON d.tenant_id = i.tenant_id AND d.id = i.subject_id \
    WHERE i.tenant_id = {tenant} AND i.run_id = $2 AND i.action = 'adopt_group' AND i.decision = 'simulated'";
static COUNT_ADOPTED: Sql = Sql::tenant(&["SELECT count(*) AS count ", ADOPTED_GROUPS]);
static COUNT_SAME_NAME: Sql =
    Sql::tenant(&["SELECT count(*) AS count ", ADOPTED_GROUPS, " AND g.name = d.display_name"]);
static RESPELLED: Sql = Sql::tenant(&[
    "SELECT g.id AS group_id, g.name AS before, d.display_name AS after ",
    ADOPTED_GROUPS,
    " AND g.name <> d.display_name ORDER BY g.id LIMIT 200",
]);
static COUNT_PENDING: Sql =
    Sql::tenant(&["SELECT count(*) AS count FROM directory_changes c WHERE c.tenant_id = {tenant} AND ( \
    EXISTS (SELECT 1 FROM directory_users u WHERE u.tenant_id = {tenant} AND u.id = c.user_id AND u.source_id = $2) \
    OR EXISTS (SELECT 1 FROM directory_groups g \
    WHERE g.tenant_id = {tenant} AND g.id = c.group_id AND g.source_id = $2))"]);
static COUNT_DISPUTED: Sql =
    Sql::tenant(&["SELECT count(*) AS count FROM disputes d WHERE d.tenant_id = {tenant} AND ( \
    EXISTS (SELECT 1 FROM directory_users u WHERE u.tenant_id = {tenant} AND u.id = d.subject_id AND u.source_id = $2) \
    OR EXISTS (SELECT 1 FROM directory_groups g \
    WHERE g.tenant_id = {tenant} AND g.id = d.subject_id AND g.source_id = $2))"]);

impl Store {
    /// The plan of making this source the authority. Reads the whole tenant; changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Conflict`] when the source is not in simulation.
    #[tracing::instrument(name = "store.plan.promotion", skip_all)]
    pub async fn promotion(&self, scope: &AdminScope, source: SourceId) -> Result<Promotion, StoreError> {
        let planned = async {
            let tx = self.read(&scope.scope).await?.with_fresh_plans();
            let cutover = tx.cutover(source).await?;
            tx.summary(&cutover).await
        };
        self.heavily(&scope.scope, HeavyKind::Plan, planned).await
    }

    /// The items of that plan, with people and groups that would leave, and the memberships at the end.
    ///
    /// # Errors
    /// As [`promotion`](Self::promotion); [`StoreError::Invalid`] for a cursor of another list.
    #[tracing::instrument(name = "store.plan.promotion_items", skip_all)]
    pub async fn promotion_items(
        &self,
        scope: &AdminScope,
        source: SourceId,
        limit: u64,
        cursor: Option<&str>,
    ) -> Result<PromotionItems, StoreError> {
        let after = After::parse(cursor)?;
        let items = async { self.read(&scope.scope).await?.promotion_items(source, limit, after).await };
        self.heavily(&scope.scope, HeavyKind::Plan, items).await
    }
}

impl TenantTx {
    async fn promotion_items(&self, source: SourceId, limit: u64, after: After) -> Result<PromotionItems, StoreError> {
        let cutover = self.cutover(source).await?;
        let run = cutover.run.as_ref().map(|run| run.id);
        let mut page = PromotionItems { items: Vec::new(), next: None };
        if let After::Item(after) = after {
            let mut items = self.planned_items_of(run, after, limit + 1).await?;
            items.extend(self.leaving_items(&cutover.leaving(), after, limit + 1).await?);
            if cutover.groups_follow() {
                items.extend(self.going_items(cutover.authority, run, after, limit + 1).await?);
            }
            let cut = PageRequest::first(limit).cut_plan(ListName::of("promotion"), items, |item| item.id);
            (page.items, page.next) = (cut.items, cut.next.map(|cursor| cursor.place.id.to_string()));
        }
        let room = usize::try_from(limit).unwrap_or(usize::MAX) - page.items.len();
        if page.next.is_none() && cutover.groups_follow() {
            let start = if let After::Membership(group, member) = after { (group, member) } else { Default::default() };
            self.add_memberships(PlannedMemberships::of(run), start, room, &mut page).await?;
        }
        Ok(page)
    }
}

impl Cutover {
    /// True if sharing groups follow; a source without groups and a tenant without group sync leave them unchanged.
    pub(super) fn groups_follow(&self) -> bool {
        !self.source.users_only && self.policy().group_sync
    }

    /// The policy in force once the source is the authority.
    fn policy(&self) -> &Policy {
        self.world.policy_of(self.source.id.into())
    }

    /// The members that the source does not have.
    fn leaving(&self) -> Leaving {
        Leaving::of(&self.world, self.source.id.into(), self.authority, self.run.as_ref().map(|run| run.id))
    }

    fn count(&self, action: &str) -> i64 {
        self.run.as_ref().and_then(|run| run.counts[action].as_i64()).unwrap_or(0)
    }
}

impl TenantTx {
    pub(super) async fn cutover(&self, id: SourceId) -> Result<Cutover, StoreError> {
        let source = self.source_row(id).await?;
        if source.mode != "simulate" {
            let remedy = NOT_SIMULATED.sentence;
            return Err(StoreError::Conflict(match source.mode.as_str() {
                "live" => "the source is the authority already: its word counts".into(),
                mode => format!("the source is {mode}, so nobody knows what it would do: {remedy}"),
            }));
        }
        // Counted first, so that changes planned while this is read count as pending and none is half planned.
        let pending = self.pending_changes(id.0).await?;
        let planned = self.find::<runs::Entity>().filter(runs::Column::State.is(RunState::Planned));
        let planned = planned.filter(runs::Column::Rewinds.is_null());
        let run = planned.filter(runs::Column::SourceId.eq(id.0)).one().await?;
        let mut world = World::default();
        self.read_standing(&mut world).await?;
        Ok(Cutover { source, authority: self.authority().await?, run, pending, world })
    }

    pub(super) async fn summary(&self, cutover: &Cutover) -> Result<Promotion, StoreError> {
        let run = cutover.run.as_ref().map(|run| run.id);
        let mut digest = cutover.run.as_ref().and_then(|run| PlanDigest::from_hex(&run.digest)).unwrap_or_default();
        let parties = format!("promote {} {:?}", cutover.source.id, cutover.authority);
        digest = digest.with(PlanDigest::of(&parties)).with(self.policy_digest().await?);
        let Left { all: leaving, with_access } = self.fold_leaving(&cutover.leaving(), &mut digest).await?;
        let mut groups = self.taken_over_groups(run).await?;
        groups.created = cutover.count("create_group");
        groups.renamed = groups.adopted - groups.same + cutover.count("rename_group");
        let mut memberships = MembershipCounts::default();
        if cutover.groups_follow() {
            groups.removed = self.fold_going(cutover.authority, run, &mut digest).await?;
            memberships = self.fold_memberships(PlannedMemberships::of(run), &mut digest).await?;
        }
        let people = PeopleCounts {
            transferred: self.transferred(run).await?,
            new: cutover.count("provision"),
            adopted: cutover.count("adopt"),
            leaving,
            suspended: cutover.count("suspend") + cutover.count("remove"),
            restored: cutover.count("restore"),
            profile_changes: cutover.count("update_profile"),
        };
        let contested = (cutover.count("relink") - people.transferred).max(0);
        let removal_limit = removal_outlook(&cutover.world, with_access + people.suspended);
        let mut promotion = Promotion {
            source_id: cutover.source.id,
            authority: cutover.authority,
            run_id: run,
            digest: digest.to_hex(),
            pending_changes: cutover.pending,
            groups,
            memberships,
            disputed: self.disputed_records(cutover.source.id).await? + contested,
            seats: seat_outlook(
                &cutover.world,
                people.new + people.restored,
                with_access + people.suspended,
                &removal_limit,
            ),
            removal_limit,
            people,
            spelled_differently: self.respelled(run).await?,
            warnings: Vec::new(),
        };
        promotion.warnings = warnings(&promotion, self.has_people(cutover.source.id).await?);
        Ok(promotion)
    }

    async fn planned_items_of(&self, run: Option<Uuid>, after: Uuid, limit: u64) -> Result<Vec<RunItem>, StoreError> {
        use run_items::{Column, Entity};
        let items =
            self.find::<Entity>().filter(Column::RunId.eq(run)).filter(Column::Decision.is(ItemDecision::Simulated));
        items.filter(Column::Id.gt(after)).ascending(Column::Id).limit(limit).all().await
    }

    /// Each member once, however many records match it.
    async fn transferred(&self, run: Option<Uuid>) -> Result<i64, StoreError> {
        use run_items::{Column, Entity};
        let simulated =
            self.find::<Entity>().filter(Column::RunId.eq(run)).filter(Column::Decision.is(ItemDecision::Simulated));
        simulated.filter(Column::Action.is("relink")).count_distinct(Column::ObjectId).await
    }

    async fn taken_over_groups(&self, run: Option<Uuid>) -> Result<GroupCounts, StoreError> {
        let adopted = self.count_of(&COUNT_ADOPTED, run).await?;
        let same = self.count_of(&COUNT_SAME_NAME, run).await?;
        Ok(GroupCounts { same, adopted, ..GroupCounts::default() })
    }

    async fn respelled(&self, run: Option<Uuid>) -> Result<Vec<Respelled>, StoreError> {
        self.all(&RESPELLED, [run.into()]).await
    }

    async fn pending_changes(&self, source: Uuid) -> Result<i64, StoreError> {
        self.count_of(&COUNT_PENDING, Some(source)).await
    }

    async fn disputed_records(&self, source: Uuid) -> Result<i64, StoreError> {
        self.count_of(&COUNT_DISPUTED, Some(source)).await
    }

    /// Whether the source has an active person in scope. A source without one is most likely not connected yet.
    pub(crate) async fn has_people(&self, source: Uuid) -> Result<bool, StoreError> {
        let world = World::under(self.policy_in_force().await?).map_err(StoreError::Invalid)?;
        let scopes = self.user_scopes(&world).await?;
        let sql = format!(
            "SELECT count(*) AS count FROM (SELECT u.id FROM directory_users u WHERE u.tenant_id = $1 \
             AND u.source_id = $2 AND u.deleted_at IS NULL AND u.active = TRUE AND {} LIMIT 1) AS x",
            self.in_scope(scopes.as_ref(), 3)
        );
        let values = [self.tenant.0.into(), source.into()].into_iter().chain(scopes.iter().map(UserScopes::parameter));
        let row: Option<CountRow> = self.tx.one(&sql, values).await?;
        Ok(row.is_some_and(|row| row.count > 0))
    }

    /// Whether the source manages a member that has access.
    pub(crate) async fn has_members(&self, source: Uuid) -> Result<bool, StoreError> {
        use members::{Column, Entity};
        let managed = self.find::<Entity>().filter(Column::ManagedBy.eq(source));
        managed.filter(Column::Status.is_one_of(["invited", "active"])).exists().await
    }

    async fn count_of(&self, sql: &Sql, id: Option<Uuid>) -> Result<i64, StoreError> {
        let row: Option<CountRow> = self.one(sql, [id.into()]).await?;
        Ok(row.map_or(0, |row| row.count))
    }
}

pub(super) fn removal_outlook(world: &World, leaving: i64) -> RemovalOutlook {
    let limit = world.policy.removal_limit.allowed(world.standing.managed);
    let allowed = i64::from(
        limit.saturating_add(world.standing.removals_allowed).saturating_sub(world.standing.removals_in_window),
    );
    RemovalOutlook { allowed, over: (leaving - allowed).max(0) }
}

/// People beyond the removal limit lose access and keep their seats until somebody decides.
fn seat_outlook(world: &World, coming: i64, leaving: i64, limit: &RemovalOutlook) -> SeatOutlook {
    let free = i64::from(world.standing.seats_bought) - i64::from(world.standing.seats_used);
    SeatOutlook { free, wanted: (coming - (leaving - limit.over)).max(0) }
}

fn warnings(promotion: &Promotion, has_people: bool) -> Vec<String> {
    let mut warnings = Vec::new();
    let leaving = promotion.people.leaving;
    if !has_people {
        let leave = match leaving {
            0 => String::new(),
            _ => format!(", and all {leaving} members of the present authority would leave"),
        };
        warnings.push(format!(
            "The source has no active person in scope{leave}. It is not promoted like this; check that it is connected and has \
             assigned people."
        ));
    } else if leaving > promotion.people.transferred {
        warnings.push(format!("More members would leave ({leaving}) than stay: check that everybody is in scope."));
    }
    if promotion.removal_limit.over > 0 {
        warnings
            .push(format!("{} people more than the removal limit allows would leave.", promotion.removal_limit.over));
    }
    if promotion.seats.wanted > promotion.seats.free {
        warnings.push(format!("{} more seats are wanted than are free: the rest would wait.", {
            promotion.seats.wanted - promotion.seats.free.max(0)
        }));
    }
    if promotion.authority.is_none() {
        warnings.push("No source is live: members whom this source does not have would stay as they are.".into());
    }
    warnings
}
