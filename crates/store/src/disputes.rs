//! The remediation list: records that were skipped, why, since when, and a way to try them again (design §6.6).

use crate::changes::Touched;
use crate::connect::Store;
use crate::error::StoreError;
use crate::scope::ApiScope;
use chrono::{DateTime, Utc};
use rollcall_core::directory::Dispute;
use sea_orm::FromQueryResult;
use serde::Serialize;
use uuid::Uuid;

/// A skipped record.
#[derive(Clone, Debug, Serialize, FromQueryResult)]
pub struct SkippedRecord {
    /// `directory_user` or `directory_group`.
    pub subject_kind: String,
    pub subject_id: Uuid,
    /// The word of a [`Dispute`].
    pub dispute: String,
    /// The address, the name or the error it is about.
    pub about: String,
    pub since: DateTime<Utc>,
}

/// Records on the list at most; a tenant with more has one cause to find, not thousands.
const LISTED_MAX: u64 = 1000;

impl Store {
    /// The skipped records of a tenant, the oldest first.
    pub async fn skipped_records(&self, scope: &ApiScope) -> Result<Vec<SkippedRecord>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        let sql = format!(
            "SELECT subject_kind, subject_id, dispute, about, since FROM disputes WHERE tenant_id = $1 \
             ORDER BY since, subject_id LIMIT {LISTED_MAX}"
        );
        tx.tx.all(&sql, [tx.tenant.0.into()]).await
    }

    /// Plans a skipped record again.
    pub async fn retry_record(&self, scope: &ApiScope, subject: Uuid) -> Result<(), StoreError> {
        let tx = self.write(&scope.scope).await?;
        let sql = "SELECT subject_kind, subject_id, dispute, about, since FROM disputes \
                   WHERE tenant_id = $1 AND subject_id = $2";
        let found: Option<SkippedRecord> = tx.tx.one(sql, [tx.tenant.0.into(), subject.into()]).await?;
        let found = found.ok_or(StoreError::NotFound("skipped record"))?;
        let touched = match found.subject_kind.as_str() {
            "directory_group" => Touched::Group(subject.into()),
            _ => Touched::User(subject.into()),
        };
        tx.batch_of(vec![tx.change(None, touched).into()]).await?;
        tx.commit().await
    }
}

impl SkippedRecord {
    /// What an admin can do about it.
    pub fn remedy(&self) -> &'static str {
        self.dispute.parse::<Dispute>().map_or("See the worker's log.", Dispute::remedy)
    }
}
