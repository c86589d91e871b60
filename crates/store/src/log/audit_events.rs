//! The audit log: every write in this crate appends its own event, in its own transaction
//! (docs/design.md#one-change-one-audit-event).

use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::page::{Page, PageRequest};
use crate::engine::row_sets::{Columns, Type, time_text};
use crate::engine::stored_json::StoredJson;
use crate::engine::transaction::TenantTx;
use crate::engine::write_context::{Row, WriteContext};
use crate::entity::RowList;
use crate::entity::audit_events::{Column, Entity};
use crate::scope::AdminScope;
use chrono::{DateTime, Utc};
use rollcall_core::event::{Actor, AuditKind, Event, ExportMade};
use rollcall_core::ids::{RequestId, RunId};
use sea_orm::{ColumnTrait, DerivePartialModel};
use serde::Serialize;
use serde_json::Value as Json;
use uuid::Uuid;

#[derive(Serialize)]
pub(crate) struct EventRow {
    tenant_id: Uuid,
    id: Uuid,
    #[serde(serialize_with = "time_text")]
    at: DateTime<Utc>,
    kind: &'static str,
    actor: String,
    subject_kind: &'static str,
    subject_id: Uuid,
    request_id: Option<Uuid>,
    run_id: Option<Uuid>,
    detail: Option<Json>,
}

const COLUMNS: Columns = &[
    ("tenant_id", Type::Uuid),
    ("id", Type::Uuid),
    ("at", Type::Time),
    ("kind", Type::Text),
    ("actor", Type::Text),
    ("subject_kind", Type::Text),
    ("subject_id", Type::Uuid),
    ("request_id", Type::Uuid),
    ("run_id", Type::Uuid),
    ("detail", Type::Json),
];

impl WriteContext {
    /// The event as a row, for a batch.
    pub(crate) fn event(&self, event: &Event) -> Row {
        let (subject_kind, subject_id) = event.subject();
        let values = [
            ("id", self.clock.new_id::<Uuid>().into()),
            ("at", self.clock.now().into()),
            ("kind", event.kind().as_str().into()),
            ("actor", self.actor.to_text().into()),
            ("subject_kind", subject_kind.into()),
            ("subject_id", subject_id.into()),
            ("request_id", self.request.map(|id| id.0).into()),
            ("detail", event.detail().into()),
        ];
        self.row("audit_events", values)
    }

    /// The event as a row, for batches; `actor` and `request` are its cause.
    pub(crate) fn event_row(
        &self,
        event: &Event,
        actor: Actor,
        request: Option<RequestId>,
        run: Option<RunId>,
    ) -> EventRow {
        let (subject_kind, subject_id) = event.subject();
        EventRow {
            tenant_id: self.tenant.0,
            id: self.clock.new_id(),
            at: self.clock.now(),
            kind: event.kind().as_str(),
            actor: actor.to_text(),
            subject_kind,
            subject_id,
            request_id: request.map(|id| id.0),
            run_id: run.map(|id| id.0),
            detail: event.detail(),
        }
    }
}

impl TenantTx {
    pub(crate) async fn write_events(&self, rows: &[EventRow]) -> Result<(), StoreError> {
        self.tx.insert_rows("audit_events", COLUMNS, rows, "").await?;
        Ok(())
    }
}

/// One event of the audit log.
#[derive(Clone, Debug, DerivePartialModel)]
#[sea_orm(entity = "crate::entity::audit_events::Entity")]
pub struct AuditEvent {
    pub id: Uuid,
    pub at: DateTime<Utc>,
    pub kind: String,
    pub actor: String,
    pub subject_kind: String,
    pub subject_id: Uuid,
    pub request_id: Option<Uuid>,
    pub run_id: Option<Uuid>,
    pub detail: Option<StoredJson>,
}

/// Filters for events; all events when empty.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    pub kind: Option<AuditKind>,
    pub subject: Option<Uuid>,
    pub actor: Option<Actor>,
    pub request: Option<RequestId>,
}

impl Store {
    /// Tells the log of an export, before anything of it leaves.
    #[tracing::instrument(name = "store.audit_events.note_export", skip_all)]
    pub async fn note_export(&self, scope: &AdminScope, export: ExportMade) -> Result<(), StoreError> {
        let tx = self.write(&scope.scope).await?;
        tx.tx.batch(vec![tx.event(&Event::ExportMade(tx.tenant, export)).into()]).await?;
        tx.commit().await
    }

    /// Events in the order they were committed.
    #[tracing::instrument(name = "store.audit_events.audit_events", skip_all)]
    pub async fn audit_events(
        &self,
        scope: &AdminScope,
        filter: &AuditFilter,
        page: &PageRequest,
    ) -> Result<Page<AuditEvent>, StoreError> {
        let _page = self.page_turn(&scope.scope).await?;
        let tx = self.read(&scope.scope).await?;
        let kind = filter.kind.map(AuditKind::as_str);
        let actor = filter.actor.map(Actor::to_text);
        let request = filter.request.map(|id| id.0);
        let list = RowList::new("audit-events").searched("kind", kind).filtered("subject_id", filter.subject);
        let list = list.searched("actor", actor.as_deref()).searched("request_id", request);
        let mut events = tx.find::<Entity>();
        if let Some(kind) = kind {
            events = events.filter(Column::Kind.eq(kind));
        }
        if let Some(subject) = filter.subject {
            events = events.filter(Column::SubjectId.eq(subject));
        }
        if let Some(actor) = actor {
            events = events.filter(Column::Actor.eq(actor));
        }
        if let Some(request) = request {
            events = events.filter(Column::RequestId.eq(request));
        }
        events.page(page, list).await
    }
}
