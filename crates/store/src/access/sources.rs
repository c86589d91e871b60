//! Sources as admins see and change them: their mode, and the tokens of each.

use crate::access::credentials::{
    ACCESS_TOKEN, AGENT_ENROLMENT, Rotated, RotatedExpiry, SCIM_TOKEN, Superseded, in_force,
};
use crate::committed::Committed;
use crate::engine::connect::Store;
use crate::engine::error::StoreError;
use crate::engine::page::{Page, PageRequest};
use crate::engine::sql::Sql;
use crate::engine::transaction::TenantTx;
use crate::entity::{LiteralComparison, RowList, Update, credentials, members, sources};
use crate::scope::AdminScope;
use crate::secret::{NewSecret, SecretDigest, stored_digest};
use chrono::{DateTime, TimeDelta, Utc};
use rollcall_core::directory::{SourceMode, SourceSettings};
use rollcall_core::event::{Difference, Event, SourceModeChanged};
use rollcall_core::ids::{CredentialId, SourceId};
use rollcall_core::remedy::{OTHER_MANAGES, SECOND_LIVE};
use rollcall_core::roster::Role;
use rollcall_core::run::RunState;
use sea_orm::sea_query::{Expr, ExprTrait, SimpleExpr};
use sea_orm::{ColumnTrait, Condition, DerivePartialModel};
use uuid::Uuid;

/// A source for admins.
#[derive(Clone, Debug, DerivePartialModel)]
#[sea_orm(entity = "sources::Entity")]
pub struct Source {
    pub id: Uuid,
    /// `scim` or `agent`.
    pub kind: String,
    /// `off`, `simulate` or `live`.
    pub mode: String,
    pub name: String,
    /// Groups are neither shown nor accepted (DS3).
    pub users_only: bool,
    /// Discovery shows nothing beyond RFC 7643 (R16).
    pub plain_discovery: bool,
    /// Since when the source is in quarantine, so that its changes are planned and held only (PE9).
    pub quarantined_at: Option<DateTime<Utc>>,
    pub quarantine_reason: Option<String>,
    pub created_at: DateTime<Utc>,
    /// The last use of any of its tokens, to the minute.
    #[sea_orm(from_expr = "last_used()")]
    pub last_used_at: Option<DateTime<Utc>>,
}

impl Source {
    pub(crate) fn settings(&self) -> SourceSettings {
        SourceSettings { users_only: self.users_only, plain_discovery: self.plain_discovery }
    }
}

/// A change of a source; `None` leaves a part as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct SourceChange {
    pub mode: Option<SourceMode>,
    pub users_only: Option<bool>,
    pub plain_discovery: Option<bool>,
}

impl From<SourceMode> for SourceChange {
    fn from(mode: SourceMode) -> Self {
        Self { mode: Some(mode), ..Self::default() }
    }
}

impl SourceChange {
    pub fn is_empty(&self) -> bool {
        let Self { mode, users_only, plain_discovery } = self;
        mode.is_none() && users_only.is_none() && plain_discovery.is_none()
    }

    fn over(&self, before: SourceSettings) -> SourceSettings {
        SourceSettings {
            users_only: self.users_only.unwrap_or(before.users_only),
            plain_discovery: self.plain_discovery.unwrap_or(before.plain_discovery),
        }
    }
}

/// A token for admins, without its secret.
#[derive(Clone, Debug, DerivePartialModel)]
#[sea_orm(entity = "credentials::Entity")]
pub struct SourceToken {
    pub id: Uuid,
    pub name: String,
    /// The first characters of the secret, for recognition.
    pub prefix: String,
    pub created_at: DateTime<Utc>,
    pub expires_at: Option<DateTime<Utc>>,
    pub revoked_at: Option<DateTime<Utc>>,
    /// To the minute; null when it was never used.
    pub last_used_at: Option<DateTime<Utc>>,
    /// The one that a rotation put in its place.
    pub replaced_by: Option<Uuid>,
    /// The actor who made it; unknown for those of earlier versions.
    pub created_by: Option<String>,
}

