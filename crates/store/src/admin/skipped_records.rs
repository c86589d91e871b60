//! The remediation list: skipped records with reason and time. An admin retries a record, or ignores it until its dispute changes
//! (PE10, docs/design.md#one-bad-entry-blocks-nothing).

use crate::committed::Committed;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::page::{Page, PageRequest};
use crate::engine::transaction::TenantTx;
use crate::entity::RowList;
use crate::entity::disputes::{Column, Entity};
use crate::log::changes::Touched;
use crate::scope::AdminScope;
use chrono::{DateTime, Utc};
use rollcall_core::directory::Dispute;
use rollcall_core::event::{Event, RecordId, SkippedRecord as SkippedDetail};
use rollcall_core::remedy;
use sea_orm::sea_query::{Expr, ExprTrait, SimpleExpr};
use sea_orm::{ColumnTrait, DerivePartialModel};
use uuid::Uuid;

/// Longest note on an ignored record, in characters.
const NOTE_CHARACTERS_MAX: usize = 500;

/// A skipped record.
#[derive(Clone, Debug, DerivePartialModel)]
#[sea_orm(entity = "Entity")]
pub struct SkippedRecord {
    /// `directory_user` or `directory_group`.
    pub subject_kind: String,
    pub subject_id: Uuid,
    /// The source of the record.
    #[sea_orm(from_expr = "of_record(\"source_id\", \"source_id\")")]
    pub source_id: Option<Uuid>,
    /// The person's userName, or the group's name, as the source spells it.
    #[sea_orm(from_expr = "of_record(\"user_name\", \"display_name\")")]
    pub name: Option<String>,
    /// The member who has the disputed address.
    #[sea_orm(from_expr = "holder()")]
    pub holder_id: Option<Uuid>,
    /// The name of a [`Dispute`].
    pub dispute: String,
    /// The disputed address, name or error.
    pub about: String,
    pub since: DateTime<Utc>,
    /// The time of the last plan; null when that was before tries were counted.
    pub last_tried_at: Option<DateTime<Utc>>,
    pub tries: i64,
    pub ignored_at: Option<DateTime<Utc>>,
    pub note: Option<String>,
}

/// A column of the skipped user, or of the skipped group.
fn of_record(of_user: &str, of_group: &str) -> SimpleExpr {
    Expr::cust(format!(
        "coalesce((SELECT u.{of_user} FROM directory_users u WHERE u.tenant_id = disputes.tenant_id \
         AND u.id = disputes.subject_id), (SELECT g.{of_group} FROM directory_groups g \
         WHERE g.tenant_id = disputes.tenant_id AND g.id = disputes.subject_id))"
    ))
}

fn holder() -> SimpleExpr {
    Expr::cust(
        "(SELECT m.id FROM members m WHERE disputes.dispute IN ('email_taken', 'adoption_off') \
         AND m.tenant_id = disputes.tenant_id AND m.email_folded = disputes.about AND m.status <> 'removed')",
    )
}

/// The skipped records that a reader wants.
#[derive(Clone, Copy, Debug, Default)]
pub struct SkippedFilter {
    pub dispute: Option<Dispute>,
    /// Ignored records instead of the others.
    pub ignored: bool,
}

