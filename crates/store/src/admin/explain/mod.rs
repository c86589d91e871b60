//! Reads the facts of an explanation: a fixed number of statements about one person, each by an index or bounded.

mod groups;
mod rows;

use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::entity::member_state::MemberRow;
use crate::entity::{LiteralComparison, disputes, members, run_items};
use crate::reconcile::world::{WAITS_BY_HAND, count};
use crate::scope::AdminScope;
use rollcall_core::change::Subject;
use rollcall_core::directory::UserSubject;
use rollcall_core::email::fold;
use rollcall_core::explain::{Backlog, Facts, Seats, SourceRecord};
use rollcall_core::ids::{DirectoryUserId, MemberId, SourceId};
use rollcall_core::policy::{Policy, SeatOrder};
use rollcall_core::roster::{Approval, MemberState, WaitingFor};
use rollcall_core::run::ItemDecision;
use rollcall_core::world::World;
use rows::{CountRow, DisputeRow, ItemRow, PersonRow, StandingRow, TraceRow, UnreadChange};
use sea_orm::ColumnTrait;
use sea_orm::sea_query::ExprTrait;
use std::collections::BTreeMap;
use uuid::Uuid;

/// Most waiting changes searched for one of the person; with more of them the answer is unknown.
const CHANGES_READ: i64 = 5_000;
/// People counted on the waitlist before one person.
const WAITING_COUNTED: i64 = 1_000;
/// Most withheld items in an explanation.
const WITHHELD_TOLD: u64 = 200;
/// Most people that one address or external id may match; the statements below read as many.
const PEOPLE_MAX: usize = 10;

/// An address or external id of somebody who may have no record yet.
#[derive(Clone, Copy, Debug)]
pub enum Known<'a> {
    Email(&'a str),
    ExternalId(&'a str),
}

/// The person that the facts are about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Whom {
    member: Option<Uuid>,
    user: Option<Uuid>,
}

static STANDING: Sql = Sql::tenant(&[
    "SELECT t.seats, t.policy, l.seats_used, l.expires_at, l.retry_at, l.last_error, \
                   (SELECT count(*) FROM (SELECT 1 FROM directory_changes c WHERE c.tenant_id = t.id LIMIT $2) AS x) AS waiting \
                   FROM tenants t JOIN tenant_leases l ON l.tenant_id = t.id WHERE t.id = {tenant}",
]);
static UNREAD_CHANGES: Sql = Sql::tenant(&["SELECT c.group_id, c.request_id, c.created_at FROM \
                   (SELECT id, user_id, group_id, request_id, created_at FROM directory_changes WHERE tenant_id = {tenant} \
                   ORDER BY lane, id LIMIT $3) AS c \
                   WHERE c.user_id = $2 OR (c.user_id IS NULL AND c.group_id IS NOT NULL) ORDER BY c.created_at LIMIT 1000"]);
static TRACES: Sql = Sql::tenant(&[
    "SELECT * FROM (SELECT 'said' AS what, at, actor, run_id, request_id FROM audit_events \
                   WHERE tenant_id = {tenant} AND subject_id = $2 AND kind LIKE 'directory_user.%' ORDER BY position DESC, id DESC LIMIT 1) AS said \
                   UNION ALL SELECT * FROM (SELECT 'status' AS what, at, actor, run_id, request_id FROM audit_events \
                   WHERE tenant_id = {tenant} AND subject_id = $3 AND kind IN ('member.created', 'member.pending', \
                   'member.waitlisted', 'member.stopped_waiting', 'member.invited', 'member.activated', 'member.suspended', \
                   'member.restored', 'member.removed', 'member.blocked', 'member.unblocked') ORDER BY position DESC, id DESC LIMIT 1) AS status \
                   UNION ALL SELECT * FROM (SELECT 'decided' AS what, at, actor, run_id, request_id FROM audit_events \
                   WHERE tenant_id = {tenant} AND subject_id = $3 AND kind IN ('member.approved', 'member.declined') \
                   ORDER BY position DESC, id DESC LIMIT 1) AS decided \
                   UNION ALL SELECT * FROM (SELECT 'blocked' AS what, at, actor, run_id, request_id FROM audit_events \
                   WHERE tenant_id = {tenant} AND subject_id = $3 AND kind IN ('member.blocked', 'member.unblocked') \
                   ORDER BY position DESC, id DESC LIMIT 1) AS blocked",
]);
static MEMBERS_BY_EMAIL: Sql = Sql::tenant(&["SELECT x.id AS member_id, x.directory_user_id AS user_id FROM ( \
    SELECT id, directory_user_id, position FROM members WHERE tenant_id = {tenant} AND email_folded = $2 UNION ALL \
    SELECT id, directory_user_id, position FROM members WHERE tenant_id = {tenant} AND former_email_folded = $2) AS x \
    ORDER BY x.position DESC, x.id DESC LIMIT 10"]);