/// The last use of any token of the source; who opens a set-up link is no provider.
fn last_used() -> SimpleExpr {
    Expr::cust(
        "(SELECT max(c.last_used_at) FROM credentials c WHERE c.tenant_id = sources.tenant_id AND c.source_id = sources.id \
         AND c.kind <> 'setup_link')",
    )
}

static RETURN_GROUPS: Sql = Sql::tenant(&[
    "UPDATE sharing_groups SET directory_group_id = NULL WHERE tenant_id = {tenant} AND managed_by = $2 \
     AND removed_at IS NOT NULL AND EXISTS (SELECT 1 FROM sources s WHERE s.tenant_id = {tenant} AND s.id = $2 \
     AND s.people_leave = TRUE)",
]);

/// Translates a broken unique index: two sources were made live at the same moment.
pub(crate) fn second_live(error: StoreError) -> StoreError {
    match error {
        StoreError::Taken(_) => {
            StoreError::Conflict(format!("the tenant has a live source already; {}", SECOND_LIVE.sentence))
        }
        other => other,
    }
}

impl Store {
    /// All sources of a tenant, the oldest first.
    #[tracing::instrument(name = "store.sources.sources", skip_all)]
    pub async fn sources(&self, scope: &AdminScope) -> Result<Vec<Source>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        tx.find::<sources::Entity>().ascending(sources::Column::Id).all().await
    }

    /// One page of the sources of a tenant.
    #[tracing::instrument(name = "store.sources.page_of_sources", skip_all)]
    pub async fn page_of_sources(&self, scope: &AdminScope, page: &PageRequest) -> Result<Page<Source>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        tx.find::<sources::Entity>().page(page, RowList::new("sources")).await
    }

    #[tracing::instrument(name = "store.sources.source", skip_all)]
    pub async fn source(&self, scope: &AdminScope, id: SourceId) -> Result<Source, StoreError> {
        let tx = self.read(&scope.scope).await?;
        tx.source_row(id).await
    }

    /// Changes a source's mode and its switches. Returns the digests of its tokens, which the caller drops from all caches, so that the switch is effective within a second (DS7).
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when another source of the tenant is live (DS2).
    #[tracing::instrument(name = "store.sources.change_source", skip_all)]
    pub async fn change_source(
        &self,
        scope: &AdminScope,
        id: SourceId,
        change: SourceChange,
    ) -> Result<Committed<()>, StoreError> {
        if change.mode == Some(SourceMode::Live) && scope.role() != Role::Owner {
            let why = "only an owner sets a source to live, as only an owner promotes one";
            return Err(StoreError::Forbidden(why.into()));
        }
        let tx = self.write(&scope.scope).await?;
        let mut digests = tx.set_switches(id, change).await?;
        if let Some(mode) = change.mode {
            digests.extend(tx.set_source_mode(id, mode).await?);
        }
        Ok(tx.commit_and_wake(()).await?.changing(digests))
    }

    /// The tokens of a source, ended ones too.
    #[tracing::instrument(name = "store.sources.source_tokens", skip_all)]
    pub async fn source_tokens(
        &self,
        scope: &AdminScope,
        source: SourceId,
        page: &PageRequest,
    ) -> Result<Page<SourceToken>, StoreError> {
        let tx = self.read(&scope.scope).await?;
        tx.source_row(source).await?;
        use credentials::{Column, Entity};
        let tokens = tx.find::<Entity>().filter(scim_token_of(source));
        tokens.page(page, RowList::new("tokens").of(Column::SourceId, source.0)).await
    }

    /// Makes another token.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the source has the maximum of valid tokens.
    #[tracing::instrument(name = "store.sources.add_source_token", skip_all)]
    pub async fn add_source_token(
        &self,
        scope: &AdminScope,
        source: SourceId,
        name: &str,
        expires_at: Option<DateTime<Utc>>,
    ) -> Result<NewSecret, StoreError> {
        let tx = self.write(&scope.scope).await?;
        tx.check_new_token(source, name, expires_at, &self.quotas).await?;
        let secret = tx.create_source_token(source, name, expires_at).await?;
        tx.commit().await?;
        Ok(secret)
    }

    /// Makes a token with the old one's name; the old one stays valid for `overlap`, so that the identity provider can be
    /// changed without a gap.
    #[tracing::instrument(name = "store.sources.rotate_source_token", skip_all)]
    pub async fn rotate_source_token(
        &self,
        scope: &AdminScope,
        source: SourceId,
        old: CredentialId,
        overlap: TimeDelta,
        expiry: RotatedExpiry,
    ) -> Result<Committed<Rotated>, StoreError> {
        let tx = self.write(&scope.scope).await?;
        let old_token = Condition::all().add(scim_token_of(source)).add(credentials::Column::Id.eq(old.0));
        let superseded = tx.supersede(old_token, "token that is in force", overlap, expiry).await?;
        let Superseded { old: credentials::Model { name, digest, .. }, old_expires_at, expires_at } = superseded;
        let old_digest = stored_digest(digest)?;
        // Without an overlap the old one is in force no more.
        tx.check_new_token(source, &name, expires_at, &self.quotas).await?;
        let secret = tx.create_source_token(source, &name, expires_at).await?;
        tx.note_replacement(old, secret.id, old_expires_at).await?;
        tx.commit().await?;
        Ok(Committed::without_duties(Rotated { secret, expires_at, old_expires_at }).changing(vec![old_digest]))
    }

    /// Ends a token, or the enrolment of an agent. The caller then tells the cache.
    #[tracing::instrument(name = "store.sources.revoke_source_token", skip_all)]
    pub async fn revoke_source_token(
        &self,
        scope: &AdminScope,
        source: SourceId,
        token: CredentialId,
    ) -> Result<Committed<()>, StoreError> {
        let tx = self.write(&scope.scope).await?;
        let kinds = credentials::Column::Kind.is_one_of([SCIM_TOKEN, AGENT_ENROLMENT]);
        let digest = tx.revoke(token, credentials::Column::SourceId.eq(source.0).and(kinds)).await?;
        tx.commit().await?;
        Ok(Committed::without_duties(()).revoking(vec![digest]))
    }
}