impl Store {
    /// The skipped records of a tenant, in the order in which they were first skipped.
    #[tracing::instrument(name = "store.skipped_records.skipped_records", skip_all)]
    pub async fn skipped_records(
        &self,
        scope: &AdminScope,
        filter: &SkippedFilter,
        page: &PageRequest,
    ) -> Result<Page<SkippedRecord>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        let mut records = tx.find::<Entity>();
        if let Some(dispute) = filter.dispute {
            records = records.filter(Column::Dispute.eq(dispute.as_str()));
        }
        let is_wanted = if filter.ignored { Column::IgnoredAt.is_not_null() } else { Column::IgnoredAt.is_null() };
        let dispute = filter.dispute.map(Dispute::as_str);
        let list =
            RowList::new("skipped-records").searched("dispute", dispute).searched("ignored", Some(filter.ignored));
        records.filter(is_wanted).page(page, list).await
    }

    #[tracing::instrument(name = "store.skipped_records.skipped_record", skip_all)]
    pub async fn skipped_record(&self, scope: &AdminScope, subject: Uuid) -> Result<SkippedRecord, StoreError> {
        self.read(&scope.scope).await?.skipped_record(subject).await
    }

    /// Plans a skipped record again. An ignored record returns to the list.
    #[tracing::instrument(name = "store.skipped_records.retry_record", skip_all)]
    pub async fn retry_record(&self, scope: &AdminScope, subject: Uuid) -> Result<Committed<()>, StoreError> {
        let tx = self.write(&scope.scope).await?;
        let record = tx.skipped_record(subject).await?;
        let ignored = tx.update::<Entity>(Column::SubjectId.eq(subject).and(Column::IgnoredAt.is_not_null()));
        let listed = ignored.set(Column::IgnoredAt, None::<DateTime<Utc>>).set(Column::Note, None::<String>);
        listed.exec().await?;
        let touched = match record.subject_kind.as_str() {
            "directory_group" => {
                tx.forget_deletion(&record).await?;
                Touched::Group(subject.into())
            }
            _ => Touched::User(subject.into()),
        };
        let event = Event::SkippedRecordRetried(record.id(), record.detail(None));
        tx.tx.batch(vec![tx.change(None, touched).into(), tx.event(&event).into()]).await?;
        tx.commit_and_wake(()).await
    }

    /// Takes a skipped record off the list until its dispute changes.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when the note is too long.
    #[tracing::instrument(name = "store.skipped_records.ignore_record", skip_all)]
    pub async fn ignore_record(&self, scope: &AdminScope, subject: Uuid, note: Option<&str>) -> Result<(), StoreError> {
        check_note(note)?;
        let tx = self.write(&scope.scope).await?;
        let record = tx.skipped_record(subject).await?;
        if record.ignored_at.is_some() && record.note.as_deref() == note {
            return Ok(());
        }
        let ignored = tx.update::<Entity>(Column::SubjectId.eq(subject)).set(Column::IgnoredAt, tx.clock.now());
        if ignored.set(Column::Note, note).exec().await? == 0 {
            // The dispute was settled since the look-up.
            return Err(StoreError::NotFound("skipped record"));
        }
        let event = Event::SkippedRecordIgnored(record.id(), record.detail(note));
        tx.tx.batch(vec![tx.event(&event).into()]).await?;
        tx.commit().await
    }
}

/// # Errors
/// [`StoreError::Invalid`] for a note that is too long or holds NUL.
pub(super) fn check_note(note: Option<&str>) -> Result<(), StoreError> {
    if note.is_some_and(|note| note.chars().count() > NOTE_CHARACTERS_MAX || note.contains('\0')) {
        return Err(StoreError::Invalid(format!("note is text of at most {NOTE_CHARACTERS_MAX} characters")));
    }
    Ok(())
}

impl TenantTx {
    async fn skipped_record(&self, subject: Uuid) -> Result<SkippedRecord, StoreError> {
        let record = self.find::<Entity>().filter(Column::SubjectId.eq(subject)).one().await?;
        record.ok_or(StoreError::NotFound("skipped record"))
    }
}

impl SkippedRecord {
    /// The remedy that an admin has.
    pub fn remedy(&self) -> &'static str {
        self.dispute.parse::<Dispute>().map_or(&remedy::UNKNOWN_DISPUTE, Dispute::remedy).sentence
    }

    fn id(&self) -> RecordId {
        match self.subject_kind.as_str() {
            "directory_group" => RecordId::Group(self.subject_id.into()),
            _ => RecordId::User(self.subject_id.into()),
        }
    }

    fn detail(&self, note: Option<&str>) -> SkippedDetail {
        SkippedDetail { dispute: self.dispute.clone(), about: self.about.clone(), note: note.map(str::to_owned) }
    }
}
