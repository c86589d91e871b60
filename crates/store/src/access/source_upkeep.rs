//! Sources as owners and the operator make, rename and delete them.

use crate::access::install_tokens::install_end;
use crate::access::sources::second_live;
use crate::committed::Committed;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::transaction::TenantTx;
use crate::entity::{
    credentials, dialect_counts, directory_changes, directory_groups, directory_users, logged_requests,
    rejected_requests, runs, sources,
};
use crate::scope::AdminScope;
use crate::secret::NewSecret;
use chrono::{DateTime, Utc};
use rollcall_core::directory::{SourceKind, SourceMode, SourceSettings};
use rollcall_core::event::{Difference, Event, SourceCreated, SourceDeleted, SourceName};
use rollcall_core::ids::SourceId;
use rollcall_core::quota::Quota;
use sea_orm::ActiveValue::Set;
use sea_orm::ColumnTrait;

/// The outcome of [`Store::delete_source`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceDeletion {
    Deleted,
    /// People, groups or runs came of it; the roster and the audit log refer to them.
    HasRecords,
    /// The tenant's policy has settings for it.
    HasPolicy,
}

/// Input for a new source.
#[derive(Clone, Debug)]
pub struct NewSource<'a> {
    pub kind: SourceKind,
    pub mode: SourceMode,
    pub name: &'a str,
    pub settings: SourceSettings,
    /// When its first secret expires; `None` for never.
    pub token_expires_at: Option<DateTime<Utc>>,
}

impl Store {
    /// Makes a source with its first secret.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it would be the second live source of its tenant (DS2).
    #[tracing::instrument(name = "store.credentials.create_source", skip_all)]
    pub async fn create_source(
        &self,
        scope: &AdminScope,
        new: &NewSource<'_>,
    ) -> Result<(SourceId, NewSecret), StoreError> {
        let tx = self.write(&scope.scope).await?;
        tx.check_name_and_end(new.name, new.token_expires_at)?;
        if new.mode == SourceMode::Live {
            tx.refuse_second_live(None).await?;
            tx.refuse_members_of_another(None).await?;
        }
        tx.refuse_one_more(Quota::Sources, &self.quotas).await?;
        tx.refuse_one_more(Quota::Keys, &self.quotas).await?;
        let id: SourceId = tx.clock.new_id();
        let source = sources::ActiveModel {
            id: Set(id.0),
            kind: Set(new.kind.as_str().into()),
            mode: Set(new.mode.as_str().into()),
            name: Set(new.name.into()),
            users_only: Set(new.settings.users_only),
            plain_discovery: Set(new.settings.plain_discovery),
            created_at: Set(tx.clock.now()),
            ..Default::default()
        };
        let NewSource { kind, mode, settings, .. } = *new;
        let detail = SourceCreated { kind, mode, name: new.name.to_owned(), settings };
        tx.tx
            .batch(vec![tx.insert(source).into(), tx.event(&Event::SourceCreated(id, detail)).into()])
            .await
            .map_err(second_live)?;
        let ends = match new.kind {
            SourceKind::Scim => new.token_expires_at,
            SourceKind::Agent => Some(install_end(&tx, new.token_expires_at)?),
        };
        let secret = tx.create_first_secret(id, new.kind, ends).await?;
        tx.commit().await?;
        Ok((id, secret))
    }

    /// Gives a source another name.
    #[tracing::instrument(name = "store.source_upkeep.rename_source", skip_all)]
    pub async fn rename_source(&self, scope: &AdminScope, id: SourceId, name: &str) -> Result<(), StoreError> {
        let tx = self.write(&scope.scope).await?;
        tx.check_name_and_end(name, None)?;
        let before = tx.source_row(id).await?.name;
        if before == name {
            return Ok(());
        }
        tx.update::<sources::Entity>(sources::Column::Id.eq(id.0)).set(sources::Column::Name, name).exec().await?;
        let (before, after) = (SourceName { name: before }, SourceName { name: name.to_owned() });
        let event = Event::SourceRenamed(id, Difference { before, after });
        tx.tx.batch(vec![tx.event(&event).into()]).await?;
        tx.commit().await
    }

    /// Deletes a source that never sent a record.
    #[tracing::instrument(name = "store.source_upkeep.delete_source", skip_all)]
    pub async fn delete_source(
        &self,
        scope: &AdminScope,
        id: SourceId,
    ) -> Result<Committed<SourceDeletion>, StoreError> {
        let tx = self.write(&scope.scope).await?;
        tx.stop_the_planning().await?;
        tx.lock_source(id).await?;
        let source = tx.source_row(id).await?;
        if tx.has_records_of(id).await? {
            return Ok(Committed::without_duties(SourceDeletion::HasRecords));
        }
        if tx.policy_names(id).await? {
            return Ok(Committed::without_duties(SourceDeletion::HasPolicy));
        }
        let digests = tx.token_digests(id).await?;
        tx.delete::<logged_requests::Entity>(logged_requests::Column::SourceId.eq(id.0)).exec().await?;
        tx.delete::<rejected_requests::Entity>(rejected_requests::Column::SourceId.eq(id.0)).exec().await?;
        tx.delete::<dialect_counts::Entity>(dialect_counts::Column::SourceId.eq(id.0)).exec().await?;
        tx.delete::<credentials::Entity>(credentials::Column::SourceId.eq(id.0)).exec().await?;
        tx.delete::<sources::Entity>(sources::Column::Id.eq(id.0)).exec().await?;
        let deleted = SourceDeleted { kind: source.kind, mode: source.mode, name: source.name };
        tx.tx.batch(vec![tx.event(&Event::SourceDeleted(id, deleted)).into()]).await?;
        tx.commit().await?;
        Ok(Committed::without_duties(SourceDeletion::Deleted).revoking(digests))
    }
}

impl TenantTx {
    /// Everything that a source sends leaves a row in one of these, also when it was deleted or consumed since.
    pub(crate) async fn has_records_of(&self, id: SourceId) -> Result<bool, StoreError> {
        let users = self.find::<directory_users::Entity>().filter(directory_users::Column::SourceId.eq(id.0));
        let groups = self.find::<directory_groups::Entity>().filter(directory_groups::Column::SourceId.eq(id.0));
        let changes = self.find::<directory_changes::Entity>().filter(directory_changes::Column::SourceId.eq(id.0));
        let runs = self.find::<runs::Entity>().filter(runs::Column::SourceId.eq(id.0));
        Ok(users.exists().await? || groups.exists().await? || changes.exists().await? || runs.exists().await?)
    }
}