impl TenantTx {
    pub(crate) async fn source_row(&self, id: SourceId) -> Result<Source, StoreError> {
        let source = self.find::<sources::Entity>().filter(sources::Column::Id.eq(id.0)).one().await?;
        source.ok_or(StoreError::NotFound("source"))
    }

    /// Refuses a second live source (DS2), and names the one that is live. `except` may be live already.
    pub(crate) async fn refuse_second_live(&self, except: Option<SourceId>) -> Result<(), StoreError> {
        let live = self.find::<sources::Entity>().filter(sources::Column::Mode.is("live"));
        let live = live.one::<sources::Model>().await?;
        match live.filter(|live| Some(live.id) != except.map(|id| id.0)) {
            Some(live) => {
                let (name, id) = (live.name, live.id);
                Err(StoreError::Conflict(format!(
                    "source {id} {name:?} of this tenant is live; {}",
                    SECOND_LIVE.sentence
                )))
            }
            None => Ok(()),
        }
    }

    /// Refuses to make a source without active people live while it manages members: all of them would lose access at once. The
    /// source is disconnected, or nobody is assigned to it (docs/design.md#guards).
    async fn refuse_emptied(&self, id: SourceId) -> Result<(), StoreError> {
        if self.has_people(id.0).await? || !self.has_members(id.0).await? {
            return Ok(());
        }
        let why = "the source has no active person in scope: making it live would take access from everybody it manages. \
                   Check that it is connected and that people are assigned to it, or detach it";
        Err(StoreError::Conflict(why.into()))
    }

    /// Refuses to make a source live while another one manages members: it would decide about none of them, and people who leave it
    /// would stay in.
    pub(super) async fn refuse_members_of_another(&self, except: Option<SourceId>) -> Result<(), StoreError> {
        use members::{Column, Entity};
        let mut others: Vec<Uuid> = self.find::<sources::Entity>().values(sources::Column::Id).await?;
        others.retain(|id| except.is_none_or(|except| *id != except.0));
        if others.is_empty() {
            return Ok(());
        }
        // By name, so that the index finds them: a tenant of 100,000 whom this source manages is not read.
        let managed = Column::ManagedBy.is_in(others).and(Column::Status.is_one_of(["invited", "active"]));
        let other: Option<Option<Uuid>> =
            self.find::<Entity>().filter(managed).limit(1).value(Column::ManagedBy).await?;
        let Some(other) = other.flatten() else { return Ok(()) };
        Err(StoreError::Conflict(format!("members are managed by source {other}, and {}", OTHER_MANAGES.sentence)))
    }

