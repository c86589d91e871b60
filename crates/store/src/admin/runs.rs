//! Runs: plans that were applied, held or simulated, and the decisions about held ones.

use crate::admin::skipped_records::check_note;
use crate::committed::Committed;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::page::{ListName, ListOrder, Page, PageRequest, RowPlace, Rows};
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::entity::{LiteralComparison, RowList, run_items, runs};
use crate::reconcile::open_items::Retouch;
use crate::reconcile::retention::first_id_of;
use crate::reconcile::world::{Progress, is_for_owner};
use crate::scope::AdminScope;
use chrono::{DateTime, Utc};
use rollcall_core::event::{Event, RunDecided};
use rollcall_core::ids::RunId;
use rollcall_core::roster::Role;
use rollcall_core::run::{ItemDecision, RunState};
use sea_orm::sea_query::{ExprTrait, LockType};
use sea_orm::{ColumnTrait, DerivePartialModel, FromQueryResult};
use serde_json::{Value as Json, json};
use uuid::Uuid;

/// One run.
#[derive(Clone, Debug, DerivePartialModel)]
#[sea_orm(entity = "runs::Entity")]
pub struct Run {
    pub id: Uuid,
    /// Null when the run belongs to several sources, or to none (a freed seat).
    pub source_id: Option<Uuid>,
    pub state: String,
    pub verdict: String,
    pub held_reasons: Json,
    /// Items by action.
    pub counts: Json,
    pub digest: String,
    /// The run that this one rewinds; with `rewinds_since`, the first of them.
    pub rewinds: Option<Uuid>,
    /// This one rewinds everything that the source did since then.
    pub rewinds_since: Option<DateTime<Utc>>,
    /// Runs after the rewound one that changed the same people and groups, with the number of items that cannot be taken
    /// back before them.
    pub later_runs: Option<Json>,
    pub created_at: DateTime<Utc>,
    pub modified_at: DateTime<Utc>,
}

/// One item of a run.
#[derive(Clone, Debug, DerivePartialModel)]
#[sea_orm(entity = "run_items::Entity")]
pub struct RunItem {
    pub id: Uuid,
    pub action: String,
    pub subject_kind: String,
    pub subject_id: Uuid,
    pub why: String,
    /// `applied`, `held`, `approved` (released, not applied yet), `withdrawn` (the source took it back), `rejected`,
    /// `simulated`; for a rewind `planned` and `impossible`.
    pub decision: String,
    pub held_reason: Option<String>,
    /// The subject's name at that time: `email` and `display_name`, or a group's `name`.
    pub who: Option<Json>,
    pub member_id: Option<Uuid>,
    pub group_id: Option<Uuid>,
    /// The changed fields before; null for a new member or group.
    pub before: Option<Json>,
    pub after: Option<Json>,
    /// The action with its parameters.
    pub detail: Json,
    /// The source and the request that caused it.
    pub source_id: Option<Uuid>,
    pub request_id: Option<Uuid>,
}

/// The plan that the admin saw, and the reason for the decision about it.
#[derive(Clone, Copy, Debug)]
pub struct RunSeen<'a> {
    pub digest: &'a str,
    pub note: Option<&'a str>,
}

/// The decision of an admin about a held run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunDecision {
    /// Releases the withheld items.
    Approve,
    /// Drops them; the source's next change is judged afresh.
    Reject,
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "runs::Entity")]
struct OpenRun {
    state: String,
    digest: String,
    rewinds: Option<Uuid>,
    progress: Option<Json>,
    held_reasons: Json,
    created_at: DateTime<Utc>,
}

#[derive(FromQueryResult)]
struct Found {
    #[expect(dead_code, reason = "its presence is the answer")]
    found: i64,
}

/// Most waiting changes that an approval looks through, pushed ones first. With more of them the run counts as unsettled.
const CHANGES_READ: &str = "5000";

static UNREAD: Sql = Sql::tenant(&[
    "WITH c AS (SELECT user_id, group_id FROM directory_changes WHERE tenant_id = {tenant} ORDER BY lane, id LIMIT ",
    CHANGES_READ,
    ") SELECT CAST(1 AS bigint) AS found WHERE (SELECT count(*) FROM c) >= ",
    CHANGES_READ,
    " OR EXISTS (SELECT 1 FROM c {join} run_items i ON i.tenant_id = {tenant} AND i.run_id = $2 AND i.decision = 'held' \
     AND i.subject_id = CASE WHEN c.group_id IS NULL THEN c.user_id WHEN c.user_id IS NULL THEN c.group_id END) \
     OR EXISTS (SELECT 1 FROM c {join} members m ON m.tenant_id = {tenant} AND m.directory_user_id = c.user_id \
     {join} sharing_groups g ON g.tenant_id = {tenant} AND g.directory_group_id = c.group_id \
     {join} run_items i ON i.tenant_id = {tenant} AND i.run_id = $2 AND i.decision = 'held' \
     AND i.subject_id = m.id AND i.object_id = g.id)",
]);

