//! The request log: one line for each request of an identity provider and each operation of a bulk, by source and by person (PE15).
//! Lines hold ids and outcomes, never names; they are collected in memory and written together.

use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::page::{Page, PageRequest};
use crate::engine::row_sets::{Columns, Type, time_text};
use crate::engine::transaction::TenantTx;
use crate::entity::{RowList, logged_requests, members};
use crate::scope::AdminScope;
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_core::ids::{MemberId, SourceId};
use sea_orm::{ColumnTrait, DerivePartialModel};
use serde::Serialize;
use uuid::Uuid;

/// Most lines that one statement deletes.
const FORGOTTEN_AT_ONCE: u64 = 10_000;

/// One line.
#[derive(Clone, Debug, Serialize, DerivePartialModel)]
#[sea_orm(entity = "logged_requests::Entity")]
pub struct LoggedRequest {
    pub tenant_id: Uuid,
    pub id: Uuid,
    #[serde(serialize_with = "time_text")]
    pub at: DateTime<Utc>,
    pub source_id: Uuid,
    /// The user or group that was read or written, or that a list found alone.
    pub subject_id: Option<Uuid>,
    /// The same id as in the audit events that it caused.
    pub request_id: Option<Uuid>,
    pub method: String,
    /// The path after the source's address, without the query: `/Users`.
    pub path: String,
    /// The HTTP status of the answer.
    pub status: i64,
    pub scim_type: Option<String>,
}

const COLUMNS: Columns = &[
    ("tenant_id", Type::Uuid),
    ("id", Type::Uuid),
    ("at", Type::Time),
    ("source_id", Type::Uuid),
    ("subject_id", Type::Uuid),
    ("request_id", Type::Uuid),
    ("method", Type::Text),
    ("path", Type::Text),
    ("status", Type::Int),
    ("scim_type", Type::Text),
];

/// The lines that a reader wants; all of them when empty.
#[derive(Clone, Debug, Default)]
pub struct RequestFilter {
    pub source: Option<SourceId>,
    /// A directory user or group.
    pub subject: Option<Uuid>,
    /// Lines about this member's directory user.
    pub member: Option<MemberId>,
}

impl Store {
    /// Writes lines of any tenants, a bounded number per statement.
    #[tracing::instrument(name = "store.request_log.log_requests", skip_all)]
    pub async fn log_requests(&self, lines: &[LoggedRequest]) -> Result<(), StoreError> {
        if lines.is_empty() {
            return Ok(());
        }
        let tx = self.across(true).await?;
        tx.insert_rows("logged_requests", COLUMNS, lines, "").await?;
        tx.commit().await
    }

    /// Lines in the order in which they were written.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for a source or member that the tenant does not have.
    #[tracing::instrument(name = "store.request_log.logged_requests", skip_all)]
    pub async fn logged_requests(
        &self,
        scope: &AdminScope,
        filter: &RequestFilter,
        page: &PageRequest,
    ) -> Result<Page<LoggedRequest>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        let mut lines = tx.find::<logged_requests::Entity>();
        if let Some(source) = filter.source {
            tx.source_row(source).await?;
            lines = lines.filter(logged_requests::Column::SourceId.eq(source.0));
        }
        if let Some(subject) = filter.subject {
            lines = lines.filter(logged_requests::Column::SubjectId.eq(subject));
        }
        if let Some(member) = filter.member {
            let user = tx.directory_user_of(member).await?;
            lines = lines.filter(logged_requests::Column::SubjectId.eq(user.unwrap_or(Uuid::nil())));
        }
        let list = RowList::new("request-log").filtered("source_id", filter.source);
        let list = list.filtered("subject_id", filter.subject).filtered("member_id", filter.member);
        lines.page(page, list).await
    }

    /// Deletes lines older than this, a bounded number at a time.
    #[tracing::instrument(name = "store.request_log.forget_requests", skip_all)]
    pub async fn forget_requests(&self, kept: TimeDelta) -> Result<(), StoreError> {
        let oldest = self.clock.now() - kept;
        let sql = format!(
            "DELETE FROM logged_requests WHERE (tenant_id, position, id) IN ( \
               SELECT tenant_id, position, id FROM logged_requests WHERE at < $1 ORDER BY at LIMIT {FORGOTTEN_AT_ONCE})"
        );
        loop {
            let tx = self.across(true).await?;
            let forgotten = tx.exec(&sql, [oldest.into()]).await?;
            tx.commit().await?;
            if forgotten < FORGOTTEN_AT_ONCE {
                return Ok(());
            }
        }
    }
}

impl TenantTx {
    async fn directory_user_of(&self, member: MemberId) -> Result<Option<Uuid>, StoreError> {
        let member = self.find::<members::Entity>().filter(members::Column::Id.eq(member.0));
        member.value(members::Column::DirectoryUserId).await?.ok_or(StoreError::NotFound("member"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::rejected::tests::Scene;

    #[tokio::test]
    async fn pe15_lines_are_forgotten_after_their_time() {
        let scene = Scene::new().await;
        let line = || LoggedRequest {
            tenant_id: scene.source.tenant().0,
            id: scene.store.clock.new_id(),
            at: scene.store.clock.now(),
            source_id: scene.source.source().0,
            subject_id: None,
            request_id: None,
            method: "GET".to_owned(),
            path: "/Users".to_owned(),
            status: 200,
            scim_type: None,
        };
        scene.store.log_requests(&[line(), line()]).await.expect("written");
        scene.store.clock.advance(TimeDelta::days(2));
        let young = line();
        scene.store.log_requests(std::slice::from_ref(&young)).await.expect("written");
        scene.store.forget_requests(TimeDelta::days(1)).await.expect("forgotten");
        let page = PageRequest::first(50);
        let left =
            scene.store.logged_requests(&scene.api, &RequestFilter::default(), &page).await.expect("lines").items;
        assert_eq!(left.iter().map(|line| line.id).collect::<Vec<_>>(), [young.id]);
        scene.end().await;
    }
}