    /// Existing groups stay as they are when groups are refused from now on, or taken again.
    async fn set_switches(&self, id: SourceId, change: SourceChange) -> Result<Vec<SecretDigest>, StoreError> {
        let before = self.source_row(id).await?.settings();
        let after = change.over(before);
        if before == after {
            return Ok(Vec::new());
        }
        let update = self.update_source(id).set(sources::Column::UsersOnly, after.users_only);
        update.set(sources::Column::PlainDiscovery, after.plain_discovery).exec().await?;
        let event = Event::SourceUpdated(id, Difference { before, after });
        self.tx.batch(vec![self.event(&event).into()]).await?;
        self.token_digests(id).await
    }

    async fn set_source_mode(&self, id: SourceId, mode: SourceMode) -> Result<Vec<SecretDigest>, StoreError> {
        let is_so = |source: &Source| source.mode == mode.as_str();
        if is_so(&self.source_row(id).await?) {
            // The digests again, because an earlier call may have ended before the caches were invalidated.
            return self.token_digests(id).await;
        }
        // A plan made under the other mode is void.
        self.stop_the_planning().await?;
        self.lock_source(id).await?;
        let source = self.source_row(id).await?;
        if is_so(&source) {
            return self.token_digests(id).await;
        }
        let before = source.mode;
        if mode == SourceMode::Live {
            self.refuse_second_live(Some(id)).await?;
            self.refuse_emptied(id).await?;
            self.refuse_members_of_another(Some(id)).await?;
        }
        self.write_mode(id, &before, mode).await?;
        self.close_runs_of(id, RunState::Withdrawn).await?;
        if mode != SourceMode::Off {
            // A live source's records have changed nothing yet; a simulated source's are planned as a what-if.
            self.touch_everything_of(id).await?;
        }
        self.token_digests(id).await
    }

    /// Switches a source and writes the audit event. A detached source is attached again.
    pub(crate) async fn write_mode(&self, id: SourceId, before: &str, mode: SourceMode) -> Result<(), StoreError> {
        // Groups that left with a detachment may come back with their source; no admin deleted them in the product.
        self.exec(&RETURN_GROUPS, [id.0.into()]).await?;
        let switched = without_quarantine(self.update_source(id)).set(sources::Column::Mode, mode.as_str());
        switched.set(sources::Column::PeopleLeave, false).exec().await.map_err(second_live)?;
        let event = Event::SourceModeChanged(id, SourceModeChanged { before: before.to_owned(), after: mode });
        self.tx.batch(vec![self.event(&event).into()]).await
    }

    /// The digests of the tokens whose cached look-ups a switch makes wrong.
    pub(crate) async fn token_digests(&self, id: SourceId) -> Result<Vec<SecretDigest>, StoreError> {
        use credentials::{Column, Entity};
        let opens = Column::Kind.is_one_of([SCIM_TOKEN, ACCESS_TOKEN]).and(in_force(self.clock.now()));
        let tokens = self.find::<Entity>().filter(Column::SourceId.eq(id.0)).filter(opens);
        tokens.values(Column::Digest).await?.into_iter().map(stored_digest).collect()
    }

    pub(crate) fn update_source(&self, id: SourceId) -> Update<'_, sources::Entity> {
        self.update(sources::Column::Id.eq(id.0))
    }
}

fn scim_token_of(source: SourceId) -> SimpleExpr {
    credentials::Column::SourceId.eq(source.0).and(credentials::Column::Kind.is(SCIM_TOKEN))
}

pub(crate) fn without_quarantine(source: Update<'_, sources::Entity>) -> Update<'_, sources::Entity> {
    let none_text: Option<String> = None;
    source.set(sources::Column::QuarantinedAt, None::<DateTime<Utc>>).set(sources::Column::QuarantineReason, none_text)
}

#[cfg(test)]
mod tests;