/// Items of a rewind that change a privileged member, beyond their groups.
static REACHES_PRIVILEGED: Sql = Sql::tenant(&[
    "SELECT CAST(1 AS bigint) AS found WHERE EXISTS (SELECT 1 FROM members m {join} run_items i ON i.tenant_id = {tenant} \
     AND i.run_id = $2 AND i.decision = 'planned' AND i.member_id = m.id AND i.group_id IS NULL \
     WHERE m.tenant_id = {tenant} AND m.role <> 'member')",
]);

impl OpenRun {
    /// The state of the run while it waits for an admin.
    fn open_state(&self) -> RunState {
        if self.rewinds.is_some() { RunState::Planned } else { RunState::Held }
    }

    /// The decision of the run's items while they wait for an admin.
    fn open_decision(&self) -> ItemDecision {
        if self.rewinds.is_some() { ItemDecision::Planned } else { ItemDecision::Held }
    }
}

impl Store {
    #[tracing::instrument(name = "store.runs.runs", skip_all)]
    pub async fn runs(
        &self,
        scope: &AdminScope,
        state: Option<RunState>,
        page: &PageRequest,
    ) -> Result<Page<Run>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        let mut runs = tx.find::<runs::Entity>();
        if let Some(state) = state {
            // As a literal, so that the partial index of open runs serves it.
            runs = runs.filter(runs::Column::State.is(state));
        }
        runs.page(page, RowList::new("runs").searched("state", state)).await
    }

    #[tracing::instrument(name = "store.runs.run", skip_all)]
    pub async fn run(&self, scope: &AdminScope, id: RunId) -> Result<Run, StoreError> {
        let tx = self.read(&scope.scope).await?;
        let run = tx.find::<runs::Entity>().filter(runs::Column::Id.eq(id.0)).one().await?;
        run.ok_or(StoreError::NotFound("run"))
    }

    /// The items of a run in the order they were planned: by their ids, which are made within the lease of the tenant, so that a
    /// later transaction has later ones.
    #[tracing::instrument(name = "store.runs.run_items", skip_all)]
    pub async fn run_items(
        &self,
        scope: &AdminScope,
        id: RunId,
        page: &PageRequest,
    ) -> Result<Page<RunItem>, StoreError> {
        self.run(scope, id).await?;
        let list = ListName::of(&format!("run items of {id}"));
        let after = page.place_in(list)?.map(|place| place.id);
        let tx = self.read(&scope.scope).await?;
        use run_items::{Column, Entity};
        let mut items = tx.find::<Entity>().filter(Column::RunId.eq(id.0));
        if let Some(since) = page.since {
            items = items.filter(Column::Id.gte(first_id_of(since)));
        }
        if let Some(until) = page.until {
            items = items.filter(Column::Id.lt(first_id_of(until)));
        }
        if let Some(after) = after {
            items = items.filter(match page.order {
                ListOrder::Ascending => Column::Id.gt(after),
                ListOrder::Descending => Column::Id.lt(after),
            });
        }
        let items = match page.order {
            ListOrder::Ascending => items.ascending(Column::Id),
            ListOrder::Descending => items.descending(Column::Id),
        };
        let (items, cut) = items.limit(page.limit + 1).all_of_page().await?;
        let place = |item: RunItem| (RowPlace { position: 0, id: item.id }, item);
        Ok(page.cut(list, Rows { found: items.into_iter().map(place).collect(), cut, examined: None }))
    }

    /// Decides about a held run, or a planned rewind, if its digest is the one that the admin saw. Approved items are not applied
    /// here: a worker plans their subjects again and applies what is still wanted, under every invariant.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Stale`] when the plan changed; [`StoreError::Unsettled`] when it is about to;
    /// [`StoreError::Overtaken`] when the roster moved since a rewind was planned; [`StoreError::Conflict`] when it is not held;
    /// [`StoreError::Forbidden`] for the key of an admin when it is about an owner or admin.
    #[tracing::instrument(name = "store.runs.decide_run", skip_all)]
    pub async fn decide_run(
        &self,
        scope: &AdminScope,
        id: RunId,
        seen: RunSeen<'_>,
        decision: RunDecision,
    ) -> Result<Committed<()>, StoreError> {
        check_note(seen.note)?;
        let tx = self.write(&scope.scope).await?;
        let run = tx.find::<runs::Entity>().filter(runs::Column::Id.eq(id.0)).lock(LockType::Update);
        let run: OpenRun = run.one().await?.ok_or(StoreError::NotFound("run"))?;
        let open = run.open_state();
        if run.state != open.as_str() {
            return Err(StoreError::Conflict(format!("the run is {}, not {open}", run.state)));
        }
        let approves = decision == RunDecision::Approve;
        tx.refuse_without_owner(id, &run, scope.role(), approves).await?;
        if run.digest != seen.digest {
            return Err(StoreError::Stale);
        }
        if approves {
            tx.refuse_moved(id, &run).await?;
        }
        let (state, decided_as) = match decision {
            RunDecision::Approve => (RunState::Approved, ItemDecision::Approved),
            RunDecision::Reject => (RunState::Rejected, ItemDecision::Rejected),
        };
        // Items of a rewind stay `planned` until the worker applies them.
        let items = match approves && run.rewinds.is_some() {
            true => None,
            false => Some(tx.decide_items(id, run.open_decision(), decided_as).await?),
        };
        let decided = tx.update::<runs::Entity>(runs::Column::Id.eq(id.0)).set(runs::Column::State, state.as_str());
        let decided = decided.set(runs::Column::ModifiedAt, tx.clock.now());
        let decided = if run.rewinds.is_some() && approves {
            let progress = Progress::read(run.progress.as_ref()).when_approved(scope.role() == Role::Owner);
            decided.set(runs::Column::Progress, json!(progress))
        } else {
            decided
        };
        decided.exec().await?;
        let detail = RunDecided { digest: seen.digest.to_owned(), items, note: seen.note.map(str::to_owned) };
        let event = match decision {
            RunDecision::Approve => Event::RunApproved(id, detail),
            RunDecision::Reject => Event::RunRejected(id, detail),
        };
        tx.tx.batch(vec![tx.event(&event).into()]).await?;
        match (decision, run.rewinds) {
            (RunDecision::Approve, Some(_)) => tx.look_at_tenant_again().await?,
            (RunDecision::Approve, None) => tx.touch_items(Retouch::Approved(id)).await?,
            (RunDecision::Reject, _) => {}
        }
        tx.commit_and_wake(()).await
    }
}

