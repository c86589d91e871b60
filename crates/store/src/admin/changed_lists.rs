//! Changes of lists, for those who watch them: which lists changed since a place in the audit log, read from the log itself, since
//! each effective change has its event there, in commit order. Runs are looked at besides: a plan of a simulation has no event.

use crate::access::sessions::SESSION_PAUSE;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::page::{Cursor, ListOrder, PageRequest, RowPlace};
use crate::engine::transaction::TenantTx;
use crate::entity::{LiteralComparison, RowList, audit_events, credentials, members, runs};
use crate::scope::AdminScope;
use chrono::{DateTime, Utc};
use rollcall_core::event::{AuditKind, ChangedList};
use rollcall_core::ids::CredentialId;
use rollcall_core::run::RunState;
use sea_orm::sea_query::ExprTrait;
use sea_orm::{ColumnTrait, Condition, DerivePartialModel};
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{Hash, Hasher};
use uuid::Uuid;

/// Events that one look reads. With more of them every list counts as changed, and the next look begins at the end.
const EVENTS_READ: u64 = 1_000;
/// Open runs that one look compares.
const RUNS_READ: u64 = 200;

/// A look at the lists of one tenant.
pub struct Look {
    /// The place where the last look ended; none for a look that only finds out where the log ends.
    pub after: Option<Cursor>,
    /// The credentials that are asked for.
    pub credentials: Vec<CredentialId>,
}

/// The findings of a look.
#[derive(Debug)]
pub struct Looked {
    /// The lists that changed after the place.
    pub lists: BTreeSet<ChangedList>,
    /// The beginning of the next look: a cursor of the list of audit events.
    pub at: Cursor,
    /// Stands for the open runs as they are; another number means that one came, went or changed.
    pub open_runs: u64,
    /// Those of the credentials that are in force.
    pub in_force: HashSet<CredentialId>,
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "audit_events::Entity")]
struct Told {
    kind: String,
    run_id: Option<Uuid>,
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "runs::Entity")]
struct OpenRun {
    id: Uuid,
    modified_at: DateTime<Utc>,
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "credentials::Entity")]
struct Held {
    id: Uuid,
    kind: String,
    role: Option<String>,
    member_id: Option<Uuid>,
    created_at: DateTime<Utc>,
    last_used_at: Option<DateTime<Utc>>,
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "members::Entity")]
struct Holder {
    id: Uuid,
    role: String,
}

impl Store {
    /// Looks at the lists of a tenant, in one transaction.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for a cursor of another list.
    #[tracing::instrument(name = "store.changed_lists.look", skip_all)]
    pub async fn look(&self, scope: &AdminScope, look: &Look) -> Result<Looked, StoreError> {
        let tx = self.read(&scope.scope).await?;
        let in_force = tx.in_force(&look.credentials).await?;
        let open_runs = tx.open_runs_number().await?;
        let (lists, at) = match look.after {
            Some(after) => tx.lists_after(after).await?,
            None => (BTreeSet::new(), tx.end_of_log().await?),
        };
        Ok(Looked { lists, at, open_runs, in_force })
    }
}

impl TenantTx {
    async fn lists_after(&self, after: Cursor) -> Result<(BTreeSet<ChangedList>, Cursor), StoreError> {
        let page = PageRequest::first(EVENTS_READ).after(Some(after));
        let events = self.find::<audit_events::Entity>().page::<Told>(&page, RowList::new(AUDIT_EVENTS)).await?;
        if events.next.is_some() {
            return Ok((ChangedList::ALL.iter().copied().collect(), self.end_of_log().await?));
        }
        let mut lists = BTreeSet::new();
        for Told { kind, run_id } in &events.items {
            lists.insert(ChangedList::AuditEvents);
            lists.extend(run_id.map(|_| ChangedList::Runs));
            // A kind of a newer version of the hub may be about anything.
            let kind: Option<AuditKind> = kind.parse().ok();
            lists.extend(kind.map_or(ChangedList::ALL, AuditKind::changes));
        }
        Ok((lists, events.resume.unwrap_or(after)))
    }

    /// The place behind everything in the log that followers of it can see.
    async fn end_of_log(&self) -> Result<Cursor, StoreError> {
        let end = RowPlace::before(self.list_end().await?);
        Ok(Cursor::in_list(ListOrder::Ascending, end, RowList::<audit_events::Entity>::new(AUDIT_EVENTS).name()))
    }

    /// By the two indexes of open runs.
    async fn open_runs_number(&self) -> Result<u64, StoreError> {
        use runs::Column::{Id, Rewinds, State};
        let open = State.is_one_of([RunState::Held, RunState::Approved, RunState::Planning]);
        let open: Vec<OpenRun> = self.find::<runs::Entity>().filter(open).descending(Id).limit(RUNS_READ).all().await?;
        let planned = State.is(RunState::Planned).and(Rewinds.is_null());
        let planned: Vec<OpenRun> = self.find::<runs::Entity>().filter(planned).limit(RUNS_READ).all().await?;
        let mut seen: Vec<(Uuid, DateTime<Utc>)> =
            open.into_iter().chain(planned).map(|run| (run.id, run.modified_at)).collect();
        seen.sort_unstable();
        let mut hasher = DefaultHasher::new();
        seen.hash(&mut hasher);
        Ok(hasher.finish())
    }

    /// Those of these credentials that a request could use now. The look-up of a request is in [`crate::across`].
    async fn in_force(&self, asked: &[CredentialId]) -> Result<HashSet<CredentialId>, StoreError> {
        use credentials::Column::{ExpiresAt, Id, RevokedAt};
        if asked.is_empty() {
            return Ok(HashSet::new());
        }
        let now = self.clock.now();
        let unexpired = Condition::any().add(ExpiresAt.is_null()).add(ExpiresAt.gt(now));
        let these = Condition::all().add(Id.is_in(asked.iter().map(|id| id.0))).add(RevokedAt.is_null()).add(unexpired);
        let held: Vec<Held> = self.find::<credentials::Entity>().filter(these).all().await?;
        let holders: Vec<Uuid> = held.iter().filter_map(|held| held.member_id).collect();
        let active = members::Column::Id.is_in(holders.clone()).and(members::Column::Status.is("active"));
        let active: Vec<Holder> = match holders.is_empty() {
            true => Vec::new(),
            false => self.find::<members::Entity>().filter(active).all().await?,
        };
        let role_of: HashMap<Uuid, String> = active.into_iter().map(|holder| (holder.id, holder.role)).collect();
        let is_good = |held: &Held| match held.member_id {
            // A session is its member's, in the role of the sign-in, and ends after a pause.
            Some(member) => {
                held.kind == "session"
                    && role_of.get(&member).is_some_and(|role| Some(role) == held.role.as_ref())
                    && held.last_used_at.unwrap_or(held.created_at) > now - SESSION_PAUSE
            }
            None => true,
        };
        Ok(held.iter().filter(|held| is_good(held)).map(|held| held.id.into()).collect())
    }
}

/// The list of the log without a filter.
const AUDIT_EVENTS: &str = "audit-events";
