//! `directory_changes`: marks of touched subjects, with the request. Written with the change itself, consumed by the
//! worker, so no wake-up carries a fact (docs/design.md#the-idea).

use crate::engine::error::StoreError;
use crate::engine::row_sets::{Columns, Type, names_of, time_text};
use crate::engine::transaction::TenantTx;
use crate::engine::write_context::{Row, WriteContext};
use crate::entity::directory_changes::{Column, Entity};
use chrono::{DateTime, Utc};
use rollcall_core::ids::{DirectoryGroupId, DirectoryUserId, SourceId};
use sea_orm::DerivePartialModel;
use serde::Serialize;
use std::collections::HashSet;
use uuid::Uuid;

/// Pushed changes go before bulk ones (docs/design.md#two-lanes).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    Push = 0,
    Bulk = 1,
}

/// Subject of a change mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Touched {
    User(DirectoryUserId),
    Group(DirectoryGroupId),
    Membership(DirectoryGroupId, DirectoryUserId),
    /// The tenant's own settings: seats, policy.
    Tenant,
}

impl Touched {
    fn ids(self) -> (Option<Uuid>, Option<Uuid>) {
        match self {
            Self::User(user) => (Some(user.0), None),
            Self::Group(group) => (None, Some(group.0)),
            Self::Membership(group, user) => (Some(user.0), Some(group.0)),
            Self::Tenant => (None, None),
        }
    }
}

#[derive(Serialize, DerivePartialModel)]
#[sea_orm(entity = "Entity")]
pub(crate) struct ChangeRow {
    tenant_id: Uuid,
    id: Uuid,
    pub(crate) lane: i64,
    /// The source that made the change; none for a subject that is only planned again.
    pub(crate) source_id: Option<Uuid>,
    user_id: Option<Uuid>,
    group_id: Option<Uuid>,
    pub(crate) request_id: Option<Uuid>,
    #[serde(serialize_with = "time_text")]
    created_at: DateTime<Utc>,
}

impl ChangeRow {
    pub(crate) fn touched(&self) -> Touched {
        match (self.user_id, self.group_id) {
            (Some(user), None) => Touched::User(user.into()),
            (None, Some(group)) => Touched::Group(group.into()),
            (Some(user), Some(group)) => Touched::Membership(group.into(), user.into()),
            (None, None) => Touched::Tenant,
        }
    }

    /// Its position in the tenant's queue.
    fn place(&self) -> (i64, Uuid) {
        (self.lane, self.id)
    }
}

/// The changes that a chunk consumes: a range of the tenant's queue, as it was when the chunk was read.
#[derive(Debug, Default)]
pub(crate) struct ReadChanges {
    ids: HashSet<Uuid>,
    ends: Option<[(i64, Uuid); 2]>,
}

impl ReadChanges {
    /// The range of changes that are in queue order.
    pub(crate) fn of(changes: &[ChangeRow]) -> Self {
        let ends = changes.first().zip(changes.last()).map(|(first, last)| [first.place(), last.place()]);
        Self { ids: changes.iter().map(|change| change.id).collect(), ends }
    }
}

const COLUMNS: Columns = &[
    ("tenant_id", Type::Uuid),
    ("id", Type::Uuid),
    ("lane", Type::Int),
    ("source_id", Type::Uuid),
    ("user_id", Type::Uuid),
    ("group_id", Type::Uuid),
    ("request_id", Type::Uuid),
    ("created_at", Type::Time),
];

impl WriteContext {
    /// The change as a row, for a batch.
    pub(crate) fn change(&self, source: Option<SourceId>, touched: Touched) -> Row {
        let (user, group) = touched.ids();
        let values = [
            ("id", self.clock.new_id::<Uuid>().into()),
            ("lane", (Lane::Push as i64).into()),
            ("source_id", source.map(|id| id.0).into()),
            ("user_id", user.into()),
            ("group_id", group.into()),
            ("request_id", self.request.map(|id| id.0).into()),
            ("created_at", self.clock.now().into()),
        ];
        self.row("directory_changes", values)
    }
}

impl TenantTx {
    pub(crate) async fn write_changes(
        &self,
        source: Option<SourceId>,
        lane: Lane,
        touched: impl IntoIterator<Item = Touched>,
    ) -> Result<(), StoreError> {
        let row = |touched: Touched| {
            let (user_id, group_id) = touched.ids();
            ChangeRow {
                tenant_id: self.tenant.0,
                id: self.clock.new_id(),
                lane: lane as i64,
                source_id: source.map(|id| id.0),
                user_id,
                group_id,
                request_id: self.request.map(|id| id.0),
                created_at: self.clock.now(),
            }
        };
        let rows: Vec<ChangeRow> = touched.into_iter().map(row).collect();
        self.tx.insert_rows("directory_changes", COLUMNS, &rows, "").await?;
        Ok(())
    }

    /// The next changes, pushed ones first.
    pub(crate) async fn next_changes(&self, limit: usize) -> Result<Vec<ChangeRow>, StoreError> {
        let changes = self.find::<Entity>().ascending(Column::Lane).ascending(Column::Id);
        changes.limit(limit as u64).all().await
    }

    /// Deletes the changes that were read, by their range: thousands of ids would be a join, and planner statistics of a queue
    /// that is full now and empty a moment later are useless. Changes that came into the range since are put back.
    pub(crate) async fn consume(&self, read: &ReadChanges) -> Result<(), StoreError> {
        let Some([first, last]) = read.ends else { return Ok(()) };
        let sql = format!(
            "DELETE FROM directory_changes WHERE tenant_id = $1 AND (lane, id) >= ($2, $3) AND (lane, id) <= ($4, $5) RETURNING {}",
            names_of(COLUMNS).join(", ")
        );
        let values = [self.tenant.0.into(), first.0.into(), first.1.into(), last.0.into(), last.1.into()];
        let mut gone: Vec<ChangeRow> = self.tx.all(&sql, values).await?;
        gone.retain(|change| !read.ids.contains(&change.id));
        self.tx.insert_rows("directory_changes", COLUMNS, &gone, "").await?;
        Ok(())
    }
}