static MEMBERS_BY_EXTERNAL_ID: Sql =
    Sql::tenant(&["SELECT m.id AS member_id, m.directory_user_id AS user_id FROM members m \
    JOIN sources s ON s.tenant_id = m.tenant_id WHERE m.tenant_id = {tenant} AND m.managed_by = s.id \
    AND m.external_id = $2 ORDER BY m.id DESC LIMIT 10"]);
static RECORDS_BY_EMAIL: Sql =
    Sql::tenant(&["SELECT m.id AS member_id, u.id AS user_id FROM sources s {join} directory_users u \
    ON u.tenant_id = s.tenant_id AND u.source_id = s.id AND u.email_folded = $2 AND u.deleted_at IS NULL \
    LEFT JOIN members m ON m.tenant_id = u.tenant_id AND m.directory_user_id = u.id \
    WHERE s.tenant_id = {tenant} ORDER BY u.id DESC LIMIT 10"]);
static RECORDS_BY_EXTERNAL_ID: Sql =
    Sql::tenant(&["SELECT m.id AS member_id, u.id AS user_id FROM sources s {join} directory_users u \
    ON u.tenant_id = s.tenant_id AND u.source_id = s.id AND u.external_id = $2 AND u.deleted_at IS NULL \
    LEFT JOIN members m ON m.tenant_id = u.tenant_id AND m.directory_user_id = u.id \
    WHERE s.tenant_id = {tenant} ORDER BY u.id DESC LIMIT 10"]);

impl Store {
    #[tracing::instrument(name = "store.explain.facts_of_member", skip_all)]
    pub async fn facts_of_member(&self, scope: &AdminScope, member: MemberId) -> Result<Facts, StoreError> {
        let tx = self.read(&scope.scope).await?;
        let facts = tx.facts(Whom { member: Some(member.0), user: None }).await?;
        if facts.member.is_none() {
            return Err(StoreError::NotFound("member"));
        }
        Ok(facts)
    }

    #[tracing::instrument(name = "store.explain.facts_of_record", skip_all)]
    pub async fn facts_of_record(
        &self,
        scope: &AdminScope,
        source: SourceId,
        user: DirectoryUserId,
    ) -> Result<Facts, StoreError> {
        let tx = self.read(&scope.scope).await?;
        let facts = tx.facts(Whom { member: None, user: Some(user.0) }).await?;
        match &facts.said {
            Some(said) if said.origin.source == source => Ok(facts),
            _ => Err(StoreError::NotFound("user of this source")),
        }
    }

    /// Every person with this address or id, at most ten; one person without member and record when there is none.
    #[tracing::instrument(name = "store.explain.facts_of_known", skip_all)]
    pub async fn facts_of_known(&self, scope: &AdminScope, known: Known<'_>) -> Result<Vec<Facts>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        let mut people = tx.people_known_as(known).await?;
        if people.is_empty() {
            people.push(Whom::default());
        }
        let mut facts = Vec::new();
        for whom in people {
            facts.push(tx.facts(whom).await?);
        }
        Ok(facts)
    }
}