impl TenantTx {
    /// Only an owner decides about a run that changes privileged members. A rejection of a rewind changes nobody.
    async fn refuse_without_owner(&self, id: RunId, run: &OpenRun, by: Role, approves: bool) -> Result<(), StoreError> {
        let is_for_owner = || is_for_owner(&run.held_reasons);
        if by == Role::Owner {
            return Ok(());
        }
        let found: Option<Found> = match run.rewinds {
            Some(_) if approves => self.one(&REACHES_PRIVILEGED, [id.0.into()]).await?,
            _ => None,
        };
        if found.is_some() || is_for_owner() {
            let why = "the run changes an owner, admin or auditor: only an owner decides about it";
            return Err(StoreError::Forbidden(why.into()));
        }
        Ok(())
    }

    /// Refuses an approval when the plan may differ from the one that the admin saw.
    async fn refuse_moved(&self, id: RunId, run: &OpenRun) -> Result<(), StoreError> {
        if run.rewinds.is_some() {
            let planned_since = Progress::read(run.progress.as_ref()).planned_since.unwrap_or(run.created_at);
            let moved = self.moved_since(id, planned_since).await?;
            return if moved { Err(StoreError::Overtaken) } else { Ok(()) };
        }
        if self.is_unread(id).await? { Err(StoreError::Unsettled) } else { Ok(()) }
    }

    /// Whether a change waits that is about a subject of the run's held items. The worker has not planned it yet.
    async fn is_unread(&self, run: RunId) -> Result<bool, StoreError> {
        let row: Option<Found> = self.one(&UNREAD, [run.0.into()]).await?;
        Ok(row.is_some())
    }

    async fn decide_items(&self, run: RunId, open: ItemDecision, decided_as: ItemDecision) -> Result<u64, StoreError> {
        let open_items = run_items::Column::RunId.eq(run.0).and(run_items::Column::Decision.eq(open.as_str()));
        self.update::<run_items::Entity>(open_items).set(run_items::Column::Decision, decided_as.as_str()).exec().await
    }
}
