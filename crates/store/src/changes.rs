//! `directory_changes`: which subjects were touched and by which request. Written with the change itself, read and
//! consumed by the worker, so no wake-up needs to carry a fact (design §1).

use crate::error::StoreError;
use crate::scope::TenantTx;
use crate::sql::{Columns, Type, time_text};
use chrono::{DateTime, Utc};
use rollcall_core::ids::{DirectoryGroupId, DirectoryUserId, SourceId};
use sea_orm::sea_query::InsertStatement;
use serde::Serialize;
use uuid::Uuid;

/// Pushed changes go before bulk ones (design §6.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lane {
    Push = 0,
    Bulk = 1,
}

/// What was touched.
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

    pub(crate) fn from_ids(user: Option<Uuid>, group: Option<Uuid>) -> Self {
        match (user, group) {
            (Some(user), None) => Self::User(user.into()),
            (None, Some(group)) => Self::Group(group.into()),
            (Some(user), Some(group)) => Self::Membership(group.into(), user.into()),
            (None, None) => Self::Tenant,
        }
    }
}

#[derive(Serialize)]
pub(crate) struct ChangeRow {
    tenant_id: Uuid,
    id: Uuid,
    lane: i64,
    /// The source that said so; none for what is only looked at again.
    source_id: Option<Uuid>,
    user_id: Option<Uuid>,
    group_id: Option<Uuid>,
    request_id: Option<Uuid>,
    #[serde(serialize_with = "time_text")]
    created_at: DateTime<Utc>,
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

impl TenantTx {
    /// The change as a statement, for a batch.
    pub(crate) fn change(&self, source: Option<SourceId>, touched: Touched) -> InsertStatement {
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
        self.insert("directory_changes", values)
    }

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
}