impl TenantTx {
    async fn facts(&self, whom: Whom) -> Result<Facts, StoreError> {
        let member = self.member_state(whom).await?;
        let user = whom.user.or(member.as_ref().and_then(|member| member.directory_user).map(|id| id.0));
        let wanted = BTreeMap::from_iter(user.map(|id| (id, None)));
        let standing = self.standing().await?;
        let policy: Result<Policy, _> = serde_json::from_value(standing.policy.clone()).map_err(|e| e.to_string());
        let world = policy.and_then(World::under);
        let world = world.map_err(|e| StoreError::database(format!("the stored policy: {e}")))?;
        let said = self.read_records(&world, &wanted).await?.pop();
        let said =
            said.map(|UserSubject { id, origin, record, in_scope, .. }| SourceRecord { id, origin, record, in_scope });
        // A member whom another source took over is not explained by the record that they had before.
        let manager = member.as_ref().filter(|_| whom.member.is_some()).and_then(|member| member.managed_by);
        let said = said.filter(|said| manager.is_none_or(|manager| manager == said.origin.source));
        let whom = Whom { member: member.as_ref().map(|member| member.id.0), user };
        let items = self.withheld_items(whom).await?;
        let changes = self.unread_changes(user).await?;
        let traces = self.traces(whom).await?;
        let trace = |what: &str| traces.iter().find(|row| row.what == what).map(TraceRow::trace);
        let source =
            said.as_ref().map(|said| said.origin.source).or(member.as_ref().and_then(|member| member.managed_by));
        let policy = source.map_or(&world.policy, |source| world.policy_of(source)).clone();
        Ok(Facts {
            now: self.clock.now(),
            policy,
            seats: Seats {
                bought: count(standing.seats),
                used: count(standing.seats_used),
                place: self.place_on_waitlist(member.as_ref(), world.policy.seat_order).await?,
            },
            said_last: trace("said"),
            status_last: trace("status"),
            decided_last: trace("decided"),
            blocked_last: trace("blocked"),
            holder: self.holder(&said, member.as_ref()).await?,
            skipped: self.skipped(user).await?,
            withheld: items.iter().filter(|item| !item.is_about_a_group()).filter_map(ItemRow::withheld).collect(),
            backlog: Backlog {
                unread: changes.iter().find(|change| change.group_id.is_none()).map(UnreadChange::unread),
                deeper: standing.waiting > CHANGES_READ,
                leased_until: standing.expires_at,
                retry_at: standing.retry_at,
                last_error: standing.last_error,
            },
            groups: self.group_facts(whom, &items, &changes).await?,
            member,
            said,
        })
    }

    async fn member_state(&self, whom: Whom) -> Result<Option<MemberState>, StoreError> {
        let named = match whom {
            Whom { member: Some(id), .. } => members::Column::Id.eq(id),
            Whom { user: Some(id), .. } => members::Column::DirectoryUserId.eq(id),
            _ => return Ok(None),
        };
        let row: Option<MemberRow> = self.find::<members::Entity>().filter(named).one().await?;
        row.map(MemberRow::into_state).transpose()
    }

    async fn standing(&self) -> Result<StandingRow, StoreError> {
        let row = self.one(&STANDING, [(CHANGES_READ + 1).into()]).await?;
        row.ok_or(StoreError::NotFound("tenant"))
    }

    /// The member that holds the address of a record without a member.
    async fn holder(
        &self,
        said: &Option<SourceRecord>,
        member: Option<&MemberState>,
    ) -> Result<Option<MemberId>, StoreError> {
        let record = said.as_ref().and_then(|said| said.record.as_ref()).filter(|_| member.is_none());
        let Some(email) = record.and_then(|record| record.email.as_deref()) else { return Ok(None) };
        use members::{Column, Entity};
        let holder = Column::EmailFolded.eq(fold(email)).and(Column::Status.is_not("removed"));
        let holder = self.find::<Entity>().filter(holder).value::<Uuid>(Column::Id).await?;
        Ok(holder.map(Into::into))
    }

    async fn skipped(&self, user: Option<Uuid>) -> Result<Option<rollcall_core::explain::Skipped>, StoreError> {
        let Some(user) = user else { return Ok(None) };
        let dispute = self.find::<disputes::Entity>().filter(disputes::Column::SubjectId.eq(user));
        let row: Option<DisputeRow> = dispute.one().await?;
        Ok(row.and_then(DisputeRow::skipped))
    }

    /// Withheld items about this person, the newest first. Items about memberships have the member as their subject.
    async fn withheld_items(&self, whom: Whom) -> Result<Vec<ItemRow>, StoreError> {
        use run_items::{Column, Entity};
        let ids = [whom.member, whom.user].map(Option::unwrap_or_default);
        let items = self
            .find::<Entity>()
            .filter(Column::Decision.is_not(ItemDecision::Applied))
            .filter(Column::SubjectId.is_in(ids));
        items.descending(Column::Id).limit(WITHHELD_TOLD).all().await
    }

    /// Changes of this person and of whole groups among those that a worker reads next, the oldest first.
    async fn unread_changes(&self, user: Option<Uuid>) -> Result<Vec<UnreadChange>, StoreError> {
        let Some(user) = user else { return Ok(Vec::new()) };
        self.all(&UNREAD_CHANGES, [user.into(), CHANGES_READ.into()]).await
    }

    /// The last event about the record, the last that set the member's status, and the last decision of an admin about admission.
    async fn traces(&self, whom: Whom) -> Result<Vec<TraceRow>, StoreError> {
        let ids = [whom.user, whom.member].map(|id| id.unwrap_or_default().into());
        self.all(&TRACES, ids).await
    }

    /// The position on the waitlist; 1 is admitted next.
    async fn place_on_waitlist(
        &self,
        member: Option<&MemberState>,
        order: SeatOrder,
    ) -> Result<Option<u32>, StoreError> {
        let waits = member.filter(|member| member.waiting_for == Some(WaitingFor::Seat));
        let waits = waits.filter(|member| member.approval != Some(Approval::Declined));
        let Some(member) = waits else { return Ok(None) };
        let own = match order {
            SeatOrder::Announced => Subject::of_waiting(member).id().into(),
            SeatOrder::Email => fold(&member.profile.email).into(),
        };
        let (place, by_hand) = (self.waitlist_place(order), self.waitlist_place_by_hand(order));
        let sql = format!(
            "SELECT count(*) AS counted FROM (SELECT 1 FROM members m WHERE m.tenant_id = $1 AND m.waiting_for = 'seat' \
                   AND (m.approval IS NULL OR m.approval <> 'declined') AND {place} < $2 AND EXISTS (SELECT 1 FROM directory_users u WHERE u.tenant_id = m.tenant_id \
                   AND u.id = m.directory_user_id AND u.active AND u.deleted_at IS NULL) \
                   UNION ALL SELECT 1 FROM members m WHERE m.tenant_id = $1 AND {WAITS_BY_HAND} AND {by_hand} < $2 LIMIT $3) AS x"
        );
        let values = [self.tenant.0.into(), own, WAITING_COUNTED.into()];
        let row: Option<CountRow> = self.tx.one(&sql, values).await?;
        let before = row.map_or(0, |row| row.counted);
        Ok((before < WAITING_COUNTED).then(|| count(before + 1)))
    }

    /// Members and records with this address or id, each person once.
    async fn people_known_as(&self, known: Known<'_>) -> Result<Vec<Whom>, StoreError> {
        let (members, records, value) = match known {
            Known::Email(email) => (&MEMBERS_BY_EMAIL, &RECORDS_BY_EMAIL, fold(email)),
            Known::ExternalId(id) => (&MEMBERS_BY_EXTERNAL_ID, &RECORDS_BY_EXTERNAL_ID, id.to_owned()),
        };
        let mut found: Vec<PersonRow> = self.all(members, [value.as_str().into()]).await?;
        found.extend(self.all::<PersonRow>(records, [value.into()]).await?);
        let mut people: Vec<Whom> = Vec::new();
        for PersonRow { member_id: member, user_id: user } in found {
            if !people
                .iter()
                .any(|known| (member.is_some() && known.member == member) || (user.is_some() && known.user == user))
            {
                people.push(Whom { member, user });
            }
        }
        people.truncate(PEOPLE_MAX);
        Ok(people)
    }
}
